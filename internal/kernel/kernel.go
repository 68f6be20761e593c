// Package kernel makes the system calls that an audit needs. It is the only
// package that imports golang.org/x/sys/unix.
//
// Every call goes through a [Calls] value, which knows the calls that must
// not be made in this process, since a seccomp filter may kill for a call. A
// filter may also refuse a call, or answer success without making it. So a
// call is asked once with harmless arguments before its answers are believed,
// unless an answer fills memory, which no filter does: then only where it
// failed or filled nothing.
package kernel

import (
	"errors"
	"syscall"
)

// ErrNeedsLinux is the error of everything outside Linux.
var ErrNeedsLinux = errors.New("needs Linux")

// ErrNoProgram says that there is no program for this architecture.
var ErrNoProgram = errors.New("no program to execute was made for this architecture")

// Error is a system call that failed.
type Error struct {
	// Call is the system call as its manual page names it: "openat2(2)".
	Call string
	// File is the file that it was about, empty where there was none.
	File string
	// Errno is the kernel's answer.
	Errno syscall.Errno
}

// Error names the call, the file and the errno.
func (e *Error) Error() string {
	s := e.Call
	if e.File != "" {
		s += " " + e.File
	}
	return s + ": " + errnoName(e.Errno)
}

// Unwrap returns the errno, so that errors.Is(err, syscall.ENOENT) works.
func (e *Error) Unwrap() error { return e.Errno }

// DeniedError is a system call that was not made, because a seccomp filter
// stands before it.
type DeniedError struct {
	Call   string
	Reason string
}

// Error names the call and the reason.
func (e *DeniedError) Error() string { return e.Call + ": " + e.Reason }

// AuditCall is a system call that an audit of self makes in the service's
// own threads and that the Go runtime does not itself make, with arguments
// for which a kernel without a filter does nothing.
type AuditCall struct {
	// Name is the key by which the call is denied to an audit: "openat2", or
	// "prctl(PR_CAPBSET_READ)" where a filter can tell one use from another.
	Name string
	NR   uintptr
	Args [6]uintptr
	// Accept are the errors that a kernel without a filter may answer.
	Accept []syscall.Errno
	// SuccessIsFake is true where no kernel can answer success to Args, so
	// that a success was made up by a filter.
	SuccessIsFake bool
	// Why says what an audit needs the call for.
	Why string
}

// AuditCalls returns the table of calls that an audit of self makes. It is
// empty outside Linux.
func AuditCalls() []AuditCall { return append([]AuditCall(nil), auditCalls[:]...) }

// FileStat is what an audit asks of an inode: statx(2).
type FileStat struct {
	Dev, Ino uint64
	Mode     uint32
	Nlink    uint32
	// MountID is meaningful where HasMountID is true: Linux 5.8.
	MountID    uint64
	HasMountID bool
	// MountRoot is true for the root of a mount. It is meaningful where
	// HasMountRoot is true: Linux 5.8.
	MountRoot    bool
	HasMountRoot bool
}

// IsDir says whether it is a directory.
func (s FileStat) IsDir() bool { return s.Mode&0o170000 == 0o040000 }

// CapData is the answer of capget(2).
type CapData struct {
	Effective, Permitted, Inheritable uint64
}
