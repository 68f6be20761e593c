package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Target is a process that is held, to make replicas of. It is not safe for
// concurrent use, and is used from one thread, which its caller has locked.
type Target struct {
	c    *kernel.Calls
	buf  procfs.Buffer
	proc *procfs.Proc
	// task and own are the task directories of the process and of ourselves.
	task, own *procfs.Dir
	pid       int
	held      int
	start     procfs.Stat
	fds       []int
	// seen is what each thread that a replica stands for was in.
	seen map[int]surroundings
	// joins: replicas join the cgroups of their threads. joined are those that
	// the one of each thread does, and effects is what of the others matters.
	joins   bool
	joined  map[int][]procfs.Cgroup
	effects map[int]effects
	// alike is what each thread was in when its class was split.
	alike map[int]surroundings
	// labels are the LSM labels that replicas take on.
	labels map[int]string
}

// Open holds the process with that id in our pid namespace. Where it is called
// before the facts of a process are collected, and Still finds nothing
// afterwards, facts and replicas are of one and the same process. It needs no
// privilege; the error says what of the process could not be opened. Close it.
func Open(ctx context.Context, pid int) (*Target, error) {
	t := &Target{c: kernel.New(nil), pid: pid, held: -1, seen: map[int]surroundings{}, alike: map[int]surroundings{}}
	if err := t.open(ctx); err != nil {
		t.Close()
		return nil, fmt.Errorf("replica of process %d: %w", pid, err)
	}
	return t, nil
}

func (t *Target) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if t.held, err = t.c.PidfdOpen(t.pid); err != nil && !errors.Is(err, syscall.ENOSYS) {
		t.held = -1
		return err
	}
	if t.proc, err = procfs.Open(t.c, &t.buf); err != nil {
		return err
	}
	if t.held >= 0 {
		if err := t.proc.Names(t.held, t.pid); err != nil {
			return err
		}
	}
	if t.task, err = t.proc.Task(t.pid); err != nil {
		return err
	}
	if t.own, err = t.proc.Task(t.proc.Self()); err != nil {
		return err
	}
	if t.start, err = t.stat(t.task); err != nil {
		return err
	}
	switch {
	case t.start.KernelThread():
		return errors.New("is a kernel thread")
	case t.start.Zombie() && t.start.Threads <= 1:
		return errors.New("is a zombie")
	}
	return nil
}

// JoinCgroups has replicas join the cgroups of the process, whose limits they are
// charged to then. It comes before Posture.
func (t *Target) JoinCgroups() { t.joins, t.joined = true, map[int][]procfs.Cgroup{} }

// Close lets go of the process.
func (t *Target) Close() {
	for _, fd := range t.fds {
		kernel.Close(fd)
	}
	t.fds = nil
	for _, d := range []*procfs.Dir{t.task, t.own} {
		if d != nil {
			d.Close()
		}
	}
	t.task, t.own = nil, nil
	if t.proc != nil {
		t.proc.Close()
		t.proc = nil
	}
	kernel.Close(t.held)
	t.held = -1
}

func (t *Target) stat(task *procfs.Dir) (procfs.Stat, error) {
	data, err := task.Read(strconv.Itoa(t.pid)+"/stat", &t.buf)
	if err != nil {
		return procfs.Stat{}, err
	}
	return procfs.ParseStat(data)
}

// Still returns nil where the process is the one that was opened, has not ended,
// and is where the replicas were made to be. Else the error is ErrEnded,
// ErrChanged, or why that cannot be told.
func (t *Target) Still() error {
	if t.held >= 0 {
		switch over, err := t.c.PidfdEnded(t.held); {
		case err != nil:
			return err
		case over:
			return ErrEnded
		}
	}
	// By its number once more: the directory held open never shows another.
	task, err := t.proc.Task(t.pid)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	defer task.Close()
	now, err := t.stat(task)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrEnded, err)
	case now.Start != t.start.Start:
		return ErrEnded
	}
	for tid, was := range t.seen {
		is, err := t.surroundings(t.task, tid)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrChanged, err)
		}
		if what := was.differ(is); what != "" {
			return fmt.Errorf("%w: %s of thread %d", ErrChanged, what, tid)
		}
		if what := join(t.outsideCgroups(t.task, tid, tid), t.otherLabel(t.task, tid, tid)); what != "" {
			return fmt.Errorf("%w: %s of thread %d", ErrChanged, what, tid)
		}
	}
	for tid, was := range t.alike {
		is, err := t.surroundings(t.task, tid)
		if err == nil && was != is {
			return fmt.Errorf("%w: %s of thread %d", ErrChanged, was.differ(is), tid)
		}
		if unlessEnded(err) != nil {
			return fmt.Errorf("%w: %w", ErrChanged, err)
		}
	}
	return nil
}

