package kernel

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ptraceGetFilter is PTRACE_SECCOMP_GET_FILTER: ptrace(2). Its address is the
// index of a filter, 0 the oldest, and its data where to put it, or nil for
// the length alone.
const ptraceGetFilter = 0x420c

const (
	// turnNanos bounds how long a thread is kept standing at a time, far
	// enough below a millisecond for what comes before and after.
	turnNanos = 300_000
	// pollNanos is slept between two looks at a thread that has not stopped,
	// polls of them in a turn; slowPollNanos where it does not do so at once.
	pollNanos     = 10_000
	slowPollNanos = 100_000
	polls         = 50
)

// tracee is a thread that the calling thread traces, and what is read of it.
//
// The runtime must not take the processor from the caller while a thread
// stands still. So all from the stop to the detaching is done in one turn:
// in functions that the runtime cannot preempt, nosplit and with all signals
// blocked, and by raw system calls.
type tracee struct {
	tid  uintptr
	code []byte
	// ends is where each filter ends in code, counted in instructions.
	ends []uint32

	count int
	used  uint32
	// stops counts how often it stood still, and still is the longest of them
	// in nanoseconds: from since, when it was last seen running.
	stops int
	still int64
	since int64
	// asked: it was told to stop, and has not been let go on.
	asked bool
	// status is what wait(2) says of the stop: a signal, an event above it.
	status int32
	// over: all was read, or errno came back from request.
	over     bool
	detached bool
	// denies says whether filters deny a call, or is nil.
	denies  func([][]byte, *RemadeCall) bool
	request uintptr
	errno   syscall.Errno

	info  [32]int32 // siginfo_t
	pause unix.Timespec
	clock unix.Timespec
	full  uint64
	mask  uint64
}

// Places in siginfo_t: three numbers, and on 64 bits a gap, then pid, uid and
// status.
const (
	infoSigno  = 0
	infoCode   = 2
	infoStatus = 5 + int(^uintptr(0)>>63)

	cldTrapped = 4
	cldStopped = 5
	waitPid    = 1 // P_PID
)

//go:nosplit
//go:norace
func (t *tracee) ptrace(request, addr, data uintptr) (uintptr, syscall.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, request, t.tid, addr, data, 0, 0)
	return r, errno
}

// seize attaches, which does not stop the thread.
func (t *tracee) seize() syscall.Errno {
	// This thread does not live long: its timers are exact, and where it may it
	// goes before others, so that on a busy machine the thread does not stand
	// still for as long as the tracer waits for a processor.
	_, _, _ = unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, 1, 0, 0, 0, 0)
	priority := int32(1)
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, uintptr(unsafe.Pointer(&priority)))
	t.pause, t.full = unix.NsecToTimespec(pollNanos), ^uint64(0)
	t.since = t.now()
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, t.tid, 0, 0, 0, 0)
	return errno
}

// patient makes the looks at the thread fewer.
func (t *tracee) patient() { t.pause = unix.NsecToTimespec(slowPollNanos) }

// turn waits a little for the thread to stop. Where it does, it reads, and lets
// the thread go on: for good, or for a while where there is more to read.
//
//go:nosplit
//go:norace
func (t *tracee) turn() {
	const setMask = 2
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&t.full)), uintptr(unsafe.Pointer(&t.mask)), 8, 0, 0)
	if t.stopped() {
		t.read()
		t.spare()
		t.release()
		t.rest()
	}
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&t.mask)), 0, 8, 0, 0)
}

//go:nosplit
//go:norace
func (t *tracee) fail(request uintptr, errno syscall.Errno) {
	t.over, t.request, t.errno = true, request, errno
}

// stopped looks until the thread has stopped, has ended, or the turn is over. It
// tells the thread to stop once, and not where it has stopped for a signal: it
// would stop again then, as soon as it is let go.
//
//go:nosplit
//go:norace
func (t *tracee) stopped() bool {
	for range polls {
		look := t.now()
		if t.stop() || t.over {
			return !t.over
		}
		t.since = look
		if !t.asked {
			t.asked = true
			if _, errno := t.ptrace(unix.PTRACE_INTERRUPT, 0, 0); errno != 0 {
				t.fail(unix.PTRACE_INTERRUPT, errno)
				return false
			}
			continue
		}
		t.sleep()
	}
	return false
}

