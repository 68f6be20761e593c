package collect

import (
	"errors"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// maxDepth bounds the way up from a directory. The kernel has no bound on
// depth; what is deeper stays unknown.
const maxDepth = 1 << 16

// descriptors fills Descriptors from every table of descriptors that the
// threads have. Threads normally share one.
func (a *collector) descriptors() {
	if a.task == nil {
		a.p.Descriptors = posture.Failed[[]posture.Descriptor]("/proc", a.noTask.Error())
		return
	}
	d := &descriptorReader{collector: a}
	d.root = a.rootOf(a.p.PID).stat
	if st, err := a.c.Stat(a.task.FD(), a.task.Path()); err == nil {
		d.taskDir = st
	}
	source := a.task.Path() + "/*/fd"
	for _, tid := range a.tables() {
		if err := d.read(tid); err != nil && !(gone(err) && tid != a.base()) {
			a.p.Descriptors = posture.Failed[[]posture.Descriptor](source, err.Error())
			return
		}
	}
	a.p.Descriptors = posture.Of(d.out, source, strconv.Itoa(len(d.out))+" descriptors")
}

// base is the thread whose table is read first: for the own process the
// calling one, in whose table the audit's own descriptors are.
func (a *collector) base() int {
	if a.p.Self {
		return a.tid
	}
	return a.p.PID
}

// tables returns one thread for each table of descriptors.
func (a *collector) tables() []int {
	out := []int{a.base()}
	for i := range a.p.Classes {
		for _, tid := range a.p.Classes[i].TIDs {
			shares := func(with int) bool { return with == tid || a.sharesFiles(with, tid) }
			if !slices.ContainsFunc(out, shares) {
				out = append(out, tid)
			}
		}
	}
	return out
}

// sharesFiles says whether two threads have one table. Where kcmp(2) is
// refused, a descriptor of our own process tells: one that was opened for
// this audit is in every table that is shared with the calling thread's, and
// in no copy made before.
func (a *collector) sharesFiles(with, tid int) bool {
	if same, err := a.c.SameFiles(with, tid); err == nil {
		return same
	}
	if !a.p.Self || with != a.tid {
		return false
	}
	fd := "/fd/" + strconv.Itoa(a.task.FD())
	ours, err := a.c.Readlink(a.task.FD(), strconv.Itoa(with)+fd, fd)
	if err != nil {
		return false
	}
	theirs, err := a.c.Readlink(a.task.FD(), strconv.Itoa(tid)+fd, fd)
	return err == nil && ours == theirs
}

// descriptorReader reads tables of descriptors.
type descriptorReader struct {
	*collector
	root    posture.Fact[kernel.FileStat]
	taskDir kernel.FileStat
	out     []posture.Descriptor
}

func (d *descriptorReader) read(tid int) error {
	name := strconv.Itoa(tid) + "/fd"
	dir, err := d.task.Sub(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	numbers, err := dir.Numbers(&d.buf, nil)
	if err != nil {
		return err
	}
	for _, fd := range numbers {
		if d.p.Self && tid == d.tid && d.ownTool(fd, dir) {
			continue
		}
		if one, open := d.descriptor(dir, fd); open {
			d.out = append(d.out, one)
		}
	}
	return nil
}

// ownTool says whether the audit itself holds the descriptor for its own use.
func (d *descriptorReader) ownTool(fd int, dir *procfs.Dir) bool {
	if fd == dir.FD() || fd == d.task.FD() || slices.Contains(d.tools, fd) {
		return true
	}
	return d.proc != nil && slices.Contains(d.proc.Descriptors(), fd)
}

// descriptor looks at one descriptor. It is false where that was closed
// meanwhile.
func (d *descriptorReader) descriptor(dir *procfs.Dir, number int) (posture.Descriptor, bool) {
	name := strconv.Itoa(number)
	source := dir.Path() + "/" + name
	out := posture.Descriptor{FD: number}
	path, err := d.c.Readlink(dir.FD(), name, source)
	if err == nil {
		out.Path = path
	}
	fd, err := dir.Follow(name)
	if errors.Is(err, syscall.ENOENT) {
		return out, false
	}
	if err != nil {
		out.Directory = posture.Failed[bool](source, err.Error())
		out.OutsideRoot = out.Directory
		return out, true
	}
	defer kernel.Close(fd)
	st, err := d.c.Stat(fd, source)
	out.Directory = fact(st.IsDir(), err, source)
	out.Directory.Raw = out.Path
	switch {
	case err != nil:
		out.OutsideRoot = out.Directory
	case !st.IsDir():
		out.OutsideRoot = posture.Failed[bool](source, "not asked: no directory")
	default:
		out.OutsideRoot, out.Kept = d.outside(fd, st, source)
		out.OutsideRoot.Raw = out.Path
	}
	return out, true
}

// kept recognises what audit.Open keeps, on our procfs or on the target's.
func (d *descriptorReader) kept(fd int) bool {
	if procfs.Detached(d.c, fd, d.taskDir) == nil {
		return true
	}
	if d.self || len(d.p.Classes) == 0 {
		return false
	}
	leader := &d.p.Classes[0]
	nspid, known := leader.NSpid.Get()
	if !known || leader.TID != d.p.PID {
		return false
	}
	link, err := d.task.Readlink(d.leader("ns/pid"))
	return err == nil && procfs.DetachedElsewhere(d.c, fd, nspid, link) == nil
}

// outside goes up from a directory until it comes to the target's root, or to
// where there is nothing above: then no path inside the root leads to it. kept
// is true where that is what audit.Open keeps: other audits of the same
// process have directories below it open.
func (d *descriptorReader) outside(fd int, st kernel.FileStat, source string) (out posture.Fact[bool], kept bool) {
	root, known := d.root.Get()
	if !known {
		return posture.Carry(d.root, false), false
	}
	at := fd
	defer func() {
		if at != fd {
			kernel.Close(at)
		}
	}()
	for range maxDepth {
		if sameDirectory(st, root) {
			if !st.HasMountID || !root.HasMountID {
				return posture.Failed[bool](source, source+": comes to the root directory, and no mount ids tell whether by the same mount"), false
			}
			if st.MountID == root.MountID {
				return posture.Of(false, source, ""), false
			}
		}
		up, above, err := d.up(at, source+"/..")
		if err != nil {
			return posture.Failed[bool](source, err.Error()), false
		}
		if at != fd {
			kernel.Close(at)
		}
		at = up
		if sameDirectory(above, st) && above.MountID == st.MountID {
			return d.top(st, source), d.kept(at)
		}
		st = above
	}
	return posture.Failed[bool](source, source+": too deep"), false
}

func (d *descriptorReader) up(at int, shown string) (int, kernel.FileStat, error) {
	fd, err := kernel.Open(at, "..", kernel.OpenPath|kernel.OpenDirectory, shown)
	if err != nil {
		return -1, kernel.FileStat{}, err
	}
	st, err := d.c.Stat(fd, shown)
	if err != nil {
		kernel.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

// top is the answer where nothing is above. A chroot of the auditor's own
// looks like that too, and may lie inside the target's root.
func (d *descriptorReader) top(st kernel.FileStat, source string) posture.Fact[bool] {
	if !d.p.Self && st.HasMountRoot && !st.MountRoot {
		return posture.Failed[bool](source, source+": the auditor's own root directory is in the way")
	}
	return posture.Of(true, source, "")
}
