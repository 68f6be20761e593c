//go:build amd64 || arm64

package replica_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/probes"
)

const execGain = "exec-gain"

// lowered has a capability that every program gets back: no securebit and no
// no_new_privs keeps an ambient one from it.
func lowered(s *fixture.Settings) {
	s.Permitted, s.Inheritable, s.Ambient = capChown, capChown, capChown
}

// emptied is user 0 without a capability, which it gets all back of.
func emptied(s *fixture.Settings) {
	s.UID, s.NoNewPrivs, s.Bounding = fixture.IDs{}, false, fixture.AllCapabilities
}

func both(list ...func(*fixture.Settings)) func(*fixture.Settings) {
	return func(s *fixture.Settings) {
		for _, f := range list {
			f(s)
		}
	}
}

func denying(calls ...string) func(*fixture.Settings) {
	return func(s *fixture.Settings) { s.Deny = calls }
}

func killing(numbers ...uint32) func(*fixture.Settings) {
	return func(s *fixture.Settings) {
		for _, n := range numbers {
			s.Kill = append(s.Kill, fixture.Kill{Number: n})
		}
	}
}

func unfiltered(s *fixture.Settings) { s.Filter = false }

// gain is what an execve(2) gains for a process.
type gain struct {
	name    string
	set     func(*fixture.Settings)
	outcome posture.Outcome
	by      posture.Stopper
	also    posture.Stopper
	// detail is a part of what is said.
	detail string
	// permitted is what a program really had; all means the bounding set.
	permitted posture.CapSet
	all       bool
}

const (
	byFilter = posture.StoppedByFilter
	byRules  = posture.StoppedByCapability
	noroot   = "SECBIT_NOROOT"
)

var gains = []gain{
	{name: "clean", set: both(), outcome: posture.Stopped, by: byRules},
	{name: "user 0 without capabilities", set: both(emptied, unfiltered), detail: noroot, all: true},
	{name: "user 0 without capabilities, filtered", set: emptied, detail: noroot, all: true},
	{name: "user 0 with no_new_privs", set: both(emptied, func(s *fixture.Settings) { s.NoNewPrivs = true }), outcome: posture.Stopped, by: byRules},
	{name: "user 0 without a bounding set", set: both(emptied, func(s *fixture.Settings) { s.Bounding = 0 }), outcome: posture.Stopped, by: byRules},
	{name: "real user 0 alone", set: both(emptied, func(s *fixture.Settings) {
		s.UID = fixture.IDs{Real: 0, Effective: fixture.User, Saved: fixture.User, FS: fixture.User}
	}), detail: noroot, all: true},
	{name: "saved user 0 alone", set: both(emptied, func(s *fixture.Settings) {
		s.UID = fixture.IDs{Real: fixture.User, Effective: fixture.User, Saved: 0, FS: fixture.User}
	}), outcome: posture.Stopped, by: byRules},
	{name: "another user, no no_new_privs", set: both(emptied, func(s *fixture.Settings) { s.UID = fixture.Clean().UID }), outcome: posture.Stopped, by: byRules},
	{name: "lowered", set: lowered, outcome: posture.Succeeded, detail: "CAP_CHOWN", permitted: capChown},
	{name: "lowered, unfiltered", set: both(lowered, unfiltered), outcome: posture.Succeeded, detail: "CAP_CHOWN", permitted: capChown},
	{name: "ambient and effective", set: both(lowered, func(s *fixture.Settings) { s.Effective = capChown }), outcome: posture.Stopped, by: byRules, permitted: capChown},
	{name: "inheritable alone", set: func(s *fixture.Settings) { s.Inheritable = capChown }, outcome: posture.Stopped, by: byRules},

	{name: "denied", set: denying("execve", "execveat"), outcome: posture.Stopped, by: byFilter, also: byRules},
	{name: "denied, lowered", set: both(lowered, denying("execve", "execveat")), outcome: posture.Stopped, by: byFilter, permitted: capChown},
	{name: "killed for", set: killing(unix.SYS_EXECVE, unix.SYS_EXECVEAT), outcome: posture.Stopped, by: byFilter, also: byRules},
	{name: "killed for, lowered", set: both(lowered, killing(unix.SYS_EXECVE, unix.SYS_EXECVEAT)), outcome: posture.Stopped, by: byFilter, permitted: capChown},
	{name: "execveat denied", set: denying("execveat"), outcome: posture.Stopped, by: byRules},
	{name: "execveat denied, lowered", set: both(lowered, denying("execveat")), outcome: posture.Succeeded, detail: "CAP_CHOWN", permitted: capChown},
	{name: "killed for execveat, lowered", set: both(lowered, killing(unix.SYS_EXECVEAT)), outcome: posture.Succeeded, detail: "CAP_CHOWN", permitted: capChown},
	{name: "killed for execveat, user 0", set: both(emptied, killing(unix.SYS_EXECVEAT)), detail: noroot, all: true},
	{name: "execve denied, lowered", set: both(lowered, denying("execve")), outcome: posture.Succeeded, detail: "CAP_CHOWN", permitted: capChown},
	{name: "execve answered in its place, lowered", set: both(lowered, func(s *fixture.Settings) { s.Fake = []string{"execve", "execveat"} }), outcome: posture.Stopped, by: byFilter, permitted: capChown},
}

func TestExecGain(t *testing.T) {
	launch.NeedRoot(t)
	for _, g := range gains {
		t.Run(g.name, func(t *testing.T) {
			s := fixture.Clean()
			g.set(&s)
			g.check(t, launch.Wait(t, nil, s))
		})
	}
}

