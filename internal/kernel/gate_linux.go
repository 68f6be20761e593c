package kernel

import (
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls makes system calls for one audit. It is not safe for concurrent use.
type Calls struct {
	state  [numCalls]callState
	reason [numCalls]string
}

type callState uint8

const (
	untried callState = iota
	usable
	denied
)

// New returns the calls of one audit. deny maps the name of an [AuditCall] to
// the reason why it must not be made in this process.
func New(deny map[string]string) *Calls {
	c := new(Calls)
	if len(deny) == 0 {
		return c
	}
	for i := range auditCalls {
		if why, ok := deny[auditCalls[i].Name]; ok {
			c.state[i], c.reason[i] = denied, why
		}
	}
	return c
}

// gate says whether call i may be made and believed. The first time it makes
// the call with the table's arguments: a filter that answers for the kernel,
// with an error or with a made-up success, is found out by that.
func (c *Calls) gate(i int) error {
	if c.state[i] == usable {
		return nil
	}
	if err := c.allowed(i); err != nil {
		return err
	}
	call := &auditCalls[i]
	a := &call.Args
	_, _, errno := unix.RawSyscall6(call.NR, a[0], a[1], a[2], a[3], a[4], a[5])
	switch {
	case errno == 0 && !call.SuccessIsFake, errno != 0 && slices.Contains(call.Accept, errno):
		c.state[i] = usable
		return nil
	case errno == 0:
		c.reason[i] = "a seccomp filter answers success without making the call"
	default:
		c.reason[i] = "answers " + errnoName(errno) + " where the kernel does not: a seccomp filter stands before it"
	}
	c.state[i] = denied
	return c.allowed(i)
}

// allowed says whether call i may be made. It is for calls whose success shows
// by itself that the kernel made it, since a filter fills no memory: such a
// call needs its gate only where it did not succeed, or filled nothing.
//
//go:noinline
func (c *Calls) allowed(i int) error {
	if c.state[i] != denied {
		return nil
	}
	return &DeniedError{auditCalls[i].Name, c.reason[i]}
}

// settle returns nil where an allowed call succeeded and filled what it was
// given. Else it says whose answer it was: the kernel's, or a filter's.
func (c *Calls) settle(i int, file string, errno syscall.Errno, filled bool) error {
	if errno == 0 && filled {
		return nil
	}
	if err := c.gate(i); err != nil {
		return err
	}
	if errno == 0 {
		return &DeniedError{auditCalls[i].Name, "success without an answer: a seccomp filter stands before it"}
	}
	return c.fail(i, file, errno)
}

// fail is the error of call i.
func (c *Calls) fail(i int, file string, errno syscall.Errno) error {
	name := auditCalls[i].Name
	if name[len(name)-1] != ')' {
		name += "(2)"
	}
	return fail(name, file, errno)
}

//go:noinline
func fail(call, file string, errno syscall.Errno) error {
	return &Error{Call: call, File: file, Errno: errno}
}

// invoke makes a system call, again where a signal interrupted it.
func invoke(nr uintptr, a int, p unsafe.Pointer, b, c uintptr, q unsafe.Pointer) (int, syscall.Errno) {
	for {
		r, _, errno := unix.Syscall6(nr, uintptr(a), uintptr(p), b, c, uintptr(q), 0)
		if errno == 0 {
			return int(r), 0
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}

// errnoOf returns the errno that an error of x/sys always is.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := err.(syscall.Errno); ok {
		return errno
	}
	return unix.EINVAL
}

// pathRoom is room for a path that ends with NUL. Paths of /proc fit; a longer
// one is given memory of its own.
type pathRoom [64]byte

// terminated is out of line, as what errors are made of is: it is called in
// many places.
//
//go:noinline
func (room *pathRoom) terminated(path string) unsafe.Pointer {
	b := room[:]
	if len(path) >= len(b) {
		b = make([]byte, len(path)+1)
	}
	copy(b, path)
	return unsafe.Pointer(&b[0])
}
