//go:build !linux

package collect

// AbstractSockets does nothing here: nothing makes a Site.
func (s *Site) AbstractSockets() {}
