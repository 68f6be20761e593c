//go:build linux && !s390x

package child

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// maxChildren bounds how often a run forks where the options do not: each death
// and each success of a call that spends its child costs one.
const maxChildren = 512

// wallClone makes wait4(2) see children whose exit signal is not SIGCHLD.
const wallClone = 0x40000000

// earlyStatus is what trapHandler ends a child with whose alarm came while no
// call blocked: the same unit is tried again.
const earlyStatus = 95

// grace is how long a child that was killed may take to go.
const grace = time.Second

// ErrNoChild means that the kernel, or a filter, refused to make a child.
var ErrNoChild = errors.New("child: no child could be made")

// ErrDeadline means that the context ended before the program did.
var ErrDeadline = errors.New("child: deadline exceeded")

// Options say how a program is run.
type Options struct {
	// Filtered says that a seccomp filter may act on this thread. Then the
	// parent makes no call to wait for its child before a child survived it.
	Filtered bool
	// Children bounds how often the run forks; 0 means 512.
	Children int
	// Stall is how long one call may take. What takes longer is noted as
	// Blocked, and a new child goes on. 0 means the context's deadline.
	Stall time.Duration
	// Exits says that a child may end in a call, which is then noted as
	// Exited. Without it that is an error.
	Exits bool
}

// Run runs the program from the calling thread, whose credentials the children
// have. It returns an error where no child could be made or waited for; what
// was found out until then can be read all the same.
//
// It needs clone(2) without CLONE_THREAD, and wait4(2) or waitid(2). Under a
// filter that kills for the former the whole process dies: that call cannot be
// tried first.
func (p *Program) Run(ctx context.Context, o Options) error {
	if p.err != nil {
		return p.err
	}
	p.End()
	if p.replica != nil && (o.Filtered || !p.replica.ready()) {
		return errOwnFilter
	}
	// The children are copies of this thread, and ask for its death as
	// their own: it must not change under the goroutine, nor end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.area.end = uint32(p.steps)
	r := runner{Program: p, filtered: o.Filtered, stall: o.Stall, exits: o.Exits}
	r.prepare()
	defer r.reap()
	next := p.area.prolog
	most := o.Children
	if most == 0 {
		most = maxChildren
	}
	for range most {
		if next >= p.area.end {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ErrDeadline, context.Cause(ctx))
		}
		n, err := r.one(ctx, next)
		if err != nil {
			return err
		}
		next = n
	}
	return fmt.Errorf("child: %d children did not finish the program", most)
}

// runner is one run of a program.
type runner struct {
	*Program
	filtered bool
	stall    time.Duration
	exits    bool
	// blocked counts the calls that took longer than stall. stalled says that
	// the child under way was killed for one, which is stuckIn.
	blocked int
	stalled bool
	stuckIn uint32
	// stuckBefore is the call that an earlier child was killed for.
	stuckBefore uint32
	// kills says whether an earlier child showed that it can be killed.
	kills killing
	// forkedPID is the child that was forked last, and gatePID the one to admit,
	// once it is known which that is.
	forkedPID, gatePID int
	// zombies are children that died before a way to wait for them was found.
	zombies []int
}

// killing is what is known of the call that kills a child.
type killing uint8

const (
	killsUnknown killing = iota
	killsKnown
	killsDenied
)

// one runs one child from step start on and returns where the next goes on.
func (r *runner) one(ctx context.Context, start uint32) (uint32, error) {
	a := r.area
	a.start, a.cursor, a.next, a.failed = start, 0, start, 0
	r.stalled = false
	atomic.StoreUint32(&a.done, 0)
	r.forget(0, a.prolog)
	r.forget(a.stage, a.staged)
	clear(r.Read(r.prologue.clock)) // the last child's control proves nothing of this one
	r.clearTraps()
	if r.replica != nil {
		r.replica.reset(r)
	}
	r.setDeadline(ctx)
	pidfd := int32(-1)
	pid, err := forkBlocked(a, &pidfd)
	if err != nil {
		return 0, err
	}
	r.forkedPID = pid
	status, err := r.wait(ctx, pid, int(pidfd))
	if r.replica != nil {
		status, err = r.replica.last(ctx, r, status, err)
	}
	if err != nil {
		return 0, err
	}
	if a.cursor >= a.prolog && !r.controlled() {
		return 0, errors.New("child: no control call gave the kernel's own answer, so no denial proves anything")
	}
	if a.cursor >= a.prolog {
		r.kills = killsDenied
		if r.canKill() {
			r.kills = killsKnown
		}
	}
	if !r.stalled {
		r.stuckBefore = 0
	}
	seen, noted := r.noted()
	switch {
	case atomic.LoadUint32(&a.done) == 1:
		r.settle(start, a.next)
		return a.next, nil
	case noted:
		return r.ended(start, seen), nil
	case r.exits && status.Exited() && status.ExitStatus() == earlyStatus && a.cursor >= a.prolog:
		return r.unitOf(a.cursor), nil
	case r.stalled && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return r.stuck(start), nil
	case status.Signaled():
		return r.died(a.cursor, start, status.Signal()), nil
	case r.exits && status.Exited() && a.cursor >= a.prolog:
		return r.ended(start, Outcome{Exited: true, Status: status.ExitStatus()}), nil
	default:
		return 0, fmt.Errorf("child: ended in call %d with wait status %#x", a.cursor, uint32(status))
	}
}

