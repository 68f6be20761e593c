package collect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

func at(dev, ino, mount uint64, mountRoot bool) posture.Fact[kernel.FileStat] {
	return posture.Of(kernel.FileStat{Dev: dev, Ino: ino, MountID: mount, HasMountID: true, MountRoot: mountRoot, HasMountRoot: true}, "test", "")
}

// old is a place as kernels before 5.8 show it.
func old(dev, ino uint64) posture.Fact[kernel.FileStat] {
	return posture.Of(kernel.FileStat{Dev: dev, Ino: ino}, "test", "")
}

func TestDecideRoot(t *testing.T) {
	yes, no := posture.Of(true, "", ""), posture.Of(false, "", "")
	var unseen posture.Fact[kernel.FileStat]
	var unknown posture.Fact[bool]
	for _, c := range []struct {
		name         string
		e            rootEvidence
		host, chroot posture.Fact[bool]
	}{
		{"the host's", rootEvidence{at(1, 2, 9, true), at(1, 2, 9, true), at(1, 2, 9, true), yes, no}, yes, no},
		{"private mount namespace, the host's root", rootEvidence{at(1, 2, 50, true), at(1, 2, 9, true), at(1, 2, 50, true), no, no}, yes, no},
		{"chroot into a directory", rootEvidence{at(1, 77, 9, false), at(1, 2, 9, true), at(1, 2, 9, true), yes, no}, no, yes},
		{"chroot onto a mount point", rootEvidence{at(5, 1, 30, true), at(1, 2, 9, true), at(1, 2, 9, true), yes, no}, no, yes},
		{"chroot onto a bind mount of the host's root", rootEvidence{at(1, 2, 31, true), at(1, 2, 9, true), at(1, 2, 9, true), yes, no}, yes, yes},
		{"pivot_root", rootEvidence{at(5, 1, 60, true), at(1, 2, 9, true), at(5, 1, 60, true), no, no}, no, no},
		{"container, nothing else in sight", rootEvidence{at(5, 1, 60, true), unseen, unseen, unknown, no}, unknown, unknown},
		{"chroot, nothing else in sight", rootEvidence{at(5, 9, 60, false), unseen, unseen, unknown, no}, no, yes},
		{"the machine's mount namespace, its root by process 1", rootEvidence{at(1, 2, 9, true), at(1, 2, 9, true), unseen, yes, no}, yes, no},
		{"another mount namespace, its root out of sight", rootEvidence{at(5, 1, 60, true), at(1, 2, 9, true), unseen, no, no}, no, unknown},
		{"no mount ids, the same directory", rootEvidence{old(1, 2), old(1, 2), old(1, 2), yes, no}, yes, unknown},
		{"no mount ids, another directory", rootEvidence{old(1, 7), old(1, 2), old(1, 2), yes, no}, no, yes},
		{"no mount ids, nothing in sight", rootEvidence{old(1, 7), unseen, unseen, unknown, no}, unknown, unknown},
		{"unreadable", rootEvidence{unseen, at(1, 2, 9, true), at(1, 2, 9, true), yes, no}, unknown, unknown},
	} {
		r := decideRoot(&c.e)
		same := func(a, b posture.Fact[bool]) bool {
			return a.State == b.State && (a.State != posture.Known || a.Value == b.Value)
		}
		if !same(r.Host, c.host) || !same(r.Chroot, c.chroot) {
			t.Errorf("%s: host %v %v, want %v %v; chroot %v %v, want %v %v", c.name, r.Host.State, r.Host.Value, c.host.State, c.host.Value, r.Chroot.State, r.Chroot.Value, c.chroot.State, c.chroot.Value)
		}
		if r.Host.State == posture.Unreadable && c.name != "unreadable" && r.Host.Err == "" {
			t.Errorf("%s: no reason", c.name)
		}
	}
}

// One thread with a worse root makes it the process's.
func TestWorstRoot(t *testing.T) {
	good, bad, unknown := posture.Of(false, "", ""), posture.Of(true, "", ""), posture.Failed[bool]("", "x")
	for _, c := range []struct{ a, b, want posture.Fact[bool] }{
		{good, good, good}, {good, bad, bad}, {bad, good, bad}, {good, unknown, unknown}, {unknown, good, unknown}, {unknown, bad, bad}, {bad, unknown, bad},
	} {
		got, of, want := c.a, 0, 0
		if c.want != c.a {
			want = 2
		}
		if worst(&got, &c.b, true, &of, 2); got != c.want || of != want {
			t.Errorf("%v %v: %v of %d, want %v of %d", c.a, c.b, got, of, c.want, want)
		}
	}
}

