//go:build linux && !s390x

package child

import (
	"syscall"
	"unsafe"
)

// Flags of clone(2) and operations of futex(2) that std's syscall lacks.
const (
	clonePidfd = 0x1000 // Linux 5.2; older kernels ignore it
	futexWait  = 0
	futexWake  = 1
)

// fork makes the child. The exit signal is 0, so that the service's own
// wait4(-1) never sees it. In the child it does not return.
//
// From here on down to the end of the file only raw system calls and shared
// memory may be touched: the child has no Go runtime, one thread of many, and
// whatever locks the others held. Hence nosplit, which also keeps the stack
// from growing, and norace, which keeps the detector's calls out.
//
//go:nosplit
//go:norace
//go:nocheckptr
func fork(a *area, flags uintptr, pidfd *int32) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, flags, 0, uintptr(unsafe.Pointer(pidfd)), 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	run(a)
	return 0, 0
}

// run is the child: prologue, then the units from start on, then exit.
//
//go:nosplit
//go:norace
//go:nocheckptr
func run(a *area) {
	spent, inner := false, false
	i := uint32(0)
	for i < a.end {
		if to := a.onward(i); to != i {
			i = to
			continue
		}
		s := &a.steps[i&(maxSteps-1)]
		if inner && s.flags&Join != 0 {
			leave()
		}
		a.cursor = i
		next := i + 1
		if s.flags&skip == 0 && a.wanted(s) {
			ret, errno := enter(a, s)
			if errno == 0 && ret == 0 && s.flags&Fork != 0 {
				inner = forked(a)
			}
			switch {
			case errno != 0:
				if s.onErr != none {
					next = s.onErr
				}
			case inner && s.flags&Fork != 0:
			case s.flags&Fork != 0 && ret == 0:
				next = s.onErr
			default:
				if s.flags&Spends != 0 || s.flags&spendsIf != 0 && ret == s.spendsIf {
					spent = true
				}
				if s.onOK != none {
					next = s.onOK
				}
			}
			if !inner || s.flags&Fork == 0 {
				s.ret, s.errno, s.state = ret, uint32(errno), stateDone
			}
		}
		if s.flags&(Must|Masked) != 0 && !held(a, s) {
			a.failed = i + 1
			i = a.end
			break
		}
		i = next
		if spent && i > a.prolog && a.steps[(i-1)&(maxSteps-1)].flags&end != 0 {
			break
		}
	}
	if inner {
		leave()
	}
	a.next = i
	a.done = 1
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&a.done)), futexWake, 1, 0, 0, 0)
	leave()
}

// onward returns where a child that began late goes on instead of i: from the
// end of the prologue to its first step, by way of the stage before that.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (a *area) onward(i uint32) uint32 {
	switch {
	case i == a.prolog && a.staged != 0 && a.start >= a.staged && i < a.stage:
		return a.stage
	case i == a.prolog && i < a.start && (a.staged == 0 || a.start < a.staged):
		return a.start
	case a.staged != 0 && i == a.staged && i < a.start:
		return a.start
	default:
		return i
	}
}

// wanted says that the conditions for a step hold.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (a *area) wanted(s *step) bool {
	if s.flags&InSession != 0 && !inSession(a) {
		return false
	}
	if s.after == 0 {
		return true
	}
	before := &a.steps[(s.after-1)&(maxSteps-1)]
	return before.state == stateDone && before.signal != uint32(syscall.SIGSYS)
}

// inSession says that the kernel gave this child a session: a filter can
// answer with 0, and not with an id.
//
//go:nosplit
//go:norace
//go:nocheckptr
func inSession(a *area) bool {
	s := &a.steps[a.setsid&(maxSteps-1)]
	return s.state == stateDone && s.errno == 0 && s.ret != 0
}

// held says that a step did what the rest of the program relies on. One with
// Masked has to be refused now, and that proves something only where the same
// call was answered by the kernel in the prologue of this very child.
//
//go:nosplit
//go:norace
//go:nocheckptr
func held(a *area, s *step) bool {
	if s.flags&Must != 0 {
		return s.state == stateDone && s.errno == 0 && s.ret == 0
	}
	control := &a.steps[a.getpid&(maxSteps-1)]
	return control.state == stateDone && control.errno == 0 && control.ret != 0 && s.state == stateDone && uintptr(s.errno) == s.spendsIf
}

