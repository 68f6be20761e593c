//go:build linux && !386 && !arm

package kernel

import "golang.org/x/sys/unix"

const (
	sysFstat     = unix.SYS_FSTAT
	sysLseek     = unix.SYS_LSEEK
	sysGetresuid = unix.SYS_GETRESUID
	sysGetresgid = unix.SYS_GETRESGID
	sysGetgroups = unix.SYS_GETGROUPS
	sysSetfsuid  = unix.SYS_SETFSUID
	sysSetfsgid  = unix.SYS_SETFSGID
	sysSetgroups = unix.SYS_SETGROUPS
	sysSetresgid = unix.SYS_SETRESGID
	sysSetresuid = unix.SYS_SETRESUID
)
