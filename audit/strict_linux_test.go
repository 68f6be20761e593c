package audit

import (
	"slices"
	"testing"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// TestStrict: the mode itself stops every attempt, and stops none where another
// source says that it is not the mode.
func TestStrict(t *testing.T) {
	pol, _ := policy.Builtin("confined")
	strict := posture.Class{Thread: posture.Thread{TID: 10, SeccompMode: posture.Of(1, "status", "Seccomp:\t1"), SeccompFilters: posture.Of(0, "status", "")}, TIDs: []int{10}}
	counted, fetched, filtered, unknown := strict, strict, strict, strict
	counted.SeccompFilters = posture.Of(2, "status", "")
	fetched.Filters = posture.Of(posture.Filters{Programs: [][]byte{instructions()}}, "ptrace(2)", "")
	filtered.SeccompMode = posture.Of(2, "status", "")
	unknown.SeccompMode.Fail("status", "gone")
	for name, c := range map[string]struct {
		class posture.Class
		made  bool
		want  posture.Outcome
	}{
		"strict":                      {strict, true, posture.Stopped},
		"strict, and filters counted": {counted, true, posture.Undecided},
		"strict, and filters read":    {fetched, true, posture.Undecided},
		"filters":                     {filtered, false, 0},
		"a mode that is not known":    {unknown, false, 0},
	} {
		s := &standIns{config: &config{policy: pol}, p: &posture.Process{Classes: []posture.Class{c.class}}}
		if made := s.strict(&c.class); made != c.made || made != (len(s.p.Attempts) == len(pol.Probes.Names())) {
			t.Errorf("%s: %v, %d attempts of %d", name, made, len(s.p.Attempts), len(pol.Probes.Names()))
		}
		for _, a := range s.p.Attempts {
			if a.Outcome != c.want || c.want == posture.Stopped && (a.By != posture.StoppedByFilter || len(a.Evidence) == 0) {
				t.Errorf("%s: %s: %s by %s", name, a.Name, a.Outcome, a.By)
			}
		}
	}
}

// TestStrictLeavesNoAttempt: what strict mode leaves is the call of no attempt.
func TestStrictLeavesNoAttempt(t *testing.T) {
	for _, a := range slices.Concat(names.Attempts(), names.AttemptsBeyond()) {
		need, found := names.NeedOf(a.Name)
		if found && (need.Call == "" && need.ABI == "" || slices.Contains([]string{"read", "write", "exit", "rt_sigreturn", "sigreturn"}, need.Call)) {
			t.Errorf("%s needs %q", a.Name, need.Call)
		}
	}
}
