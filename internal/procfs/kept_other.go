//go:build !linux

package procfs

import "github.com/selfaudit/selfaudit/internal/kernel"

// Kept is a way to the process's own threads in /proc. There is none outside
// Linux.
type Kept struct{}

// Keep fails outside Linux.
func Keep(...map[string]string) (*Kept, error) { return nil, kernel.ErrNeedsLinux }

// Close does nothing.
func (*Kept) Close() error { return nil }

// Hole is false: nothing is kept.
func (*Kept) Hole() bool { return false }
