package collect

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// looksKept says whether a directory that nothing is above looks like what
// audit.Open keeps, on our procfs or on the target's. It does so whoever made
// it, and a clone that carries other mounts below it does so too.
func (u *ascent) looksKept(fd int) bool {
	if u.task == nil {
		return false
	}
	if st, err := u.c.Stat(u.task.FD(), u.task.Path()); err == nil && procfs.Detached(u.c, fd, st) == nil {
		return true
	}
	if u.self || len(u.p.Classes) == 0 {
		return false
	}
	leader := &u.p.Classes[0]
	nspid, known := leader.NSpid.Get()
	if !known || leader.TID != u.p.PID {
		return false
	}
	link, err := u.task.Readlink(u.leader("ns/pid"))
	return err == nil && procfs.DetachedElsewhere(u.c, fd, nspid, link) == nil
}

// judgeKept excuses a descriptor that this audit's own Kept made, or that
// another audit opened on the very mount that it made. What only looks like it
// is neither excused nor held against the process.
func (d *descriptorReader) judgeKept(out *posture.Descriptor, st *kernel.FileStat, alike bool) {
	f := &out.OutsideRoot
	if f.State != posture.Known || !f.Value {
		return
	}
	if k := d.o.Kept; d.self && k != nil && k.Made(out.FD, st) {
		out.Kept = true
	} else if alike {
		f.Fail(f.Source, f.Source+": looks like what audit.Open keeps, and whether something is mounted below it cannot be seen")
	}
}
