//go:build linux && (386 || arm)

package kernel

import "golang.org/x/sys/unix"

// The calls without 32 in their names cut ids to 16 bits here.
const (
	sysFstat     = unix.SYS_FSTAT64
	sysLseek     = unix.SYS__LLSEEK
	sysGetresuid = unix.SYS_GETRESUID32
	sysGetresgid = unix.SYS_GETRESGID32
	sysGetgroups = unix.SYS_GETGROUPS32
	sysSetfsuid  = unix.SYS_SETFSUID32
	sysSetfsgid  = unix.SYS_SETFSGID32
	sysSetgroups = unix.SYS_SETGROUPS32
	sysSetresgid = unix.SYS_SETRESGID32
	sysSetresuid = unix.SYS_SETRESUID32
)