func (g *gain) check(t *testing.T, pid int) {
	t.Helper()
	all := try(t, pid, []string{execGain}, nil)
	if len(all) != 1 {
		t.Fatalf("%d classes", len(all))
	}
	a, x := all[0].find(t, execGain), all[0].executed
	if a.Outcome != g.outcome || a.By != g.by || a.Also != g.also || !strings.Contains(a.Detail, g.detail) {
		t.Errorf("%v by %v, also %v: %s; executed %+v", a.Outcome, a.By, a.Also, a.Detail, x)
	}
	after, known := x.After.Get()
	if !known {
		t.Fatalf("nothing was executed: %s %+v", x.After.Why(), x)
	}
	want := g.permitted
	if g.all {
		want = all[0].class.Caps.Bounding.Value
	}
	if after.Caps.Permitted != want {
		t.Errorf("a program had %x, want %x", after.Caps.Permitted, want)
	}
}

// TestExecGainElsewhere: limits, namespaces and a root directory without
// anything in it keep no program from being executed.
func TestExecGainElsewhere(t *testing.T) {
	launch.NeedRoot(t)
	sleep := func(t *testing.T, attr *syscall.SysProcAttr) int {
		cmd := exec.Command("sleep", "60")
		cmd.SysProcAttr = attr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		return cmd.Process.Pid
	}
	limited := func(limit string) func(*testing.T) int {
		return func(t *testing.T) int {
			launch.Need(t, "prlimit")
			cmd := exec.Command("prlimit", limit, "--", "sleep", "60")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			start(t, cmd)
			return find(t, cmd.Process.Pid, func(pid int) bool { return launch.Status(pid)["Name"] == "sleep" })
		}
	}
	for name, start := range map[string]func(*testing.T) int{
		"RLIMIT_AS":     limited("--as=8388608"),
		"RLIMIT_STACK":  limited("--stack=262144"),
		"RLIMIT_NOFILE": limited("--nofile=8"),
		"RLIMIT_FSIZE":  limited("--fsize=0"),
		"chroot": func(t *testing.T) int {
			s := fixture.Clean()
			s.Root, s.Directory = fixture.RootChroot, t.TempDir()
			for d := s.Directory; d != os.TempDir(); d = filepath.Dir(d) {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			return launch.Wait(t, nil, s)
		},
		"pid namespace": func(t *testing.T) int {
			return sleep(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
		},
		"user namespace": func(t *testing.T) int {
			one := []syscall.SysProcIDMap{{ContainerID: 7, HostID: 65534, Size: 1}}
			return sleep(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID, UidMappings: one, GidMappings: one, Credential: &syscall.Credential{Uid: 7, Gid: 7, NoSetGroups: true}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Nothing is gained, and a program ran.
			(&gain{outcome: posture.Stopped, by: byRules}).check(t, start(t))
		})
	}
}

// TestExecGainForced: where filters can be loaded with no_new_privs alone, which
// the process has not, and which keeps programs from gaining anything, one is
// executed without them.
func TestExecGainForced(t *testing.T) {
	launch.NeedRoot(t)
	for _, one := range try(t, startFiltered(t, denies), []string{execGain}, nil) {
		after := one.executed.After
		if forced := one.class.SeccompMode.Value == 2; after.State != posture.Known || forced != strings.Contains(after.Source, "without its filters") {
			t.Errorf("seccomp mode %d: %+v", one.class.SeccompMode.Value, one.executed)
		}
	}
}

// TestExecGainLeavesNothing: no child, no descriptor and no signal is left. To
// whoever reads filters the kernel sends the same signal, so that it is counted
// after that.
func TestExecGainLeavesNothing(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	lowered(&s)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	target, class := held(t, launch.Wait(t, nil, s))
	po, _, err := target.Posture(class)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD)
	defer signal.Stop(signals)
	before, children := openDescriptors(t), launch.Descendants(os.Getpid())
	for range 5 {
		if x := probes.Execute(t.Context(), probes.Input{Replica: &po, Thread: &class.Thread}, target.Examine); !x.Ran || x.After.Value.Caps.Effective != capChown {
			t.Errorf("%+v", x)
		}
	}
	if left := launch.Descendants(os.Getpid()); !slices.Equal(left, children) {
		t.Errorf("children %v, were %v", left, children)
	}
	if left := openDescriptors(t); left != before {
		t.Errorf("descriptors %s, were %s", left, before)
	}
	select {
	case sig := <-signals:
		t.Errorf("a child that executed a program sent %v", sig)
	case <-time.After(50 * time.Millisecond):
	}
}

func openDescriptors(t *testing.T) string {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range list {
		// That of the directory itself is gone by now.
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			b.WriteString(link + "\n")
		}
	}
	return b.String()
}

// TestExecGainNotExecutable: where no memory may be executed nothing is known.
func TestExecGainNotExecutable(t *testing.T) {
	launch.NeedRoot(t)
	if os.Getenv(asNotExecutable) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cmd := exec.CommandContext(ctx, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", exe, "-test.run=^TestExecGainNotExecutable$", "-test.v")
		cmd.Env = append(os.Environ(), asNotExecutable+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	const setting = "/proc/sys/vm/memfd_noexec"
	switch err := os.WriteFile(setting, []byte("2"), 0); {
	case os.IsNotExist(err):
		launch.Skip(t, "this kernel has no vm.memfd_noexec")
	case err != nil:
		t.Fatal(err)
	}
	one := try(t, launch.Wait(t, nil, fixture.Clean()), []string{execGain}, nil)[0]
	if a := one.find(t, execGain); a.Outcome != posture.Undecided || !strings.Contains(a.Detail, "vm.memfd_noexec") {
		t.Errorf("%v: %s", a.Outcome, a.Detail)
	}
}

// asNotExecutable is set in a pid namespace of the test's own, where it makes
// memory that cannot be executed.
const asNotExecutable = "SELFAUDIT_REPLICA_NOT_EXECUTABLE"
