package procfs

import (
	"errors"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// ErrClosed means that what was kept is closed, or belongs to another process.
var ErrClosed = errors.New("the kept /proc is closed, or is another process's")

// Kept is a way to the process's own threads in /proc that stays open across
// chroot(2) and pivot_root(2). It may be used by several audits at once.
type Kept struct {
	fd   int
	pid  int
	hole bool
	stat kernel.FileStat
}

// Keep keeps the own /proc/self/task: as a detached clone (open_tree(2), Linux
// 5.2, CAP_SYS_ADMIN), from which no path leads out, or else as a plain
// descriptor, which is a hole. It fails where /proc cannot be verified. deny
// names audit calls that must not be made, as for an audit.
func Keep(deny ...map[string]string) (*Kept, error) {
	var denied map[string]string
	for _, m := range deny {
		denied = m
	}
	c := kernel.New(denied)
	p, err := Open(c, new(Buffer))
	if err != nil {
		return nil, err
	}
	defer p.Close()
	task, err := p.Task(p.pid)
	if err != nil {
		return nil, err
	}
	defer task.Close()
	k := &Kept{fd: -1, pid: p.pid}
	was, err := c.Stat(task.fd, task.path)
	if err != nil {
		return nil, err
	}
	if k.fd, err = detach(c, task, was); err != nil {
		k.hole = true
		if k.fd, err = task.Open(".", kernel.OpenDirectory); err != nil {
			return nil, err
		}
	}
	if k.stat, err = c.Stat(k.fd, task.path); err != nil {
		kernel.Close(k.fd)
		return nil, err
	}
	return k, nil
}

// detach clones the task directory, and makes sure that the clone is of that
// directory and that ".." does not lead out of it.
func detach(c *kernel.Calls, task *Dir, want kernel.FileStat) (int, error) {
	fd, err := c.CloneTree(task.fd, task.path)
	if err != nil {
		return -1, err
	}
	if err := Detached(c, fd, want); err != nil {
		kernel.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Close closes what is kept.
func (k *Kept) Close() error {
	if k.fd >= 0 {
		kernel.Close(k.fd)
		k.fd = -1
	}
	return nil
}

// Hole says whether what is kept is itself a way out of the root directory.
func (k *Kept) Hole() bool { return k.hole }

// FD is the kept descriptor, which stays the Kept's.
func (k *Kept) FD() int { return k.fd }

// Made says whether a descriptor of the own process, of that number and that
// was described as st, is the detached clone that Keep made, or was opened on
// its mount. The clone took nothing along that was mounted below the
// directory, and its mount's id is given to no other while it is kept.
func (k *Kept) Made(fd int, st *kernel.FileStat) bool {
	if k.hole || k.fd < 0 || k.pid != kernel.Getpid() {
		return false
	}
	if !st.HasMountID || !k.stat.HasMountID {
		return fd == k.fd && st.Dev == k.stat.Dev && st.Ino == k.stat.Ino
	}
	return st.Dev == k.stat.Dev && st.MountID == k.stat.MountID
}

// Task opens the kept task directory for one audit. tid is the calling thread,
// which must be found in it: after fork(2) it would be the parent's.
func (k *Kept) Task(c *kernel.Calls, tid int) (*Dir, error) {
	if k.fd < 0 || k.pid != kernel.Getpid() {
		return nil, ErrClosed
	}
	d := &Dir{c: c, fd: k.fd, path: "/proc/" + strconv.Itoa(k.pid) + "/task"}
	fs, err := c.Statfs(k.fd, d.path)
	if err != nil {
		return nil, err
	}
	st, err := c.Stat(k.fd, d.path)
	if err != nil {
		return nil, err
	}
	// A mount of the same directory in its place is not what was kept.
	if !fs.Proc || st.Dev != k.stat.Dev || st.Ino != k.stat.Ino || st.MountID != k.stat.MountID && st.HasMountID && k.stat.HasMountID {
		return nil, ErrClosed
	}
	if d.guard, err = keptGuard(c, d, st); err != nil {
		return nil, err
	}
	if d.fd, err = d.Open(".", kernel.OpenDirectory); err != nil {
		return nil, err
	}
	look, err := d.Open(strconv.Itoa(tid), kernel.OpenPath)
	if err != nil {
		d.Close()
		return nil, because(ErrClosed, err)
	}
	kernel.Close(look)
	return d, nil
}

// keptGuard is as chooseGuard, without fdinfo: that lies outside what is kept.
func keptGuard(c *kernel.Calls, d *Dir, st kernel.FileStat) (*guard, error) {
	fd, err := c.OpenBeneath(d.fd, ".", kernel.OpenPath, d.path)
	if err == nil {
		kernel.Close(fd)
		return nil, nil
	}
	if !st.HasMountID {
		return nil, about("cannot tell whether something is mounted over files of the kept /proc", err)
	}
	p := Proc{c: c}
	return &guard{want: st.MountID, mountID: p.statxMountID, dir: -1}, nil
}
