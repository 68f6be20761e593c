package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"github.com/selfaudit/selfaudit/internal/procfs"
	"golang.org/x/sys/unix"
)

// emptyRoot goes into an empty root directory, as the classic drop does.
func emptyRoot() error {
	dir, err := os.MkdirTemp("", "selfaudit")
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := syscall.Chroot(dir); err != nil {
		return err
	}
	return syscall.Chdir("/")
}

func dropAll() error {
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(65532, 65532, 65532); err != nil {
		return err
	}
	return syscall.Setresuid(65532, 65532, 65532)
}

// newThreads makes threads that were not there before.
func newThreads(n int) (stop func()) {
	end := make(chan bool)
	var up sync.WaitGroup
	for range n {
		up.Add(1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			up.Done()
			<-end
		}()
	}
	up.Wait()
	return func() { close(end) }
}

// keptAct confines itself after Keep and audits through it, several times,
// with threads that came later.
func keptAct(wantHole bool, prepare func() error) error {
	kept, err := procfs.Keep()
	if err != nil {
		return err
	}
	defer kept.Close()
	if kept.Hole() != wantHole {
		return fmt.Errorf("hole: %v", kept.Hole())
	}
	if err := prepare(); err != nil {
		return err
	}
	for round := range 3 {
		stop := newThreads(5 * round)
		p, err := self(Options{Kept: kept, Root: ReadRoot, Descriptors: true})
		if err != nil {
			return err
		}
		if err := wellRead(p); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if n := p.Threads.Value; n < 5*round {
			return fmt.Errorf("%d threads", n)
		}
		if id := p.Classes[0].UID.Value; id.Saved != (posture.ID{Value: 65532, Outside: 65532}) {
			return fmt.Errorf("uid %+v", id)
		}
		if v, known := p.Root.Chroot.Get(); !known || !v {
			return fmt.Errorf("chroot: %+v", p.Root.Chroot)
		}
		if v, known := p.Root.Host.Get(); !known || v {
			return fmt.Errorf("host: %+v", p.Root.Host)
		}
		if err := keptDescriptor(p, kept, wantHole); err != nil {
			return err
		}
		stop()
	}
	// Without what was kept there is only the calling thread.
	p, err := self(Options{})
	if err != nil {
		return err
	}
	if err := disbelieved(p, "ENOENT"); err != nil {
		return err
	}
	_ = kept.Close()
	p, err = self(Options{Kept: kept})
	if err != nil {
		return err
	}
	return disbelieved(p, "closed")
}

// keptDescriptor wants what was kept marked, or seen to lead out; and nothing
// else that does.
func keptDescriptor(p *posture.Process, kept *procfs.Kept, hole bool) error {
	all, known := p.Descriptors.Get()
	if !known {
		return errors.New(p.Descriptors.Why())
	}
	found := false
	for _, d := range all {
		isKept := d.FD == kept.FD()
		found = found || isKept
		if !d.Directory.Value {
			continue
		}
		if d.Kept != (isKept && !hole) || !isKept && d.OutsideRoot.Value {
			return fmt.Errorf("%+v", d)
		}
		if isKept && hole && (d.OutsideRoot.State != posture.Known || !d.OutsideRoot.Value) {
			return fmt.Errorf("the plain descriptor: %+v", d)
		}
	}
	if !found {
		return errors.New("the kept descriptor is not listed")
	}
	return nil
}

func init() {
	acts["kept"] = func() error {
		return keptAct(false, func() error {
			if err := emptyRoot(); err != nil {
				return err
			}
			return dropAll()
		})
	}
	acts["kept-hole"] = func() error {
		must(filterFor(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM), unix.SYS_OPEN_TREE))
		return keptAct(true, func() error {
			if err := emptyRoot(); err != nil {
				return err
			}
			return dropAll()
		})
	}
	// After fork the threads would be the parent's.
	acts["kept-inherited"] = func() error {
		kept, err := procfs.Keep()
		if err != nil {
			return err
		}
		task, err := kept.Task(newCalls(), 1)
		if !errors.Is(err, procfs.ErrClosed) {
			return fmt.Errorf("a thread that is not in it: %v %v", task, err)
		}
		return nil
	}
	acts["kept-forged"] = func() error {
		must(private())
		must(mounts.Mount("tmpfs", "/proc", "tmpfs", 0, ""))
		if kept, err := procfs.Keep(); !errors.Is(err, procfs.ErrNotGenuine) {
			return fmt.Errorf("kept of a forged /proc: %v %v", kept, err)
		}
		return nil
	}
}

func TestKept(t *testing.T) {
	needRoot(t)
	for _, act := range []string{"kept", "kept-hole", "kept-inherited", "kept-forged", "kept-carrying"} {
		t.Run(act, func(t *testing.T) { runAct(t, privateMounts(command(t, act))) })
	}
}

// Without privileges what is kept is a plain descriptor, and serves as well.
func TestKeptUnprivileged(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Run("as nobody", func(t *testing.T) { runAct(t, command(t, "kept-unprivileged")) })
		return
	}
	if err := keptUnprivileged(); err != nil {
		t.Error(err)
	}
}

