// Package collect fills a posture from the kernel: from a verified /proc, and
// for the calling thread once more from system calls. What it cannot read
// stays unreadable, with the reason.
package collect

import (
	"errors"

	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Options say what is wanted, and what must not be done.
type Options struct {
	// Kept is what audit.Open kept of /proc. It serves audits of self only.
	Kept *procfs.Kept
	// Deny maps names of kernel.AuditCalls to the reason why they must not be
	// made in this process.
	Deny map[string]string
	// Descriptors: a policy asks for open descriptors.
	Descriptors bool
	// Root is ReadRoot where a policy asks for the root directory: a program that
	// never asks links none of it.
	Root func(*RootReader)
	// Filters: seccomp filters are asked for. PID stops each thread that has
	// any for less than a millisecond to read them, which those that wait in
	// epoll_wait(2) and its like see as EINTR; Self cannot read any.
	Filters bool
	// Reach, where it is not nil, collects what else is asked for, while the
	// process is held.
	Reach func(*Site)
}

// Errors of processes that cannot be audited. They come wrapped with the pid.
var (
	ErrNoProcess    = errors.New("no such process")
	ErrEnded        = errors.New("ended during the audit")
	ErrReused       = errors.New("pid was reused during the audit")
	ErrZombie       = errors.New("is a zombie")
	ErrKernelThread = errors.New("is a kernel thread")
)
