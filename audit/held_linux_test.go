package audit_test

import (
	"os/exec"
	"slices"
	"strconv"
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
		hold fixture.Hold
		gap  string
	}{{fixture.HoldMemory, "probe.process-vm-readv"}, {fixture.HoldTracee, "probe.ptrace"}, {fixture.HoldRing, "probe.io-uring-setup"}} {
		t.Run(string(c.hold), func(t *testing.T) {
			s := fixture.Clean()
			s.Hold = c.hold
			onlyGap(t, launch.Wait(t, nil, s), c.gap)
		})
	}
}

// TestHeldMemoryFile: so does a file of another process's memory.
func TestHeldMemoryFile(t *testing.T) {
	launch.NeedRoot(t)
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		other.Process.Kill()
		other.Wait()
	})
	// Inherited, since it is not closed by execve(2).
	fd, err := syscall.Open("/proc/"+strconv.Itoa(other.Process.Pid)+"/mem", syscall.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	pid := launch.Wait(t, nil, fixture.Clean())
	syscall.Close(fd)
	onlyGap(t, pid, "probe.process-vm-readv")
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
