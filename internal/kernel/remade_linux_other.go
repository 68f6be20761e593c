//go:build linux && !amd64

package kernel

// remade knows no such call: on arm64 the kernel has hidden by then which call
// it makes again.
func (t *tracee) remade() (*RemadeCall, bool) { return nil, false }

func (t *tracee) interrupted() {}
