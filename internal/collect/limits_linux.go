package collect

import (
	"fmt"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Rlimits fills the resource limits, which all threads of a process share.
func (s *Site) Rlimits() {
	f := &s.Process.MakeReach().Rlimits
	if s.Task == nil {
		f.Fail("/proc", s.NoTask.Error())
		return
	}
	name := strconv.Itoa(s.Process.PID) + "/limits"
	source := s.Task.Path() + "/" + name
	data, err := s.Task.Read(name, s.Buf)
	if err == nil {
		if f.Value, err = procfs.ParseLimits(data); err != nil {
			err = fmt.Errorf("%s: %w", source, err)
		}
	}
	settle(&f.Origin, err, source, "")
}
