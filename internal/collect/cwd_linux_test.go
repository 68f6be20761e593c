package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
	"golang.org/x/sys/unix"
)

// wantApart wants a thread's root directory seen to lie outside the leader's,
// and that thread named.
func wantApart(p *posture.Process, apart bool) error {
	if v, known := p.Root.RootOutside.Get(); !known || v != apart {
		return fmt.Errorf("root directory outside the leader's: %v %s, want %v", v, p.Root.RootOutside.Why(), apart)
	}
	if of := p.Root.Of.RootOutside; apart != (of != 0) || of == p.PID {
		return fmt.Errorf("of thread %d, in process %d", of, p.PID)
	}
	return nil
}

// wantCwd wants the working directories seen to lie outside, or within.
func wantCwd(p *posture.Process, outside bool) error {
	if v, known := p.Root.CwdOutside.Get(); !known || v != outside {
		return fmt.Errorf("working directory outside: %v %s, want %v", v, p.Root.CwdOutside.Why(), outside)
	}
	return nil
}

// jail prepares a root directory with a /proc, in mounts of its own.
func jail() string {
	must(private())
	dir, err := newRoot()
	must(err)
	return filepath.Join(dir, "sub")
}

// cwdScenes leave the process with a working directory that lies outside the
// root directory or within.
// One with a thread that has kept a root directory outside is apart.
var cwdScenes = map[string]struct {
	prepare func()
	outside bool
	apart   bool
}{
	"nothing changed":       {func() { must(private()) }, false, false},
	"chroot with chdir":     {func() { must(chroot(jail())) }, false, false},
	"chroot without chdir":  {func() { must(syscall.Chroot(jail())) }, true, false},
	"chdir below the root":  {func() { must(chroot(jail())); must(os.Mkdir("/a", 0o755)); must(syscall.Chdir("/a")) }, false, false},
	"chroot into a sibling": {func() { j := jail(); must(syscall.Chdir(filepath.Dir(j) + "/old")); must(syscall.Chroot(j)) }, true, false},
	"one thread has kept the machine's": {func() {
		j := jail()
		ownThread(func() {})
		must(chroot(j))
	}, false, true},
	"one thread is in another mount namespace": {func() {
		must(private())
		ownThread(func() { must(unix.Unshare(unix.CLONE_NEWNS)) })
	}, false, true},
	"one thread's own": {func() {
		j := jail()
		ownThread(func() {
			must(chroot(j))
			must(syscall.Chdir("/"))
			must(syscall.Chroot("/proc"))
		})
		must(chroot(j))
	}, true, false},
}

// ownThread starts a thread with a root and working directory of its own, which
// it changes there. It is not the main thread, which the act is locked to.
func ownThread(change func()) {
	own := make(chan bool)
	go func() {
		runtime.LockOSThread()
		must(unix.Unshare(unix.CLONE_FS))
		change()
		own <- true
		select {}
	}()
	<-own
}

func init() {
	for name, scene := range cwdScenes {
		acts["cwd "+name] = func() error {
			kept, err := procfs.Keep()
			must(err)
			defer kept.Close()
			scene.prepare()
			for _, o := range []Options{{Root: ReadRoot}, {Descriptors: true}, {Root: ReadRoot, Kept: kept}, {Root: ReadRoot, Deny: map[string]string{"kcmp": "test"}}} {
				p, err := self(o)
				if err != nil {
					return err
				}
				if err := errors.Join(wantCwd(p, scene.outside), wantApart(p, scene.apart)); err != nil {
					return fmt.Errorf("%+v: %w", o, err)
				}
			}
			return nil
		}
		acts["stay cwd "+name] = func() error { scene.prepare(); return stay(1) }
	}
	// No /proc in sight: what the calling thread sees is all there is.
	acts["cwd without proc"] = func() error {
		dir, err := os.MkdirTemp("", "empty")
		must(err)
		must(syscall.Chroot(dir))
		p, err := self(Options{Root: ReadRoot})
		if err != nil {
			return err
		}
		return wantCwd(p, true)
	}
	acts["cwd without proc, within"] = func() error {
		must(emptyRoot())
		p, err := self(Options{Root: ReadRoot})
		if err != nil {
			return err
		}
		return wantCwd(p, false)
	}
	acts["cwd out of reach"] = func() error {
		must(dropAll())
		p, err := PID(context.Background(), 1, Options{Root: ReadRoot})
		if err != nil {
			return err
		}
		if f := &p.Root.CwdOutside; f.State != posture.Unreadable || !strings.Contains(f.Err, "EACCES") {
			return fmt.Errorf("%+v", f)
		}
		return nil
	}
	// The way up is barred to who dropped his privileges: getcwd(2) tells.
	for name, outside := range map[string]bool{"cwd barred": false, "cwd barred, outside": true} {
		acts[name] = func() error {
			j := jail()
			closed := j
			if outside {
				closed = filepath.Dir(j) + "/elsewhere"
			}
			must(os.MkdirAll(closed+"/closed/open", 0o755))
			must(syscall.Chdir(closed + "/closed/open"))
			must(os.Chmod(closed+"/closed/open", 0))
			must(os.Chmod(closed+"/closed", 0))
			must(syscall.Chroot(j))
			must(dropAll())
			p, err := self(Options{Root: ReadRoot})
			if err != nil {
				return err
			}
			if f := &p.Root.CwdOutside; f.State != posture.Known || f.Value != outside || f.Source != "getcwd(2)" {
				return fmt.Errorf("%+v", f)
			}
			return nil
		}
	}
}

func TestWorkingDirectory(t *testing.T) {
	needRoot(t)
	for name, scene := range cwdScenes {
		t.Run(name, func(t *testing.T) { runAct(t, privateMounts(command(t, "cwd "+name))) })
		t.Run(name+", from outside", func(t *testing.T) {
			pid, _ := talk(t, privateMounts(command(t, "stay cwd "+name)), 1)
			for _, o := range []Options{{Root: ReadRoot}, {Descriptors: true}, {Root: ReadRoot, Deny: map[string]string{"kcmp": "test"}}} {
				p, err := PID(context.Background(), pid, o)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(wantCwd(p, scene.outside), wantApart(p, scene.apart)); err != nil {
					t.Errorf("%+v: %v", o, err)
				}
			}
		})
	}
	for _, act := range []string{"cwd without proc", "cwd without proc, within", "cwd out of reach", "cwd barred", "cwd barred, outside"} {
		t.Run(act, func(t *testing.T) { runAct(t, privateMounts(command(t, act))) })
	}
}

// Nobody asked: no answer.
func TestWorkingDirectoryNotAsked(t *testing.T) {
	p, err := self(Options{})
	if err != nil || p.Root.CwdOutside.State != posture.Unreadable || !strings.Contains(p.Root.CwdOutside.Err, "not asked") {
		t.Errorf("%+v %v", p.Root.CwdOutside, err)
	}
}
