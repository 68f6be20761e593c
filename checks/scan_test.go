package checks_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

const (
	eperm  = 1
	efault = 14
	enosys = 38
	sigsys = 31
)

var (
	isDenied   = posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Errno: eperm, Returned: true}
	isReached  = posture.Scanned{Answer: posture.AnswerReachable, Errno: efault, Returned: true}
	isNoCall   = posture.Scanned{Answer: posture.AnswerNoCall, Errno: enosys, Returned: true}
	isKilled   = posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionKillThread, Signal: sigsys}
	isTrapped  = posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionTrap}
	isUndecide = posture.Scanned{Detail: "it did not come back in time"}
)

// scanOf is a scan of one ABI in which the calls named came to something else.
func scanOf(abi string, rest posture.Scanned, calls map[string]posture.Scanned) posture.Scan {
	b, _ := names.FindABI(abi)
	s := posture.Scan{ABI: abi}
	for nr := b.NumberBit; nr < b.NumberBit+500; nr++ {
		name, found := names.SyscallName(b.Arch, nr)
		if !found {
			continue
		}
		one := rest
		if other, found := calls[name]; found {
			one = other
		}
		one.Number = nr
		s.Calls = append(s.Calls, one)
	}
	return s
}

// inside makes it an audit of self: a scan, and filters that cannot be read.
func inside(scans ...posture.Scan) func(*posture.Process) {
	return func(p *posture.Process) {
		unread(p)
		p.Scan = fact(scans, "children of the calling thread", "scan")
		p.Scan.Raw = "scan"
	}
}

type answers = map[string]posture.Scanned

