//go:build !linux

package collect

import (
	"context"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// Site is made nowhere outside Linux, so nothing below is ever called.
type Site struct {
	Ctx     context.Context
	Process *posture.Process
}

// AccessAsked is what Site.Access is to find out.
type AccessAsked struct {
	Masked, ReadOnly, Shells []string
	Bounds                   map[posture.Use][]string
}

// Access does nothing.
func (s *Site) Access(AccessAsked) {}

// AbstractSockets does nothing.
func (s *Site) AbstractSockets() {}

// CgroupLimits does nothing.
func (s *Site) CgroupLimits() {}

// InetSockets does nothing.
func (s *Site) InetSockets() {}

// ControlSockets does nothing.
func (s *Site) ControlSockets() {}

// Labels does nothing.
func (s *Site) Labels() {}

// Mounts does nothing.
func (s *Site) Mounts() {}

// MountTables does nothing.
func (s *Site) MountTables() {}

// Namespaces does nothing.
func (s *Site) Namespaces() {}

// Networks does nothing.
func (s *Site) Networks() {}

// OpenFiles does nothing.
func (s *Site) OpenFiles() {}

// Programs does nothing.
func (s *Site) Programs() {}

// ShowProgress does nothing.
func (s *Site) ShowProgress(func(files int)) {}

// Rlimits does nothing.
func (s *Site) Rlimits() {}

// Dumps does nothing.
func (s *Site) Dumps() {}

// Environment does nothing.
func (s *Site) Environment() {}

// Executable does nothing.
func (s *Site) Executable() {}

// Layout does nothing.
func (s *Site) Layout() {}

// Mappings does nothing.
func (s *Site) Mappings() {}

// Terminals does nothing.
func (s *Site) Terminals() {}
