package audit

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
	"github.com/selfaudit/selfaudit/probes"
)

// Bounds on what attempts are made on.
const (
	mostKinds       = 48 // processes that differ in what the kernel looks at
	mostAlike       = 4  // of those kinds of which some may be dumpable, and nothing shows which
	mostRoots       = 24 // roots of others, over all procfs mounts
	mostProcs       = 4
	mostDirectories = 12
	mostWithin      = 4 // directories that are known to lie within the root
)

// finder looks for what lies outside a process.
type finder struct {
	ctx context.Context
	p   *posture.Process
	// thread is one of the process's; nil: the calling one.
	thread *posture.Thread
	// number tells by which number the process knows another; nil: by ours.
	number func(pid int) (int, bool, error)
	kept   *procfs.Kept
	deny   map[string]string

	c    *kernel.Calls
	proc *procfs.Proc
	task *procfs.Dir
	buf  procfs.Buffer
	fds  []int
}

// find looks for what the attempt is made on. pids are the processes among it, as
// we number them, and keep what is to stay open for it until close.
func (f *finder) find(attempt string) (on *probes.Beyond, pids, keep []int) {
	on = probes.NewBeyond()
	f.c = kernel.New(f.deny)
	err := f.open()
	switch attempt {
	case "fd-escape":
		f.directories(on, err)
		return on, nil, f.fds
	case "proc-root":
		return on, f.roots(on, err), nil
	default:
		return on, f.processes(on, err), nil
	}
}

// open opens the ways to all processes and to this one. The error says what there
// is no way to.
func (f *finder) open() error {
	var err error
	if f.proc, err = procfs.Open(f.c, &f.buf); err == nil {
		f.task, err = f.proc.Task(f.p.PID)
	} else if f.kept != nil {
		var errKept error
		f.task, errKept = f.kept.Task(f.c, kernel.Gettid())
		err = errors.Join(err, errKept)
	}
	return err
}

// uid are the user ids of the thread.
func (f *finder) uid() *posture.Fact[posture.IDs] {
	if f.thread == nil {
		return ownUIDs(f.p)
	}
	return &f.thread.UID
}

// close gives back what find holds.
func (f *finder) close() {
	for _, fd := range f.fds {
		kernel.Close(fd)
	}
	f.fds = nil
	if f.task != nil {
		f.task.Close()
	}
	if f.proc != nil {
		f.proc.Close()
	}
	f.task, f.proc = nil, nil
}

// directories are what the facts say of the descriptors, with those of another
// process opened.
func (f *finder) directories(on *probes.Beyond, err error) {
	on.NotOpened = ""
	f.workingDirectories(on)
	list, known := f.p.Descriptors.Get()
	if !known {
		on.NotOpened = "its descriptors: " + f.p.Descriptors.Why()
		return
	}
	inside := 0
	for i := range list {
		d := &list[i]
		isDir, dirKnown := d.Directory.Get()
		out, placed := d.OutsideRoot.Get()
		what := "descriptor " + strconv.Itoa(d.FD)
		switch {
		case d.Kept, dirKnown && !isDir:
			continue
		case placed && !out:
			if inside++; inside > mostWithin {
				continue
			}
		case len(on.Directories) > mostDirectories:
			on.NotOpened = "only " + strconv.Itoa(mostDirectories) + " directories were tried"
			continue
		}
		fd, is, errOpen := f.directory(d, err)
		switch {
		case errOpen != nil:
			on.NotOpened = what + ": " + named(errOpen).Error()
		case is:
			on.Directories = append(on.Directories, probes.Directory{FD: fd, What: what, Outside: placed && out, Inside: placed && !out})
		}
	}
}

