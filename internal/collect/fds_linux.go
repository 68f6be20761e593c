package collect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// descriptors fills Descriptors from every table of descriptors that the
// threads have. Threads normally share one.
func (a *collector) descriptors(up *ascent) {
	if a.task == nil {
		a.p.Descriptors.Fail("/proc", a.noTask.Error())
		return
	}
	d := &descriptorReader{collector: a, ascent: up, root: a.rootPlace(a.p.PID)}
	source := a.task.Path() + "/*/fd"
	for _, tid := range a.tables() {
		if err := d.read(tid); err != nil && !(gone(err) && tid != a.base()) {
			a.p.Descriptors.Fail(source, a.refused(err).Error())
			return
		}
	}
	if err := a.ctx.Err(); err != nil {
		a.p.Descriptors.Fail(source, source+": "+err.Error()+" while descriptors were read")
		return
	}
	a.p.Descriptors.Value = d.out
	a.p.Descriptors.Know(source, strconv.Itoa(len(d.out))+" descriptors")
}

// refused names the privilege that opens what another process has open.
func (a *collector) refused(err error) error {
	if a.p.Self {
		return err
	}
	return accessible(err)
}

// accessible names the privilege that a magic link takes.
func accessible(err error) error {
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: to another user's process, or one that is not dumpable, that takes CAP_SYS_PTRACE", err)
	}
	return err
}

// rootPlace looks at a thread's root directory.
func (a *collector) rootPlace(tid int) *place {
	root := a.follow(tid, "root")
	defer root.close()
	return a.place(root)
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
	ascent *ascent
	root   *place
	out    []posture.Descriptor
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
		if d.ctx.Err() != nil {
			return nil // descriptors says so
		}
		if d.p.Self && tid == d.tid && d.ownTool(fd, dir) {
			continue
		}
		d.out = append(d.out, posture.Descriptor{FD: fd, TID: tid})
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
	err = d.refused(err)
	out.Directory.Value = st.IsDir()
	settle(&out.Directory.Origin, err, source, out.Path)
	switch {
	case err != nil:
		out.OutsideRoot.Fail(source, err.Error())
	case !st.IsDir():
		out.OutsideRoot.Fail(source, "not asked: no directory")
	default:
		answer := d.ascent.from(fd, st, d.root, source)
		out.OutsideRoot = answer.outside
		d.judgeKept(out, &st, answer.alike)
		out.OutsideRoot.Raw = out.Path
	}
	return true
}
