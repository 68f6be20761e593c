//go:build !linux

package collect

// Mounts fills nothing outside Linux.
func (s *Site) Mounts() {}

// Programs fills nothing outside Linux.
func (s *Site) Programs() {}
