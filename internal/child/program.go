// Package child runs programs of raw system calls in forked children.
//
// A forked child has its parent's credentials, which execve(2) would
// recompute. It is a copy of one thread of a Go program, so it may use no
// runtime at all: everything that it does is written down beforehand as a
// Program, in memory that parent and child share, and read off afterwards.
package child

import (
	"errors"
	"syscall"
	"unsafe"
)

// Bounds of a program. maxSteps is a power of two, so that a masked index
// needs no bounds check in the child.
const (
	maxSteps = 2048
	maxData  = 32 << 10
	// stackSize holds the largest signal frame: some 11 KiB with AMX.
	// Pages that nobody touches cost nothing.
	stackSize = 64 << 10
	frameSize = 1024
)

// none is the jump target that means: go on with the next step.
const none = ^uint32(0)

// What became of a step.
const (
	stateIdle uint32 = iota
	stateBegun
	stateDone
)

// step is one system call, as the child reads it and as it leaves it.
type step struct {
	nr       uintptr
	args     [6]uintptr
	ret      uintptr
	spendsIf uintptr
	refs     uint32 // bit i: args[i] is the index of the step whose result to use
	flags    Flags
	onOK     uint32
	onErr    uint32
	errno    uint32
	state    uint32
	after    uint32 // made only where this step, counted from 1, came back
	signal   uint32 // what the kernel raised instead of an answer
	code     uint32 // and the signal's code
}

// area is the memory that parent and child share.
type area struct {
	start  uint32 // the first step after the prologue
	end    uint32 // one past the last step
	cursor uint32 // the step under way
	done   uint32 // futex word: set and woken when the child is about to exit
	next   uint32 // where the next child goes on, once done
	prolog uint32 // number of steps that every child makes first
	getpid uint32 // the step of the prologue that asks for the process id
	setsid uint32 // the step of the prologue that makes a session
	failed uint32 // a step that had to succeed and did not, plus one
	stage  uint32 // the steps from here to staged are made by every child
	staged uint32 // that makes any step after them; 0 where there are none
	// Of a replica: the child of the child, whether it waits at the gate, and
	// what it finds there.
	second, waiting, opened uint32
	// Of a child that executes a program: its parent keeps what is left of it
	// until it is released. It is over once ended says so, by left, a siginfo_t.
	keeps, ended, release uint32
	keeper                uint32 // whose child it is: the caller of the run
	left                  [32]uint32
	tick                  [2]uintptr // how long it waits at a time
	steps                 [maxSteps]step
	data                  [maxData]byte
	frame                 [frameSize]byte // what rt_sigreturn(2) takes the registers from
	stack                 [stackSize]byte // of the handler of SIGSYS; its note is at the bottom
}

// ErrTooLarge means that a program has more calls or data than fit.
var ErrTooLarge = errors.New("child: program too large")

// Step names one call of a program.
type Step int

// Arg is an argument of a call.
type Arg struct {
	value uintptr
	isRef bool
}

// Int returns an argument that is a number. Negative numbers are sign extended.
func Int(v int) Arg { return Arg{value: uintptr(v)} }

// Result returns an argument that is the result of an earlier call.
func Result(s Step) Arg { return Arg{value: uintptr(s), isRef: true} }

// From returns the part of b that begins at byte n.
func (b Buffer) From(n int) Buffer { return Buffer{b.off + n, b.size - n} }

// Offset is where b begins in the shared memory.
func (b Buffer) Offset() int { return b.off }

// BufferAt is the shared memory from an offset on.
func BufferAt(off int) Buffer { return Buffer{off, maxData - off} }

// Flags say how a call bears on those after it.
type Flags uint32

