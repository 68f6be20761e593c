package child

import (
	"encoding/binary"
	"syscall"
	"unsafe"
)

// What the assembly of this architecture can do.
const (
	// CanLeave: a process made by fork(2) or vfork(2) can be sent away before
	// it touches the stack, which vfork(2) shares.
	CanLeave = true
	// FrameReturns: there is a frame for rt_sigreturn(2), which comes back with
	// FrameResult. Else the stack is nowhere, and the kernel raises SIGSEGV.
	FrameReturns = true
	// CanHandle: there is a handler of SIGSYS, which tells a trap from a kill.
	CanHandle = true
	// CanResume: the handler goes on after the call in which it ran.
	CanResume = true
)

// HasInt80 says that Int80 enters the kernel as an i386 program would.
const HasInt80 = true

// Bits of how the assembly makes a call.
const (
	howFrame  uintptr = 1
	howLeaves uintptr = 2
	howApart  uintptr = 4
)

// rawEnter makes a system call as how says and returns what the kernel left in
// the result register.
//
//go:noescape
func rawEnter(nr, a0, a1, a2, a3, a4, a5, how uintptr, frame *byte) uintptr

// rawInt80 makes an i386 system call.
//
//go:noescape
func rawInt80(nr, a0, a1, a2, a3, a4, a5, how uintptr, frame *byte) uintptr

// bare makes a call in assembly and tells its error from its result as the
// kernel does.
//
//go:nosplit
//go:norace
//go:nocheckptr
func bare(a *area, s *step, args *[6]uintptr) (uintptr, syscall.Errno) {
	how := uintptr(0)
	if s.flags&Frame != 0 {
		how |= howFrame
	}
	if s.flags&Leaves != 0 {
		how |= howLeaves
	}
	note := (*[noteSize / 4]uint32)(unsafe.Pointer(&a.stack[0]))
	if s.flags&Apart != 0 {
		how |= howApart
		note[noteReturned/4] = 0
	}
	var r uintptr
	if s.flags&Int80 != 0 {
		r = rawInt80(s.nr, args[0], args[1], args[2], args[3], args[4], args[5], how, &a.frame[0])
	} else {
		r = rawEnter(s.nr, args[0], args[1], args[2], args[3], args[4], args[5], how, &a.frame[0])
	}
	if s.flags&Apart != 0 && note[noteReturned/4] != 0 {
		// The call came back, and this is its result and not clone's.
		r = *(*uintptr)(unsafe.Pointer(&note[noteResult/4]))
		s.code = apartCame
	}
	if note[noteCode/4] != 0 {
		s.signal, s.code = note[noteSignal/4], note[noteCode/4]
		note[noteCode/4] = 0
		return 0, syscall.EINTR
	}
	if r > ^uintptr(4095) {
		return 0, syscall.Errno(-r)
	}
	return r, 0
}

// Places in the frame that the kernel's rt_sigreturn(2) of amd64 takes the
// registers from, and the selectors of 64-bit code and data.
const (
	frameAX    = 152
	frameCode  = 192
	frameStack = 198
	frameMask  = 304
	codeSeg    = 0x33
	stackSeg   = 0x2b
)

// bareFlags are those of calls that bare makes.
const bareFlags = Int80 | Frame | Leaves | Guarded | Apart

// resumes is 1 where CanResume.
const resumes = 1

// layFrame writes what of the frame is known beforehand; the assembly adds the
// registers that it needs.
func layFrame(frame []byte, mask uint64) {
	binary.NativeEndian.PutUint64(frame[frameAX:], FrameResult)
	binary.NativeEndian.PutUint16(frame[frameCode:], codeSeg)
	binary.NativeEndian.PutUint16(frame[frameStack:], stackSeg)
	binary.NativeEndian.PutUint64(frame[frameMask:], mask)
}

// trapHandlerAddress returns where trapHandler begins.
func trapHandlerAddress() uintptr
