package audit_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// TestThousandThreads: among a thousand threads one with another posture is
// found, and what it could do is found on it alone.
func TestThousandThreads(t *testing.T) {
	launch.NeedRoot(t)
	const threads = 1000
	for odd, attempt := range map[fixture.Odd]string{
		fixture.OddNone: "", fixture.OddUID: "probe.setuid-root", fixture.OddCapabilities: "probe.capset", fixture.OddFilter: "probe.userns",
	} {
		t.Run("odd "+string(odd), func(t *testing.T) {
			s := fixture.Clean()
			s.Odd = odd
			pid, _ := launch.Server(t, s, threads)
			begin := time.Now()
			r, err := audit.Check(context.Background(), audit.WithPID(pid))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d threads: %v, %s: %+v", r.Target.Threads, time.Since(begin), r.Verdict, r.Counts)
			if r.Target.Threads < threads {
				t.Errorf("%d threads", r.Target.Threads)
			}
			for _, f := range r.Unknowns() {
				t.Errorf("%s is unknown: %s", f.ID, f.Message)
			}
			if odd == fixture.OddNone {
				if r.Verdict != report.Confined {
					t.Errorf("verdict %s: %v", r.Verdict, r.Gaps())
				}
				return
			}
			i := slices.IndexFunc(r.Gaps(), func(f report.Finding) bool { return f.ID == attempt })
			if i < 0 {
				t.Fatalf("no gap %s: %v", attempt, r.Gaps())
			}
			if on := r.Gaps()[i].Threads; len(on) != 1 || on[0] == pid {
				t.Errorf("%s on threads %v", attempt, on)
			}
			for _, f := range r.Gaps() {
				if strings.HasPrefix(f.ID, "probe.") && len(f.Threads) != 1 {
					t.Errorf("%s on %d threads", f.ID, len(f.Threads))
				}
			}
		})
	}
}
