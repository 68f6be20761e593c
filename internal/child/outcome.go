package child

import "syscall"

// Outcome is what became of one call.
type Outcome struct {
	Ret   uintptr
	Errno syscall.Errno
	// Signal is what the child died of in this call, or 0.
	Signal syscall.Signal
	// Made is true where the call returned.
	Made bool
	// Repeated is true where a second child died of the same signal in the
	// same call, or where no other process can have sent it: any process of
	// the same user id can send a signal once.
	Repeated bool
	// Trapped is true where a filter raised SIGSYS, and the child's handler
	// saw that it was one.
	Trapped bool
	// Blocked is true where the call took longer than Options.Stall.
	Blocked bool
	// Exited is true where the child ended in the call, with Status.
	Exited bool
	Status int
}

// LeftStatus is what a child ends with whose call with Leaves returned 0 to the
// child itself: no process was made.
const LeftStatus = 77

// GroupStatus is what a child that is done ends with by exit_group(2), whose
// other arguments are all ones.
const GroupStatus = 92

// FrameResult is what rt_sigreturn(2) seems to return where FrameReturns. A
// filter answers with an error or 0.
const FrameResult = 0x5e1fa0d1

// OK says that the call was made and returned no error.
func (o Outcome) OK() bool { return o.Made && o.Errno == 0 }

// Outcome returns what became of a call. The zero Outcome was never made.
func (p *Program) Outcome(s Step) Outcome {
	if o, ok := p.deaths[uint32(s)]; ok {
		return o
	}
	st := &p.area.steps[int(s)&(maxSteps-1)]
	if st.state != stateDone {
		return Outcome{}
	}
	if st.signal != 0 {
		return raisedOutcome(syscall.Signal(st.signal), int32(st.code))
	}
	if st.flags&Apart != 0 {
		return p.apartOutcome(st)
	}
	return Outcome{Made: true, Ret: st.ret, Errno: syscall.Errno(st.errno)}
}

// raisedOutcome reads what the handler noted of a signal that the kernel raised.
func raisedOutcome(sig syscall.Signal, code int32) Outcome {
	const sysSeccomp = 1
	if sig == syscall.SIGALRM {
		return Outcome{Blocked: true}
	}
	return Outcome{Signal: sig, Repeated: true, Trapped: sig == syscall.SIGSYS && code == sysSeccomp}
}

// Died returns the first call of the steps from one up to before another that
// a child died in.
func (p *Program) Died(from, to Step) (Step, Outcome, bool) {
	for s := from; s < to; s++ {
		if o, ok := p.deaths[uint32(s)]; ok {
			return s, o, true
		}
	}
	return 0, Outcome{}, false
}
