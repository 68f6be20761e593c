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
	const most = 900 // calls that fit in a program with what comes before them
	for len(calls) > 0 {
		n := min(len(calls), most)
		loaded, err := s.run(ctx, abi, p, calls[:n], into)
		if err == nil && !loaded {
			err = errNotLoaded
		}
		if err != nil {
			return err
		}
		calls = calls[n:]
	}
	return nil
}

// run makes some calls in one program. It says whether the filters could be
// loaded: where they could not, no call was made.
func (s *scanner) run(ctx context.Context, abi names.ABI, p pass, calls []*call, into func(*call) *sight) (loaded bool, err error) {
	prog, err := child.New()
	if err != nil {
		return false, err
	}
	defer func() {
		if cerr := prog.Close(); err == nil {
			err = cerr
		}
	}()
	prog.HandleTraps()
	if abi.WordBits == 32 && !native(abi) {
		prog.Unmap(lastPage)
	}
	p.load(prog)
	steps := make([]child.Step, len(calls))
	for _, last := range []bool{false, true} {
		for k, c := range calls {
			// What ends a child goes last, so that it ends just one.
			if c.ends() == last && p.makes(c) {
				steps[k] = p.appendCall(prog, abi, c)
			}
		}
	}
	err = prog.Run(ctx, child.Options{Filtered: p.filtered, Children: 4*len(calls) + 64, Stall: callStall, Exits: true})
	if _, failed := prog.Failed(); failed {
		return false, err
	}
	if p.mask != nil && !p.mask.oldest && !p.mask.byPrctl {
		o := prog.Outcome(p.mask.listener)
		s.mask.alone, s.mask.supervised = o.OK(), o.Made && o.Errno == syscall.EBUSY
	}
	for k, c := range calls {
		if p.makes(c) {
			o := prog.Outcome(steps[k])
			*into(c) = sight{o, prog.Unsteady(steps[k]), o != child.Outcome{}}
		}
	}
	return true, err
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
	var args [6]child.Arg
	for k, v := range c.args {
		args[k] = child.Int(int(v))
	}
	alarmed := c.how.is(wayBlocks) && p.mask == nil
	if alarmed {
		setAlarm(prog, firstAlarm, nextAlarms)
	}
	step := prog.Call(c.nr, flags, args[:]...)
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
