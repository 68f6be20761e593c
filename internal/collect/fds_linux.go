package collect

import (
	"errors"
	"slices"
	"strconv"
	"strings"
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
		a.p.Descriptors.Fail("/proc", a.noTask.Error())
		return
	}
	d := &descriptorReader{collector: a}
	d.root = &a.rootOf(a.p.PID).place
	if st, err := a.c.Stat(a.task.FD(), a.task.Path()); err == nil {
		d.taskDir = st
	}
	source := a.task.Path() + "/*/fd"
	for _, tid := range a.tables() {
		if err := d.read(tid); err != nil && !(gone(err) && tid != a.base()) {
			a.p.Descriptors.Fail(source, err.Error())
			return
		}
	}
	a.p.Descriptors.Value = d.out
	a.p.Descriptors.Know(source, strconv.Itoa(len(d.out))+" descriptors")
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
	ours, err := a.c.Readlink(a.task.FD(), strconv.Itoa(with)+fd, a.task.Path())
	if err != nil {
		return false
	}
	theirs, err := a.c.Readlink(a.task.FD(), strconv.Itoa(tid)+fd, a.task.Path())
	return err == nil && ours == theirs
}

// descriptorReader reads tables of descriptors.
type descriptorReader struct {
	*collector
	root    *place
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
		d.out = append(d.out, posture.Descriptor{FD: fd})
		if !d.look(&d.out[len(d.out)-1], dir) {
			d.out = d.out[:len(d.out)-1]
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

// look looks at one descriptor. It is false where that was closed meanwhile.
func (d *descriptorReader) look(out *posture.Descriptor, dir *procfs.Dir) bool {
	name := strconv.Itoa(out.FD)
	source := dir.Path() + "/" + name
	// Without its name all else is still told of it.
	out.Path, _ = d.c.Readlink(dir.FD(), name, dir.Path())
	fd, err := dir.Follow(name)
	if errors.Is(err, syscall.ENOENT) {
		return false
	}
	var st kernel.FileStat
	if err == nil {
		defer kernel.Close(fd)
		st, err = d.c.Stat(fd, source)
	}
	out.Directory.Value = st.IsDir()
	settle(&out.Directory.Origin, err, source, out.Path)
	switch {
	case err != nil:
		out.OutsideRoot.Fail(source, err.Error())
	case !st.IsDir():
		out.OutsideRoot.Fail(source, "not asked: no directory")
	default:
		d.outside(out, fd, st, source)
		out.OutsideRoot.Raw = out.Path
	}
	return true
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
// where there is nothing above: then no path inside the root leads to it. Kept
// is set where that is what audit.Open keeps: other audits of the same process
// have directories below it open.
func (d *descriptorReader) outside(out *posture.Descriptor, fd int, st kernel.FileStat, source string) {
	f, root := &out.OutsideRoot, &d.root.Value
	if d.root.State != posture.Known {
		f.Origin = d.root.Origin
		return
	}
	at := fd
	defer func() {
		if at != fd {
			kernel.Close(at)
		}
	}()
	for range maxDepth {
		if sameDirectory(&st, root) {
			if !st.HasMountID || !root.HasMountID {
				f.Fail(source, source+": comes to the root directory, and no mount ids tell whether by the same mount")
				return
			}
			if st.MountID == root.MountID {
				f.Know(source, "")
				return
			}
		}
		up, above, err := d.up(at, source+"/..")
		if err != nil {
			f.Fail(source, err.Error())
			return
		}
		if at != fd {
			kernel.Close(at)
		}
		at = up
		if sameDirectory(&above, &st) && above.MountID == st.MountID {
			out.Kept = d.kept(at)
			d.top(f, &st, source)
			return
		}
		st = above
	}
	f.Fail(source, source+": too deep")
}

func (d *descriptorReader) up(at int, shown string) (int, kernel.FileStat, error) {
	fd, err := kernel.Open(at, "..", kernel.OpenPath|kernel.OpenDirectory, strings.TrimSuffix(shown, "/.."))
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
func (d *descriptorReader) top(f *posture.Fact[bool], st *kernel.FileStat, source string) {
	if !d.p.Self && st.HasMountRoot && !st.MountRoot {
		f.Fail(source, source+": the auditor's own root directory is in the way")
		return
	}
	f.Value = true
	f.Know(source, "")
}
