//go:build !linux

package probes

// enterable says that children can be made here.
const enterable = false