var scanHoles = []hole{
	{name: "denied as it was tried", ask: denying("mount"), change: inside(scanOf("x86-64", isReached, answers{"mount": isDenied}), scanOf("i386", isDenied, nil)),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}, says: "auditctl check --pid"},
	{name: "reached", ask: denying("mount"), change: inside(scanOf("x86-64", isDenied, answers{"mount": isReached}), scanOf("i386", isDenied, nil)),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "reached by i386", ask: denying("mount"), change: inside(scanOf("x86-64", isDenied, nil), scanOf("i386", isDenied, answers{"mount": isReached})),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": gap}},
	{name: "socketcall reached by i386", ask: denying("socket"), change: inside(scanOf("x86-64", isDenied, nil), scanOf("i386", isDenied, answers{"socketcall": isReached})),
		want: want{"seccomp.syscall socket": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "no such call, and no filter before it", ask: denying("mount"), change: inside(scanOf("x86-64", isDenied, answers{"mount": isNoCall}), scanOf("i386", isDenied, nil)),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "it does not tell", ask: denying("mount"), change: inside(scanOf("x86-64", isDenied, answers{"mount": isUndecide}), scanOf("i386", isDenied, nil)),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "nothing tried", ask: denying("mount"), change: unread,
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}, says: "EACCES"},
	{name: "another ABI tried", ask: denying("mount"), change: inside(scanOf("i386", isDenied, nil)),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "tried, of another process", ask: denying("mount"), change: and(inside(scanOf("x86-64", isReached, nil)), func(p *posture.Process) { p.Self = false }),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "nothing was denied", ask: justEnforcing, change: inside(scanOf("x86-64", isReached, nil)), want: want{"seccomp.filter": gap}, says: "was denied as it was tried"},
	{name: "nothing was denied, and not all tells", ask: justEnforcing, change: inside(scanOf("x86-64", isReached, answers{"pause": isUndecide})), want: want{"seccomp.filter": unknown}},
	{name: "something was denied", ask: justEnforcing, change: inside(scanOf("x86-64", isReached, answers{"mount": isDenied})), want: want{"seccomp.filter": unknown}, says: "cannot be seen from inside"},
	{name: "reached, not on the list", ask: allowing("read"), change: inside(scanOf("x86-64", isDenied, answers{"read": isReached, "openat": isReached}), scanOf("i386", isDenied, nil)),
		want: want{"seccomp.surplus openat": gap, "seccomp.surplus": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "reached by an ABI that is not listed", ask: onABIs("x86-64"), change: inside(scanOf("i386", isDenied, answers{"getpid": isReached})), want: want{"seccomp.abi i386": gap}, says: "getpid"},
	{name: "denied as it was tried, and no filter is there", ask: denying("mount"), change: and(inside(scanOf("x86-64", isDenied, nil)), both(func(t *posture.Thread) {
		t.SeccompMode.Value, t.SeccompFilters.Value = 0, 0
	})), want: want{"seccomp.syscall mount": gap, "seccomp.filter": gap, "seccomp.abi i386": gap}, says: "no filter is loaded"},
	{name: "the calling thread reached it", threads: 3, ask: denying("mount"), change: inside(scanOf("x86-64", isReached, nil), scanOf("i386", isDenied, nil)),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": gap, "seccomp.abi i386": unknown}},
}

// TestScanSpeaksForTheCallingThread alone, and never passes.
func TestScanSpeaksForTheCallingThread(t *testing.T) {
	p, pol := hole{threads: 3, ask: denying("mount"), change: inside(scanOf("x86-64", isReached, nil))}.make()
	f := find(t, checks.Run(p, pol), "seccomp.syscall", "mount")
	if f.Status != report.Gap || len(f.Threads) != 1 || f.Threads[0] != 10 {
		t.Errorf("%s %v %q", f.Status, f.Threads, f.Message)
	}
	p, pol = hole{ask: denying("@known"), change: inside(scanOf("x86-64", isDenied, nil), scanOf("i386", isKilled, nil))}.make()
	for _, f := range checks.Run(p, pol) {
		if strings.HasPrefix(f.ID, "seccomp.") && f.Status == report.Pass && f.Observed != "no such call in x86-64" && f.Subject != "x32" {
			t.Errorf("%s %s passes: %s", f.ID, f.Subject, f.Message)
		}
	}
}

// TestScanAgainstFilters: every action against everything that can be seen.
func TestScanAgainstFilters(t *testing.T) {
	errno := func(e uint16) posture.Way { return posture.Way{Action: posture.ActionErrno, Value: e} }
	action := func(a posture.Action) posture.Way { return posture.Way{Action: a} }
	success := posture.Scanned{Answer: posture.AnswerReachable, Returned: true}
	faked := posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Returned: true}
	gone := posture.Scanned{Answer: posture.AnswerReachable}
	high := posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Returned: true, Errno: 4095}
	died := posture.Scanned{Answer: posture.AnswerReachable, Signal: sigsys}
	missing := posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Returned: true, Errno: enosys}
	for _, c := range []struct {
		name   string
		way    posture.Way
		seen   posture.Scanned
		status report.Status
	}{
		{"allowed, reached", action(posture.ActionAllow), isReached, report.Pass},
		{"allowed, did not come back", action(posture.ActionAllow), gone, report.Pass},
		{"allowed, no such call", action(posture.ActionAllow), isNoCall, report.Pass},
		{"allowed, denied", action(posture.ActionAllow), isDenied, report.Gap},
		{"allowed, killed", action(posture.ActionAllow), isKilled, report.Gap},
		{"allowed, died of SIGSYS", action(posture.ActionAllow), died, report.Gap},
		{"logged, reached", action(posture.ActionLog), isReached, report.Pass},
		{"logged, denied", action(posture.ActionLog), isDenied, report.Gap},
		{"EPERM, EPERM", errno(eperm), isDenied, report.Pass},
		{"EPERM, another errno", errno(eperm), isReached, report.Gap},
		{"EPERM, success", errno(eperm), success, report.Gap},
		{"EPERM, killed", errno(eperm), isKilled, report.Gap},
		{"EPERM, did not come back", errno(eperm), gone, report.Gap},
		{"errno 0, success", errno(0), faked, report.Pass},
		{"errno 0, EPERM", errno(0), isDenied, report.Gap},
		{"errno 0, killed", errno(0), isKilled, report.Gap},
		{"errno above the highest", errno(5000), high, report.Pass},
		{"killed, killed", action(posture.ActionKillProcess), isKilled, report.Pass},
		{"thread killed, killed", action(posture.ActionKillThread), isKilled, report.Pass},
		{"killed, trapped", action(posture.ActionKillProcess), isTrapped, report.Gap},
		{"killed, trapped by a handler that gave up", action(posture.ActionKillProcess), posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionTrap, Signal: sigsys}, report.Gap},
		{"killed, EPERM", action(posture.ActionKillProcess), isDenied, report.Gap},
		{"killed, reached", action(posture.ActionKillThread), isReached, report.Gap},
		{"trapped, trapped", action(posture.ActionTrap), isTrapped, report.Pass},
		{"trapped, killed", action(posture.ActionTrap), isKilled, report.Pass},
		{"trapped, reached", action(posture.ActionTrap), isReached, report.Gap},
		{"traced, ENOSYS", action(posture.ActionTrace), missing, report.Pass},
		{"traced, reached", action(posture.ActionTrace), isReached, report.Gap},
		{"notified, EPERM", action(posture.ActionNotify), isDenied, report.Gap},
		{"undecided, reached", action(posture.ActionUndecided), isReached, report.Unknown},
		{"an unknown action", action(77), isReached, report.Unknown},
		{"denied, not told", errno(eperm), isUndecide, report.Unknown},
		{"allowed, not told", action(posture.ActionAllow), isUndecide, report.Unknown},
	} {
		one := c.seen
		one.Number = 165
		one.Filtered = posture.Of(c.way, ptraceSource, "filter 0")
		f := contradiction(t, false, one, c.status)
		if c.status == report.Gap && (f.Subject != "x86-64 mount" || f.Expected == "" || f.Observed == "" || len(f.Evidence) < 3) {
			t.Errorf("%s: %+v", c.name, f)
		}
		if f.Status != c.status {
			t.Errorf("%s: %s %q", c.name, f.Status, f.Message)
		}
		one.Filtered = posture.Failed[posture.Way](ptraceSource, "EACCES")
		if f := contradiction(t, false, one, report.Unknown); f.Status != report.Unknown {
			t.Errorf("%s, not predicted: %s", c.name, f.Status)
		}
	}
	// The calling thread's own supervisor may answer anything.
	one := isReached
	one.Filtered = posture.Of(action(posture.ActionNotify), ptraceSource, "filter 0")
	if f := contradiction(t, true, one, report.Unknown); f.Status != report.Unknown {
		t.Errorf("notified, with a supervisor: %s %q", f.Status, f.Message)
	}
}

