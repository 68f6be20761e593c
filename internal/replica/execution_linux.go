package replica

import (
	"errors"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// forkedOnly is PF_FORKNOEXEC: the kernel sets it in a child, and clears it once
// an execve(2) has replaced the program.
const forkedOnly = 0x40

// Examine says whether a child of ours, by its number in our pid namespace, has
// executed a program, and what it has since. That takes one that has ended: the
// kernel shows what it had as long as nobody waits for it.
func (t *Target) Examine(pid int) (a posture.AfterExec, executed bool, err error) {
	name := strconv.Itoa(pid)
	data, err := t.proc.Dir().Read(name+"/stat", &t.buf)
	if err != nil {
		return a, false, err
	}
	stat, err := procfs.ParseStat(data)
	switch {
	case err != nil:
		return a, false, err
	case stat.PID != pid:
		return a, false, errors.New("stat of the child is about another process")
	case stat.Flags&forkedOnly != 0:
		return a, false, nil
	case !stat.Zombie():
		// The flag goes before the credentials change.
		return a, true, errors.New("the child has not ended")
	}
	if data, err = t.status(pid); err != nil {
		return a, true, err
	}
	s := procfs.StatusOf(data, "status of the child")
	if got, known := s.PID.Get(); !known || got != pid {
		return a, true, errors.New("status of the child is about another process")
	}
	a.UID, a.GID, a.Groups = s.UID.Value, s.GID.Value, s.Groups.Value
	c := &s.Caps
	for _, f := range []*posture.Origin{&s.UID.Origin, &s.GID.Origin, &s.Groups.Origin} {
		if f.State != posture.Known {
			return a, true, errors.New(f.Why())
		}
	}
	for _, set := range []struct {
		from *posture.Fact[posture.CapSet]
		to   *posture.CapSet
	}{
		{&c.Inheritable, &a.Caps.Inheritable}, {&c.Permitted, &a.Caps.Permitted}, {&c.Effective, &a.Caps.Effective},
		{&c.Bounding, &a.Caps.Bounding}, {&c.Ambient, &a.Caps.Ambient},
	} {
		if set.from.State != posture.Known {
			return a, true, errors.New(set.from.Why())
		}
		*set.to = set.from.Value
	}
	return a, true, nil
}
