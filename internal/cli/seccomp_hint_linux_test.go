package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// TestFetchHints: what to do fits the reason, in the words that it really has.
func TestFetchHints(t *testing.T) {
	for reason, do := range map[kernel.FilterReason]string{
		kernel.FilterOwn:           "outside any seccomp filter",
		kernel.FilterAdmin:         "run auditctl as root",
		kernel.FilterUserNamespace: "initial user namespace",
		kernel.FilterAccess:        "ptrace_scope",
		kernel.FilterFeature:       "without --pid",
		kernel.FilterNotStopped:    "try again",
		kernel.FilterNotAttached:   "try again",
		kernel.FilterEnded:         "still there",
		kernel.FilterTooMany:       "as root",
	} {
		why := (&kernel.FilterError{Reason: reason}).Error()
		if got := hintFor(why); !strings.Contains(got, do) {
			t.Errorf("%s: %s", why, got)
		}
	}
	if got := hintFor("already traced by process 12: ptrace(PTRACE_SEIZE): EPERM"); !strings.Contains(got, "tracer") {
		t.Error(got)
	}
}

// TestScannedABIs: by itself a scan leaves out what this program has no way
// into, and says so; what is asked for by name is tried.
func TestScannedABIs(t *testing.T) {
	for _, c := range []struct {
		asked  []string
		goarch string
		want   []string
		limits int
	}{
		{nil, "amd64", nil, 0},
		{nil, "arm64", []string{"arm64"}, 1},
		{[]string{"arm"}, "arm64", []string{"arm"}, 0},
		{[]string{"i386"}, "amd64", []string{"i386"}, 0},
	} {
		run := &seccompRun{abis: c.asked}
		if got := run.scannedABIs(c.goarch); !slices.Equal(got, c.want) || len(run.leftABIs(c.goarch)) != c.limits {
			t.Errorf("%s, asked for %v: %v, %v", c.goarch, c.asked, got, run.leftABIs(c.goarch))
		}
	}
}