// contradiction returns the finding on one call that was tried, of a process of
// which nothing else has two sources.
func contradiction(t *testing.T, self bool, one posture.Scanned, status report.Status) report.Finding {
	t.Helper()
	p := &posture.Process{Self: self, Scan: fact([]posture.Scan{{ABI: "x86-64", Calls: []posture.Scanned{one}}}, "children", "scan")}
	subject := ""
	if status == report.Gap {
		subject = "x86-64 mount"
	}
	return find(t, checks.Run(p, &policy.Policy{}), "contradiction", subject)
}

// TestScanAgreementIsCounted: by ABI, and disagreements are bounded.
func TestScanAgreementIsCounted(t *testing.T) {
	predicted := func(s posture.Scan, a posture.Action) posture.Scan {
		for i := range s.Calls {
			s.Calls[i].Filtered = posture.Of(posture.Way{Action: a, Value: eperm}, ptraceSource, "filter 0")
		}
		return s
	}
	p := &posture.Process{Scan: fact([]posture.Scan{
		predicted(scanOf("x86-64", isReached, nil), posture.ActionAllow),
		predicted(scanOf("i386", isDenied, nil), posture.ActionErrno),
	}, "children", "scan")}
	f := find(t, checks.Run(p, nil), "contradiction", "")
	for i, abi := range []string{"x86-64", "i386"} {
		if n := strconv.Itoa(len(p.Scan.Value[i].Calls)); f.Status != report.Pass || !strings.Contains(f.Message, n+" numbers of "+abi) {
			t.Errorf("%s %q", f.Status, f.Message)
		}
	}
	p.Scan.Value[1] = predicted(scanOf("i386", isReached, nil), posture.ActionErrno)
	var found int
	for _, f := range checks.Run(p, nil) {
		if f.ID != "contradiction" {
			continue
		}
		found++
		if f.Subject == "more" && !strings.Contains(f.Message, strconv.Itoa(len(p.Scan.Value[1].Calls)-16)+" more") {
			t.Errorf("%q", f.Message)
		}
		if f.Status != report.Gap {
			t.Errorf("%s %s", f.Subject, f.Status)
		}
	}
	if found != 17 {
		t.Errorf("%d findings", found)
	}
}
