package checks_test

import (
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// TestExecutedInItsPlace: what a program really had is held against what was
// computed, for the threads in whose place it was executed alone.
func TestExecutedInItsPlace(t *testing.T) {
	none := func() posture.Fact[posture.CapSet] { return posture.Of(posture.CapSet(0), "status", "") }
	id := posture.ID{Value: 1000, Outside: 1000}
	ids := posture.IDs{Real: id, Effective: id, Saved: id, FS: id}
	was := posture.Thread{
		TID: 7, UID: posture.Of(ids, "status", ""), GID: posture.Of(ids, "status", ""), Groups: posture.Of([]posture.ID(nil), "status", ""),
		NoNewPrivs: posture.Of(false, "status", ""),
		Caps:       posture.CapFacts{Inheritable: none(), Permitted: none(), Effective: none(), Bounding: none(), Ambient: none()},
	}
	after := posture.AfterExec{UID: ids, GID: ids}
	gained, moved := after, after
	gained.Caps.Permitted = 1
	moved.UID.Saved = posture.ID{Outside: 0}
	for name, c := range map[string]struct {
		after posture.Fact[posture.AfterExec]
		tids  []int
		want  report.Status
	}{
		"the same":           {posture.Of(after, "execveat(2)", ""), nil, report.Pass},
		"a capability":       {posture.Of(gained, "execveat(2)", ""), nil, report.Gap},
		"an id":              {posture.Of(moved, "execveat(2)", ""), []int{7}, report.Gap},
		"of another thread":  {posture.Of(gained, "execveat(2)", ""), []int{8}, report.Unknown},
		"nothing was seen":   {posture.Failed[posture.AfterExec]("execveat(2)", "it ended before"), nil, report.Unknown},
		"none that was read": {posture.Fact[posture.AfterExec]{Value: gained}, nil, report.Unknown},
	} {
		p := &posture.Process{PID: 7, Threads: posture.Of(1, "task", ""), Classes: []posture.Class{{Thread: was, TIDs: []int{7}}}}
		p.MakeReach().Executed = []posture.Execution{{TIDs: c.tids, After: c.after}}
		found := false
		for _, f := range checks.Run(p, &policy.Policy{}) {
			if f.ID != "contradiction" {
				continue
			}
			found = true
			if f.Status != c.want || c.want == report.Gap && !strings.Contains(f.Message, "executed in the place of thread 7") {
				t.Errorf("%s: %s: %s", name, f.Status, f.Message)
			}
		}
		if !found {
			t.Errorf("%s: no finding", name)
		}
	}
}
