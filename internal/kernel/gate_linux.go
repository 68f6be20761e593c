package kernel

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

func errnoName(e syscall.Errno) string {
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return e.Error()
}

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
	call := &auditCalls[i]
	if c.state[i] == denied {
		return &DeniedError{call.Name, c.reason[i]}
	}
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
	return &DeniedError{call.Name, c.reason[i]}
}

func fail(call, file string, errno syscall.Errno) error {
	return &Error{Call: call, File: file, Errno: errno}
}

// wrap turns an error of x/sys, which is always an errno, into an *Error.
func wrap(call, file string, err error) error {
	if err == nil {
		return nil
	}
	errno, ok := err.(syscall.Errno)
	if !ok {
		errno = unix.EINVAL
	}
	return fail(call, file, errno)
}

// retry repeats a call that a signal interrupted.
func retry(f func() error) error {
	for {
		err := f()
		if err != unix.EINTR {
			return err
		}
	}
}
