package probes

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// callStall is how long one call may take. The kernel answers these within
// microseconds; a child may have to wait for a processor.
const callStall = 100 * time.Millisecond

// pass is one round of children, all under the same filters.
type pass struct {
	// mask is a filter of one's own, or nil.
	mask *mask
	// filters are loaded, oldest first.
	filters [][]byte
	// filtered says that the calling thread has filters.
	filtered bool
}

// sight is what children saw of one call. The zero value was not tried.
type sight struct {
	child.Outcome
	unsteady bool
	made     bool
}

// returned says that the call came back with that error.
func (s sight) returned(errno syscall.Errno) bool { return s.Made && s.Errno == errno }

// errNotLoaded means that a program ended before its first call.
var errNotLoaded = errors.New("scan: the filters could not be loaded in a child, one after the other: an earlier one denies seccomp(2) and prctl(2), or the kernel refuses one")

// pass makes the calls and puts what was seen where into says.
func (s *scanner) pass(ctx context.Context, abi names.ABI, p pass, calls []*call, into func(*call) *sight) error {
	const most = 900 // calls that fit in a program twice, with what comes before them
	for len(calls) > 0 {
		n := min(len(calls), most)
		if err := s.run(ctx, abi, p, calls[:n], into); err != nil {
			return err
		}
		calls = calls[n:]
	}
	return nil
}

// run makes some calls in one program.
func (s *scanner) run(ctx context.Context, abi names.ABI, p pass, calls []*call, into func(*call) *sight) (err error) {
	prog, err := s.program()
	if err != nil {
		return err
	}
	prog.HandleTraps()
	if abi.WordBits == 32 && !native(abi) {
		prog.Unmap(lastPage)
	}
	p.load(prog)
	if s.in.Replica != nil {
		prog.Enter(true)
	}
	w := p.write(prog, abi, calls)
	err = prog.Run(ctx, child.Options{Filtered: p.filtered, Children: 8*len(calls) + 64, Stall: callStall, Exits: true})
	step, failed := prog.Failed()
	late := p.late()
	if !failed || late && step >= w.stage {
		w.read(prog, calls, into)
	} else {
		err = errors.Join(errNotLoaded, err)
	}
	if p.mask != nil && !failed {
		s.mask.mask = p.mask
	}
	if late && !failed {
		o := prog.Outcome(p.mask.listener)
		s.mask.supervised = o.Made && o.Errno == syscall.EBUSY
	}
	if err := errors.Join(err, prog.Close()); err != nil || !late {
		return err
	}
	w.readLeaving(prog, calls, into)
	return s.rest(ctx, abi, p, calls, into)
}

// program returns a program of children with their parent's posture, or with
// another one. What loads filters of its own has no_new_privs for that.
func (s *scanner) program() (*child.Program, error) {
	if s.in.Replica == nil {
		return child.New()
	}
	po := *s.in.Replica
	po.Filters, po.NoNewPrivs = nil, true
	return po.Program(po)
}

// readLeaving takes the end of the last child, by exit_group(2), for the answer
// to that call.
func (w written) readLeaving(prog *child.Program, calls []*call, into func(*call) *sight) {
	for _, c := range calls {
		if c.leaves() && !into(c).made && prog.LeftByGroup() {
			*into(c) = sight{Outcome: child.Outcome{Exited: true, Status: child.GroupStatus}, made: true}
		}
	}
}

// leaves says that it is the call by which children end anyway.
func (c *call) leaves() bool { return c.native && c.how.is(wayEnds) && c.args[0] == child.GroupStatus }

// late says that the mask comes after a part of the program.
func (p pass) late() bool { return p.mask != nil && !p.mask.oldest }

