package audit_test

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

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/inside"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

func TestMain(m *testing.M) { launch.Main(m) }

// want fails unless every audit of r came to the verdict.
func want(t *testing.T, r inside.Result, v report.Verdict) {
	t.Helper()
	for i, rep := range r.Reports {
		switch {
		case rep == nil:
			t.Errorf("audit %d: %s", i, r.Errors[i])
		case rep.Verdict != v:
			t.Errorf("audit %d: verdict %s, want %s", i, rep.Verdict, v)
			for _, f := range append(rep.Gaps(), rep.Unknowns()...) {
				t.Logf("%s %s: %s", f.ID, f.Status, f.Message)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// TestParallel: a hundred goroutines audit one confined process at once.
func TestParallel(t *testing.T) {
	launch.NeedRoot(t)
	r := launch.Inside(t, nil, fixture.Clean(), inside.Request{Parallel: 100})
	want(t, r, report.Confined)
	t.Logf("100 audits at once: the last was done after %v", r.Longest)
}

// TestProcessOne: a service that is process 1 and waits for every child never
// sees one of the audit's, and loses none of its own to it.
func TestProcessOne(t *testing.T) {
	launch.NeedRoot(t)
	const own = 10
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	s := fixture.Clean()
	s.Root, s.Directory = fixture.RootOwn, publicDir(t)
	r := launch.Inside(t, attr, s, inside.Request{Parallel: 20, Reap: own})
	want(t, r, report.Confined)
	if r.Reports[0].Target.PID != 1 {
		t.Errorf("it was process %d, not 1", r.Reports[0].Target.PID)
	}
	if r.Reaped.Own != own+1 || len(r.Reaped.Foreign) > 0 || len(r.Reaped.Wrong) > 0 || r.Reaped.NoChild > 0 {
		t.Errorf("its own wait loop saw %+v", r.Reaped)
	}
}

// TestHeap: forking copies the page tables of a gigabyte, within the timeout.
func TestHeap(t *testing.T) {
	launch.NeedRoot(t)
	r := launch.Inside(t, nil, fixture.Clean(), inside.Request{Heap: 1 << 30})
	want(t, r, report.Confined)
	t.Logf("with 1 GiB resident: %v", r.Longest)
}

// TestChrootWithoutProc: the classic drop. Without what Open keeps, the other
// threads cannot be seen, so nothing that was asked of all of them passes.
func TestChrootWithoutProc(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	s.Root, s.Directory = fixture.RootChroot, publicDir(t)
	r := launch.Inside(t, nil, s, inside.Request{})
	want(t, r, report.Inconclusive)
	for _, f := range r.Reports[0].Findings {
		if f.Status == report.Pass && (f.ID == "threads.uniform" || strings.HasPrefix(f.ID, "identity.")) {
			t.Errorf("%s passes though no other thread was seen", f.ID)
		}
	}
	// What the calling thread shows is seen all the same.
	s.UID.Saved = 0
	r = launch.Inside(t, nil, s, inside.Request{})
	want(t, r, report.Exposed)
}

// TestChrootWithOpen: what Open kept covers all threads, many times over.
func TestChrootWithOpen(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	s.Root, s.Directory = fixture.RootChroot, publicDir(t)
	want(t, launch.Inside(t, nil, s, inside.Request{Open: true, Parallel: 5}), report.Confined)
	s.Odd = fixture.OddUID
	want(t, launch.Inside(t, nil, s, inside.Request{Open: true}), report.Exposed)
}

// TestOpenHole: without CAP_SYS_ADMIN Open can only keep a plain descriptor,
// which the audit itself reports, and nothing else is wrong.
func TestOpenHole(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	s.Root, s.Directory = fixture.RootChroot, publicDir(t)
	r := launch.Inside(t, nil, s, inside.Request{Open: true, Powerless: true})
	want(t, r, report.Exposed)
	for _, f := range r.Reports[0].Gaps() {
		if f.ID != "fds.directory" {
			t.Errorf("%s: %s", f.ID, f.Message)
		}
	}
	if n := r.Reports[0].Counts.Unknown; n > 0 {
		t.Errorf("%d unknown", n)
	}
}

// TestAttemptsSpeakForOneThread: under a policy that does not ask for uniform
// threads, an attempt that failed for one thread says nothing of another one.
func TestAttemptsSpeakForOneThread(t *testing.T) {
	launch.NeedRoot(t)
	q := inside.Request{Policy: &audit.Policy{Name: "probes"}}
	q.Policy.Probes.Reescalation = []string{"setuid-root"}
	want(t, launch.Inside(t, nil, fixture.Clean(), q), report.Confined)
	s := fixture.Clean()
	s.Odd = fixture.OddUID
	want(t, launch.Inside(t, nil, s, q), report.Inconclusive)
	s = fixture.Clean()
	s.Root, s.Directory = fixture.RootChroot, publicDir(t)
	want(t, launch.Inside(t, nil, s, q), report.Inconclusive)
}

// TestOtherBuilds audits programs with cgo and with the race detector, in the
// clean posture that they inherit through execve(2).
func TestOtherBuilds(t *testing.T) {
	launch.NeedRoot(t)
	if _, err := exec.LookPath("gcc"); err != nil {
		launch.Skip(t, "needs a C compiler: it builds a program with cgo")
	}
	for _, b := range []struct {
		name  string
		env   string
		flags []string
	}{
		{"without cgo", "CGO_ENABLED=0", nil},
		{"with cgo", "CGO_ENABLED=1", nil},
		{"with the race detector", "CGO_ENABLED=1", []string{"-race"}},
	} {
		t.Run(b.name, func(t *testing.T) {
			plain := launch.Build(t, "plain", []string{b.env}, b.flags...)
			q := launch.JSON(t, inside.Request{Parallel: 5})
			out := launch.Output(t, nil, launch.Holed(t), "-settings", launch.JSON(t, fixture.Clean()), "--", plain, "-audit", q)
			want(t, launch.Decode(t, out), report.Confined)
		})
	}
}

// attemptsUnknown fails unless no probe passed, each says why, and the facts
// came all the same.
func attemptsUnknown(t *testing.T, r inside.Result, why string) {
	t.Helper()
	if r.Reports[0] == nil {
		t.Fatal(r.Errors[0])
	}
	want(t, r, report.Inconclusive)
	facts := 0
	for _, f := range r.Reports[0].Findings {
		switch {
		case f.ID == "probe.exec-gain":
			// Nothing is executed for it: the rules of execve(2) decide.
		case strings.HasPrefix(f.ID, "probe.") && f.Status == report.Pass:
			t.Errorf("%s passes though no child could be made: %s", f.ID, f.Message)
		case strings.HasPrefix(f.ID, "probe.") && f.Status == report.Unknown && !strings.Contains(f.Message, why):
			t.Errorf("%s does not name %s: %s", f.ID, why, f.Message)
		case strings.HasPrefix(f.ID, "identity.") && f.Status == report.Pass:
			facts++
		}
	}
	if facts != 3 {
		t.Errorf("%d of the three identity findings pass", facts)
	}
}

// TestNoMoreProcesses: RLIMIT_NPROC is used up.
func TestNoMoreProcesses(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	one := uint64(1)
	// Without a filter no child has to go first, so every fact comes.
	s.Filter = false
	r := launch.Inside(t, nil, s, inside.Request{Processes: &one, Policy: factsAndProbes()})
	attemptsUnknown(t, r, "EAGAIN")
	// With one nobody knows which calls it kills for. The facts come all the
	// same, and the report says what was risked for them.
	s.Filter = true
	r = launch.Inside(t, nil, s, inside.Request{Processes: &one})
	attemptsUnknown(t, r, "EAGAIN")
	if rep := r.Reports[0]; len(rep.Limits) == 0 {
		t.Errorf("%+v, no limits named", rep.Counts)
	}
	r = launch.Inside(t, nil, s, inside.Request{Processes: &one, NoProbes: true})
	attemptsUnknown(t, r, "probes are off")
}

// factsAndProbes is "confined" without what only a filter gives.
func factsAndProbes() *audit.Policy {
	p := confined()
	p.Seccomp.Mode = 0
	return p
}

// TestPidsMax: the control group allows no more processes.
func TestPidsMax(t *testing.T) {
	launch.NeedRoot(t)
	group := pidsGroup(t)
	s := fixture.Clean()
	s.Filter = false
	r := launch.Gated(t, s, inside.Request{Policy: factsAndProbes()}, func(pid int) {
		write(t, filepath.Join(group, "cgroup.procs"), strconv.Itoa(pid))
		write(t, filepath.Join(group, "pids.max"), "1")
	})
	attemptsUnknown(t, r, "EAGAIN")
}

// pidsGroup makes a control group with a limit on processes: cgroups(7), of
// version 1 or 2.
func pidsGroup(t *testing.T) string {
	t.Helper()
	for _, base := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		dir := filepath.Join(base, fmt.Sprintf("selfaudit-test-%d", os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		if _, err := os.Stat(filepath.Join(dir, "pids.max")); err == nil {
			return dir
		}
	}
	launch.Skip(t, "needs a control group with the pids controller that can be made")
	return ""
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// publicDir returns a directory that every user can reach.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestTimeout: an audit without time ends at once, and never confined.
func TestTimeout(t *testing.T) {
	start := time.Now()
	r, err := audit.Check(context.Background(), audit.WithTimeout(time.Nanosecond))
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
	switch {
	case err == nil && r.Verdict == report.Confined:
		t.Error("confined without time to look")
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		t.Errorf("%v is not the context's error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := audit.Check(ctx); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", r, err)
	}
}

// TestShortTimeouts: whatever is cut off where, it is unknown and never a pass
// that is not true. The process is exposed, so it must never be confined.
func TestShortTimeouts(t *testing.T) {
	launch.NeedRoot(t)
	for us := 50; us < 20000; us = us * 3 / 2 {
		d := time.Duration(us) * time.Microsecond
		r, err := audit.Check(context.Background(), audit.WithTimeout(d))
		if err == nil && r.Verdict == report.Confined {
			t.Errorf("%v: root without a filter is confined", d)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v: %v", d, err)
		}
	}
}
