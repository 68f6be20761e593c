//go:build linux && !s390x

package child

import (
	"encoding/binary"
	"errors"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Numbers of rt_sigaction(2), rt_sigprocmask(2), prctl(2) and seccomp(2).
const (
	saSigInfo          = 4
	saOnStack          = 0x08000000
	saRestorer         = 0x04000000
	saNoDefer          = 0x40000000
	sigIgnore          = 1
	sigBlock           = 0
	sigUnblock         = 1
	pageSize           = 4096
	prSetNoNewPrivs    = 38
	prSetSeccomp       = 22
	seccompModeFilter  = 2
	seccompSetFilter   = 1
	seccompNewListener = 8
	sizeOfInstruction  = 8
	signalSetSize      = 8
	sizeOfSigaction    = 4 * wordSize
	sizeOfStackSetting = 3 * wordSize
)

// traps remembers the steps by which a child tells what a filter raised from
// what another process sent.
type traps struct {
	set bool
	// action is what the kernel says that the handler of SIGSYS is, and mask
	// which signals are blocked. A filter can make neither up.
	action, mask Buffer
}

// HandleTraps makes every child handle SIGSYS, with a stack and a note in the
// shared memory, and reap its own children by ignoring SIGCHLD. It comes before
// the first unit. Where there is no handler for this architecture a trap looks
// like a kill.
func (p *Program) HandleTraps() {
	p.traps.set = true
	p.traps.action, p.traps.mask = p.Buffer(sizeOfSigaction), p.Buffer(signalSetSize)
	p.Call(kernel.SysRtSigaction, 0, Int(int(syscall.SIGCHLD)), p.Addr(p.Bytes(sigaction(sigIgnore, 0))), Int(0), Int(signalSetSize))
	if handler := trapHandlerAddress(); handler != 0 {
		stack := p.Buffer(sizeOfStackSetting)
		putWord(p.Read(stack), uint64(uintptr(unsafe.Pointer(&p.area.stack[0]))))
		putWord(p.Read(stack)[2*wordSize:], stackSize)
		p.Call(kernel.SysSigaltstack, 0, p.Addr(stack), Int(0))
		action := p.Addr(p.Bytes(sigaction(uint64(handler), handlerFlags)))
		for _, sig := range []syscall.Signal{syscall.SIGILL, syscall.SIGALRM} {
			p.Call(kernel.SysRtSigaction, 0, Int(int(sig)), action, Int(0), Int(signalSetSize))
		}
		p.Call(kernel.SysRtSigaction, 0, Int(int(syscall.SIGSYS)), action, Int(0), Int(signalSetSize))
		p.Call(kernel.SysRtSigaction, 0, Int(int(syscall.SIGSYS)), Int(0), p.Addr(p.traps.action), Int(signalSetSize))
		open := p.Bytes(binary.NativeEndian.AppendUint64(nil, handled))
		p.Call(kernel.SysRtSigprocmask, 0, Int(sigUnblock), p.Addr(open), Int(0), Int(signalSetSize))
	}
	p.Call(kernel.SysRtSigprocmask, 0, Int(sigBlock), Int(0), p.Addr(p.traps.mask), Int(signalSetSize))
	layFrame(p.area.frame[:], ^uint64(handled))
	p.endPrologue()
}

// endPrologue makes all that was written so far part of the prologue, or of the
// stage that is being written.
func (p *Program) endPrologue() {
	p.End()
	if !p.staging {
		p.area.prolog = uint32(p.steps)
	}
}

// sigaction lays out the kernel's struct sigaction of amd64 and arm64, whose
// restorer is never used: the handler does not return.
func sigaction(handler, flags uint64) []byte {
	b := make([]byte, 4*8)
	putWord(b, handler)
	putWord(b[wordSize:], flags)
	if flags&saRestorer != 0 {
		putWord(b[2*wordSize:], handler)
		if !CanResume {
			// What a filter makes of the handler's own calls is no news.
			putWord(b[3*wordSize:], handled)
		}
	}
	return b
}

// handlerFlags: where the handler goes on after the call it never returns, so
// its signals must not stay blocked.
const handlerFlags = saSigInfo | saOnStack | saRestorer | saNoDefer*resumes

// handled are the signals that have a handler, where there is one.
const handled = 1<<(syscall.SIGSYS-1) | 1<<(syscall.SIGILL-1) | 1<<(syscall.SIGALRM-1)

func bitOf(sig syscall.Signal) uint64 { return 1 << (sig - 1) }

// NoNewPrivileges makes every child set no_new_privs, without which a filter
// needs CAP_SYS_ADMIN. Where that fails the next call of Load tells.
func (p *Program) NoNewPrivileges() {
	p.Call(kernel.SysPrctl, 0, Int(prSetNoNewPrivs), Int(1), Int(0), Int(0), Int(0))
	p.endPrologue()
}

// Load makes every child load a seccomp filter, struct sock_filter[] in host
// byte order: seccomp(2), Linux 3.17. The program ends there where that fails.
// raw must not change until Close.
func (p *Program) Load(raw []byte) {
	p.Call(kernel.SysSeccomp, Must, Int(seccompSetFilter), Int(0), p.program(raw))
	p.endPrologue()
}

// LoadEither loads a filter by seccomp(2), or by prctl(2) where an earlier one
// denies that. A filter may also answer success without loading anything: so
// each way is first tried with an address that the kernel rejects.
func (p *Program) LoadEither(raw []byte) { p.loadAnyhow(p.program(raw), 0) }

// LoadWithListener loads a filter in the same ways, but first asks for its
// listener too, which the kernel refuses with EBUSY where another filter has
// one: seccomp(2), Linux 5.0. It returns the step that asks.
func (p *Program) LoadWithListener(raw []byte) Step {
	return p.loadAnyhow(p.program(raw), seccompNewListener)
}

// loadAnyhow loads a filter with flags, without them, or by prctl(2). It
// returns the first of these steps.
func (p *Program) loadAnyhow(prog Arg, flags int) Step {
	var ways []Step
	trial := p.Call(kernel.SysSeccomp, 0, Int(seccompSetFilter), Int(0), Int(0))
	if flags != 0 {
		ways = append(ways, p.Call(kernel.SysSeccomp, 0, Int(seccompSetFilter), Int(flags), prog))
	}
	ways = append(ways, p.Call(kernel.SysSeccomp, 0, Int(seccompSetFilter), Int(0), prog))
	byPrctl := p.Call(kernel.SysPrctl, Masked, Int(prSetSeccomp), Int(seccompModeFilter), Int(0), Int(0), Int(0))
	p.area.steps[byPrctl&(maxSteps-1)].spendsIf = uintptr(syscall.EFAULT)
	p.Call(kernel.SysPrctl, Must, Int(prSetSeccomp), Int(seccompModeFilter), prog, Int(0), Int(0))
	p.area.steps[trial&(maxSteps-1)].onOK = uint32(byPrctl)
	for _, w := range ways {
		p.area.steps[w&(maxSteps-1)].onOK = uint32(p.steps)
	}
	p.endPrologue()
	return ways[0]
}

// program lays out struct sock_fprog.
func (p *Program) program(raw []byte) Arg {
	if len(raw) == 0 || len(raw)%sizeOfInstruction != 0 || len(raw) > 0xffff*sizeOfInstruction {
		p.err = errors.New("child: a filter of " + strconv.Itoa(len(raw)) + " bytes")
		return Int(0)
	}
	p.kept = append(p.kept, raw)
	b := p.Buffer(2 * wordSize)
	binary.NativeEndian.PutUint16(p.Read(b), uint16(len(raw)/sizeOfInstruction))
	putWord(p.Read(b)[wordSize:], uint64(uintptr(unsafe.Pointer(unsafe.SliceData(raw)))))
	return p.Addr(b)
}

// Unmap makes every child give a page back, so that nothing is there. The
// program ends there where that fails.
func (p *Program) Unmap(page uint64) {
	p.Call(kernel.SysMunmap, Must, Arg{value: uintptr(page)}, Int(pageSize))
	p.endPrologue()
}

// CallApart appends a unit of a call that a process of its own makes, which
// shares the child's memory and which the child waits for: what ends that
// process does not end the child. Where no process could be made, or waited for,
// the call was not made. Needs CanLeave.
func (p *Program) CallApart(nr uint32, args ...Arg) Step {
	status := p.Buffer(8)
	binary.NativeEndian.PutUint32(p.Read(status), notWaited)
	s := p.Call(nr, Apart, args...)
	p.area.steps[s&(maxSteps-1)].spendsIf = uintptr(status.off)
	p.Call(kernel.SysWait4, 0, Int(-1), p.Addr(status), Int(wallClone), Int(0))
	p.End()
	return s
}

// notWaited is no wait status.
const notWaited = ^uint32(0)

// apartOutcome reads what became of a call that was made apart.
func (p *Program) apartOutcome(st *step) Outcome {
	if st.code == apartCame {
		return Outcome{Made: true, Ret: st.ret, Errno: syscall.Errno(st.errno)}
	}
	status := syscall.WaitStatus(binary.NativeEndian.Uint32(p.area.data[st.spendsIf:]))
	switch {
	case st.errno != 0 || uint32(status) == notWaited:
		return Outcome{}
	case status.Exited():
		return Outcome{Exited: true, Status: status.ExitStatus()}
	case status.Signal() == syscall.SIGKILL:
		return Outcome{Signal: syscall.SIGKILL}
	default:
		return Outcome{Signal: status.Signal(), Repeated: true}
	}
}

// CheckMask makes every child make sure that a filter which answers everything
// with errno is in force. The program ends there where it is not, or where
// that cannot be told, since getpid(2) gave no id before.
func (p *Program) CheckMask(errno syscall.Errno) {
	s := p.Call(kernel.SysGetpid, Masked)
	p.area.steps[s&(maxSteps-1)].spendsIf = uintptr(errno)
	p.endPrologue()
}

// DoneWord returns the address that a child wakes when it is done: a filter may
// let just that futex(2) through.
func (p *Program) DoneWord() uint64 { return uint64(uintptr(unsafe.Pointer(&p.area.done))) }

// handles says that the kernel confirmed the handler of SIGSYS.
func (r *runner) handles() bool {
	handler := trapHandlerAddress()
	return r.traps.set && handler != 0 && binary.NativeEndian.Uint64(r.Read(r.traps.action)) == uint64(handler)
}

// raised says that no other process can have sent the signal of which a child
// died: it was blocked, and only the kernel itself can raise one through that;
// or it was SIGSYS and the handler, which sees who sent it, did not run.
func (r *runner) raised(sig syscall.Signal) bool {
	if !r.traps.set || sig == syscall.SIGKILL {
		return false
	}
	blocked := binary.NativeEndian.Uint64(r.Read(r.traps.mask))
	if sig == syscall.SIGSYS && blocked != 0 && blocked&bitOf(sig) == 0 {
		return r.handles()
	}
	return blocked&bitOf(sig) != 0
}

// note returns what the handler saw: the signal and its code. The code is 0 where
// it did not run, or where another process sent the signal.
func (r *runner) note() (syscall.Signal, int32) {
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(r.area.stack[at:]) }
	return syscall.Signal(word(noteSignal)), int32(word(noteCode))
}

// noted returns what the handler saw of a signal that the kernel raised, and
// that it did not go on from.
func (r *runner) noted() (Outcome, bool) {
	sig, code := r.note()
	return raisedOutcome(sig, code), code > 0
}

// clearTraps makes the next child prove everything anew.
func (r *runner) clearTraps() {
	if r.traps.set {
		clear(r.Read(r.traps.action))
		clear(r.Read(r.traps.mask))
		clear(r.area.stack[:noteSize])
	}
}

// What trapHandler and rawEnter write, in bytes.
const (
	noteCode     = 0
	noteSignal   = 12
	noteResult   = 40 // by rawEnter: of a call that was made apart
	noteReturned = 48
	noteSize     = 56
)
