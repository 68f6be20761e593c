//go:build !linux

package cli

import "github.com/selfaudit/selfaudit/internal/kernel"

// readUnverified fails outside Linux.
func readUnverified(string) ([]byte, error) { return nil, kernel.ErrNeedsLinux }
