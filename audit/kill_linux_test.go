package audit_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/inside"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/names"
)

// kills returns a filter's rule that kills for an audit's call.
func kills(t *testing.T, call kernel.AuditCall) fixture.Kill {
	t.Helper()
	k := fixture.Kill{Number: uint32(call.NR)}
	if prctl, ok := names.Syscall(runtime.GOARCH, "prctl"); ok && prctl == k.Number {
		option := uint32(call.Args[0])
		k.Option = &option
	}
	return k
}

// TestKilledCalls: for each call of an audit a filter that kills for it. The
// process survives its audit, and one with a saved user id of 0 is not taken
// for confined for want of a call.
func TestKilledCalls(t *testing.T) {
	launch.NeedRoot(t)
	for _, call := range kernel.AuditCalls() {
		t.Run(call.Name, func(t *testing.T) {
			s := fixture.Clean()
			s.Kill = []fixture.Kill{kills(t, call)}
			r := launch.Inside(t, nil, s, inside.Request{})
			if r.Reports[0] == nil {
				t.Logf("survived without a report: %s", r.Errors[0])
				return
			}
			explain(t, r.Reports[0], call.Name)
			s.UID.Saved = 0
			if r = launch.Inside(t, nil, s, inside.Request{}); r.Reports[0] != nil && r.Reports[0].Verdict == report.Confined {
				t.Error("a saved user id of 0 was not found, and the verdict is confined")
			}
		})
	}
}

// explain fails on a gap, which a call that is not made cannot be, and logs
// what is unknown for want of it.
func explain(t *testing.T, r *report.Report, call string) {
	t.Helper()
	for _, f := range r.Gaps() {
		t.Errorf("false alarm for want of %s: %s: %s", call, f.ID, f.Message)
	}
	var ids []string
	for _, f := range r.Unknowns() {
		ids = append(ids, f.ID)
	}
	t.Logf("%s: unknown: %s", r.Verdict, strings.Join(ids, " "))
}