// letters are a root as three letters: host, chroot, read-only; y, n or ?.
func letters(r posture.Root) string {
	one := func(f posture.Fact[bool]) string {
		switch {
		case f.State != posture.Known:
			return "?"
		case f.Value:
			return "y"
		}
		return "n"
	}
	return one(r.Host) + one(r.Chroot) + one(r.ReadOnly)
}

func rootIs(want string) error {
	p, err := self(Options{Root: ReadRoot})
	if err != nil {
		return err
	}
	if got := letters(p.Root); got != want {
		return fmt.Errorf("%s, want %s: %+v", got, want, p.Root)
	}
	return nil
}

// newRoot prepares a tmpfs with the means for an audit.
func newRoot() (string, error) {
	dir, err := os.MkdirTemp("", "selfaudit")
	if err != nil {
		return "", err
	}
	if err := mounts.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return "", err
	}
	for _, d := range []string{"proc", "sub/proc", "old"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	for _, d := range []string{"proc", "sub/proc"} {
		if err := mounts.Mount("/proc", filepath.Join(dir, d), "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func chroot(dir string) error {
	if err := syscall.Chroot(dir); err != nil {
		return err
	}
	return syscall.Chdir("/")
}

func pivot(dir string) error {
	if err := syscall.PivotRoot(dir, filepath.Join(dir, "old")); err != nil {
		return err
	}
	if err := syscall.Chdir("/"); err != nil {
		return err
	}
	return syscall.Unmount("/old", syscall.MNT_DETACH)
}

// rootScenes are real root directories, each with what an audit says of it:
// host, chroot, read-only.
var rootScenes = map[string]struct {
	prepare func() error
	want    string
}{
	"the host's":      {func() error { return nil }, "ynn"},
	"unshared mounts": {private, "ynn"},
	"chroot into a directory": {func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		return chroot(filepath.Join(dir, "sub"))
	}, "nyn"},
	"chroot onto a mount": {func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		return chroot(dir)
	}, "nyn"},
	"chroot onto the host's root, bound elsewhere": {func() error {
		must(private())
		must(mounts.Mount("/", "/mnt", "", syscall.MS_BIND|syscall.MS_REC, ""))
		return chroot("/mnt")
	}, "yyn"},
	"pivot_root": {func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		return pivot(dir)
	}, "nnn"},
	"pivot_root, read-only": {func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		must(pivot(dir))
		return mounts.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
	}, "nny"},
	"chroot in a pivoted root": {func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		must(pivot(dir))
		return chroot("/sub")
	}, "nyn"},
}

func init() {
	for name, scene := range rootScenes {
		acts["root "+name] = func() error {
			must(scene.prepare())
			return rootIs(scene.want)
		}
		acts["stay root "+name] = func() error {
			must(scene.prepare())
			return stay(1)
		}
	}
	acts["root dropped"] = func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		must(chroot(filepath.Join(dir, "sub")))
		must(dropAll())
		return rootIs("nyn")
	}
	acts["root pivoted and dropped"] = func() error {
		must(private())
		dir, err := newRoot()
		must(err)
		must(pivot(dir))
		must(dropAll())
		return rootIs("??n") // neither the machine's root nor the namespace's is in sight
	}
}

// hostRootInSight says whether these tests run where the machine's root is to
// be seen: in its mount namespace, not in a container.
func hostRootInSight() bool {
	link, err := os.Readlink("/proc/self/ns/mnt")
	return err == nil && link == initialMountNamespace
}

func TestRoot(t *testing.T) {
	needRoot(t)
	if !hostRootInSight() {
		skip(t, "not in the machine's first mount namespace, so that its root is out of sight")
	}
	for name, scene := range rootScenes {
		t.Run(name, func(t *testing.T) { runAct(t, privateMountsUnless(command(t, "root "+name), name == "the host's")) })
		t.Run(name+", from outside", func(t *testing.T) {
			pid, _ := talk(t, privateMountsUnless(command(t, "stay root "+name), name == "the host's"), 1)
			p, err := PID(context.Background(), pid, Options{Root: ReadRoot})
			if err != nil {
				t.Fatal(err)
			}
			if got := letters(p.Root); got != scene.want {
				t.Errorf("%s, want %s: %+v", got, scene.want, p.Root)
			}
		})
	}
	for _, act := range []string{"root dropped", "root pivoted and dropped"} {
		t.Run(act, func(t *testing.T) { runAct(t, privateMounts(command(t, act))) })
	}
}
