//go:build amd64 || arm64

package replica_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/inside"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/replica"
	"github.com/selfaudit/selfaudit/probes"
)

func TestMain(m *testing.M) {
	if os.Getenv(asWatcher) != "" {
		if err := watch(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	if spec := os.Getenv(asAuditor); spec != "" {
		if err := audit(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	if os.Getenv(asFiltered) != "" {
		if err := filtered(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	if spec := os.Getenv(asBlind); spec != "" {
		if err := blind(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	launch.Main(m)
}

// tried is what came of the attempts in a replica of one class.
type tried struct {
	executed *probes.Executed
	class    posture.Class
	limits   []string
	attempts []posture.Attempt
	taken    child.Taken
	err      error
}

// outcomes are the attempts' outcomes by name.
func (t tried) outcomes() map[string]posture.Outcome {
	out := map[string]posture.Outcome{}
	for _, a := range t.attempts {
		out[a.Name] = a.Outcome
	}
	return out
}

// find returns one attempt.
func (t tried) find(tb testing.TB, name string) posture.Attempt {
	tb.Helper()
	for _, a := range t.attempts {
		if a.Name == name {
			return a
		}
	}
	tb.Fatalf("no attempt %q: %v", name, t.err)
	return posture.Attempt{}
}

// try makes attempts in a replica of each class of a process.
func try(t testing.TB, pid int, names []string, peer *probes.Peer) []tried {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	target, err := replica.Open(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := collect.PID(ctx, pid, collect.Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []tried
	for i := range p.Classes {
		all = append(all, tryClass(ctx, target, p, &p.Classes[i], names, peer))
	}
	if err := target.Still(); err != nil {
		t.Errorf("after the attempts: %v", err)
	}
	return all
}

func tryClass(ctx context.Context, target *replica.Target, p *posture.Process, class *posture.Class, names []string, peer *probes.Peer) tried {
	r := tried{class: *class}
	var po child.Posture
	if po, r.limits, r.err = target.Posture(class); r.err != nil {
		return r
	}
	in := probes.Input{
		Names: names, Process: p, CapsetExcept: class.Caps.Effective.Value, Replica: &po, Thread: &class.Thread,
	}
	if own, ok, err := target.Number(p.PID, class); ok && err == nil {
		in.OwnPID = own
	}
	if peer != nil {
		if n, ok, err := target.Number(peer.PID, class); ok && err == nil {
			in.Peer = &probes.Peer{PID: n, Why: peer.Why}
		}
	}
	if slices.Contains(names, "exec-gain") {
		r.executed = probes.Execute(ctx, in, target.Examine)
		in.Executed = r.executed
	}
	r.attempts, r.taken, r.err = probes.RunIn(ctx, in)
	return r
}

// victim is a process of another user than any fixture's.
func victim(t *testing.T) *probes.Peer {
	t.Helper()
	cmd := exec.Command("sleep", "600") // longer than any machine takes
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &probes.Peer{PID: cmd.Process.Pid, Why: "a process of user 65534"}
}

func confined(t testing.TB) *policy.Policy {
	t.Helper()
	p, ok := policy.Builtin("confined")
	if !ok {
		t.Fatal("no profile confined")
	}
	return p
}

// setting is one way in which a fixture's program differs from the clean one.
type setting struct {
	name string
	set  func(*fixture.Settings)
}

const (
	capSetUID   = 1 << 7
	capSetGID   = 1 << 6
	capChroot   = 1 << 18
	capSysAdmin = 1 << 21
	capChown    = 1 << 0
)

var settings = []setting{
	{"clean", func(*fixture.Settings) {}},
	{"saved uid 0", func(s *fixture.Settings) { s.UID.Saved = 0 }},
	{"real uid 0", func(s *fixture.Settings) { s.UID.Real = 0 }},
	{"effective uid 0", func(s *fixture.Settings) { s.UID.Effective = 0 }},
	{"file system uid 0", func(s *fixture.Settings) { s.UID.FS = 0 }},
	{"saved gid 0", func(s *fixture.Settings) { s.GID.Saved = 0 }},
	{"groups", func(s *fixture.Settings) { s.Groups = []uint32{4, 0, 27} }},
	{"permitted CAP_SYS_ADMIN", func(s *fixture.Settings) { s.Permitted = capSysAdmin }},
	{"effective CAP_SYS_ADMIN", func(s *fixture.Settings) { s.Permitted, s.Effective = capSysAdmin, capSysAdmin }},
	{"CAP_SETUID and CAP_SETGID", func(s *fixture.Settings) {
		s.Permitted, s.Effective = capSetUID|capSetGID, capSetUID|capSetGID
	}},
	{"inheritable", func(s *fixture.Settings) { s.Inheritable = capChown }},
	{"bounding", func(s *fixture.Settings) { s.Bounding = capChown | capChroot }},
	{"no filter", func(s *fixture.Settings) { s.Filter = false }},
	{"no filter, no no_new_privs", func(s *fixture.Settings) { s.Filter, s.NoNewPrivs = false, false }},
	{"no no_new_privs", func(s *fixture.Settings) { s.NoNewPrivs = false }},
	{"no no_new_privs, a capability", func(s *fixture.Settings) { s.NoNewPrivs, s.Permitted = false, capSysAdmin }},
	{"unshare let through", func(s *fixture.Settings) { s.Leave = []string{"unshare"} }},
	{"clone3 let through", func(s *fixture.Settings) { s.Leave = []string{"clone3"} }},
	{"kills", func(s *fixture.Settings) {
		s.Kill = []fixture.Kill{{Number: syscall.SYS_MOUNT}, {Number: syscall.SYS_SETUID}, {Number: syscall.SYS_CHROOT}}
	}},
	{"kills, no no_new_privs", func(s *fixture.Settings) {
		s.NoNewPrivs = false
		s.Kill = []fixture.Kill{{Number: syscall.SYS_MOUNT}, {Number: syscall.SYS_SETUID}}
	}},
	{"answers in place of the kernel", func(s *fixture.Settings) { s.Fake = []string{"setuid", "setresuid", "mount"} }},
	{"keyctl let through", func(s *fixture.Settings) { s.Leave = []string{"keyctl"} }},
}

// TestSameAsInside: the attempts that a replica makes end as those that the very
// same program makes itself.
func TestSameAsInside(t *testing.T) {
	launch.NeedRoot(t)
	peer := victim(t)
	p := confined(t)
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			what := fixture.Clean()
			s.set(&what)
			r := launch.Inside(t, nil, what, inside.Request{Policy: p})
			all := try(t, launch.Wait(t, nil, what), p.Probes.Names(), peer)
			if len(all) != 1 || all[0].err != nil {
				t.Fatalf("%d classes, %v, steps %v", len(all), all[0].err, all[0].taken)
			}
			if !all[0].taken.Admitted {
				t.Errorf("not admitted: %+v", all[0].taken)
			}
			compare(t, withoutOthers(r.Reports[0], peer), all[0])
		})
	}
}

// withoutOthers leaves out attempts from inside that succeeded on another process
// than that peer: other tests have theirs meanwhile, in namespaces of root's.
func withoutOthers(r *report.Report, peer *probes.Peer) *report.Report {
	on := regexp.MustCompile(`\bprocess ` + strconv.Itoa(peer.PID) + `\b`)
	out := *r
	out.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f report.Finding) bool {
		other := f.ID == "probe.ptrace" || f.ID == "probe.process-vm-readv"
		return other && f.Status == report.Gap && !on.MatchString(f.Message)
	})
	return &out
}

// compare holds outcomes against the findings of the report.
func compare(t *testing.T, inside *report.Report, r tried) {
	t.Helper()
	got, seen := r.outcomes(), 0
	for _, f := range inside.Findings {
		name, probe := strings.CutPrefix(f.ID, "probe.")
		if !probe || name == "depth" {
			continue
		}
		seen++
		want := f.Status
		if have := status(got[name]); have != want && want != report.Skipped {
			t.Errorf("%s: inside %s, in the replica %s: %s", name, want, have, r.find(t, name).Detail)
		}
	}
	if seen < 20 {
		t.Errorf("only %d findings to compare", seen)
	}
}

func status(o posture.Outcome) report.Status {
	switch o {
	case posture.Succeeded:
		return report.Gap
	case posture.Undecided:
		return report.Unknown
	default:
		return report.Pass
	}
}

// TestScanInReplica: every call, tried in a replica, is let through or denied as
// in a child that loaded the same filters and nothing else of the process.
func TestScanInReplica(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	s.Kill = []fixture.Kill{{Number: syscall.SYS_MOUNT}}
	for _, c := range []struct {
		name string
		pid  int
	}{{"plain", launch.Wait(t, nil, s)}, {"namespaces", launch.Wait(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET}, s)}} {
		t.Run(c.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			target, err := replica.Open(t.Context(), c.pid)
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			p, err := collect.PID(t.Context(), c.pid, collect.Options{Filters: true})
			if err != nil {
				t.Fatal(err)
			}
			po, _, err := target.Posture(&p.Classes[0])
			if err != nil {
				t.Fatal(err)
			}
			in := probes.ScanInput{ABIs: []string{"x86-64", "arm64"}, Filters: po.Filters}
			want, err := probes.Scan(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			in.Replica = &po
			got, err := probes.Scan(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			denied := 0
			for k, w := range want[0].Calls {
				g := got[0].Calls[k]
				if g.Answer != w.Answer || g.By != w.By {
					t.Errorf("call %d: %v by %v, and in the replica %v by %v: %s", w.Number, w.Answer, w.By, g.Answer, g.By, g.Detail)
				}
				if g.Answer == posture.AnswerDenied {
					denied++
				}
			}
			if denied < 10 {
				t.Errorf("only %d calls are denied", denied)
			}
		})
	}
}
