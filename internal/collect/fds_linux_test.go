package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"golang.org/x/sys/unix"
)

func descriptorOf(p *posture.Process, fd int) (posture.Descriptor, error) {
	all, known := p.Descriptors.Get()
	if !known {
		return posture.Descriptor{}, errors.New(p.Descriptors.Why())
	}
	for _, d := range all {
		if d.FD == fd {
			return d, nil
		}
	}
	return posture.Descriptor{}, fmt.Errorf("descriptor %d is not listed: %+v", fd, all)
}

// wantDescriptor wants a directory, seen to lead out or not.
func wantDescriptor(p *posture.Process, fd int, outside bool) error {
	d, err := descriptorOf(p, fd)
	if err != nil {
		return err
	}
	if v, known := d.Directory.Get(); !known || !v {
		return fmt.Errorf("descriptor %d: no directory: %+v", fd, d)
	}
	if v, known := d.OutsideRoot.Get(); !known || v != outside {
		return fmt.Errorf("descriptor %d: outside %v %s, want %v", fd, v, d.OutsideRoot.Why(), outside)
	}
	return nil
}

func openDir(path string, flags int) int {
	fd, err := syscall.Open(path, syscall.O_DIRECTORY|syscall.O_CLOEXEC|flags, 0)
	must(err)
	return fd
}

// scene opens directories in and out of a chroot, and things that must not be
// really opened.
func descriptorScene() (inside, outside []int, other []int) {
	must(private())
	dir, err := newRoot()
	must(err)
	sub := filepath.Join(dir, "sub")
	must(os.MkdirAll(sub+"/a/b", 0o755))
	must(syscall.Mkfifo(sub+"/fifo", 0o600))
	outside = append(outside, openDir("/", 0), openDir(dir, 0), openDir(dir, unix.O_PATH), openDir("/tmp", 0))
	// The root's own directory, by another mount of it.
	must(os.Mkdir(dir+"/again", 0o755))
	must(mounts.Mount(sub, dir+"/again", "", syscall.MS_BIND, ""))
	outside = append(outside, openDir(dir+"/again", 0), openDir(dir+"/again/a", 0))
	inside = append(inside, openDir(sub, 0), openDir(sub+"/a/b", 0), openDir(sub+"/a", unix.O_PATH), openDir(sub+"/proc", 0))
	// A mount that is attached nowhere.
	tree, err := unix.OpenTree(unix.AT_FDCWD, "/tmp", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	must(err)
	outside = append(outside, tree)
	// A directory that was removed, still below the root.
	must(os.Mkdir(sub+"/gone", 0o755))
	inside = append(inside, openDir(sub+"/gone", 0))
	must(os.Remove(sub + "/gone"))
	fifo, err := syscall.Open(sub+"/fifo", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	must(err)
	pipe := make([]int, 2)
	must(syscall.Pipe2(pipe, syscall.O_CLOEXEC))
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(err)
	other = []int{fifo, pipe[0], pipe[1], socket}
	must(chroot(sub))
	return inside, outside, other
}

func sceneSeen(p *posture.Process, inside, outside, other []int) error {
	for _, fd := range inside {
		if err := wantDescriptor(p, fd, false); err != nil {
			return err
		}
	}
	for _, fd := range outside {
		if err := wantDescriptor(p, fd, true); err != nil {
			return err
		}
	}
	for _, fd := range other {
		d, err := descriptorOf(p, fd)
		if err != nil {
			return err
		}
		if v, known := d.Directory.Get(); !known || v || d.Path == "" {
			return fmt.Errorf("no directory: %+v", d)
		}
	}
	return nil
}

func init() {
	acts["descriptors"] = func() error {
		inside, outside, other := descriptorScene()
		for _, deny := range []map[string]string{nil, {"kcmp": "test"}, {"openat2": "test"}} {
			stop := newThreads(5)
			p, err := self(Options{Descriptors: true, Deny: deny})
			stop()
			if err != nil {
				return err
			}
			if err := sceneSeen(p, inside, outside, other); err != nil {
				return fmt.Errorf("without %v: %w", deny, err)
			}
			seen := map[int]bool{}
			for _, d := range p.Descriptors.Value {
				if seen[d.FD] {
					return fmt.Errorf("descriptor %d is there twice: threads share one table", d.FD)
				}
				seen[d.FD] = true
				if d.Directory.Value && d.OutsideRoot.Value && !contains(outside, d.FD) {
					return fmt.Errorf("the audit's own: %+v", d)
				}
			}
		}
		return nil
	}
	acts["stay-descriptors"] = func() error {
		inside, outside, other := descriptorScene()
		return stay(append(append(append([]int{len(inside), len(outside), len(other)}, inside...), outside...), other...)...)
	}
	// A thread with a table of its own, that holds what the others closed.
	acts["own-table"] = func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		fds := make(chan int)
		stop := make(chan bool)
		defer close(stop)
		go func() {
			runtime.LockOSThread()
			if syscall.Gettid() == os.Getpid() {
				panic("the main thread is locked to the act")
			}
			must(unix.Unshare(unix.CLONE_FILES))
			fds <- openDir("/", 0)
			<-stop
		}()
		fd := <-fds
		must(chroot(filepath.Join(dir, "sub")))
		for _, deny := range []map[string]string{nil, {"kcmp": "test"}} {
			p, err := self(Options{Descriptors: true, Deny: deny})
			if err != nil {
				return err
			}
			found := false
			for _, d := range p.Descriptors.Value {
				found = found || d.FD == fd && d.Directory.Value && d.OutsideRoot.Value
			}
			if !found {
				return fmt.Errorf("without %v: descriptor %d of the thread: %+v", deny, fd, p.Descriptors)
			}
		}
		return nil
	}
	// The way up is barred: neither inside nor outside.
	acts["barred"] = func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		sub := filepath.Join(dir, "sub")
		must(os.MkdirAll(sub+"/closed/open", 0o755))
		fd := openDir(sub+"/closed/open", 0)
		must(os.Chmod(sub+"/closed", 0))
		must(os.Chmod(sub+"/closed/open", 0))
		must(chroot(sub))
		must(dropAll())
		p, err := self(Options{Descriptors: true})
		if err != nil {
			return err
		}
		d, err := descriptorOf(p, fd)
		if err != nil || d.OutsideRoot.State != posture.Unreadable || !d.Directory.Value {
			return fmt.Errorf("%+v %v", d, err)
		}
		return nil
	}
}

