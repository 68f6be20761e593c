package sandboxes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/internal/fixture/container"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// bench is what all sandboxes are started from.
type bench struct {
	// dir holds everything. Its name is in the command lines and mounts of all
	// that is started, and so finds what was left behind.
	dir      string
	auditctl string
	engine   func() *container.Engine
	daemon   func() *daemon
	// cgroups are those that sandboxes made for themselves.
	cgroups struct {
		sync.Mutex
		paths []string
	}
}

func newBench(t *testing.T) *bench {
	t.Helper()
	needMachine(t)
	launch.Need(t, "setpriv", "unshare", "sh")
	closeInherited(t)
	// Not t.TempDir, below which other users could not start anything.
	dir, err := os.MkdirTemp("", "selfaudit-sandboxes-")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: dir, auditctl: filepath.Join(dir, "auditctl")}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	t.Cleanup(func() { b.nothingLeft(t) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	sleeper := filepath.Join(dir, "sleeper")
	launch.Static(t, b.auditctl, "../../cmd/auditctl")
	launch.Static(t, sleeper, "../fixture/cmd/sleeper", "-ldflags=-E=main.pause")
	launch.Static(t, filepath.Join(dir, "strict"), "../fixture/cmd/sleeper", "-ldflags=-E=main.strict")
	plant(t, filepath.Join(dir, "tree"), sleeper)
	b.engine = sync.OnceValue(func() *container.Engine {
		return container.New(t, map[string]string{"sleeper": sleeper})
	})
	b.daemon = sync.OnceValue(func() *daemon { return newDaemon(t, b) })
	return b
}

// closeInherited keeps descriptors that this program was started with from
// what it starts: reports count descriptors.
func closeInherited(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// plant makes a root directory with the sleeper in it. The empty directories
// are what systemd-nspawn and runc want to see.
func plant(t *testing.T, root, sleeper string) {
	t.Helper()
	for _, dir := range []string{"usr", "etc", "proc", "dev", "sys"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(sleeper, filepath.Join(root, "sleeper")); err != nil {
		t.Fatal(err)
	}
}

// start starts a sandbox and returns the process that is confined. What was
// started ends with the test, and leaves nothing behind.
func (b *bench) start(t *testing.T, s *sandbox) int {
	t.Helper()
	if s.start != nil {
		return s.start(t, b, s)
	}
	return b.sleeper(t, s, b.words(s))
}

// words are a sandbox's command line.
func (b *bench) words(s *sandbox) []string {
	return strings.Fields(strings.ReplaceAll(s.command, "DIR", b.dir))
}

// token tells a sandbox's processes from all others, where it is among their
// arguments. The sleeper looks at none. None is the beginning of another.
func (b *bench) token(s *sandbox) string { return filepath.Base(b.dir) + "." + s.name + "." }

// command prepares a command line. It runs without CAP_SYS_RESOURCE, which
// root has on one machine and not on another, so that reports are equal.
func (b *bench) command(s *sandbox, words []string) *exec.Cmd {
	if s.prepare != "" {
		words = append([]string{"unshare", "-m", "sh", "-e", "-c", s.prepare + "\n" + `exec "$@"`, "sh"}, words...)
	}
	cmd := exec.Command("setpriv", append([]string{"--bounding-set=-sys_resource"}, words...)...)
	cmd.Dir = b.dir
	return cmd
}

// sleeper runs a command line that ends in the sleeper's and finds that.
func (b *bench) sleeper(t *testing.T, s *sandbox, words []string) int {
	t.Helper()
	return b.find(t, s, launch.Start(t, b.command(s, append(words, b.token(s)))))
}

// find waits until the sleeper of a sandbox has been executed. What confines
// it has happened by then: it does none of it by itself.
func (b *bench) find(t *testing.T, s *sandbox, ended func() (error, bool)) int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, pid := range launch.Mentioning(b.token(s)) {
			exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
			if err == nil && filepath.Base(exe) == "sleeper" {
				// With it everything around it ends, without being told twice.
				t.Cleanup(func() { kill(t, pid) })
				return pid
			}
		}
		if err, over := ended(); over {
			t.Fatalf("%s ended: %v", s.command, err)
		}
	}
	t.Fatalf("%s: the sleeper did not come up", s.command)
	return 0
}

func kill(t *testing.T, pid int) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("kill %d: %v", pid, err)
	}
}

// remember has the test fail where a control group that a process is in, and
// this one is not, is still there at the end.
func (b *bench) remember(t *testing.T, pid int) {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	its, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for line := range strings.Lines(string(its)) {
		if fields := strings.SplitN(strings.TrimSpace(line), ":", 3); len(fields) == 3 && !strings.Contains(string(own), line) {
			groups = append(groups, fields[2])
		}
	}
	b.cgroups.Lock()
	defer b.cgroups.Unlock()
	b.cgroups.paths = append(b.cgroups.paths, groups...)
}

// nothingLeft looks for processes, mounts and control groups.
func (b *bench) nothingLeft(t *testing.T) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left = b.remains(t)
		if len(left) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, ", "))
	}
}

func (b *bench) remains(t *testing.T) (left []string) {
	t.Helper()
	name := filepath.Base(b.dir)
	for _, pid := range launch.Mentioning(name) {
		left = append(left, "process "+strconv.Itoa(pid)+" "+launch.Status(pid)["Name"])
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, name) {
			left = append(left, "mount "+line)
		}
	}
	for _, root := range hierarchies(t) {
		for _, group := range b.cgroups.paths {
			if _, err := os.Stat(root + group); err == nil {
				left = append(left, "control group "+root+group)
			}
		}
		for _, pattern := range []string{name + "*", "*/" + name + "*"} {
			groups, _ := filepath.Glob(filepath.Join(root, pattern))
			left = append(left, groups...)
		}
	}
	return left
}

// hierarchies returns where the hierarchies of control groups are mounted.
func hierarchies(t *testing.T) (out []string) {
	t.Helper()
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mountinfo)) {
		before, after, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(before); strings.HasPrefix(after, "cgroup") && len(fields) > 4 {
			out = append(out, fields[4])
		}
	}
	return out
}

// removeGroups removes a control group and those below it, in every hierarchy.
func removeGroups(t *testing.T, group string) {
	t.Helper()
	for _, root := range hierarchies(t) {
		below, _ := filepath.Glob(filepath.Join(root, group, "*"))
		for _, dir := range append(below, filepath.Join(root, group)) {
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				continue
			}
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		}
	}
}
