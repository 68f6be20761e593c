//go:build linux && !s390x

package child

import (
	"context"
	"encoding/binary"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Numbers of prctl(2), prlimit(2), wait(2) and timer_create(2).
const (
	prSetPdeathsig  = 1
	prSetDumpable   = 4
	rlimitCore      = 4
	clockMonotonic  = 1
	waitAll         = 0 // idtype P_ALL
	waitExited      = 4
	waitNoHang      = 1
	waitNoWait      = 0x01000000
	waitByPID       = 1    // idtype P_PID
	keepTicks       = 3000 // longer than any audit takes
	defaultDeadline = 10 * time.Second
)

// prologue remembers the steps that every child makes first.
type prologue struct {
	// Trials of the calls that the parent needs to wait and to kill.
	wait4, waitid, sendSignal Step
	// Controls, any of which must give the kernel's own answer.
	controls []Step
	clock    Buffer
	// timer is the struct itimerspec of the child's own deadline.
	timer Buffer
}

// addPrologue writes the calls that every child makes first. A child that
// dies in one of them costs one fork more, and the next one leaves it out.
func (p *Program) addPrologue() {
	pr := &p.prologue
	// First of all, so that a child that somebody stops does not outlive the
	// audit. A child that takes other ids loses it; it has its own deadline.
	p.Call(kernel.SysPrctl, 0, Int(prSetPdeathsig), Int(int(syscall.SIGKILL)), Int(0), Int(0), Int(0))
	// A soft core limit of 1 keeps both files and pipe handlers from being
	// fed when a filter kills; 0 would still feed a pipe: core(5).
	one := p.Bytes(words(1, 1))
	p.Call(kernel.SysPrlimit64, SkipNext, Int(0), Int(rlimitCore), p.Addr(one), Int(0))
	p.Call(kernel.SysPrlimit64, 0, Int(0), Int(rlimitCore), p.Addr(p.Bytes(words(0, 0))), Int(0))
	// Not dumpable: no core either, and no other process of this user id
	// can trace the child.
	p.Call(kernel.SysPrctl, 0, Int(prSetDumpable), Int(0), Int(0), Int(0), Int(0))

	pr.wait4 = p.Call(kernel.SysWait4, 0, Int(-1), Int(0), Int(waitNoHang|wallClone), Int(0))
	info := p.Buffer(128)
	pr.waitid = p.Call(kernel.SysWaitid, 0, Int(waitAll), Int(0), p.Addr(info), Int(waitExited|waitNoHang|wallClone), Int(0))
	pr.sendSignal = p.Call(kernel.SysPidfdSendSignal, 0, Int(-1), Int(0), Int(0), Int(0))

	// A session of its own: some calls with odd arguments act on the terminal.
	p.area.setsid = uint32(p.Call(kernel.SysSetsid, 0))

	// The child's own deadline holds where it took an id that its parent
	// may not signal. The first timer of a process has the number 0.
	event := p.Buffer(64)
	binary.NativeEndian.PutUint32(p.Read(event)[wordSize:], uint32(syscall.SIGKILL))
	id := p.Buffer(8)
	pr.timer = p.Buffer(4 * wordSize)
	p.Call(kernel.SysTimerCreate, 0, Int(clockMonotonic), p.Addr(event), p.Addr(id))
	p.Call(kernel.SysTimerSettime, 0, Int(0), Int(0), p.Addr(pr.timer), Int(0))

	pr.clock = p.Buffer(2 * wordSize)
	pr.controls = []Step{
		p.Call(kernel.SysGetpid, 0),
		p.Call(kernel.SysGettid, 0),
		p.Call(kernel.SysClockGettime, 0, Int(clockMonotonic), p.Addr(pr.clock)),
	}
	p.End()
	p.area.getpid = uint32(pr.controls[0])
	p.area.prolog = uint32(p.steps)
}

// words returns 64-bit numbers as struct rlimit64 holds them.
func words(values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

// wordSize is the size of a long in the native ABI.
const wordSize = 4 << (^uintptr(0) >> 63)

func putWord(b []byte, v uint64) {
	if wordSize == 8 {
		binary.NativeEndian.PutUint64(b, v)
		return
	}
	binary.NativeEndian.PutUint32(b, uint32(v))
}

// How long a child may take whose calls may block, where its parent cannot kill
// it, and where that is not known yet: then it dies at its own deadline, and the
// next goes on.
const (
	ownStall   = time.Second
	firstStall = 5 * time.Second
)

// setDeadline writes the child's own deadline, a little after the context's.
func (r *runner) setDeadline(ctx context.Context) {
	left := defaultDeadline
	if d, ok := ctx.Deadline(); ok {
		left = max(time.Until(d), 0)
	}
	left += 100 * time.Millisecond
	switch {
	case r.stall == 0 || r.kills == killsKnown:
	case r.kills == killsUnknown:
		left = min(left, firstStall)
	default:
		left = min(left, ownStall)
	}
	value := r.Read(r.prologue.timer)[2*wordSize:]
	putWord(value, uint64(left/time.Second))
	putWord(value[wordSize:], uint64(left%time.Second))
}

// controlled says whether a control gave the answer that only the kernel gives.
func (r *runner) controlled() bool {
	for _, c := range r.prologue.controls[:2] {
		if o := r.Outcome(c); o.OK() && o.Ret > 0 {
			return true
		}
	}
	for _, b := range r.Read(r.prologue.clock) {
		if b != 0 {
			return true
		}
	}
	return false
}
