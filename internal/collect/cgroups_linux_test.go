package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"golang.org/x/sys/unix"
)

// pidsHierarchy is where the controller of processes is mounted, version 1 or 2.
func pidsHierarchy(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	must(err)
	for line := range strings.Lines(string(text)) {
		w := strings.Fields(line)
		if w[2] == "cgroup" && strings.Contains(","+w[3]+",", ",pids,") {
			return w[1]
		}
		if w[2] == "cgroup2" && os.WriteFile(w[1]+"/cgroup.subtree_control", []byte("+pids"), 0) == nil {
			return w[1]
		}
	}
	skip(t, "needs a mounted cgroup hierarchy with pids")
	return ""
}

// nestedCgroups makes two cgroups, one in the other, with limits of 300 and 200.
func nestedCgroups(t *testing.T) (top, outer, inner string) {
	t.Helper()
	needRoot(t)
	top = pidsHierarchy(t)
	outer = filepath.Join(top, "selfaudit limits "+strconv.Itoa(os.Getpid()))
	inner = outer + "/a:b"
	for _, dir := range []string{outer, inner} {
		must(os.Mkdir(dir, 0o755))
		t.Cleanup(func() {
			var err error
			for range 300 {
				if err = os.Remove(dir); err == nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Error(err)
		})
		if _, err := os.Stat(dir + "/pids.max"); err != nil {
			must(os.WriteFile(outer+"/cgroup.subtree_control", []byte("+pids"), 0))
		}
	}
	must(os.WriteFile(outer+"/pids.max", []byte("200"), 0))
	must(os.WriteFile(inner+"/pids.max", []byte("300"), 0))
	return top, outer, inner
}

func joined(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := start(t, "sleep", "60")
	settled(t, cmd.Process.Pid, "sleep")
	must(os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(cmd.Process.Pid)), 0))
	return cmd
}

// limitsOf returns the entries of pids.
func limitsOf(pid int) (out []posture.CgroupLimits, err error) {
	p, err := PID(context.Background(), pid, Options{Reach: (*Site).CgroupLimits})
	if err != nil {
		return nil, err
	}
	for _, l := range p.MakeReach().CgroupLimits {
		if l.Resource == "pids" {
			out = append(out, l)
		}
	}
	return out, nil
}

// level is what one level is to be.
func level(l posture.CgroupLevel) string {
	limit := "no limit"
	if l.Limit != posture.CgroupUnlimited {
		limit = strconv.FormatUint(l.Limit, 10)
	}
	return fmt.Sprintf("%s %s shown=%v sets=%d", l.File, limit, l.Shown, len(l.Sets))
}