func contains(list []int, n int) bool {
	for _, v := range list {
		if v == n {
			return true
		}
	}
	return false
}

func TestDescriptors(t *testing.T) {
	needRoot(t)
	for _, act := range []string{"descriptors", "own-table", "barred"} {
		t.Run(act, func(t *testing.T) { runAct(t, privateMounts(command(t, act))) })
	}
}

func TestDescriptorsOfAnother(t *testing.T) {
	needRoot(t)
	cmd := privateMounts(command(t, "stay-descriptors"))
	pid, n := talk(t, cmd, 3+5+7+4)
	inside, outside, other := n[3:3+n[0]], n[3+n[0]:3+n[0]+n[1]], n[3+n[0]+n[1]:]
	began := time.Now()
	p, err := PID(context.Background(), pid, Options{Descriptors: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sceneSeen(p, inside, outside, other); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v: was something really opened?", took)
	}
}

// What may not be looked at is unreadable, and not an empty list.
func TestDescriptorsOutOfReach(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Run("as nobody", func(t *testing.T) { runAct(t, command(t, "out-of-reach")) })
		return
	}
	if err := outOfReach(); err != nil {
		t.Error(err)
	}
}

func outOfReach() error {
	p, err := PID(context.Background(), 1, Options{Descriptors: true, Root: ReadRoot})
	if err != nil {
		return err
	}
	if p.Descriptors.State != posture.Unreadable || p.Descriptors.Err == "" || len(p.Descriptors.Value) != 0 {
		return fmt.Errorf("descriptors: %+v", p.Descriptors)
	}
	if letters(p.Root) != "???" || p.Root.Host.Err == "" {
		return fmt.Errorf("root: %+v", p.Root)
	}
	return nil
}

func init() {
	acts["out-of-reach"] = func() error {
		must(dropAll())
		return outOfReach()
	}
}
