package kernel

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What a thread may have at most. The kernel takes 4096 instructions in a
// filter, and 32768 in all filters of a thread, four added for each: seccomp(2).
const (
	maxFilterLength  = 4096
	maxFilterLengths = 1 << 15
	maxFilters       = maxFilterLengths / 5
	filterSize       = 8 // struct sock_filter
)

// FilterRoom is the memory that the filters of a thread are read into, used
// again for the next thread. It is made before anything is stopped.
type FilterRoom struct {
	code  []byte
	ends  []uint32
	parts [][]byte
	// StoodStill is how long the last thread stood still at most at a time:
	// from when it was last seen running until it ran again.
	StoodStill time.Duration
}

// prepare makes the room, and touches its pages.
func (room *FilterRoom) prepare() {
	if room.code == nil {
		room.code, room.ends = make([]byte, maxFilterLengths*filterSize), make([]uint32, maxFilters)
		const page = 4096
		for i := 0; i < len(room.code); i += page {
			room.code[i] = 1
		}
		for i := range room.ends {
			room.ends[i] = 1
		}
	}
	room.StoodStill = 0
}

const (
	// attachWait bounds PTRACE_SEIZE, which waits for an execve(2) to end.
	attachWait = time.Second
	// stopWait bounds how long a thread may take to stop.
	stopWait = 500 * time.Millisecond
	// readWait bounds all of it.
	readWait = 2 * time.Second
)

// SeccompFilters returns the seccomp filters of a thread of another process,
// in the order of their installation, as arrays of struct sock_filter in host
// byte order. They lie in room, and are valid until it is used again. The
// thread is under a filter: of any other, EINVAL is taken for a kernel without
// the feature. confirm is called when the thread is held and not yet stopped;
// its error ends the attempt, and is returned as it is. denies is asked whether
// the filters deny a call that the kernel makes again for the thread when it
// goes on: that one then answers EINTR instead, on x86-64. It is called while
// the thread stands still; nil asks nothing.
//
// It is ptrace(2) with PTRACE_SECCOMP_GET_FILTER: Linux 4.4, and
// CONFIG_CHECKPOINT_RESTORE. It needs ptrace access, CAP_SYS_ADMIN in the
// initial user namespace, and no filter on the caller. Its errors are those of
// ctx and *FilterError.
//
// A thread that waits in one of the calls that signal(7) lists as failing with
// EINTR when a process is stopped and continued (epoll_wait(2), sigtimedwait(2),
// semop(2) and others) sees that once, as under any tracer; others go on waiting.
//
// Whatever happens, the thread is left neither stopped nor traced. The tracer
// is a thread of its own that ends with the attempt, and the kernel detaches
// what a thread traces when that ends: after SIGKILL of the whole process as
// after an attempt that came to nothing. A forked child would be no better
// off: it too holds only as long as the kernel's own detaching does, must be
// ended when its parent is killed, is seen by whoever waits for any child, and
// takes longer to make than a thread stands still. What it would be proof
// against, a SIGSTOP to the auditor within those microseconds, lasts until
// SIGCONT. Go's main thread does not end with its goroutine, so it is never
// the tracer.
func (c *Calls) SeccompFilters(ctx context.Context, tid int, room *FilterRoom, confirm func() error, denies func([][]byte, *RemadeCall) bool) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	room.prepare()
	a := &filterAttempt{c: c, confirm: confirm, ended: make(chan struct{})}
	a.tracee = tracee{tid: uintptr(tid), code: room.code, ends: room.ends, denies: denies}
	offMainThread(a.run)
	if !a.await(ctx) {
		*room = FilterRoom{} // the kernel may write to it no more, but be sure
		return nil, &FilterError{Reason: FilterNotAttached}
	}
	if a.held && !a.tracee.detached {
		c.awaitEnd(a.tracer)
	}
	room.StoodStill = time.Duration(a.tracee.still)
	if err := ctx.Err(); err != nil && a.err != nil {
		return nil, err
	}
	if a.err != nil {
		return nil, a.err
	}
	return room.filters(&a.tracee), nil
}

func (room *FilterRoom) filters(t *tracee) [][]byte {
	room.parts = room.parts[:0]
	from := uint32(0)
	for _, to := range t.ends[:t.count] {
		room.parts = append(room.parts, room.code[from*filterSize:to*filterSize:to*filterSize])
		from = to
	}
	return room.parts
}

// States of an attempt, which decide who may give it up.
const (
	attemptBegins int32 = iota
	attemptAttaches
	attemptHolds
	attemptAbandoned
)

// filterAttempt is one attempt to read a thread's filters, on a thread made
// for it.
type filterAttempt struct {
	c       *Calls
	confirm func() error
	tracee  tracee
	// tracer is the thread's id.
	tracer int
	// held: the thread was attached to.
	held bool
	err  error

	state  atomic.Int32
	cancel atomic.Bool
	ended  chan struct{}
}

// await returns false where the tracer hangs in PTRACE_SEIZE. It is left alone
// then, and ends as soon as that returns.
func (a *filterAttempt) await(ctx context.Context) bool {
	patience := time.NewTimer(attachWait)
	defer patience.Stop()
	select {
	case <-a.ended:
		return true
	case <-ctx.Done():
	case <-patience.C:
	}
	// Both give up what hangs; only the context ends what goes on.
	if ctx.Err() != nil {
		a.cancel.Store(true)
	}
	for {
		if a.state.CompareAndSwap(attemptAttaches, attemptAbandoned) {
			return false
		}
		if a.state.Load() != attemptBegins {
			break
		}
		time.Sleep(100 * time.Microsecond)
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
		a.cancel.Store(true)
		<-a.ended
	}
	return true
}

// run is the tracer. Its thread ends with it.
func (a *filterAttempt) run() {
	a.tracer = Gettid()
	if a.err = a.mayRead(); a.err != nil {
		close(a.ended)
		return
	}
	a.state.Store(attemptAttaches)
	errno := a.tracee.seize()
	if !a.state.CompareAndSwap(attemptAttaches, attemptHolds) {
		return // nobody waits, and the thread's end detaches
	}
	defer close(a.ended)
	if errno != 0 {
		a.err = filterError(unix.PTRACE_SEIZE, errno)
		return
	}
	a.held = true
	if a.err = a.confirm(); a.err != nil {
		return
	}
	a.err = a.read()
}

// mayRead refuses what the kernel would refuse anyhow, so that nothing is
// stopped in vain.
func (a *filterAttempt) mayRead() error {
	mode, err := a.c.SeccompMode()
	if err != nil {
		return &FilterError{FilterOwn, err}
	}
	if mode != 0 {
		return &FilterError{Reason: FilterOwn}
	}
	have, err := a.c.Capget(0)
	if err != nil {
		return &FilterError{FilterAdmin, err}
	}
	if have.Effective&(1<<capSysAdmin) == 0 {
		return &FilterError{Reason: FilterAdmin}
	}
	return nil
}

// read takes turns until all is read, or time is over.
func (a *filterAttempt) read() error {
	t := &a.tracee
	begun := time.Now()
	for turn := begun; !a.cancel.Load(); {
		before := t.stops
		t.turn()
		now := time.Now()
		if t.stops != before {
			turn = now
		}
		if now.Sub(turn) > stopWait/20 {
			t.patient()
		}
		switch {
		case t.over && t.errno == 0:
			return nil
		case t.over:
			return filterError(t.request, t.errno)
		case now.Sub(turn) > stopWait || now.Sub(begun) > readWait:
			return &FilterError{Reason: FilterNotStopped}
		}
	}
	return &FilterError{Reason: FilterNotStopped}
}
