package child

import "syscall"

// What the assembly of this architecture can do.
const (
	// CanLeave: there is neither fork(2) nor vfork(2) here.
	CanLeave = false
	// FrameReturns: there is no frame for rt_sigreturn(2). The stack is
	// nowhere, and the kernel raises SIGSEGV.
	FrameReturns = false
	// CanHandle: there is a handler of SIGSYS, which tells a trap from a kill.
	CanHandle = true
	// CanResume: the handler cannot go on after the call in which it ran.
	CanResume = false
)

// bareFlags are those of calls that bare makes, or says that it cannot. Any other
// call is made as usual.
const bareFlags = Int80 | Frame | Leaves | Apart

// resumes is 1 where CanResume.
const resumes = 0

func layFrame([]byte, uint64) {}

// HasInt80 says that Int80 enters the kernel as an i386 program would. On arm64
// there is no way into the 32-bit ABI from a program of 64 bits.
const HasInt80 = false

// rawEnter makes a system call with a stack pointer that nothing can be at, and
// returns what the kernel left in the result register.
//
//go:noescape
func rawEnter(nr, a0, a1, a2, a3, a4, a5 uintptr) uintptr

// bare makes a call in assembly and tells its error from its result as the
// kernel does.
//
//go:nosplit
//go:norace
func bare(_ *area, s *step, args *[6]uintptr) (uintptr, syscall.Errno) {
	if s.flags&Frame == 0 {
		// A guarded call is a plain one: nothing resumes here.
		if s.flags&(Int80|Leaves|Apart) != 0 {
			return 0, syscall.ENOSYS
		}
		ret, _, errno := syscall.RawSyscall6(s.nr, args[0], args[1], args[2], args[3], args[4], args[5])
		return ret, errno
	}
	r := rawEnter(s.nr, args[0], args[1], args[2], args[3], args[4], args[5])
	if r > ^uintptr(4095) {
		return 0, syscall.Errno(-r)
	}
	return r, 0
}

// trapHandlerAddress returns where trapHandler begins.
func trapHandlerAddress() uintptr
