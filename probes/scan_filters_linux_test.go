//go:build linux && (amd64 || arm64)

package probes

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// minimum are calls that a Go program and its scan cannot do without.
var minimum = []string{
	"futex", "exit_group", "exit", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "mmap", "munmap", "madvise", "mprotect", "clone", "clone3",
	"gettid", "getpid", "tgkill", "sched_yield", "nanosleep", "clock_gettime", "read", "write", "close", "fcntl", "wait4", "pidfd_send_signal",
	"setsid", "timer_create", "timer_settime", "prlimit64", "epoll_pwait", "epoll_create1", "epoll_ctl", "eventfd2", "fork", "pause", "ioctl", "rseq", "openat",
}

// withMask are calls by which a filter of one's own can be loaded.
var withMask = []string{"seccomp", "prctl"}

// rule is a filter that treats the native calls that it lists, and those of
// other ABIs, alike: lists says which of the two it lets through.
type rule struct {
	list   []string
	allow  bool // the list is what is let through; else what is not
	action uint32
}

func (r rule) program() []byte {
	var f bytes.Buffer
	put := func(code uint16, jt, jf uint8, k uint32) {
		binary.Write(&f, binary.NativeEndian, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
	}
	put(bpfLoad, 0, 0, atArch)
	put(bpfIfEqual, 1, 0, names.ABIs(runtime.GOARCH)[0].Audit)
	put(bpfReturn, 0, 0, r.outcome(false))
	put(bpfLoad, 0, 0, atNumber)
	for _, name := range r.list {
		if nr, ok := number(name); ok {
			put(bpfIfEqual, 0, 1, nr)
			put(bpfReturn, 0, 0, r.outcome(true))
		}
	}
	put(bpfReturn, 0, 0, r.outcome(false))
	return f.Bytes()
}

func (r rule) outcome(listed bool) uint32 {
	if listed == r.allow {
		return unix.SECCOMP_RET_ALLOW
	}
	return r.action
}

// lets says what the filter was written to do.
func (r rule) lets(abi string, nr uint32) bool {
	native := names.ABIs(runtime.GOARCH)[0]
	name, _ := names.SyscallName(native.Arch, nr)
	listed := abi == native.Name && slices.Contains(r.list, name)
	return r.outcome(listed) == unix.SECCOMP_RET_ALLOW
}

// undecidable says why an answer may be unknown, by the reason that it gives.
func undecidable(c posture.Scanned, reasons ...string) bool {
	return c.Answer == posture.AnswerUnknown && slices.ContainsFunc(reasons, func(r string) bool { return strings.Contains(c.Detail, r) })
}

const (
	becauseENOSYS  = "ENOSYS: a filter, or a kernel without the call"
	becauseNotMade = "not made: the filters let it through, or"
	becauseEPERM   = "EPERM: a filter, or the kernel's own permission check"
	becauseSuccess = "success: the kernel's, or one that a filter made up"
	becauseHeld    = "blocked: a supervisor may hold it"
	becauseBoth    = ": a filter, or a supervisor that lets the kernel answer"
)

// scanCase is a posture and what has to come of it.
type scanCase struct {
	name string
	spec scanSpec
	rule rule
	// denied is what is said of what the rule denies, and why it may be
	// unknown instead. let is why what it lets through may be unknown.
	by          posture.Action
	errno       syscall.Errno
	denied, let []string
}

func errnoAction(e syscall.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }

func scanCases() []scanCase {
	small := slices.Concat(minimum, withMask)
	allow := func(action uint32) rule { return rule{small, true, action} }
	blind := func(action uint32) rule { return rule{minimum, true, action} }
	some := rule{[]string{"mount", "pwrite64", "fork", "vfork", "sync", "setsid", "exit", "acct", "bpf", "getppid", "pause"}, false, errnoAction(unix.EPERM)}
	own := []string{becauseENOSYS, becauseNotMade}
	guessed := []string{becauseENOSYS, becauseEPERM, becauseSuccess, "not made", "blocks"}
	cases := []scanCase{
		{name: "EPERM", rule: allow(errnoAction(unix.EPERM)), by: posture.ActionErrno, errno: unix.EPERM, let: own},
		{name: "EINVAL", rule: allow(errnoAction(unix.EINVAL)), by: posture.ActionErrno, errno: unix.EINVAL, let: own},
		{name: "ENOSYS", rule: allow(errnoAction(unix.ENOSYS)), by: posture.ActionErrno, errno: unix.ENOSYS, denied: own, let: own},
		{name: "made-up success", rule: allow(errnoAction(0)), by: posture.ActionErrno, let: own},
		{name: "trap", rule: allow(unix.SECCOMP_RET_TRAP), by: posture.ActionTrap, let: own},
		{name: "kill process", rule: allow(unix.SECCOMP_RET_KILL_PROCESS), by: posture.ActionKillProcess, let: own},
		{name: "kill thread", rule: allow(unix.SECCOMP_RET_KILL_THREAD), by: posture.ActionKillProcess, let: own},
		{name: "trace", rule: allow(unix.SECCOMP_RET_TRACE), denied: own, let: own},
		{name: "notify without listener", rule: allow(unix.SECCOMP_RET_USER_NOTIF), denied: own, let: own},
		{name: "some", rule: some, by: posture.ActionErrno, errno: unix.EPERM, let: append(own, "not made: the child has no session")},
		{name: "log", rule: allow(unix.SECCOMP_RET_LOG), let: own, denied: own},
		{name: "EPERM, no own filter", rule: blind(errnoAction(unix.EPERM)), by: posture.ActionErrno, errno: unix.EPERM, denied: guessed, let: guessed},
		{name: "kill, no own filter", rule: blind(unix.SECCOMP_RET_KILL_PROCESS), by: posture.ActionKillProcess, denied: guessed, let: guessed},
		{name: "trap, no own filter", rule: blind(unix.SECCOMP_RET_TRAP), by: posture.ActionTrap, denied: guessed, let: guessed},
		{name: "EINVAL, no own filter", rule: blind(errnoAction(unix.EINVAL)), by: posture.ActionErrno, errno: unix.EINVAL, denied: append(guessed, "answers that to unknown numbers"), let: append(guessed, "answers that to unknown numbers")},
	}
	return cases
}

// TestScanUnderFilters scans under the thread's own filters, as root and as
// nobody, and compares each answer with how the filter was written.
func TestScanUnderFilters(t *testing.T) {
	for _, c := range scanCases() {
		for _, nobody := range users() {
			t.Run(fmt.Sprintf("%s, nobody %v", c.name, nobody), func(t *testing.T) {
				spec := c.spec
				spec.Nobody, spec.Own, spec.Timeout = nobody, c.rule.program(), time.Minute
				compareScan(t, c, scanIn(t, spec))
			})
		}
	}
}

// loadCases are filters that the children load. What they answer is exact.
func loadCases() []scanCase {
	allow := func(action uint32) rule { return rule{slices.Concat(minimum, withMask), true, action} }
	few := func(action uint32) rule { return rule{[]string{"read", "close", "prctl"}, true, action} }
	some := rule{[]string{"mount", "write", "fork", "vfork", "sync", "setsid", "exit", "acct", "bpf", "getppid", "rt_sigreturn", "pause"}, false, errnoAction(unix.EPERM)}
	let := []string{becauseNotMade}
	none := []string{becauseENOSYS, becauseNotMade}
	return []scanCase{
		{name: "EPERM", rule: allow(errnoAction(unix.EPERM)), by: posture.ActionErrno, errno: unix.EPERM, let: let},
		{name: "EPERM, few", rule: few(errnoAction(unix.EPERM)), by: posture.ActionErrno, errno: unix.EPERM, let: let},
		{name: "EBADF, few", rule: few(errnoAction(unix.EBADF)), by: posture.ActionErrno, errno: unix.EBADF, let: let},
		{name: "ENOSYS, few", rule: few(errnoAction(unix.ENOSYS)), by: posture.ActionErrno, errno: unix.ENOSYS, let: let},
		{name: "made-up success, few", rule: few(errnoAction(0)), by: posture.ActionErrno, let: let},
		{name: "trap, few", rule: few(unix.SECCOMP_RET_TRAP), by: posture.ActionTrap, let: let},
		{name: "kill process, few", rule: few(unix.SECCOMP_RET_KILL_PROCESS), by: posture.ActionKillProcess, let: let},
		{name: "kill thread, few", rule: few(unix.SECCOMP_RET_KILL_THREAD), by: posture.ActionKillProcess, let: let},
		{name: "trace", rule: allow(unix.SECCOMP_RET_TRACE), by: posture.ActionErrno, errno: unix.ENOSYS, let: let, denied: none},
		{name: "notify without listener", rule: allow(unix.SECCOMP_RET_USER_NOTIF), by: posture.ActionErrno, errno: unix.ENOSYS, let: let, denied: none},
		{name: "some", rule: some, by: posture.ActionErrno, errno: unix.EPERM, let: let},
	}
}

// TestScanLoadedFilters scans with filters that the children load, and compares
// each answer with how they were written. Another filter that lets everything
// through must change nothing, wherever it is.
func TestScanLoadedFilters(t *testing.T) {
	bare := scanIn(t, scanSpec{})
	everything := rule{nil, false, 0}.program()
	for k, c := range loadCases() {
		t.Run(c.name, func(t *testing.T) {
			load := [][][]byte{{c.rule.program()}, {everything, c.rule.program()}, {c.rule.program(), everything}}[k%3]
			scans := scanIn(t, scanSpec{Nobody: users()[k%len(users())], Load: load, Timeout: time.Minute})
			for abi, s := range scans {
				lacking := map[uint32]bool{}
				for _, b := range bare[abi].Calls {
					lacking[b.Number] = b.Answer == posture.AnswerNoCall
				}
				// What the kernel does not have is said to be so where no
				// filter is before it, or a tracer that is not there.
				late := c.rule.action == unix.SECCOMP_RET_TRACE || c.rule.action == unix.SECCOMP_RET_USER_NOTIF
				s.Calls = slices.DeleteFunc(s.Calls, func(got posture.Scanned) bool {
					return got.Answer == posture.AnswerNoCall && lacking[got.Number] && (late || c.rule.lets(abi, got.Number))
				})
				scans[abi] = s
			}
			compareEach(t, c, scans)
		})
	}
}

// compareScan holds each answer against how the filter was written, and makes
// sure that there is one for every number. each answer against how the filter was written.
func compareScan(t *testing.T, c scanCase, scans map[string]posture.Scan) {
	t.Helper()
	for _, abi := range names.ABIs(runtime.GOARCH) {
		s, ok := scans[abi.Name]
		if !ok || s.Why != "" && entrance(abi) == "" || len(s.Calls) < 300 && entrance(abi) == "" {
			t.Errorf("%s: %d numbers: %q", abi.Name, len(s.Calls), s.Why)
		}
	}
	compareEach(t, c, scans)
}

func compareEach(t *testing.T, c scanCase, scans map[string]posture.Scan) {
	t.Helper()
	wrong := 0
	for _, abi := range names.ABIs(runtime.GOARCH) {
		for _, got := range scans[abi.Name].Calls {
			if why := c.differs(abi.Name, got); why != "" {
				name, _ := names.SyscallName(abi.Arch, got.Number)
				if wrong++; wrong < 20 {
					t.Errorf("%s %d %s: %s: %s by %s, returned %v errno %d signal %d: %s", abi.Name, got.Number, name, why, got.Answer, got.By, got.Returned, got.Errno, got.Signal, got.Detail)
				}
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d answers are wrong", wrong)
	}
}

func (c scanCase) differs(abi string, got posture.Scanned) string {
	let := c.rule.lets(abi, got.Number) || c.rule.action == unix.SECCOMP_RET_LOG
	native := names.ABIs(runtime.GOARCH)[0]
	switch {
	case abi == native.Name && names.Unfiltered(native.Arch, got.Number) != "" && (got.Answer == posture.AnswerReachable || got.Answer == posture.AnswerNoCall):
		return "" // some kernels ask no filter about it
	case let && got.Answer == posture.AnswerReachable, let && undecidable(got, c.let...):
		return ""
	case let:
		return "it is let through"
	case undecidable(got, c.denied...):
		return ""
	case got.Answer == posture.AnswerDenied && got.By == c.by && syscall.Errno(got.Errno) == c.errno:
		return ""
	default:
		return "it is denied"
	}
}

// TestScanSupervised scans a few numbers under a filter that leaves calls to a
// supervisor, which answers, lets the kernel answer, or never does.
func TestScanSupervised(t *testing.T) {
	native := names.ABIs(runtime.GOARCH)[0]
	list := []string{"getppid", "fchdir", "mount", "umask", "acct", "setsid", "personality", "sync"}
	var numbers []uint32
	for _, name := range list {
		nr, _ := number(name)
		numbers = append(numbers, nr)
	}
	held := rule{list, false, unix.SECCOMP_RET_USER_NOTIF}.program()
	for _, c := range []struct {
		how    string
		denied []string // by a supervisor that answers so
	}{
		{"answer", []string{"getppid", "fchdir", "mount", "umask", "personality", "sync"}},
		{"continue", nil},
		{"never", nil},
	} {
		t.Run(c.how, func(t *testing.T) {
			scan := scanIn(t, scanSpec{Own: held, Supervisor: c.how, ABIs: []string{native.Name}, Numbers: numbers})[native.Name]
			if len(scan.Calls) != len(list) {
				t.Fatalf("%d of %d numbers: %s", len(scan.Calls), len(list), scan.Why)
			}
			for _, got := range scan.Calls {
				name, _ := names.SyscallName(native.Arch, got.Number)
				want := posture.AnswerUnknown
				if slices.Contains(c.denied, name) {
					want = posture.AnswerDenied
				}
				if got.Answer != want || want == posture.AnswerUnknown && !undecidable(got, becauseHeld, becauseBoth) {
					t.Errorf("%s: %s: %s", name, got.Answer, got.Detail)
				}
			}
		})
	}
}