// workingDirectories are the one that attempts begin in, and that of the thread
// whose leads out of the root directory.
func (f *finder) workingDirectories(on *probes.Beyond) {
	cwd, tid := &f.p.Root.CwdOutside, f.p.Root.Of.CwdOutside
	out, placed := cwd.Get()
	on.Directories = append(on.Directories, probes.Directory{FD: probes.WorkingDirectory, What: "the working directory", Inside: placed && !out})
	if tid == 0 || placed && !out {
		return
	}
	what := "the working directory of thread " + strconv.Itoa(tid)
	if f.p.Self || f.task == nil {
		on.NotOpened = what + " is another one"
		return
	}
	fd, err := f.task.Follow(strconv.Itoa(tid) + "/cwd")
	if err != nil {
		on.NotOpened = what + ": " + named(err).Error()
		return
	}
	f.fds = append(f.fds, fd)
	on.Directories = append(on.Directories, probes.Directory{FD: fd, What: what, Outside: placed && out})
}

// directory returns a descriptor that refers to what one of the process does: the
// own one, or one opened by O_PATH, which asks nothing of what lies behind.
func (f *finder) directory(d *posture.Descriptor, err error) (int, bool, error) {
	if f.p.Self {
		if d.TID != kernel.Gettid() {
			return -1, false, errors.New("it is open in thread " + strconv.Itoa(d.TID))
		}
		return d.FD, true, nil
	}
	if f.task == nil {
		return -1, false, err
	}
	name := strconv.Itoa(d.TID) + "/fd/" + strconv.Itoa(d.FD)
	own, err := f.task.Follow(name)
	if err != nil {
		return -1, false, err
	}
	st, err := f.c.Stat(own, f.task.Path()+"/"+name)
	if err != nil || !st.IsDir() {
		kernel.Close(own)
		return -1, false, err
	}
	f.fds = append(f.fds, own)
	return own, true, nil
}

// procs are the procfs mounts that the process can name.
func (f *finder) procs(on *probes.Beyond, err error) {
	const mountinfo = "/mountinfo"
	if f.task == nil {
		on.NotSeen = "its mounts: " + named(err).Error()
		return
	}
	tid := f.p.PID
	if f.p.Self {
		tid = kernel.Gettid()
	}
	data, err := f.task.MountInfo(f.ctx, strconv.Itoa(tid)+mountinfo)
	var mounts []posture.Mount
	if err == nil {
		mounts, err = procfs.ParseMountInfo(data)
	}
	if err != nil {
		on.NotSeen = "its mounts: " + named(err).Error()
		return
	}
	on.NotSeen = ""
	var own kernel.FileStat
	if f.proc != nil {
		own, _ = f.c.Stat(f.proc.Dir().FD(), "/proc")
	}
	for i := range mounts {
		m := &mounts[i]
		// Which came later does not tell: move_mount(2) puts some beneath others.
		covered := slices.ContainsFunc(mounts, func(o posture.Mount) bool { return o.Parent == m.ID && o.ID != m.ID && o.Point == m.Point })
		switch {
		case m.Type != "proc" || covered:
		case m.Root != "/":
			if ofProcess(m.Root) {
				on.NotSeen = "a part of a procfs that shows a process is mounted on " + strconv.Quote(m.Point)
			}
		case len(on.Procs) == mostProcs:
			on.NotSeen = "only " + strconv.Itoa(mostProcs) + " of its procfs mounts were tried"
		default:
			on.Procs = append(on.Procs, probes.ProcMount{Path: strings.TrimSuffix(m.Point, "/"), Ours: own.Ino != 0 && own.Dev == device(m)})
		}
	}
}

// device is the number of a mount's file system as Stat has it, for those without
// a device of their own, as procfs is: their major number is 0.
func device(m *posture.Mount) uint64 {
	return uint64(m.Minor&0xff) | uint64(m.Minor&^0xff)<<12
}

// ofProcess says that a directory of a procfs is one of a process.
func ofProcess(root string) bool {
	name := strings.TrimPrefix(root, "/")
	return name != "" && (name[0] >= '0' && name[0] <= '9' || strings.HasPrefix(name, "self") || strings.HasPrefix(name, "thread-self"))
}