// rest makes, without a mask, the calls that a program with a late one could
// not: they end the child, and the mask would be before them.
func (s *scanner) rest(ctx context.Context, abi names.ABI, p pass, calls []*call, into func(*call) *sight) error {
	p.mask = nil
	rest := make([]*call, 0, 8)
	for _, c := range calls {
		if c.ends() && p.makes(c) && !into(c).made && (!c.masked.made || s.mask.passed(c.masked)) {
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return s.run(ctx, abi, p, rest, into)
}

// written are the steps of the calls of a program: without a late mask, and
// under it. A step of -1 is none.
type written struct {
	steps, under []child.Step
	stage        child.Step
}

// write writes the calls: first without a mask that is loaded late, then under
// it. Those that end the child come last, so that they end just one; where a
// mask is before them by then, they are left to rest.
func (p pass) write(prog *child.Program, abi names.ABI, calls []*call) written {
	w := written{steps: make([]child.Step, len(calls)), under: make([]child.Step, len(calls))}
	late := p.late()
	open := p
	if late {
		open.mask = nil
	}
	for k, c := range calls {
		w.steps[k], w.under[k] = -1, -1
		switch {
		case late && child.CanLeave && c.native && c.how.is(wayEnds) && !c.leaves():
			w.steps[k] = prog.CallApart(c.nr, c.arguments()...)
		case !c.ends() && open.makes(c):
			w.steps[k] = open.appendCall(prog, abi, c)
		}
	}
	if late {
		prog.BeginStage()
		w.stage = prog.Next()
		p.mask.put(prog)
		prog.EndStage()
		for k, c := range calls {
			if c.how.is(wayEnds) && c.native {
				continue // the mask lets it through
			}
			w.under[k] = p.appendCall(prog, abi, c)
			if w.steps[k] >= 0 && !c.how.is(wayBlocks) {
				prog.OnlyAfter(w.under[k], w.steps[k])
			}
		}
	}
	for k, c := range calls {
		if c.ends() && open.makes(c) && !late {
			w.steps[k] = open.appendCall(prog, abi, c)
		}
	}
	return w
}

// read puts what children saw into the calls.
func (w written) read(prog *child.Program, calls []*call, into func(*call) *sight) {
	see := func(step child.Step) sight {
		if step < 0 {
			return sight{}
		}
		o := prog.Outcome(step)
		return sight{o, prog.Unsteady(step), o != child.Outcome{}}
	}
	for k, c := range calls {
		*into(c) = see(w.steps[k])
		if w.under[k] >= 0 {
			c.masked = see(w.under[k])
		}
	}
}

// ends says that a child does not go on after the call.
func (c *call) ends() bool {
	if c.how.is(wayIllegal) || c.how.is(wayBlocks) {
		return !child.CanResume
	}
	return c.how.is(wayEnds) || c.how.is(wayFrame) && !child.FrameReturns
}

// makes says that the pass makes the call at all. Under a mask it is not the
// kernel that answers, so that nothing can happen.
func (p pass) makes(c *call) bool {
	switch {
	case p.mask != nil:
		return true
	case c.how.is(wayNever):
		return false
	case c.how.is(wayForks):
		return child.CanLeave
	case c.how.is(wayFrame):
		return c.native && (child.FrameReturns || child.CanHandle)
	default:
		return true
	}
}

// appendCall writes the call into the program as a unit, and returns its step.
func (p pass) appendCall(prog *child.Program, abi names.ABI, c *call) child.Step {
	flags := child.Guarded
	if abi.WordBits == 32 && !native(abi) {
		flags |= child.Int80
	}
	switch {
	case c.how.is(wayFrame) && c.native:
		flags |= child.Frame
	case c.how.is(wayForks):
		flags |= child.Leaves
	case c.how.is(waySession):
		flags |= child.InSession
	}
	alarmed := c.how.is(wayBlocks) && p.mask == nil
	if alarmed {
		setAlarm(prog, firstAlarm, nextAlarms)
	}
	step := prog.Call(c.nr, flags, c.arguments()...)
	if alarmed {
		prog.End()
		setAlarm(prog, 0, 0)
	}
	if c.how.is(wayForks) {
		if wait4, ok := number("wait4"); ok {
			prog.Call(wait4, 0, child.Result(step), child.Int(0), child.Int(wallClone), child.Int(0))
		}
	}
	prog.End()
	return step
}

// arguments returns the call's arguments as a program takes them.
func (c *call) arguments() []child.Arg {
	var args [6]child.Arg
	for k, v := range c.args {
		args[k] = child.Int(int(v))
	}
	return args[:]
}

// A call that blocks is interrupted by an alarm: it has come to the kernel then,
// and blocked. One that came too early for the call is followed by others.
const (
	firstAlarm = 200 * time.Microsecond
	nextAlarms = 2 * time.Millisecond
)

// setAlarm writes a call of setitimer(2), where there is a handler to interrupt
// a call with. Else the call is waited for.
func setAlarm(prog *child.Program, first, next time.Duration) {
	nr, ok := number("setitimer")
	if !child.CanResume || !ok {
		return
	}
	value := binary.NativeEndian.AppendUint64(nil, 0)
	value = binary.NativeEndian.AppendUint64(value, uint64(next/time.Microsecond))
	value = binary.NativeEndian.AppendUint64(value, 0)
	value = binary.NativeEndian.AppendUint64(value, uint64(first/time.Microsecond))
	prog.Call(nr, 0, child.Int(0), prog.Addr(prog.Bytes(value)), child.Int(0))
	prog.End()
}

// lastPage is where the address of all ones is in a 32-bit ABI. A program of 64
// bits may have something there.
const lastPage = 0xfffff000

// native says that abi is that of this program.
func native(abi names.ABI) bool { return abi.Arch == runtime.GOARCH }

// entrance says why an ABI cannot be entered from here, or nothing.
func entrance(abi names.ABI) string {
	switch {
	case !enterable:
		return "children cannot be made here: that needs Linux"
	case native(abi), runtime.GOARCH == "amd64":
		return ""
	default:
		return "a program of " + runtime.GOARCH + " cannot enter the ABI " + abi.Name
	}
}
