package procfs

import (
	"errors"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// ErrNotGenuine means that /proc is not a procfs that counts processes as the
// caller's pid namespace does.
var ErrNotGenuine = errors.New("/proc is not genuine")

func notGenuine(why string) error { return because(ErrNotGenuine, errors.New(why)) }

// Proc is a verified /proc, reached through one descriptor. It is for one
// audit: what is mounted where can change between two.
type Proc struct {
	c    *kernel.Calls
	root *Dir
	pid  int
	buf  *Buffer
	// own is the own task directory until Task is asked for it, else nil.
	own *Dir
}

// procRootInode is PROC_ROOT_INO: that of the root of every procfs.
const procRootInode = 1

// Open opens /proc and verifies it: its type, its inode, and that it knows
// the caller under the numbers that the kernel answers. buf is room to read in.
func Open(c *kernel.Calls, buf *Buffer) (*Proc, error) {
	fd, err := kernel.Open(kernel.CurrentDir, "/proc", kernel.OpenDirectory|kernel.OpenNoFollow, "")
	if err != nil {
		return nil, err
	}
	p := &Proc{c: c, root: &Dir{c: c, fd: fd, path: "/proc"}, pid: kernel.Getpid(), buf: buf}
	if err := p.verify(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close closes /proc and what Open needed to verify it.
func (p *Proc) Close() {
	for _, fd := range p.Descriptors() {
		kernel.Close(fd)
	}
}

// Descriptors are those that the verified /proc itself holds.
func (p *Proc) Descriptors() []int {
	held := []int{p.root.fd}
	if p.own != nil {
		held = append(held, p.own.fd)
	}
	if p.root.guard != nil {
		held = append(held, p.root.guard.dir)
	}
	return held
}

// Dir returns the root of the procfs.
func (p *Proc) Dir() *Dir { return p.root }

func (p *Proc) verify() error {
	fs, err := p.c.Statfs(p.root.fd, "/proc")
	if err != nil {
		return err
	}
	st, err := p.c.Stat(p.root.fd, "/proc")
	if err != nil {
		return err
	}
	if !fs.Proc {
		return notGenuine("not a procfs")
	}
	if st.Ino != procRootInode {
		return notGenuine("not the root of a procfs")
	}
	if p.root.guard, err = p.chooseGuard(&st); err != nil {
		return err
	}
	return p.countsAsWeDo()
}

// chooseGuard returns nil where openat2(2) works, else the comparison of
// mount ids, from statx(2) or from fdinfo. What it tries openat2(2) on is the
// own task directory, which is wanted later.
func (p *Proc) chooseGuard(root *kernel.FileStat) (*guard, error) {
	var err error
	if p.own, err = p.open(p.pid); err == nil {
		return nil, nil
	}
	probe, openat2 := p.c.OpenBeneath(p.root.fd, ".", kernel.OpenPath, "/proc")
	if openat2 == nil {
		kernel.Close(probe)
		return nil, nil
	}
	if root.HasMountID {
		return &guard{want: root.MountID, mountID: p.statxMountID, dir: -1}, nil
	}
	g, err := p.fdinfoGuard()
	if err != nil {
		return nil, about("cannot tell whether something is mounted over files of /proc: "+openat2.Error()+"; statx(2) shows no mount id", err)
	}
	return g, nil
}

func (p *Proc) statxMountID(fd int, shown string) (uint64, error) {
	st, err := p.c.Stat(fd, shown)
	if err != nil {
		return 0, err
	}
	if !st.HasMountID {
		return 0, errors.New(shown + ": statx(2) shows no mount id")
	}
	return st.MountID, nil
}

// countsAsWeDo verifies that the procfs belongs to our pid namespace. That of
// another has our number wrong, or has it right by chance: then it knows us
// under more numbers than one, or not at all.
func (p *Proc) countsAsWeDo() error {
	self, err := p.root.ReadlinkPlain("self")
	_, denied := err.(*kernel.DeniedError)
	switch {
	case denied:
		// The pidfd or the status below decides alone.
	case err != nil:
		return because(ErrNotGenuine, err)
	case self != strconv.Itoa(p.pid):
		return notGenuine("its self is process " + strconv.Quote(self[:min(len(self), 20)]) + ", we are " + strconv.Itoa(p.pid))
	}
	fd, err := p.c.PidfdOpen(p.pid)
	if err != nil {
		return p.statusNamesUs()
	}
	defer kernel.Close(fd)
	return p.Names(fd, p.pid)
}

// Names verifies that the procfs knows the process behind a pidfd under the
// number pid, as its own namespace's number: fdinfo of the pidfd says so.
func (p *Proc) Names(pidfd, pid int) error {
	name := strconv.Itoa(p.pid) + "/fdinfo/" + strconv.Itoa(pidfd)
	data, err := p.root.Read(name, p.buf)
	if err != nil {
		return err
	}
	info, err := ParseFDInfo(data)
	if err != nil {
		return about("/proc/"+name, err)
	}
	if info.PID != pid {
		return notGenuine("it counts process " + strconv.Itoa(pid) + " as " + strconv.Itoa(info.PID))
	}
	if pid == p.pid && len(info.NSpid) > 1 {
		return notGenuine("it belongs to a parent pid namespace")
	}
	return nil
}

// statusNamesUs verifies the same by our own status, where there is no pidfd.
func (p *Proc) statusNamesUs() error {
	name := strconv.Itoa(p.pid) + "/status"
	data, err := p.root.Read(name, p.buf)
	if err != nil {
		return err
	}
	s := StatusOf(data, "/proc/"+name)
	if pid, known := s.PID.Get(); !known || pid != p.pid {
		return notGenuine(s.PID.Source + " is not about process " + strconv.Itoa(p.pid))
	}
	if levels, known := s.NSpid.Get(); !known || len(levels) != 1 || levels[0] != p.pid {
		return notGenuine(s.PID.Source + " does not show that it is of our pid namespace")
	}
	return nil
}

// Task opens the task directory of a process. It stays that process's,
// however often the number is used again.
func (p *Proc) Task(pid int) (*Dir, error) {
	if own := p.own; own != nil && pid == p.pid {
		p.own = nil
		return own, nil
	}
	return p.open(pid)
}

func (p *Proc) open(pid int) (*Dir, error) { return p.root.Sub(strconv.Itoa(pid) + "/task") }

// Self is our own process id, in the procfs's numbers and the kernel's.
func (p *Proc) Self() int { return p.pid }
