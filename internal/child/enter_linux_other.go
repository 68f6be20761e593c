//go:build linux && !amd64 && !arm64 && !s390x

package child

import "syscall"

// What assembly can do, which there is none of here.
const (
	CanLeave     = false
	FrameReturns = false
	CanHandle    = false
	CanResume    = false
)

// HasInt80 says that Int80 enters the kernel as an i386 program would.
const HasInt80 = false

// bare exists where there is assembly for it; elsewhere nothing asks for it.
//
//go:nosplit
//go:norace
func bare(*area, *step, *[6]uintptr) (uintptr, syscall.Errno) { return 0, syscall.ENOSYS }

// bareFlags are those of calls that bare says it cannot make. Any other call is
// made as usual.
const bareFlags = Int80 | Frame | Leaves | Apart

// resumes is 1 where CanResume.
const resumes = 0

func layFrame([]byte, uint64) {}

// trapHandlerAddress returns 0: there is no handler.
func trapHandlerAddress() uintptr { return 0 }