// rest lets the thread run on before more of it is read. A signal that stops it
// meanwhile is given at once.
//
//go:nosplit
//go:norace
func (t *tracee) rest() {
	for i := 0; i < polls && !t.over; i++ {
		t.since = t.now()
		t.sleep()
		if t.stop() {
			t.release()
		}
	}
}

//go:nosplit
//go:norace
func (t *tracee) sleep() {
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t.pause)), 0, 0)
}

// stop says whether the thread has stopped. It takes nothing away: neither an
// exit status that is the parent's to collect, nor a stop. Where somebody else
// in this process has waited for any child and so taken the stop, the thread
// still answers as only a stopped one does.
//
//go:nosplit
//go:norace
func (t *tracee) stop() bool {
	if t.wait() || t.over {
		return !t.over
	}
	if _, errno := t.ptrace(unix.PTRACE_GETSIGINFO, 0, uintptr(unsafe.Pointer(&t.info))); errno != 0 {
		return false // it runs
	}
	signo, code := t.info[infoSigno], t.info[infoCode]
	if t.wait() || t.over {
		return !t.over // it stopped just in between
	}
	if t.status = signo; code>>8 == unix.PTRACE_EVENT_STOP {
		t.status = code
	}
	return true
}

// wait says whether there is a stop to wait for.
//
//go:nosplit
//go:norace
func (t *tracee) wait() bool {
	const options = unix.WSTOPPED | unix.WEXITED | unix.WNOHANG | unix.WNOWAIT | unix.WALL | unix.WNOTHREAD
	t.info[infoSigno], t.info[infoCode] = 0, 0
	_, _, errno := unix.RawSyscall6(unix.SYS_WAITID, waitPid, t.tid, uintptr(unsafe.Pointer(&t.info)), options, 0, 0)
	switch code := t.info[infoCode]; {
	case errno != 0:
		t.fail(unix.PTRACE_INTERRUPT, syscall.ESRCH) // it is ours no more
	case t.info[infoSigno] == 0:
	case code == cldTrapped || code == cldStopped:
		t.status = t.info[infoStatus]
		return true
	default:
		t.fail(unix.PTRACE_INTERRUPT, syscall.ESRCH)
	}
	return false
}

// read reads filters while the turn lasts.
//
//go:nosplit
//go:norace
func (t *tracee) read() {
	t.stops++
	for begun := t.now(); !t.over; {
		if t.readNext(); t.now()-begun > turnNanos {
			return
		}
	}
}

// readNext reads one filter. The length is asked for first: the kernel takes
// it for granted that a filter fits.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (t *tracee) readNext() {
	index := uintptr(t.count)
	n, errno := t.ptrace(ptraceGetFilter, index, 0)
	switch {
	case errno == syscall.ENOENT && index > 0:
		t.over = true
		return
	case errno != 0:
		t.fail(ptraceGetFilter, errno)
		return
	case n < 1 || n > maxFilterLength || t.count >= maxFilters || t.used+uint32(n) > maxFilterLengths:
		t.fail(ptraceGetFilter, syscall.E2BIG)
		return
	}
	to := unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.code)), uintptr(t.used)*filterSize)
	again, errno := t.ptrace(ptraceGetFilter, index, uintptr(to))
	if errno == 0 && again != n {
		errno = syscall.EPROTO
	}
	if errno != 0 {
		t.fail(ptraceGetFilter, errno)
		return
	}
	t.used += uint32(n)
	t.ends[t.count] = t.used
	t.count++
}

// release detaches where all is over, and else lets the thread go on. A signal
// that it was just about to be given is given. One that job control has stopped
// stays so: after the detaching by itself, before it by PTRACE_LISTEN.
//
//go:nosplit
//go:norace
func (t *tracee) release() {
	request, signal := uintptr(unix.PTRACE_CONT), uintptr(t.status&0x7f)
	if t.status>>8 == unix.PTRACE_EVENT_STOP {
		if signal != uintptr(unix.SIGTRAP) {
			request = unix.PTRACE_LISTEN
		}
		signal = 0
	}
	if t.over {
		request = unix.PTRACE_DETACH
	}
	_, errno := t.ptrace(request, 0, signal)
	t.detached = errno == 0 && t.over
	t.still, t.asked = max(t.still, t.now()-t.since), false
}

// now is a clock in nanoseconds that nosplit functions may read.
//
//go:nosplit
//go:norace
func (t *tracee) now() int64 {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&t.clock)), 0)
	return int64(t.clock.Sec)*1e9 + int64(t.clock.Nsec)
}