func keptUnprivileged() error {
	kept, err := procfs.Keep()
	if err != nil {
		return err
	}
	defer kept.Close()
	if !kept.Hole() {
		return errors.New("a clone without privileges")
	}
	p, err := self(Options{Kept: kept})
	if err != nil {
		return err
	}
	return wellRead(p)
}

func init() {
	acts["kept-unprivileged"] = func() error {
		must(dropAll())
		return keptUnprivileged()
	}
}

// Audits at the same time share what is kept.
func TestKeptTogether(t *testing.T) {
	kept, err := procfs.Keep()
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 5 {
				p, err := self(Options{Kept: kept, Descriptors: true})
				if err != nil {
					t.Error(err)
					return
				}
				for i := range p.Classes {
					if why := p.Classes[i].UID.Why(); why != "" {
						t.Error(why)
					}
				}
				for _, d := range p.Descriptors.Value {
					if d.OutsideRoot.Value && !d.Kept {
						t.Errorf("%+v", d)
					}
				}
			}
		})
	}
	all.Wait()
}

// A container keeps its own /proc/self/task on a procfs of its own. Seen from
// outside it is recognised, and not excused: nobody sees what is mounted below
// it. Another process's is none at all.
func TestKeptSeenFromOutside(t *testing.T) {
	needRoot(t)
	cmd := command(t, "stay-kept")
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	pid, fds := talk(t, cmd, 3)
	p, err := PID(context.Background(), pid, Options{Descriptors: true})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, d := range p.Descriptors.Value {
		switch {
		case d.FD == fds[0], d.FD == fds[2]:
			found++
			if d.Kept || d.OutsideRoot.State != posture.Unreadable || !strings.Contains(d.OutsideRoot.Err, "looks like what audit.Open keeps") {
				t.Errorf("its own: %+v", d)
			}
		case d.FD == fds[1]:
			found++
			if d.Kept || !d.OutsideRoot.Value {
				t.Errorf("another's: %+v", d)
			}
		case d.Kept:
			t.Errorf("no such thing: %+v", d)
		}
	}
	if found != 3 {
		t.Errorf("%+v: want %v among them", p.Descriptors, fds)
	}
}

func init() {
	acts["stay-kept"] = func() error {
		must(private())
		must(mounts.Mount("proc", "/proc", "proc", 0, ""))
		kept, err := procfs.Keep()
		if err != nil {
			return err
		}
		child, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}})
		if err != nil {
			return err
		}
		other, err := unix.OpenTree(unix.AT_FDCWD, "/proc/"+strconv.Itoa(child.Pid)+"/task", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return err
		}
		carries, err := carrying("/etc")
		if err != nil {
			return err
		}
		return stay(kept.FD(), other, carries)
	}
	// A clone that carries other mounts is none of ours, beside our own.
	acts["kept-carrying"] = func() error {
		must(private())
		kept, err := procfs.Keep()
		if err != nil {
			return err
		}
		defer kept.Close()
		carries, err := carrying("/etc")
		if err != nil {
			return err
		}
		again, err := unix.OpenTree(unix.AT_FDCWD, "/proc/self/task", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		must(err)
		must(emptyRoot())
		for _, o := range []Options{{Kept: kept, Descriptors: true}, {Kept: kept, Descriptors: true, Deny: map[string]string{"statx": "test"}}} {
			p, err := self(o)
			if err != nil {
				return err
			}
			for _, fd := range []int{carries, again} {
				if d, err := descriptorOf(p, fd); err != nil || d.Kept || d.OutsideRoot.State == posture.Known && !d.OutsideRoot.Value {
					return fmt.Errorf("a clone that others made: %+v %v", d, err)
				}
			}
			if o.Deny != nil {
				continue
			}
			if d, err := descriptorOf(p, kept.FD()); err != nil || !d.Kept {
				return fmt.Errorf("our own: %+v %v", d, err)
			}
		}
		// Put in our own's place it is found out.
		must(unix.Dup3(carries, kept.FD(), unix.O_CLOEXEC))
		p, err := self(Options{Kept: kept, Descriptors: true})
		if err != nil {
			return err
		}
		return disbelieved(p, "closed")
	}
}

// carrying returns a detached clone of the own task directory below which
// another directory is mounted, and makes sure that it can be reached.
func carrying(what string) (int, error) {
	attr := strconv.Itoa(os.Getpid()) + "/attr"
	if err := mounts.Mount(what, "/proc/self/task/"+attr, "", syscall.MS_BIND, ""); err != nil {
		return -1, err
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/proc/self/task", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, err
	}
	if err := unix.Faccessat(fd, attr+"/passwd", unix.F_OK, 0); err != nil {
		return -1, fmt.Errorf("the clone carries nothing: %w", err)
	}
	return fd, syscall.Unmount("/proc/self/task/"+attr, syscall.MNT_DETACH)
}
