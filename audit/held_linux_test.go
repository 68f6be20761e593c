package audit_test

import (
	"context"
	"slices"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
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
	}{{"shared memory", "probe.process-vm-readv"}, {"memory", "probe.process-vm-readv"}, {"tracee", "probe.ptrace"}, {"io_uring", "probe.io-uring-setup"},
		{"memory of a thread", "probe.process-vm-readv"}, {"memory in another table", "probe.process-vm-readv"}, {"ring among mappings", "probe.io-uring-setup"},
	} {
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

// TestMemoryOfSomebody: by a procfs of another mount nothing tells whose memory a
// descriptor is of, which must not become a pass.
func TestMemoryOfSomebody(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	s.Hold = []string{"memory of another proc"}
	wantStatus(t, launch.Wait(t, nil, s), "process-vm-readv", report.Unknown)
}

// TestMemoryWithoutLeader: threads that outlive their leader keep the memory that
// another process shares with them, and the leader has none.
func TestMemoryWithoutLeader(t *testing.T) {
	launch.NeedRoot(t)
	above := launch.Headless(t, fixture.Settings{Hold: []string{"lesser process"}})
	for _, pid := range launch.Descendants(above) {
		if pid == above {
			continue
		}
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
		wantStatus(t, pid, "process-vm-readv", report.Gap)
		return
	}
	t.Fatal("nothing was started")
}

func wantStatus(t *testing.T, pid int, attempt string, want report.Status) {
	t.Helper()
	only := &policy.Policy{Name: "held", Probes: policy.Probes{Syscalls: []string{attempt}}}
	r, err := audit.Check(context.Background(), audit.WithPID(pid), audit.WithPolicy(only))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Findings, func(f report.Finding) bool { return f.ID == "probe."+attempt })
	if i < 0 {
		t.Fatal("no probe." + attempt)
	}
	if f := r.Findings[i]; f.Status != want {
		t.Errorf("%s is %s, want %s: %s", f.ID, f.Status, want, f.Message)
	}
}
