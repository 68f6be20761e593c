package checks_test

import (
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// TestUniformSaysWhatWasCompared: a pass names the thread that the others are
// equal to, and claims of the filters only what can be compared.
func TestUniformSaysWhatWasCompared(t *testing.T) {
	const compared = "ids, groups, capability sets, no_new_privs, seccomp mode and number of filters are those of "
	for leader, want := range map[int]string{
		10: compared + "the thread group leader",
		9:  compared + "thread 10, the lowest one alive (the thread group leader has ended)",
	} {
		p := confined(3)
		p.PID = leader
		f := find(t, checks.Run(p, everything()), "threads.uniform", "")
		if f.Status != report.Pass || !strings.HasSuffix(f.Message, want) {
			t.Errorf("leader %d: %s %q", leader, f.Status, f.Message)
		}
	}
}

// TestUniformWithoutLeaderTakesTheLowest: the first class need not have it.
func TestUniformWithoutLeaderTakesTheLowest(t *testing.T) {
	p := confined(3)
	apart(p, 12).NoNewPrivs.Value = false
	p.Classes[0], p.Classes[1] = p.Classes[1], p.Classes[0]
	p.PID, p.Kernel = 9, []posture.Thread{}
	f := find(t, checks.Run(p, everything()), "threads.uniform", "")
	if f.Status != report.Gap || f.Expected != "every thread as thread 10" || len(f.Threads) != 1 || f.Threads[0] != 12 {
		t.Errorf("%s %q %v", f.Status, f.Expected, f.Threads)
	}
}
