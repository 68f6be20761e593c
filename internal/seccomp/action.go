package seccomp

import "strconv"

// Action is the part of a filter's return value that says what happens to the
// system call: one of RetKillProcess to RetAllow.
type Action uint32

// ActionOf returns what the kernel does on a return value. A value that it has
// no name for ends the process, as RetKillProcess does: Linux 4.14.
func ActionOf(ret uint32) Action {
	switch a := ret & RetActionFull; a {
	case RetKillThread, RetTrap, RetErrno, RetUserNotif, RetTrace, RetLog, RetAllow:
		return Action(a)
	}
	return RetKillProcess
}

// String returns the name that seccomp(2) gives the action, without
// SECCOMP_RET_.
func (a Action) String() string {
	switch a {
	case RetKillProcess:
		return "KILL_PROCESS"
	case RetKillThread:
		return "KILL_THREAD"
	case RetTrap:
		return "TRAP"
	case RetErrno:
		return "ERRNO"
	case RetUserNotif:
		return "USER_NOTIF"
	case RetTrace:
		return "TRACE"
	case RetLog:
		return "LOG"
	case RetAllow:
		return "ALLOW"
	}
	return "0x" + strconv.FormatUint(uint64(a), 16)
}

// maxErrno is MAX_ERRNO of linux/err.h: a greater errno is cut down to it.
const maxErrno = 4095

// ErrnoOf returns the errno that the caller sees where a return value's action
// is RetErrno. 0 reads as a success of the call, which was not made.
func ErrnoOf(ret uint32) int { return int(min(ret&RetData, maxErrno)) }