// stuck notes that a call blocked. On a busy machine a child may also wait long
// for a processor: so a call blocks only where it did for two children, unless
// many did so already. A call that came back just when its child was killed did
// not, and the one that was under way then is made again.
func (r *runner) stuck(start uint32) uint32 {
	at := r.area.cursor
	if at == r.stuckIn && (at == r.stuckBefore || r.blocked > manyBlocked) {
		r.blocked++
		r.stuckBefore = 0
		return r.ended(start, Outcome{Blocked: true})
	}
	if at == r.stuckIn {
		r.stuckBefore = at
	}
	if r.everyTime(at) {
		return start
	}
	r.forget(r.unitOf(at), r.unitAfter(at))
	return r.unitOf(at)
}

// everyTime says that every child makes the step: it is in the prologue, or in
// the stage.
func (r *runner) everyTime(at uint32) bool {
	return at < r.area.prolog || at >= r.area.stage && at < r.area.staged
}

// ended notes what became of the call that a child ended in, and says where the
// next child goes on. A call of the prologue is left out from now on.
func (r *runner) ended(start uint32, o Outcome) uint32 {
	at := r.area.cursor
	r.deaths[at] = o
	if r.everyTime(at) {
		r.area.steps[at&(maxSteps-1)].flags |= skip
		if at >= r.area.prolog {
			return max(start, r.area.stage)
		}
		return start
	}
	return r.unitAfter(at)
}

// forkBlocked forks with every signal blocked, so that no handler of the Go
// runtime ever runs in the child, and undoes that in the parent.
func forkBlocked(a *area, pidfd *int32) (int, error) {
	all, old := ^uint64(0), uint64(0)
	const setMask = 2
	if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0); e != 0 {
		return 0, fmt.Errorf("child: rt_sigprocmask: %w", e)
	}
	pid, errno := fork(a, clonePidfd, pidfd)
	if errno == syscall.EINVAL {
		// Something that answers for the kernel and knows no pidfds. Such a
		// child cannot be killed from here; its own timer ends it.
		pid, errno = fork(a, 0, pidfd)
	}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0); e != 0 {
		return 0, fmt.Errorf("child: rt_sigprocmask: %w", e)
	}
	if errno != 0 {
		return 0, fmt.Errorf("%w: clone: %w", ErrNoChild, errno)
	}
	return int(pid), nil
}

// died notes a death and says where the next child goes on. A death in the
// prologue leaves that call out from now on; one in a unit is tried once more,
// since any process of the same user id can send one signal.
func (r *runner) died(at uint32, start uint32, sig syscall.Signal) uint32 {
	if r.everyTime(at) {
		return r.ended(start, Outcome{Signal: sig, Repeated: true})
	}
	if r.raised(sig) {
		return r.ended(start, Outcome{Signal: sig, Repeated: true})
	}
	unit := r.unitOf(at)
	before, again := r.first[unit]
	if !again {
		r.first[unit] = death{at, sig}
		r.forget(unit, r.unitAfter(at))
		return unit
	}
	same := before == death{at, sig}
	r.deaths[at] = Outcome{Signal: sig, Repeated: same}
	r.unsteady[unit] = !same
	return r.unitAfter(at)
}

// forget clears what was read off the steps from one up to before another.
func (r *runner) forget(from, to uint32) {
	for i := from; i < to; i++ {
		s := &r.area.steps[i&(maxSteps-1)]
		s.ret, s.errno, s.state, s.signal, s.code = 0, 0, stateIdle, 0, 0
	}
}

// settle marks the units that killed an earlier child and not this one, which
// ran all from start up to before end.
func (r *runner) settle(start, end uint32) {
	for unit := range r.first {
		if unit >= start && unit < end {
			r.unsteady[unit] = true
		}
	}
}