const (
	// Need ends the unit where the call fails.
	Need Flags = 1 << iota
	// Spends says that a success changes the child for good, so that the
	// units after this one are made by a new child.
	Spends
	// SkipNext leaves the next call out where this one succeeds.
	SkipNext
	// SkipNextOnError leaves the next call out where this one fails.
	SkipNextOnError
	// Fork says that the call makes a grandchild. It goes on with the next
	// call and ends before the call with Join, where the child goes on.
	Fork
	// Join is where the grandchild ends.
	Join
	// Int80 enters the kernel as an i386 program would. amd64 only.
	Int80
	// Frame makes rt_sigreturn(2) with a frame that it comes back by, or with a
	// stack pointer where nothing can be: see FrameReturns.
	Frame
	// Leaves says that the call makes a process, which ends at once with the
	// status LeftStatus. Needs CanLeave.
	Leaves
	// InSession leaves the call out where the child has no session of its own.
	InSession
	// Apart makes the call in a process of its own: see CallApart.
	Apart
	// Must ends the whole program where the call fails, dies or returns
	// anything but 0: see Failed.
	Must
	// Guarded makes the call so that a signal which the kernel raises in it is
	// its answer and does not end the child. Needs CanResume; else nothing.
	Guarded
	// Masked ends the whole program where the call gives anything but the
	// errno that it was appended with, or where it failed before.
	Masked

	// What the child and End note for themselves.
	end      // last step of its unit
	skip     // not made: an earlier child died of it
	spendsIf // spends where the call returns just one value
	again    // the child goes on as a child of its own, and its parent's
	gate     // the child waits until its parent lets it through
)

// Buffer is a piece of the shared memory.
type Buffer struct{ off, size int }

// Program is a list of units of calls. A unit stands by itself: where a child
// dies in one, the next child goes on with the unit after it.
type Program struct {
	mem   []byte
	area  *area
	used  int
	steps int
	open  bool
	// staging: what is written now is made by every child that comes later.
	staging bool
	deaths  map[uint32]Outcome
	// first holds the first death in a unit, by the unit's first step.
	first map[uint32]death
	// unsteady holds units in which two children fared differently.
	unsteady map[uint32]bool
	prologue prologue
	traps    traps
	// replica is the posture that children take on, or nil: their parent's.
	replica taker
	// leaving are children that are done and were not waited for yet.
	leaving []leaving
	// byGroup says that the last child that was done ended by exit_group(2).
	byGroup bool
	// kept are filters that children load from this process's own memory.
	kept [][]byte
	err  error
}

// death is where a child died, and of what.
type death struct {
	at  uint32
	sig syscall.Signal
}

// New returns an empty program. It must be closed.
func New() (*Program, error) {
	p, err := empty()
	if err != nil {
		return nil, err
	}
	p.addPrologue()
	return p, p.err
}

// empty returns a program without a prologue.
func empty() (*Program, error) {
	mem, err := mapShared(int(unsafe.Sizeof(area{})))
	if err != nil {
		return nil, err
	}
	p := &Program{mem: mem, area: (*area)(unsafe.Pointer(unsafe.SliceData(mem)))}
	p.deaths, p.first, p.unsteady = map[uint32]Outcome{}, map[uint32]death{}, map[uint32]bool{}
	return p, nil
}

// Close waits for the last children to be gone and gives the shared memory
// back. Results cannot be read afterwards. The error says that a child was left.
func (p *Program) Close() error {
	if p.mem == nil {
		return nil
	}
	left := p.seeOff()
	if p.replica != nil {
		p.replica.close()
	}
	mem := p.mem
	p.mem, p.area = nil, nil
	return errors.Join(left, unmapShared(mem))
}

// apartCame marks a step that was made apart and came back.
const apartCame = 1

// LeftByGroup says, after Close, that the last child to finish the program ended
// by exit_group(2) with GroupStatus, so that nothing stands before that.
func (p *Program) LeftByGroup() bool { return p.byGroup }

// Buffer returns size bytes of shared memory, zero and eight-byte aligned.
func (p *Program) Buffer(size int) Buffer {
	size = (size + 7) &^ 7
	if p.used+size > maxData {
		// The program will not run; what is written until then goes nowhere.
		p.err = ErrTooLarge
		return Buffer{0, min(size, maxData)}
	}
	b := Buffer{p.used, size}
	p.used += size
	return b
}

// Bytes returns shared memory that holds a copy of data.
func (p *Program) Bytes(data []byte) Buffer {
	b := p.Buffer(len(data))
	copy(p.Read(b), data)
	return b
}

// String returns the address of a copy of s that ends in a NUL byte.
func (p *Program) String(s string) Arg { return p.Addr(p.Bytes(append([]byte(s), 0))) }