// Apart splits a class by what its threads are in: unshare(2) and setns(2) change
// that for one thread. Each part is in one namespace of every kind and has one
// root directory, so that one replica stands for all of it. Working directories
// do not count. Threads that have ended meanwhile are left out where others are
// left. A class of which that cannot be told is returned as it is: Posture says
// why there is no replica of it.
func (t *Target) Apart(class *posture.Class) []posture.Class {
	var in []surroundings
	var parts []posture.Class
	for _, tid := range class.TIDs {
		s, err := t.surroundings(t.task, tid)
		if err != nil && unlessEnded(err) == nil {
			continue
		}
		if err != nil {
			return []posture.Class{*class}
		}
		t.alike[tid] = s
		k := slices.Index(in, s)
		if k < 0 {
			k = len(in)
			in = append(in, s)
			parts = append(parts, posture.Class{Thread: class.Thread})
			if tid != class.TID {
				parts[k].TID = tid
			}
		}
		parts[k].TIDs = append(parts[k].TIDs, tid)
	}
	if len(parts) == 0 {
		return []posture.Class{*class}
	}
	return parts
}

// join names what differs, of what there is.
func join(what ...string) string {
	return strings.Join(slices.DeleteFunc(what, func(w string) bool { return w == "" }), ", ")
}

// surroundings are what a thread is in.
type surroundings struct {
	// links are what the links of its namespaces say, in the order of types.
	links [len(types)]string
	root  rootKey
}

// rootKey is a root directory, as it is reached by one mount.
type rootKey struct{ dev, ino, mount uint64 }

// differ names what differs, or nothing.
func (s surroundings) differ(o surroundings) string {
	var list []string
	for k, n := range types {
		if s.links[k] != o.links[k] {
			list = append(list, n.name+" namespace")
		}
	}
	if s.root != o.root {
		list = append(list, "root directory")
	}
	return strings.Join(list, ", ")
}

// nsType is a kind of namespace.
type nsType struct {
	name string
	flag uintptr
}

// user is where the user namespace stands among types.
const user = 7

// types are the kinds of namespaces in the order of joining: a namespace that
// an ancestor owns cannot be joined after the user namespace, and the one for
// processes holds for the next child alone.
var types = [...]nsType{
	{"mnt", 0x00020000}, {"net", 0x40000000}, {"ipc", 0x08000000}, {"uts", 0x04000000},
	{"cgroup", 0x02000000}, {"time", 0x00000080}, {"pid", 0x20000000}, {"user", 0x10000000},
}

// surroundings reads what a thread is in.
func (t *Target) surroundings(task *procfs.Dir, tid int) (surroundings, error) {
	var s surroundings
	at := strconv.Itoa(tid)
	for k, n := range types {
		link, err := task.Readlink(at + "/ns/" + n.name)
		if errors.Is(err, syscall.ENOENT) && n.name != "mnt" {
			continue // this kernel has no such kind
		}
		if err != nil {
			return s, accessible(err)
		}
		s.links[k] = link
	}
	fd, err := task.Follow(at + "/root")
	if err != nil {
		return s, accessible(err)
	}
	defer kernel.Close(fd)
	st, err := t.c.Stat(fd, task.Path()+"/"+at+"/root")
	s.root = rootKey{st.Dev, st.Ino, st.MountID}
	return s, err
}

// accessible names the privilege that opens what was refused.
func accessible(err error) error {
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: to another user's process, or one that is not dumpable, that takes CAP_SYS_PTRACE", err)
	}
	return err
}
