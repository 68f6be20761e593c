package collect

import (
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// Only a mode that is known says that there is no filter.
func TestUnfiltered(t *testing.T) {
	mode := func(v int) posture.Fact[int] { return posture.Of(v, "status", "Seccomp: x") }
	for _, c := range []struct {
		name         string
		mode, count  posture.Fact[int]
		done, absent bool
		known        bool
	}{
		{"disabled", mode(0), posture.Of(0, "", ""), true, false, true},
		{"disabled, before Linux 5.9", mode(0), posture.None[int]("", ""), true, false, true},
		{"disabled, with filters", mode(0), posture.Of(1, "", ""), true, false, false},
		{"strict", mode(1), posture.Of(0, "", ""), true, false, true},
		{"filter", mode(2), posture.Of(1, "", ""), false, false, false},
		{"not read", posture.Failed[int]("status", "no"), posture.Fact[int]{}, true, false, false},
		{"no seccomp in this kernel", posture.None[int]("status", "no line"), posture.Fact[int]{}, true, true, false},
	} {
		th := posture.Thread{SeccompMode: c.mode, SeccompFilters: c.count}
		done := unfiltered(&th)
		f := &th.Filters
		if done != c.done || (f.State == posture.Known) != c.known || (f.State == posture.Absent) != c.absent || len(f.Value.Programs) != 0 {
			t.Errorf("%s: %v, %+v", c.name, done, f.Origin)
		}
		if done && !c.known && f.Why() == "" {
			t.Errorf("%s: no reason", c.name)
		}
	}
}
