package checks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// tried is an attempt to mount in the posture of some threads.
func tried(o posture.Outcome, by posture.Stopper, detail string, tids ...int) posture.Attempt {
	return posture.Attempt{
		Name: "mount", TIDs: tids, Outcome: o, By: by, Detail: detail,
		Evidence: []posture.Evidence{{Source: "mount(2) in a child", Value: detail}},
	}
}

// threadsTried are three threads in two classes: 10 and 12, and 11.
func threadsTried(attempts ...posture.Attempt) *posture.Process {
	p := confined(3)
	apart(p, 11)
	p.Attempts = attempts
	return p
}

// TestProbesOfThreads: attempts that speak for classes come to one finding, the
// worst decides, and the threads are named.
func TestProbesOfThreads(t *testing.T) {
	const (
		yes   = posture.Succeeded
		no    = posture.Stopped
		maybe = posture.Undecided
		none  = posture.NoObject
	)
	cap, filter := posture.StoppedByCapability, posture.StoppedByFilter
	for name, c := range map[string]struct {
		p        *posture.Process
		status   report.Status
		threads  []int
		observed string
		says     string
	}{
		"all stopped":       {threadsTried(tried(no, cap, "", 10, 12), tried(no, filter, "", 11)), report.Pass, nil, "stopped by capability; stopped by filter", "the process cannot mount"},
		"all stopped alike": {threadsTried(tried(no, cap, "", 10, 12), tried(no, cap, "", 11)), report.Pass, nil, "stopped by capability", "the process cannot mount"},
		"one can":           {threadsTried(tried(no, cap, "", 10, 12), tried(yes, 0, "read back", 11)), report.Gap, []int{11}, "succeeded", "thread 11 can mount file systems with mount(2): read back"},
		"all can":           {threadsTried(tried(yes, 0, "a", 10, 12), tried(yes, 0, "b", 11)), report.Gap, nil, "succeeded", "all 3 threads can mount file systems with mount(2): a; b"},
		"a gap and an unknown": {threadsTried(tried(maybe, 0, "the replica differs", 10, 12), tried(yes, 0, "read back", 11)),
			report.Gap, []int{11}, "succeeded", "thread 11 can"},
		"an unknown": {threadsTried(tried(no, cap, "", 10, 12), tried(maybe, 0, "the replica differs", 11)),
			report.Unknown, []int{11}, "undecided", "whether thread 11 can mount file systems with mount(2) could not be told: the replica differs"},
		"a class without an attempt": {threadsTried(tried(no, cap, "", 10, 12)),
			report.Unknown, []int{11}, "undecided", "whether thread 11 can mount file systems with mount(2) could not be told: thread 11: not tried"},
		"a class without an attempt, and an unknown": {threadsTried(tried(maybe, 0, "the replica differs", 11)),
			report.Unknown, nil, "undecided", "whether all 3 threads can mount file systems with mount(2) could not be told: the replica differs; threads 10, 12: not tried"},
		"a class without an attempt, and a gap": {threadsTried(tried(yes, 0, "", 11)), report.Gap, []int{11}, "succeeded", "thread 11 can"},
		"a thread of a class without an attempt": {threadsTried(tried(no, cap, "", 10), tried(no, cap, "", 11)),
			report.Unknown, []int{12}, "undecided", "thread 12: not tried"},
		"the process, tried as a whole": {threadsTried(tried(no, cap, "")), report.Pass, nil, "stopped by capability", "the process cannot"},
		"no object for one class":       {threadsTried(tried(no, cap, "", 10, 12), tried(none, 0, "", 11)), report.Pass, nil, "stopped by capability; nothing to try it on", "the process cannot"},
		"no object for any":             {threadsTried(tried(none, 0, "", 10, 12), tried(none, 0, "", 11)), report.Pass, nil, "nothing to try it on", "nothing on which to try whether the process can"},
		"a thread that has ended":       {threadsTried(tried(no, cap, "", 10, 12), tried(no, cap, "", 11), tried(yes, 0, "", 99)), report.Gap, []int{99}, "succeeded", "thread 99 can"},
	} {
		t.Run(name, func(t *testing.T) {
			f := find(t, checks.Run(c.p, &policy.Policy{Probes: policy.Probes{Syscalls: []string{"mount"}}}), "probe.mount", "")
			if f.Status != c.status || f.Observed != c.observed || !strings.Contains(f.Message, c.says) || !slices.Equal(f.Threads, c.threads) {
				t.Errorf("%s %v %q %q", f.Status, f.Threads, f.Observed, f.Message)
			}
		})
	}
}

// TestProbesOfUnseenThreads: where threads may not have been seen, attempts of
// those that were prove nothing for the others.
func TestProbesOfUnseenThreads(t *testing.T) {
	pol := &policy.Policy{Probes: policy.Probes{Syscalls: []string{"mount"}}}
	for _, outcome := range []posture.Outcome{posture.Stopped, posture.Succeeded} {
		p := threadsTried(tried(outcome, posture.StoppedByCapability, "", 10, 11, 12))
		p.Threads = unreadable[int]()
		want := map[posture.Outcome]report.Status{posture.Stopped: report.Unknown, posture.Succeeded: report.Gap}[outcome]
		f := find(t, checks.Run(p, pol), "probe.mount", "")
		if f.Status != want || want == report.Unknown && !strings.Contains(f.Message, "threads that were not seen") {
			t.Errorf("%s: %s %q", outcome, f.Status, f.Message)
		}
	}
}

// TestProbesWithoutThreads: the check that knows no classes passes no attempt
// that speaks for one alone.
func TestProbesWithoutThreads(t *testing.T) {
	pol := &policy.Policy{Probes: policy.Probes{Syscalls: []string{"mount"}}}
	for outcome, want := range map[posture.Outcome]report.Status{
		posture.Stopped: report.Unknown, posture.NoObject: report.Unknown, posture.Undecided: report.Unknown, posture.Succeeded: report.Gap,
	} {
		p := threadsTried(tried(outcome, posture.StoppedByCapability, "", 10, 11, 12))
		if f := find(t, checks.RunWithoutFilters(p, pol), "probe.mount", ""); f.Status != want || want == report.Unknown && strings.Contains(f.Message, "cannot") {
			t.Errorf("%s: %s %q", outcome, f.Status, f.Message)
		}
	}
}
