package audit_test

import (
	"slices"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// TestHeld: what a process took hold of while it was root opens what no attempt
// of its own could.
func TestHeld(t *testing.T) {
	launch.NeedRoot(t)
	for _, c := range []struct {
		hold, gap string
	}{{"shared memory", "probe.process-vm-readv"}, {"memory", "probe.process-vm-readv"}, {"tracee", "probe.ptrace"}, {"io_uring", "probe.io-uring-setup"}} {
		t.Run(c.hold, func(t *testing.T) {
			s := fixture.Clean()
			s.Hold = []string{c.hold}
			onlyGap(t, launch.Wait(t, nil, s), c.gap)
		})
	}
}

// onlyGap wants a process to be found open in one way, and ends what it left.
func onlyGap(t *testing.T, pid int, id string) {
	t.Helper()
	t.Cleanup(func() {
		for _, below := range launch.Descendants(pid) {
			if below != pid {
				syscall.Kill(below, syscall.SIGKILL)
			}
		}
	})
	r := checkPID(t, pid)
	gaps := r.Gaps()
	if len(gaps) != 1 || !slices.ContainsFunc(gaps, func(f report.Finding) bool { return f.ID == id }) {
		t.Errorf("verdict %s, gaps %v, want %s", r.Verdict, gaps, id)
	}
}