// forked tells a grandchild from a child whose filter answered 0 without
// forking. It asks for the process id only where a control showed that this
// call is answered by the kernel; else 0 means what it says.
//
//go:nosplit
//go:norace
//go:nocheckptr
func forked(a *area) bool {
	control := &a.steps[a.getpid&(maxSteps-1)]
	if control.state != stateDone || control.errno != 0 || control.ret == 0 {
		return true
	}
	now, _, _ := syscall.RawSyscall6(syscall.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	return now != control.ret
}

// enter makes the call of one step.
//
//go:nosplit
//go:norace
//go:nocheckptr
func enter(a *area, s *step) (uintptr, syscall.Errno) {
	s.state = stateBegun
	if s.flags&(again|gate) != 0 {
		return pass(a, s)
	}
	args := s.args
	for k := range args {
		if s.refs&(1<<k) != 0 {
			args[k] = a.steps[args[k]&(maxSteps-1)].ret
		}
	}
	if s.flags&bareFlags != 0 {
		return bare(a, s, &args)
	}
	ret, _, errno := syscall.RawSyscall6(s.nr, args[0], args[1], args[2], args[3], args[4], args[5])
	return ret, errno
}

// pass goes on in a child of this child, which its parent waits for, or waits
// for the parent to open the gate.
//
//go:nosplit
//go:norace
//go:nocheckptr
func pass(a *area, s *step) (uintptr, syscall.Errno) {
	if s.flags&again != 0 {
		// The kernel notes the number before the child runs, so that it is
		// known whatever becomes of this one.
		flags := uintptr(cloneParent | cloneParentSetTID)
		if a.keeps != 0 {
			flags = cloneParentSetTID
		}
		pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, flags, 0, uintptr(unsafe.Pointer(&a.second)), 0, 0, 0)
		if errno == 0 && pid != 0 {
			if a.keeps != 0 {
				keep(a, pid)
			}
			leave()
		}
		return 0, errno
	}
	// No call may be made here: the filters are in force.
	a.waiting = 1
	for n := 0; n < maxSpins; n++ {
		switch look(&a.opened) {
		case gateOpen:
			return 0, 0
		case gateRefused:
			leave()
		}
	}
	leave()
	return 0, 0
}

// keep waits for a child of this one to end, and lets it go once the parent has
// looked at what is left of it. The bound is for a parent that never does.
//
//go:nosplit
//go:norace
//go:nocheckptr
func keep(a *area, pid uintptr) {
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = syscall.RawSyscall6(syscall.SYS_WAITID, waitByPID, pid, uintptr(unsafe.Pointer(&a.left)), waitExited|waitNoWait|wallClone, 0, 0)
	}
	if errno == 0 {
		a.ended = 1
	}
	for n := 0; n < keepTicks && look(&a.release) == 0; n++ {
		// A parent that was ending when this one asked for a signal sends none.
		if ppid, _, _ := syscall.RawSyscall6(syscall.SYS_GETPPID, 0, 0, 0, 0, 0, 0); uint32(ppid) != a.keeper {
			break
		}
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&a.release)), futexWait, 0, uintptr(unsafe.Pointer(&a.tick)), 0, 0)
	}
	syscall.RawSyscall6(syscall.SYS_WAIT4, pid, 0, waitNoHang|wallClone, 0, 0, 0)
}

// look reads a word that another process writes.
//
//go:nosplit
//go:norace
//go:noinline
func look(word *uint32) uint32 { return *word }

// leave ends the child, whatever a filter makes of the usual ways.
//
//go:nosplit
//go:norace
func leave() {
	const ones = ^uintptr(0)
	syscall.RawSyscall6(syscall.SYS_EXIT_GROUP, GroupStatus, ones, ones, ones, ones, ones)
	syscall.RawSyscall6(syscall.SYS_EXIT, 0, 0, 0, 0, 0, 0)
	// Both were filtered. A blocked SIGSEGV that the kernel itself raises
	// cannot be held back, so this ends the child too.
	var nowhere *uint32
	for {
		*nowhere = 0
	}
}
