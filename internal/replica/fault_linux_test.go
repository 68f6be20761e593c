//go:build amd64 || arm64

package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/replica"
)

// asAuditor is the variable that makes the test binary make replicas of the
// process with that number, until it is killed or has made so many.
const asAuditor = "SELFAUDIT_TEST_REPLICAS_OF"

// audit makes replicas of a process and prints how each round ended.
func audit(spec string) error {
	word, count, _ := strings.Cut(spec, " ")
	pid, err := strconv.Atoi(word)
	if err != nil {
		return err
	}
	rounds, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	p, _ := policy.Builtin("confined")
	for range rounds {
		if err := round(pid, p.Probes.Names()); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
	return nil
}

// round makes one replica, and says whether it was exact.
func round(pid int, names []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	target, err := replica.Open(ctx, pid)
	if err != nil {
		return err
	}
	defer target.Close()
	p, err := collect.PID(ctx, pid, collect.Options{Filters: os.Geteuid() == 0})
	if err != nil {
		return err
	}
	for i := range p.Classes {
		if r := tryClass(ctx, target, p, &p.Classes[i], names, nil); r.err != nil {
			return r.err
		}
	}
	return target.Still()
}

// auditor prepares this very program as one that makes replicas.
func auditor(t *testing.T, pid, rounds int, user uint32) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "auditor")
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for d := filepath.Dir(file); strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(file)
	cmd.Env = append(os.Environ(), asAuditor+"="+strconv.Itoa(pid)+" "+strconv.Itoa(rounds))
	if user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	return cmd
}

// named are processes of this program that have not ended.
func named(t *testing.T, exe string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range links {
		if got, err := os.Readlink(l); err == nil && strings.TrimSuffix(got, " (deleted)") == exe {
			out = append(out, l)
		}
	}
	return out
}

// TestAuditorKilled: whenever an auditor is killed, nothing of it is left
// running, and the process is as it was.
func TestAuditorKilled(t *testing.T) {
	launch.NeedRoot(t)
	pid := sandboxes[0].start(t)
	before := traces(t, pid)
	for range 50 {
		cmd := auditor(t, pid, 1000, 0)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5+rand.IntN(60)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		left := named(t, cmd.Path)
		for range 100 {
			if len(left) == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
			left = named(t, cmd.Path)
		}
		if len(left) > 0 {
			t.Fatalf("left running: %v", left)
		}
	}
	untouched(t, pid, before)
}

// TestTargetKilled: whenever the process ends, the auditor says so or had
// finished before, and nothing of its replicas is left.
func TestTargetKilled(t *testing.T) {
	launch.NeedRoot(t)
	names := confined(t).Probes.Names()
	ended := 0
	for range 50 {
		pid := sandboxes[0].start(t)
		go func() {
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			syscall.Kill(pid, syscall.SIGKILL)
		}()
		for {
			if err := round(pid, names); err != nil {
				t.Log(err)
				ended++
				break
			}
		}
	}
	comm := launch.Status(os.Getpid())["Name"]
	for _, pid := range launch.Descendants(os.Getpid())[1:] {
		if st := launch.Status(pid); st["Name"] == comm {
			t.Errorf("a child was left: %d, %s", pid, st["State"])
		}
	}
	if ended != 50 {
		t.Errorf("%d of 50 ended", ended)
	}
}

// TestStopped: a process that is stopped is tried as any other, and is stopped
// afterwards too.
func TestStopped(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	s.UID.Saved = 0
	pid := launch.Wait(t, nil, s)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	for !strings.HasPrefix(launch.Status(pid)["State"], "T") {
		time.Sleep(time.Millisecond)
	}
	check(t, try(t, pid, confined(t).Probes.Names(), nil), map[string]posture.Outcome{"setuid-root": yes, "mount": no})
	if state := launch.Status(pid)["State"]; !strings.HasPrefix(state, "T") {
		t.Errorf("it is %s", state)
	}
}