func TestCgroupLimits(t *testing.T) {
	top, outer, inner := nestedCgroups(t)
	cmd := joined(t, inner)
	all, err := limitsOf(cmd.Process.Pid)
	must(err)
	if len(all) != 1 || len(all[0].TIDs) != 1 || !all[0].Whole || all[0].Mounts.State != posture.Known {
		t.Fatalf("%+v", all)
	}
	levels, known := all[0].Levels.Get()
	if !known || len(levels) < 3 {
		t.Fatalf("%+v", all[0].Levels)
	}
	for i, want := range []string{inner + "/pids.max 300 shown=true sets=1", outer + "/pids.max 200 shown=true sets=1"} {
		if got := level(levels[i]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if last := levels[len(levels)-1]; last.Limit != posture.CgroupUnlimited || last.File != top+"/pids.max" || len(last.Joins) == 0 {
		t.Errorf("%+v", last)
	}
	if owner := levels[0].Sets[0]; owner.UID.Value.Value != 0 || owner.UID.State != posture.Known || owner.Mode&0o222 != 0o200 {
		t.Errorf("%+v", owner)
	}
}

// apart runs a function on a thread of its own in a mount namespace of its own.
func apart(t *testing.T, f func() error) {
	t.Helper()
	if err := mounts.OnThread(f); err != nil {
		t.Error(err)
	}
}

// TestCgroupCovered: what hides the hierarchy, a part of it or one file makes the
// limits unknown, and a view of a part does not pass for all.
func TestCgroupCovered(t *testing.T) {
	top, outer, inner := nestedCgroups(t)
	cmd := joined(t, inner)
	other := "/sys/fs/cgroup/freezer"
	bind := func(from, to string) func() error {
		return func() error { return mounts.Mount(from, to, "", syscall.MS_BIND, "") }
	}
	tmpfs := func(at string) func() error { return func() error { return mounts.Mount("none", at, "tmpfs", 0, "") } }
	for _, c := range []struct {
		name    string
		prepare func() error
		unknown string
	}{
		{"everything", tmpfs("/sys"), "/sys/fs/cgroup"},
		{"a tmpfs over the hierarchy", tmpfs(top), "no cgroup file system"},
		{"a tmpfs over the cgroup", tmpfs(inner), "no cgroup file system"},
		{"another hierarchy", bind(other, top), "another cgroup file system is mounted over it"},
		{"another hierarchy over its parent", bind(other, outer), "another cgroup file system is mounted over it"},
		{"another file", bind("/etc/hostname", inner+"/pids.max"), "pids.max"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(other); err != nil && strings.HasPrefix(c.name, "another hierarchy") {
				skip(t, "needs hierarchies of version 1")
			}
			apart(t, func() error {
				if err := c.prepare(); err != nil {
					return err
				}
				all, err := limitsOf(cmd.Process.Pid)
				if err != nil {
					return err
				}
				if len(all) != 1 || all[0].Levels.State == posture.Known || !strings.Contains(all[0].Levels.Err, c.unknown) {
					return fmt.Errorf("%+v", all)
				}
				return nil
			})
		})
	}
	t.Run("a subtree alone", func(t *testing.T) {
		apart(t, func() error {
			at := t.TempDir()
			if err := errors.Join(bind(outer, at)(), tmpfs("/sys/fs/cgroup")()); err != nil {
				return err
			}
			all, err := limitsOf(cmd.Process.Pid)
			if err != nil {
				return err
			}
			levels := all[0].Levels.Value
			if all[0].Levels.State != posture.Known || all[0].Whole || len(levels) != 2 || levels[1].Limit != 200 || levels[1].File != at+"/pids.max" {
				return fmt.Errorf("%+v", all)
			}
			return nil
		})
	})
}

// TestCgroupNamespace: of a cgroup namespace its root is not the hierarchy's.
func TestCgroupNamespace(t *testing.T) {
	top, _, inner := nestedCgroups(t)
	cmd := exec.Command("sh", "-c", `echo 0 > "$1/cgroup.procs" && exec unshare -mC sh -c 'mount --make-rprivate / && mount -t tmpfs none /sys/fs/cgroup && mkdir -p "$1" && { mount -t cgroup -o pids none "$1" || mount -t cgroup2 none "$1"; } && exec sleep 60' sh "$2"`, "sh", inner, top)
	must(cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	settled(t, cmd.Process.Pid, "sleep")
	apart(t, func() error {
		// The auditor goes where the process is.
		for _, ns := range []string{"cgroup", "mnt"} {
			if err := enter(cmd.Process.Pid, ns); err != nil {
				return err
			}
		}
		all, err := limitsOf(cmd.Process.Pid)
		if err != nil {
			return err
		}
		levels := all[0].Levels.Value
		if all[0].Levels.State != posture.Known || all[0].Whole || len(levels) != 1 || level(levels[0]) != top+"/pids.max 300 shown=true sets=1" {
			return fmt.Errorf("%+v", all)
		}
		return nil
	})
}

func enter(pid int, ns string) error {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/" + ns)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), 0)
}

// TestCgroupParse: what the files of both versions hold.
func TestCgroupParse(t *testing.T) {
	const none = posture.CgroupUnlimited
	for _, c := range []struct {
		parse         func(a, b string) (uint64, uint64, error)
		text, period  string
		limit, length uint64
		ok            bool
	}{
		{wholeLimit, "max", "", none, 0, true},
		{wholeLimit, "0", "", 0, 0, true},
		{wholeLimit, "1048576", "", 1 << 20, 0, true},
		{wholeLimit, "9223372036854771712", "", none, 0, true},
		{wholeLimit, "9223372036854710272", "", none, 0, true},
		{wholeLimit, "", "", 0, 0, false},
		{wholeLimit, "-1", "", 0, 0, false},
		{wholeLimit, "5 6", "", 0, 0, false},
		{wholeLimit, "99999999999999999999", "", 0, 0, false},
		{quotaV1, "-1", "100000", none, 100000, true},
		{quotaV1, "5000", "10000", 5000, 10000, true},
		{quotaV1, "5000", "0", 0, 0, false},
		{quotaV1, "5000", "", 0, 0, false},
		{quotaV1, "", "100000", 0, 0, false},
		{quotaV2, "max 100000", "", none, 100000, true},
		{quotaV2, "5000 10000", "", 5000, 10000, true},
		{quotaV2, "5000", "", 0, 0, false},
		{quotaV2, "5000 0", "", 0, 0, false},
		{quotaV2, "5000 10000 1", "", 0, 0, false},
		{quotaV2, "max", "", 0, 0, false},
	} {
		limit, length, err := c.parse(c.text, c.period)
		if (err == nil) != c.ok || c.ok && (limit != c.limit || length != c.length) {
			t.Errorf("%q %q: %d %d %v", c.text, c.period, limit, length, err)
		}
	}
}

// TestCgroupHidden: a mount counts unless another lies over it or on the way to it.
func TestCgroupHidden(t *testing.T) {
	mounts := []posture.Mount{
		{ID: 1, Parent: 1, Point: "/"},
		{ID: 2, Parent: 1, Point: "/sys"},
		{ID: 3, Parent: 2, Point: "/sys/fs/cgroup"},
		{ID: 4, Parent: 3, Point: "/sys/fs/cgroup/a"},
		{ID: 5, Parent: 3, Point: "/sys/fs/cgroup/ab"},
	}
	check := func(want string, more ...posture.Mount) {
		t.Helper()
		all := append(mounts[:len(mounts):len(mounts)], more...)
		var got []string
		for i := range mounts {
			if hidden(all, &all[i]) {
				got = append(got, strconv.FormatUint(all[i].ID, 10))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("with %v: %v hidden, want %s", more, got, want)
		}
	}
	check("")
	check("4", posture.Mount{ID: 6, Parent: 4, Point: "/sys/fs/cgroup/a"})
	check("3 4 5", posture.Mount{ID: 6, Parent: 3, Point: "/sys/fs/cgroup"})
	check("3 4 5", posture.Mount{ID: 6, Parent: 2, Point: "/sys/fs"})
	check("2 3 4 5", posture.Mount{ID: 6, Parent: 2, Point: "/sys"})
	check("", posture.Mount{ID: 6, Parent: 1, Point: "/sys/fs/cgroup"}, posture.Mount{ID: 7, Parent: 5, Point: "/sys/fs/cgroup/ab/c"})
}

// TestCgroupThread: one thread in a cgroup of its own has an entry of its own.
func TestCgroupThread(t *testing.T) {
	_, outer, inner := nestedCgroups(t)
	if _, err := os.Stat(inner + "/tasks"); err != nil {
		skip(t, "needs a hierarchy of version 1 for pids")
	}
	apart(t, func() error {
		tid := unix.Gettid()
		if err := os.WriteFile(inner+"/tasks", []byte(strconv.Itoa(tid)), 0); err != nil {
			return err
		}
		p, err := self(Options{Reach: (*Site).CgroupLimits})
		if err != nil {
			return err
		}
		alone := 0
		for _, l := range p.MakeReach().CgroupLimits {
			if l.Resource != "pids" {
				continue
			}
			levels, known := l.Levels.Get()
			if !known {
				return fmt.Errorf("%+v", l)
			}
			if len(l.TIDs) == 1 && l.TIDs[0] == tid && len(levels) > 2 && levels[0].Limit == 300 && levels[1].File == outer+"/pids.max" {
				alone++
			} else if levels[0].Limit == 300 {
				return fmt.Errorf("%+v", l)
			}
		}
		if alone != 1 {
			return fmt.Errorf("%+v", p.MakeReach().CgroupLimits)
		}
		return nil
	})
}

// TestCgroupMoving: of a process that goes from one cgroup to another all the
// while, what is known is of one of them.
func TestCgroupMoving(t *testing.T) {
	_, outer, inner := nestedCgroups(t)
	pid := joined(t, inner).Process.Pid
	stop, moves := make(chan struct{}), make(chan error)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				moves <- nil
				return
			default:
				dir := [...]string{outer, inner}[i%2]
				if err := os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0); err != nil {
					<-stop
					moves <- err
					return
				}
			}
		}
	}()
	known := 0
	for range 50 {
		all, err := limitsOf(pid)
		if err != nil {
			t.Error(err)
			break
		}
		levels, ok := all[0].Levels.Get()
		switch {
		case !ok && all[0].Levels.Err == "":
			t.Errorf("%+v", all)
		case !ok:
		case levels[0].File == outer+"/pids.max" && levels[0].Limit == 200, levels[0].File == inner+"/pids.max" && levels[0].Limit == 300 && levels[1].Limit == 200:
			known++
		default:
			t.Errorf("%+v", levels)
		}
	}
	close(stop)
	if err := <-moves; err != nil && !errors.Is(err, syscall.EBUSY) {
		t.Log(err) // version 2 keeps processes out of a cgroup that has others below
	}
	t.Logf("%d of 50 known", known)
}
