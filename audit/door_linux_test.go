package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

func confined() *policy.Policy {
	p, ok := policy.Builtin("confined")
	if !ok {
		panic("no profile confined")
	}
	return p
}

// filtered is a policy that no test process passes: it has no filter.
func filtered() *policy.Policy {
	return &policy.Policy{Name: "filtered", Seccomp: policy.Seccomp{Mode: policy.ModeFilter}}
}

// TestMustBeConfinedRefuses: every gap and every unknown is logged, and the
// panic carries the report.
func TestMustBeConfinedRefuses(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&logged, nil))
	pol := confined()
	pol.Seccomp.Mode = policy.ModeStrict // no process that can audit itself passes
	err := panicOf(func() { audit.MustBeConfined(audit.WithPolicy(pol), audit.WithLogger(log), audit.WithoutProbes()) })
	var e *audit.NotConfinedError
	if !errors.As(err, &e) || e.Report == nil {
		t.Fatalf("panic with %v", err)
	}
	if e.Report.Verdict != report.Exposed || e.Cause != nil {
		t.Errorf("verdict %s, cause %v", e.Report.Verdict, e.Cause)
	}
	levels := make(map[string]int)
	for _, line := range bytes.Split(bytes.TrimSpace(logged.Bytes()), []byte("\n")) {
		var rec map[string]any
		if err := json.Unmarshal(line, &rec); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, key := range []string{"level", "msg", "id", "severity", "observed", "remedy"} {
			if s, ok := rec[key].(string); !ok || s == "" && key != "observed" && key != "remedy" {
				t.Errorf("no %s in %s", key, line)
			}
		}
		levels[rec["level"].(string)]++
	}
	if levels["ERROR"] != e.Report.Counts.Gap || levels["WARN"] != e.Report.Counts.Unknown || levels["WARN"] == 0 {
		t.Errorf("logged %v, the report counts %+v", levels, e.Report.Counts)
	}
}

// TestMustBeConfinedInconclusive: nothing is wrong, and not all was tried.
func TestMustBeConfinedInconclusive(t *testing.T) {
	pol := &policy.Policy{Name: "probes", Probes: policy.Probes{Syscalls: []string{"reboot"}}}
	err := panicOf(func() {
		audit.MustBeConfined(audit.WithPolicy(pol), audit.WithoutProbes(), audit.WithLogger(slog.New(slog.DiscardHandler)))
	})
	var e *audit.NotConfinedError
	if !errors.As(err, &e) || e.Report == nil || e.Report.Verdict != report.Inconclusive {
		t.Fatalf("panic with %v", err)
	}
}

// TestMustBeConfinedReturns under a policy that the test process passes.
func TestMustBeConfinedReturns(t *testing.T) {
	pol := &policy.Policy{Name: "own ids", Process: policy.Process{User: policy.User{UID: &policy.ID{Exact: uint32(os.Getuid())}}}}
	audit.MustBeConfined(audit.WithPolicy(pol))
	a, err := audit.Open(audit.WithPolicy(pol), quiet)
	if err != nil {
		t.Fatal(err)
	}
	a.MustBeConfined()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if r, err := a.Check(context.Background()); r != nil || !errors.Is(err, audit.ErrClosed) {
		t.Errorf("after Close: %v, %v", r, err)
	}
	var e *audit.NotConfinedError
	if err := panicOf(a.MustBeConfined); !errors.As(err, &e) || !errors.Is(err, audit.ErrClosed) {
		t.Errorf("after Close MustBeConfined panics with %v", err)
	}
	rec := httptest.NewRecorder()
	a.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != http.StatusServiceUnavailable {
		t.Errorf("after Close the handler answers %d", rec.Code)
	}
}

// TestHandlerConfined: status 200 under a policy that the test process passes.
func TestHandlerConfined(t *testing.T) {
	pol := &policy.Policy{Name: "own ids", Process: policy.Process{User: policy.User{UID: &policy.ID{Exact: uint32(os.Getuid())}}}}
	rec := httptest.NewRecorder()
	audit.Handler(audit.WithPolicy(pol)).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != http.StatusOK {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
}

// TestHandlerReports: the body is the report, and decodes to it.
func TestHandlerReports(t *testing.T) {
	rec := httptest.NewRecorder()
	audit.Handler(audit.WithPolicy(filtered())).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	var r audit.Report
	if err := json.Unmarshal(rec.Body.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	if r.Schema != report.Schema || r.Target.PID != os.Getpid() || !r.Target.Self || len(r.Findings) == 0 || r.Policy.Name != "filtered" || r.Host.Kernel == "" {
		t.Errorf("%+v", r)
	}
	if want := http.StatusServiceUnavailable; r.Verdict != report.Confined && rec.Code != want {
		t.Errorf("verdict %s with status %d", r.Verdict, rec.Code)
	}
}

// TestOwnPIDIsSelf: an audit of the own process by its id is one of self.
func TestOwnPIDIsSelf(t *testing.T) {
	r, err := audit.Check(context.Background(), audit.WithPID(os.Getpid()), audit.WithPolicy(filtered()))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Target.Self || r.Target.PID != os.Getpid() {
		t.Errorf("%+v", r.Target)
	}
}

// TestOtherProcess: children stand in for it, so that nothing is unknown. With
// probes off what the policy asks of them is.
func TestOtherProcess(t *testing.T) {
	launch.NeedRoot(t)
	pid := launch.Wait(t, nil, fixture.Clean())
	r, err := audit.Check(context.Background(), audit.WithPID(pid))
	if err != nil {
		t.Fatal(err)
	}
	if r.Target.Self || r.Target.PID != pid || r.Verdict != report.Confined {
		t.Errorf("%+v, verdict %s", r.Target, r.Verdict)
	}
	if r, err = audit.Check(context.Background(), audit.WithPID(pid), audit.WithoutProbes()); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.Inconclusive {
		t.Errorf("with probes off: verdict %s", r.Verdict)
	}
	for _, f := range r.Unknowns() {
		if !strings.HasPrefix(f.ID, "probe.") {
			t.Errorf("%s is unknown: %s", f.ID, f.Message)
		}
	}
}

func TestNoSuchProcess(t *testing.T) {
	const beyond = 1<<22 + 1 // above the highest pid_max: proc(5)
	if r, err := audit.Check(context.Background(), audit.WithPID(beyond)); r != nil || !errors.Is(err, collect.ErrNoProcess) {
		t.Errorf("%v, %v", r, err)
	}
}