// TestThreads: what one thread could do is found on that thread alone.
func TestThreads(t *testing.T) {
	launch.NeedRoot(t)
	for _, c := range []struct {
		odd     fixture.Odd
		attempt string
	}{{fixture.OddUID, "setuid-root"}, {fixture.OddCapabilities, "capset"}, {fixture.OddFilter, "userns"}} {
		t.Run(string(c.odd), func(t *testing.T) {
			s := fixture.Clean()
			s.Odd = c.odd
			all := try(t, launch.Wait(t, nil, s), []string{c.attempt}, nil)
			if len(all) != 2 {
				t.Fatalf("%d classes", len(all))
			}
			for _, r := range all {
				want := no
				if len(r.class.TIDs) == 1 {
					want = yes
				}
				if a := r.find(t, c.attempt); a.Outcome != want {
					t.Errorf("threads %v: %s %v, %s", r.class.TIDs, a.Name, a.Outcome, a.Detail)
				}
			}
		})
	}
}

// TestWithoutPrivileges: an ordinary user's own processes, as far as the kernel
// lets him, and the missing privilege named where it does not.
func TestWithoutPrivileges(t *testing.T) {
	launch.NeedRoot(t)
	const user = 1234
	own := []sandbox{
		{name: "plain", command: []string{"sleep", "300"}, user: user},
		{name: "no_new_privs", command: []string{"setpriv", "--no-new-privs", "sleep", "300"}, user: user},
		{name: "user namespace", command: []string{"unshare", "-Urmpf", "--mount-proc", "sleep", "300"}, user: user},
		{name: "bwrap", command: []string{"bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "--die-with-parent", "--new-session", "sleep", "300"}, user: user},
	}
	for _, s := range own {
		t.Run(s.name, func(t *testing.T) {
			out, err := auditor(t, s.start(t), 3, user).CombinedOutput()
			if err != nil || string(out) != "ok\nok\nok\n" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	others := []struct {
		name, says string
		start      func(t *testing.T) int
	}{
		{"another user's", "CAP_SYS_PTRACE", sandbox{command: []string{"sleep", "300"}, user: user + 1}.start},
		{"not dumpable", "CAP_SYS_PTRACE", func(t *testing.T) int {
			s := fixture.Clean()
			s.UID = fixture.IDs{Real: user, Effective: user, Saved: user, FS: user}
			s.GID = fixture.IDs(s.UID)
			return launch.Wait(t, nil, s)
		}},
	}
	for _, o := range others {
		t.Run(o.name, func(t *testing.T) {
			out, err := auditor(t, o.start(t), 1, user).CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte(o.says)) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestRefused: where a step fails, or the child is not what it stands for, no
// attempt is made, and the error says which.
func TestRefused(t *testing.T) {
	launch.NeedRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid := launch.Wait(t, nil, fixture.Clean())
	target, err := replica.Open(t.Context(), pid)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := collect.PID(t.Context(), pid, collect.Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, says string
		change     func(*child.Posture)
	}{
		{"namespace", "setns(mnt)", func(p *child.Posture) {
			p.Join = []child.Namespace{{FD: 0, Type: syscall.CLONE_NEWNS, Name: "mnt"}}
		}},
		{"user", "user ids", func(p *child.Posture) { p.UID[2]++ }},
		{"file system user", "user ids", func(p *child.Posture) { p.UID[3] = 0 }},
		{"groups", "groups", func(p *child.Posture) { p.SetGroups, p.Groups = true, []uint32{7} }},
		{"filter", "number of seccomp filters", func(p *child.Posture) { p.Filters = append(p.Filters[:1:1], p.Filters[0]) }},
		{"permitted", "permitted capabilities", func(p *child.Posture) { p.Permitted = 1 }},
		{"bounding", "bounding capabilities", func(p *child.Posture) { p.Drop = 0 }},
		{"no_new_privs", "no_new_privs", func(p *child.Posture) { p.NoNewPrivs = false }},
		{"root", "fchdir(root)", func(p *child.Posture) { p.Root = 0x7fff }},
	} {
		t.Run(c.name, func(t *testing.T) {
			po, _, err := target.Posture(&p.Classes[0])
			if err != nil {
				t.Fatal(err)
			}
			c.change(&po)
			prog, err := child.NewReplica(po)
			if err != nil {
				t.Fatal(err)
			}
			defer prog.Close()
			prog.Enter(false)
			made := prog.Call(39, 0)
			err = prog.Run(t.Context(), child.Options{})
			var refused *child.NotTakenError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, not about %s", err, c.says)
			}
			if o := prog.Outcome(made); o != (child.Outcome{}) {
				t.Errorf("a call was made: %+v", o)
			}
			if says := target.Differs(prog.Replica(), &p.Classes[0]); !strings.Contains(says, c.says) {
				t.Errorf("differs: %q", says)
			}
		})
	}
}
