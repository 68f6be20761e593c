package probes

import (
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// frame is what all answers of a scan are read by.
type frame struct {
	// filtered: a filter may act on the children at all.
	filtered bool
	mask     maskWay
	// usual is the errno that unknown numbers get, where that is not ENOSYS:
	// the filter's own. 0 where there is none.
	usual syscall.Errno
	// present: the kernel has the ABI, since it answered one of its calls.
	present bool
	// absent: every call of it that was tried is none.
	absent bool
}

func (s *scanner) frame(calls []call) frame {
	f := frame{filtered: s.in.Filtered || len(s.in.Filters) > 0, mask: s.mask, absent: len(calls) > 0}
	for k := range calls {
		c := &calls[k]
		f.absent = f.absent && (c.plain.returned(syscall.ENOSYS) || !pass{}.makes(c))
		f.present = f.present || c.plain.Made && c.plain.Errno != syscall.ENOSYS
		if c.plain.Made && c.how == nil && c.plain.Errno != 0 && c.plain.Errno != syscall.ENOSYS && c.nr&^x32Bit > 4096 {
			f.usual = c.plain.Errno
		}
	}
	return f
}

// reading of one call: the answer and why.
type verdictOfCall struct {
	answer posture.Answer
	by     posture.Action
	saw    *sight
	detail string
}

func (f *frame) read(c *call) posture.Scanned {
	v := f.decide(c)
	out := posture.Scanned{Number: c.nr, Args: c.args, Answer: v.answer, By: v.by, Detail: v.detail}
	if v.saw != nil {
		out.Returned, out.Errno, out.Signal = v.saw.Made, int(v.saw.Errno), int(v.saw.Signal)
	}
	if c.how != nil {
		out.Detail = join(out.Detail, c.how.why)
	}
	return out
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (f *frame) decide(c *call) verdictOfCall {
	for _, saw := range []*sight{&c.masked, &c.plain} {
		if c.unasked != "" && (saw.returned(syscall.ENXIO) || saw.Signal == syscall.SIGILL) {
			return verdictOfCall{posture.AnswerReachable, 0, saw, c.unasked}
		}
	}
	if c.masked.made {
		if v, decided := f.shown(c); decided {
			return v
		}
	}
	return f.open(c)
}

// shown reads what showed through a filter of one's own that lets nothing
// through. It decides nothing about a call that the others let through.
func (f *frame) shown(c *call) (verdictOfCall, bool) {
	m := &c.masked
	switch {
	case m.unsteady:
		return verdictOfCall{saw: m, detail: "a child was killed in it and the next one was not"}, true
	case m.Trapped:
		return verdictOfCall{posture.AnswerDenied, posture.ActionTrap, m, ""}, true
	case m.Signal == syscall.SIGSYS:
		return killedBySIGSYS(m), true
	case m.Blocked:
		return verdictOfCall{saw: m, detail: "blocked: a supervisor may hold it"}, true
	case f.mask.passed(*m):
		return verdictOfCall{}, false
	case madeNoProcess(c, m):
		return fakedFork(), true
	case !m.Made:
		return verdictOfCall{saw: m, detail: "no answer under a filter of one's own: " + end(m.Outcome)}, true
	case !f.mask.supervised:
		return verdictOfCall{posture.AnswerDenied, posture.ActionErrno, m, ""}, true
	case m.Errno == 0, isArgumentError(m.Errno), c.mayRefuse() && isRefusal(m.Errno):
		return verdictOfCall{saw: m, detail: errnoName(m.Errno) + ": a filter, or a supervisor that lets the kernel answer"}, true
	default:
		return verdictOfCall{posture.AnswerDenied, posture.ActionErrno, m, "a filter, or a supervisor"}, true
	}
}

// killedBySIGSYS reads a death by SIGSYS.
func killedBySIGSYS(m *sight) verdictOfCall {
	v := verdictOfCall{posture.AnswerDenied, posture.ActionKillProcess, m, "killed the thread or the process"}
	switch {
	case !m.Repeated:
		return verdictOfCall{saw: m, detail: "a child died of SIGSYS in it, which another process may have sent"}
	case !child.CanHandle:
		v.detail = "killed, or trapped: this architecture has no handler to tell"
	}
	return v
}

// open reads what came back from a call that nothing of one's own stood before.
func (f *frame) open(c *call) verdictOfCall {
	p := &c.plain
	switch {
	case !p.made:
		return f.notMade(c)
	case p.unsteady:
		return verdictOfCall{saw: p, detail: "a child was killed in it and the next one was not"}
	case p.Trapped:
		return verdictOfCall{posture.AnswerDenied, posture.ActionTrap, p, ""}
	case p.Signal == syscall.SIGSYS:
		return killedBySIGSYS(p)
	case p.Blocked:
		return f.blocked(c)
	case !p.Made:
		return f.ended(c)
	case c.how.is(wayFrame) && p.Ret == child.FrameResult:
		return verdictOfCall{posture.AnswerReachable, 0, p, "it came back by its frame"}
	case c.how.is(wayFrame), c.how.is(wayEnds), c.how.is(wayIllegal), c.how.is(wayBlocks):
		return f.cameBack(c)
	case p.Errno == syscall.ENOSYS:
		return f.noCall(c)
	case !f.filtered, f.mask.passed(c.masked):
		return verdictOfCall{posture.AnswerReachable, 0, p, ""}
	default:
		return f.guess(c)
	}
}

// notMade reads a call that is never made in earnest, or that no child came to.
func (f *frame) notMade(c *call) verdictOfCall {
	switch {
	case c.how.is(waySession):
		return verdictOfCall{detail: "not made: the child has no session of its own"}
	case pass{}.makes(c):
		return verdictOfCall{detail: "not tried"}
	case !f.filtered && f.present:
		return verdictOfCall{answer: posture.AnswerReachable, detail: "not made: no filter stands before it"}
	case !f.filtered && f.absent:
		return verdictOfCall{answer: posture.AnswerNoCall, detail: "not made: the kernel has no call of this ABI"}
	case f.mask.passed(c.masked):
		return verdictOfCall{detail: "not made: " + f.passes()}
	default:
		return verdictOfCall{detail: "not made"}
	}
}

// passes says what it means that a call got to the mask.
func (f *frame) passes() string {
	if f.mask.mask.oldest {
		return "the filters let it through, or leave it to a tracer or a supervisor"
	}
	return "the filters let it through, or answer ENOSYS themselves"
}

// blocked reads a call that took too long.
func (f *frame) blocked(c *call) verdictOfCall {
	switch {
	case c.how.is(wayBlocks) && (!f.filtered || f.mask.passed(c.masked)):
		return verdictOfCall{posture.AnswerReachable, 0, &c.plain, "it blocked, as it does"}
	case c.how.is(wayBlocks):
		return verdictOfCall{saw: &c.plain, detail: "it blocked, as it does; a supervisor that holds it looks alike"}
	default:
		return verdictOfCall{saw: &c.plain, detail: "blocked: a supervisor may hold it"}
	}
}

// ended reads a call that a child ended in, other than by SIGSYS.
func (f *frame) ended(c *call) verdictOfCall {
	p := &c.plain
	genuine := c.how.is(wayEnds) && p.Exited && uint64(p.Status) == c.args[0] ||
		c.how.is(wayFrame) && p.Signal == syscall.SIGSEGV && p.Repeated ||
		c.how.is(wayIllegal) && p.Signal == syscall.SIGILL && p.Repeated
	switch {
	case genuine:
		return verdictOfCall{posture.AnswerReachable, 0, p, end(p.Outcome)}
	case madeNoProcess(c, p):
		return fakedFork()
	case p.Signal == syscall.SIGKILL:
		return verdictOfCall{saw: p, detail: "killed by SIGKILL: it took too long, or another process sent it"}
	default:
		return verdictOfCall{saw: p, detail: end(p.Outcome)}
	}
}

// madeNoProcess says that the child itself took the way out that was meant for
// the process that it made: by exit_group(2), or by SIGTRAP where a filter
// answers that as well.
func madeNoProcess(c *call, s *sight) bool {
	return c.how.is(wayForks) && (s.Exited && s.Status == child.LeftStatus || s.Signal == syscall.SIGTRAP && s.Repeated)
}

func fakedFork() verdictOfCall {
	returned := &sight{Outcome: child.Outcome{Made: true}}
	return verdictOfCall{posture.AnswerDenied, posture.ActionErrno, returned, "it returned 0 and made no process"}
}

// cameBack reads the return of a call from which the kernel does not return, or
// not so: then a filter answered, unless the kernel has no such call.
func (f *frame) cameBack(c *call) verdictOfCall {
	switch {
	case c.plain.Errno == syscall.ENOSYS:
		return f.noCall(c)
	case f.filtered:
		return verdictOfCall{posture.AnswerDenied, posture.ActionErrno, &c.plain, "the kernel does not return from it"}
	default:
		return verdictOfCall{saw: &c.plain, detail: "it returned, and no filter is known that explains that"}
	}
}

// noCall reads ENOSYS.
func (f *frame) noCall(c *call) verdictOfCall {
	p := &c.plain
	exact := f.mask.mask != nil && f.mask.mask.oldest && f.mask.passed(c.masked) && c.bare.made
	switch {
	case !f.filtered:
		return verdictOfCall{posture.AnswerNoCall, 0, p, ""}
	case exact && c.bare.returned(syscall.ENOSYS):
		return verdictOfCall{posture.AnswerNoCall, 0, p, ""}
	case exact:
		return verdictOfCall{posture.AnswerDenied, posture.ActionErrno, p, "left to a tracer or a supervisor that is not there"}
	default:
		return verdictOfCall{saw: p, detail: "ENOSYS: a filter, or a kernel without the call"}
	}
}

// guess reads an answer where no filter of one's own could be loaded, by what
// the kernel can answer to these arguments.
func (f *frame) guess(c *call) verdictOfCall {
	p := &c.plain
	errno := p.Errno
	switch {
	case errno == 0 && p.Ret != 0:
		return verdictOfCall{posture.AnswerReachable, 0, p, ""}
	case errno == 0:
		return verdictOfCall{saw: p, detail: "success: the kernel's, or one that a filter made up"}
	case c.mayRefuse() && isRefusal(errno):
		return verdictOfCall{saw: p, detail: errnoName(errno) + ": a filter, or the kernel's own permission check"}
	case errno == f.usual && isArgumentError(errno):
		return verdictOfCall{saw: p, detail: errnoName(errno) + ": the kernel's, or the filter's, which answers that to unknown numbers"}
	case isArgumentError(errno):
		return verdictOfCall{posture.AnswerReachable, 0, p, ""}
	default:
		return verdictOfCall{posture.AnswerDenied, posture.ActionErrno, p, ""}
	}
}

// isArgumentError says that the kernel gives the error for arguments that mean
// nothing, and filters hardly ever do.
func isArgumentError(errno syscall.Errno) bool {
	switch errno {
	case syscall.ESRCH, syscall.E2BIG, syscall.EBADF, syscall.EFAULT, syscall.EINVAL:
		return true
	default:
		return false
	}
}

// isRefusal says that the kernel's permission checks give the error.
func isRefusal(errno syscall.Errno) bool { return errno == syscall.EPERM || errno == syscall.EACCES }

// mayRefuse says that the kernel itself may answer EPERM or EACCES.
func (c *call) mayRefuse() bool {
	_, ok := slices.BinarySearch(mayRefuse[:], c.name())
	return ok
}

func errnoName(errno syscall.Errno) string { return names.ErrnoName(int(errno)) }

// end says in words how a child ended in a call.
func end(o child.Outcome) string {
	switch {
	case o.Signal != 0:
		return "the child died of " + names.SignalName(int(o.Signal))
	case o.Exited:
		return "the child ended with status " + strconv.Itoa(o.Status)
	case o.Blocked:
		return "it blocked"
	default:
		return "it was not tried"
	}
}
