//go:build !(linux && amd64)

package probes

func (p otherEntry) name() string { return "" }

// number says that there is no other way into the kernel.
func (p otherEntry) number() (uint32, bool) { return 0, false }
