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
	const compared = "ids, groups, capability sets, no_new_privs, seccomp mode and "
	for leader, want := range map[int]string{
		10: "the thread group leader",
		9:  "thread 10, the lowest one alive (the thread group leader has ended)",
	} {
		p := confined(3)
		p.PID = leader
		read := find(t, checks.Run(p, everything()), "threads.uniform", "")
		if read.Status != report.Pass || !strings.HasSuffix(read.Message, compared+"filters are those of "+want) {
			t.Errorf("leader %d: %s %q", leader, read.Status, read.Message)
		}
		unread(p)
		counted := find(t, checks.Run(p, everything()), "threads.uniform", "")
		want = compared + "number of filters are those of " + want +
			"; whether equally many filters are also the same ones is not known: read somewhere: EACCES"
		if counted.Status != report.Pass || !strings.HasSuffix(counted.Message, want) {
			t.Errorf("leader %d: %s %q", leader, counted.Status, counted.Message)
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
