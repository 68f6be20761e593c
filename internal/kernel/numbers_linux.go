package kernel

import "golang.org/x/sys/unix"

// Numbers of the native ABI's system calls that a forked child makes on its
// own behalf. What it attempts comes from the tables of internal/names.
const (
	SysCapget          = unix.SYS_CAPGET
	SysCapset          = unix.SYS_CAPSET
	SysChroot          = unix.SYS_CHROOT
	SysClockGettime    = unix.SYS_CLOCK_GETTIME
	SysCloseRange      = unix.SYS_CLOSE_RANGE
	SysExecveat        = unix.SYS_EXECVEAT
	SysFchdir          = unix.SYS_FCHDIR
	SysGetgroups       = sysGetgroups
	SysGetresgid       = sysGetresgid
	SysGetresuid       = sysGetresuid
	SysGetpid          = unix.SYS_GETPID
	SysGettid          = unix.SYS_GETTID
	SysMunmap          = unix.SYS_MUNMAP
	SysPidfdSendSignal = unix.SYS_PIDFD_SEND_SIGNAL
	SysPpoll           = unix.SYS_PPOLL
	SysPrctl           = unix.SYS_PRCTL
	SysPrlimit64       = unix.SYS_PRLIMIT64
	SysOpenat          = unix.SYS_OPENAT
	SysWrite           = unix.SYS_WRITE
	SysReadlinkat      = unix.SYS_READLINKAT
	SysRtSigaction     = unix.SYS_RT_SIGACTION
	SysRtSigprocmask   = unix.SYS_RT_SIGPROCMASK
	SysSeccomp         = unix.SYS_SECCOMP
	SysSetfsgid        = sysSetfsgid
	SysSetfsuid        = sysSetfsuid
	SysSetgroups       = sysSetgroups
	SysSetns           = unix.SYS_SETNS
	SysSetresgid       = sysSetresgid
	SysSetresuid       = sysSetresuid
	SysSetsid          = unix.SYS_SETSID
	SysSigaltstack     = unix.SYS_SIGALTSTACK
	SysTimerCreate     = unix.SYS_TIMER_CREATE
	SysTimerSettime    = unix.SYS_TIMER_SETTIME
	SysUmask           = unix.SYS_UMASK
	SysWait4           = unix.SYS_WAIT4
	SysWaitid          = unix.SYS_WAITID
)