// Addr returns the address of b.
func (p *Program) Addr(b Buffer) Arg {
	return Arg{value: uintptr(unsafe.Pointer(&p.area.data[0])) + uintptr(b.off)}
}

// Read returns the bytes of b: what was put there, or what the kernel wrote.
func (p *Program) Read(b Buffer) []byte { return p.area.data[b.off : b.off+b.size] }

// Call appends a call to the unit that is being written.
func (p *Program) Call(nr uint32, f Flags, args ...Arg) Step {
	if p.steps >= maxSteps-1 || len(args) > 6 {
		p.err = ErrTooLarge
		return 0
	}
	s := &p.area.steps[p.steps]
	*s = step{nr: uintptr(nr), onOK: none, onErr: none, flags: f}
	for i, a := range args {
		s.args[i] = a.value
		if a.isRef {
			s.refs |= 1 << i
		}
	}
	if f&SkipNext != 0 {
		s.onOK = uint32(p.steps) + 2
	}
	if f&SkipNextOnError != 0 {
		s.onErr = uint32(p.steps) + 2
	}
	if f&(Need|Fork|Leaves) != 0 {
		s.onErr = pending
	}
	p.steps++
	p.open = true
	return Step(p.steps - 1)
}

// SpendsIf makes a call spend its child where it returns just this value.
func (p *Program) SpendsIf(s Step, value uintptr) {
	st := &p.area.steps[int(s)&(maxSteps-1)]
	st.flags |= spendsIf
	st.spendsIf = value
}

// Failed returns the step with Must or Masked that ended the program.
func (p *Program) Failed() (Step, bool) {
	return Step(p.area.failed) - 1, p.area.failed != 0
}

// pending is a jump target that End replaces by the end of the unit.
const pending = none - 1

// End closes the unit that is being written.
func (p *Program) End() {
	if !p.open {
		return
	}
	p.open = false
	last := uint32(p.steps - 1)
	p.area.steps[last].flags |= end
	var join uint32 = none
	for i := last; ; i-- {
		s := &p.area.steps[i]
		if s.flags&Join != 0 {
			join = i
		}
		if s.onErr == pending {
			s.onErr = last + 1
		}
		if s.flags&Fork != 0 {
			s.onOK = join
		}
		if i == 0 || p.area.steps[i-1].flags&end != 0 {
			return
		}
	}
}

// OnlyAfter makes s only where before came back, in this child or another.
func (p *Program) OnlyAfter(s, before Step) {
	p.area.steps[int(s)&(maxSteps-1)].after = uint32(before) + 1
}

// BeginStage ends a part of the program. The steps up to EndStage are made by
// every child that makes any step after them.
func (p *Program) BeginStage() {
	p.End()
	p.staging = true
	p.area.stage = uint32(p.steps)
}

// EndStage ends what BeginStage began.
func (p *Program) EndStage() {
	p.End()
	p.staging = false
	p.area.staged = uint32(p.steps)
	// All of it is one unit, which nothing spends.
	for i := p.area.stage; i+1 < p.area.staged; i++ {
		p.area.steps[i&(maxSteps-1)].flags &^= end
	}
}

// Next returns the step that the next call will be.
func (p *Program) Next() Step { return Step(p.steps) }

// Unsteady says that a child died in the unit of s, and that the next one did
// not, or died elsewhere: what is read off the unit proves nothing.
func (p *Program) Unsteady(s Step) bool { return p.unsteady[p.unitOf(uint32(s))] }

// unitOf returns the first step of the unit that holds s.
func (p *Program) unitOf(s uint32) uint32 {
	for s > p.area.prolog && p.area.steps[(s-1)&(maxSteps-1)].flags&end == 0 {
		s--
	}
	return s
}

// unitAfter returns the first step of the unit after the one that holds s.
func (p *Program) unitAfter(s uint32) uint32 {
	for s < uint32(p.steps) && p.area.steps[s&(maxSteps-1)].flags&end == 0 {
		s++
	}
	return s + 1
}

// Value returns the argument as the number that the call is given; for a
// Result, which is not known yet, the index of the step.
func (a Arg) Value() uintptr { return a.value }
