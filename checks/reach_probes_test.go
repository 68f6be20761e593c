package checks_test

import (
	"slices"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// TestReachProbes: the short table says of each attempt what the long one says.
func TestReachProbes(t *testing.T) {
	var long []checks.Weighed
	for _, m := range names.AttemptsBeyond() {
		w := checks.Weighed{ID: "probe." + m.Name}
		if err := w.Layer.UnmarshalText([]byte(m.Layer)); err != nil {
			t.Fatal(err)
		}
		if err := w.Severity.UnmarshalText([]byte(m.Severity)); err != nil {
			t.Fatal(err)
		}
		long = append(long, w)
	}
	if short := checks.ReachProbes(); !slices.Equal(short, long) {
		t.Errorf("short %v\nlong  %v", short, long)
	}
}

// TestLeftProbes: an audit without a policy of its own says of each id what the
// whole one says, and passes none that is asked for.
func TestLeftProbes(t *testing.T) {
	one := func(all []report.Finding, id string) *report.Finding {
		t.Helper()
		var found *report.Finding
		for i := range all {
			if all[i].ID == id && found != nil {
				t.Errorf("%s is there twice", id)
			}
			if all[i].ID == id {
				found = &all[i]
			}
		}
		if found == nil {
			t.Fatalf("no %s", id)
		}
		return found
	}
	for _, a := range names.AttemptsBeyond() {
		id := "probe." + a.Name
		left, whole := one(checks.RunWithoutFilters(confined(1), &policy.Policy{}), id), one(checks.Run(confined(1), &policy.Policy{}), id)
		if left.Status != report.Skipped || whole.Status != report.Skipped || left.Layer != whole.Layer || left.Severity != whole.Severity {
			t.Errorf("%s: %+v and %+v", id, left, whole)
		}
		pol := &policy.Policy{Probes: policy.Probes{Syscalls: []string{a.Name}}}
		if f := one(checks.RunWithoutFilters(confined(1), pol), id); f.Status != report.Unknown {
			t.Errorf("%s: %s where the table is not linked", id, f.Status)
		}
		if f := one(checks.Run(confined(1), pol), id); f.Status != report.Pass {
			t.Errorf("%s: %s", id, f.Status)
		}
	}
}
