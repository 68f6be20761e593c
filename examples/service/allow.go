//go:build linux && (amd64 || arm64)

package main

import (
	"slices"

	"golang.org/x/sys/unix"
)

// allowed is the whole list for this architecture.
var allowed = slices.Concat(runtimeCalls, serverCalls, auditCalls, nativeCalls)

// runtimeCalls are what the Go runtime needs. clone(2) has a rule of its own.
var runtimeCalls = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_OPENAT, unix.SYS_FSTAT, unix.SYS_FCNTL, unix.SYS_PREAD64,
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MPROTECT, unix.SYS_BRK, unix.SYS_MINCORE,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP,
	unix.SYS_CLOCK_GETTIME, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_TGKILL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2, unix.SYS_PIPE2,
	unix.SYS_GETRANDOM, unix.SYS_PRLIMIT64, unix.SYS_UNAME,
	unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME, unix.SYS_TIMER_DELETE, unix.SYS_SETITIMER,
}

// serverCalls are what net and net/http need to serve.
var serverCalls = []uint32{
	unix.SYS_SOCKET, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT4, unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT,
	unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_SHUTDOWN, unix.SYS_RECVFROM, unix.SYS_SENDTO,
	unix.SYS_RECVMSG, unix.SYS_SENDMSG, unix.SYS_READV, unix.SYS_WRITEV,
}

// auditCalls are what an audit needs beyond that, in the service's own
// threads and in the children that it makes: docs/probes.md lists them. Most
// only read. The others act on children, or can do nothing without privileges.
var auditCalls = []uint32{
	unix.SYS_OPENAT2, unix.SYS_STATX, unix.SYS_FSTATFS, unix.SYS_GETDENTS64, unix.SYS_READLINKAT, unix.SYS_GETCWD, unix.SYS_LSEEK, unix.SYS_GETXATTR, unix.SYS_GETXATTRAT, unix.SYS_DUP3,
	unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_PPOLL, unix.SYS_KILL, unix.SYS_WAIT4, unix.SYS_WAITID, unix.SYS_SETSID,
	unix.SYS_PRCTL, unix.SYS_CAPGET, unix.SYS_GETRESUID, unix.SYS_GETRESGID, unix.SYS_GETGROUPS, unix.SYS_SETFSUID, unix.SYS_SETFSGID,
	unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_GETPPID, unix.SYS_KCMP,
}
