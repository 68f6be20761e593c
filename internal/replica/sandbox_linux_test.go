//go:build amd64 || arm64

package replica_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/container"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// sandbox is a way to start a process that is elsewhere.
type sandbox struct {
	name    string
	command []string
	user    uint32
	// want are outcomes that are known beforehand, of attempts in the replica.
	want map[string]posture.Outcome
}

const (
	yes = posture.Succeeded
	no  = posture.Stopped
)

var sandboxes = []sandbox{
	{name: "namespaces", command: []string{"unshare", "-mpnuiCT", "--fork", "--mount-proc", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": yes, "setuid-root": yes, "sethostname": yes, "kill-init": posture.NoObject}},
	{name: "user namespace, no id mapped", command: []string{"unshare", "-U", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": no, "setuid-root": no}},
	{name: "user namespace, root mapped", command: []string{"unshare", "-Urmpf", "--mount-proc", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": yes, "setuid-root": yes, "settimeofday": no, "raw-socket": no}},
	{name: "of a user", user: 1234, command: []string{"unshare", "-Urmnpf", "--mount-proc", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": yes, "setuid-root": yes, "setgroups": no, "raw-socket": yes, "settimeofday": no}},
	{name: "bwrap", command: []string{"bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "--die-with-parent", "--new-session", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": yes}},
	{name: "bwrap of a user", user: 1234, command: []string{"bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "--die-with-parent", "--new-session", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": no, "setuid-root": no, "settimeofday": no}},
	{name: "bwrap without /proc", user: 1234, command: []string{"bwrap", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--unshare-all", "--die-with-parent", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": no, "setuid-root": no}},
	{name: "setpriv", command: []string{"setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "sleep", "300"},
		want: map[string]posture.Outcome{"mount": no, "setuid-root": no, "userns": yes}},
	{name: "chroot", command: []string{"chroot", "--userspec=65532:65532", "--groups=", "DIR", "/usr/bin/sleep", "300"},
		want: map[string]posture.Outcome{"mount": no, "setuid-root": no, "userns": no}},
}

// start starts the sandbox and returns the process that sleeps in it.
func (s sandbox) start(t *testing.T) int {
	t.Helper()
	launch.Need(t, s.command[0])
	command := slices.Clone(s.command)
	for k := range command {
		if command[k] == "DIR" {
			command[k] = newRoot(t)
		}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = "/" // a way up that every user may walk
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.user != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.user, Gid: s.user}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pids := []int{}
	t.Cleanup(func() {
		for _, pid := range append(pids, cmd.Process.Pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		cmd.Wait()
	})
	for range 200 {
		pids = launch.Descendants(cmd.Process.Pid)
		for _, pid := range pids {
			if st := launch.Status(pid); st["Name"] == "sleep" && strings.HasPrefix(st["State"], "S") {
				return pid
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%v: no process that sleeps: %s", command, &stderr)
	return 0
}

// newRoot makes a root directory with a program named sleep, which needs no other
// file, and without /proc. Nothing is mounted in it.
func newRoot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(launch.Build(t, "sleeper", []string{"CGO_ENABLED=0"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"usr", "usr/bin"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "usr/bin/sleep"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSandboxes: a replica is where its process is, makes the attempts there,
// and leaves nothing in it.
func TestSandboxes(t *testing.T) {
	launch.NeedRoot(t)
	names := confined(t).Probes.Names()
	for _, s := range sandboxes {
		t.Run(s.name, func(t *testing.T) {
			pid := s.start(t)
			before := traces(t, pid)
			check(t, try(t, pid, append(names, "kill-init", "ptrace-parent"), nil), s.want)
			untouched(t, pid, before)
		})
	}
}

func check(t *testing.T, all []tried, want map[string]posture.Outcome) {
	t.Helper()
	for _, r := range all {
		if r.err != nil {
			t.Fatalf("thread %d: %v; %v", r.class.TID, r.err, r.taken.Steps)
		}
		for name, outcome := range want {
			if a := r.find(t, name); a.Outcome != outcome {
				t.Errorf("%s: %v by %v (%s), not %v: %v", name, a.Outcome, a.By, a.Detail, outcome, a.Evidence)
			}
		}
		for _, a := range r.attempts {
			if a.Outcome == posture.Undecided {
				t.Logf("%s: undecided: %s %v", a.Name, a.Detail, a.Evidence)
			}
		}
		t.Log(r.limits)
	}
}

// traces is what of a process, of its namespaces and of those in them a replica
// could have changed.
func traces(t *testing.T, pid int) string {
	t.Helper()
	var b strings.Builder
	at := "/proc/" + strconv.Itoa(pid)
	for _, f := range []string{"status", "mountinfo", "limits", "cgroup", "uid_map"} {
		data, err := os.ReadFile(at + "/" + f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			// Another test's mounts vanish from copies of the mount table with
			// the directories that they lay on.
			if !strings.Contains(line, "/selfaudit-containers-") && !strings.Contains(line, "ctxt_switches") && !strings.HasPrefix(line, "SigQ") && !strings.HasPrefix(line, "Vm") && !strings.HasPrefix(line, "Rss") {
				b.WriteString(line)
			}
		}
	}
	ns, err := os.Readlink(at + "/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	if own, _ := os.Readlink("/proc/self/ns/pid"); own == ns {
		return b.String() // of the machine's many processes others come and go
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		pid, _ := strconv.Atoi(strings.Split(l, "/")[2])
		if got, err := os.Readlink(l); err == nil && got == ns && !strings.HasPrefix(launch.Status(pid)["State"], "Z") {
			// One that ended is waited for by the machine's process 1.
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

// untouched compares traces from before and now.
func untouched(t *testing.T, pid int, before string) {
	t.Helper()
	was, is := strings.Split(before, "\n"), strings.Split(traces(t, pid), "\n")
	for _, l := range was {
		if !slices.Contains(is, l) {
			t.Errorf("before the attempts, and not after: %s", l)
		}
	}
	for _, l := range is {
		if !slices.Contains(was, l) {
			t.Errorf("after the attempts, and not before: %s", l)
		}
	}
}

// TestOwnRoots: a chroot, and a root of its own with and without the drop.
func TestOwnRoots(t *testing.T) {
	launch.NeedRoot(t)
	for _, r := range []fixture.Root{fixture.RootChroot, fixture.RootOwn, fixture.RootOwnReadOnly} {
		t.Run(string(r), func(t *testing.T) {
			s := fixture.Clean()
			s.Root, s.Directory = r, t.TempDir()
			for d := s.Directory; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var attr *syscall.SysProcAttr
			if r != fixture.RootChroot {
				attr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
			}
			check(t, try(t, launch.Wait(t, attr, s), confined(t).Probes.Names(), nil), map[string]posture.Outcome{"setuid-root": no, "mount": no, "chroot-escape": no})
		})
	}
	t.Run("chroot with CAP_SYS_CHROOT", func(t *testing.T) {
		s := fixture.Clean()
		s.Root, s.Directory, s.Effective, s.Permitted = fixture.RootChroot, newRoot(t), capChroot, capChroot
		check(t, try(t, launch.Wait(t, nil, s), confined(t).Probes.Names(), nil), map[string]posture.Outcome{"chroot-escape": yes, "chroot": yes})
	})
}

// TestPodman: a container as it comes, and one as hard as it gets.
func TestPodman(t *testing.T) {
	// It has one thread, and none of Go's signals.
	sleeper := filepath.Join(t.TempDir(), "sleeper")
	launch.Static(t, sleeper, "../fixture/cmd/sleeper", "-ldflags=-E=main.pause")
	e := container.New(t, map[string]string{"sleeper": sleeper})
	for _, c := range []struct {
		name  string
		flags []string
		want  map[string]posture.Outcome
	}{
		{"default", nil, map[string]posture.Outcome{"setuid-root": yes, "mount": no, "chroot": yes, "userns": yes}},
		{"hard", []string{"--cap-drop", "ALL", "--read-only", "--security-opt", "no-new-privileges", "--user", "65532"},
			map[string]posture.Outcome{"setuid-root": no, "mount": no, "chroot": no, "userns": yes, "raw-socket": no, "ptrace-parent": yes}},
		{"user namespace", []string{"--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000"},
			map[string]posture.Outcome{"setuid-root": yes, "mount": no}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			cmd := e.Run(t.Context(), append([]string{"--pidfile", file}, c.flags...), "/sleeper")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var pid int
			for range 1000 {
				data, _ := os.ReadFile(file)
				if pid, _ = strconv.Atoi(string(data)); pid != 0 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if pid == 0 {
				t.Fatal(stderr.String())
			}
			defer func() {
				syscall.Kill(pid, syscall.SIGKILL)
				cmd.Wait()
			}()
			for range 1000 {
				if st := launch.Status(pid); st["Name"] == "sleeper" && strings.HasPrefix(st["State"], "S") {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			before := traces(t, pid)
			check(t, try(t, pid, append(confined(t).Probes.Names(), "ptrace-parent"), nil), c.want)
			untouched(t, pid, before)
		})
	}
}
