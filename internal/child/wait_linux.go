//go:build linux && !s390x

package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Pauses between two looks at a child: short ones as long as most children
// live, since one that dies wakes nobody, and longer ones after that.
const (
	firstPause = 40 * time.Microsecond
	lastPause  = 5 * time.Millisecond
	shortLife  = 3 * time.Millisecond
)

// gonePause is how long a child may stand still before /proc is asked whether
// it died, where no call to wait for it is known yet.
const gonePause = 2 * time.Millisecond

// waiter reaps one child without blocking; ok says that it ended.
type waiter func(pid int) (status syscall.WaitStatus, ok bool, err error)

// prepare leaves the trials out where no filter can act on this thread.
func (r *runner) prepare() {
	if r.filtered {
		return
	}
	for _, s := range []Step{r.prologue.wait4, r.prologue.waitid, r.prologue.sendSignal} {
		r.area.steps[s].flags |= skip
	}
}

// waiter returns a way to wait that a child has survived, or nil for now.
func (r *runner) waiter() waiter {
	if !r.filtered || r.usable(r.prologue.wait4, syscall.ECHILD) {
		return wait4
	}
	if r.usable(r.prologue.waitid, syscall.ECHILD) {
		return waitid
	}
	return nil
}

// usable says that a child made the trial call and got the kernel's answer.
func (r *runner) usable(s Step, want syscall.Errno) bool {
	st := &r.area.steps[s]
	return atomic.LoadUint32(&st.state) == stateDone && syscall.Errno(st.errno) == want
}

// hopeless says that no trial of a waiting call is left.
func (r *runner) hopeless() bool {
	for _, s := range []Step{r.prologue.wait4, r.prologue.waitid} {
		st := &r.area.steps[s]
		denied := atomic.LoadUint32(&st.state) == stateDone && syscall.Errno(st.errno) != syscall.ECHILD
		if st.flags&skip == 0 && !denied {
			return false
		}
	}
	return true
}

// wait waits until the child is done or has ended, and kills it when the
// context ends. A child that is done says so in shared memory, where all its
// answers are then: its way out is not waited for here, but by Close.
func (r *runner) wait(ctx context.Context, pid, pidfd int) (syscall.WaitStatus, error) {
	var killed, still time.Time
	pause, cursor, begin := firstPause, ^uint32(0), time.Now()
	for {
		r.pause(pause)
		if r.replica != nil {
			r.replica.admit(r)
		}
		w := r.waiter()
		if c := atomic.LoadUint32(&r.area.cursor); c != cursor {
			cursor, still = c, time.Now()
		}
		if atomic.LoadUint32(&r.area.done) == 1 && w != nil {
			r.leaving = append(r.leaving, leaving{pid, pidfd, w})
			return 0, nil
		}
		if w != nil {
			status, ok, err := w(pid)
			if ok || err != nil {
				closeFD(pidfd)
				return status, err
			}
		} else if time.Since(still) > gonePause && gone(pid) && r.waiter() == nil {
			r.zombies = append(r.zombies, pid)
			closeFD(pidfd)
			return syscall.WaitStatus(syscall.SIGSYS), r.lost()
		}
		late := ctx.Err() != nil
		stuck := !late && r.stall > 0 && time.Since(still) > r.patience() && r.canKill()
		switch {
		case !killed.IsZero() && time.Since(killed) > grace:
			closeFD(pidfd)
			return 0, fmt.Errorf("%w: child %d did not end", ErrDeadline, pid)
		case killed.IsZero() && (late || stuck):
			if stuck {
				r.stalled, r.stuckIn = true, cursor
			}
			r.kill(pidfd)
			killed = time.Now()
		}
		if time.Since(begin) > shortLife {
			pause = min(2*pause, lastPause)
		}
	}
}

// leaving is a child that is done and on its way out.
type leaving struct {
	pid, pidfd int
	wait       waiter
}

// seeOff waits until the children that are done have ended, and kills one that
// takes longer than it may: it can have been stopped on its way.
func (p *Program) seeOff() error {
	var left error
	for _, c := range p.leaving {
		pause, begin := firstPause, time.Now()
		for {
			status, ok, err := c.wait(c.pid)
			if ok {
				p.byGroup = status.Exited() && status.ExitStatus() == GroupStatus
				break
			}
			if err == nil && time.Since(begin) > 2*grace {
				err = fmt.Errorf("child: %d did not end", c.pid)
			}
			if err != nil {
				left = err
				break
			}
			if time.Since(begin) > grace && c.pidfd >= 0 {
				syscall.RawSyscall6(kernel.SysPidfdSendSignal, uintptr(c.pidfd), uintptr(syscall.SIGKILL), 0, 0, 0, 0)
			}
			sleep(&p.area.done, pause)
			if time.Since(begin) > shortLife {
				pause = min(2*pause, lastPause)
			}
		}
		closeFD(c.pidfd)
	}
	p.leaving = nil
	return left
}

func closeFD(fd int) {
	if fd >= 0 {
		syscall.Close(fd)
	}
}

// lost is the error after a child died, when no way to wait is left to try.
func (r *runner) lost() error {
	at := r.area.cursor
	if at >= r.area.prolog || r.area.steps[at&(maxSteps-1)].flags&skip != 0 {
		return errors.New("child: a filter denies wait4(2) and waitid(2), so children could be made and not waited for")
	}
	// This death is noted by the caller; see whether a trial remains after it.
	flags := r.area.steps[at&(maxSteps-1)].flags
	r.area.steps[at&(maxSteps-1)].flags |= skip
	hopeless := r.hopeless()
	r.area.steps[at&(maxSteps-1)].flags = flags
	if hopeless {
		return errors.New("child: a filter kills for wait4(2) and waitid(2), so children could be made and not waited for")
	}
	return nil
}

// pause sleeps until the child is done, or for d. It uses futex(2), which the
// Go runtime cannot live without either.
func (r *runner) pause(d time.Duration) {
	futexFor(&r.area.done, 0, d)
}

// sleep sleeps for d: nobody wakes who waits for the value that is there.
func sleep(word *uint32, d time.Duration) { futexFor(word, atomic.LoadUint32(word), d) }

func futexFor(word *uint32, want uint32, d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(want), uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// patience is how long one call may take. Where call after call blocks, as under
// a supervisor that never answers, the later ones get less time.
func (r *runner) patience() time.Duration {
	if r.everyTime(atomic.LoadUint32(&r.area.cursor)) {
		return 10 * r.stall // nothing there blocks
	}
	if r.blocked > manyBlocked {
		return r.stall / 8
	}
	return r.stall
}

// manyBlocked is how many calls may block before patience wanes.
const manyBlocked = 8

// canKill says that a child survived the call that kills one.
func (r *runner) canKill() bool {
	return !r.filtered || r.usable(r.prologue.sendSignal, syscall.EBADF)
}

// kill ends the child by its pidfd, where a child survived that call.
func (r *runner) kill(pidfd int) {
	if pidfd < 0 || !r.canKill() {
		return // its own timer ends it
	}
	syscall.RawSyscall6(kernel.SysPidfdSendSignal, uintptr(pidfd), uintptr(syscall.SIGKILL), 0, 0, 0, 0)
}

// reap collects the children that died before a way to wait was found.
func (r *runner) reap() {
	w := r.waiter()
	for _, pid := range r.zombies {
		if w != nil {
			w(pid)
		}
	}
}

func wait4(pid int) (syscall.WaitStatus, bool, error) {
	var status uint32
	got, _, errno := syscall.RawSyscall6(kernel.SysWait4, uintptr(pid), uintptr(unsafe.Pointer(&status)), waitNoHang|wallClone, 0, 0, 0)
	return syscall.WaitStatus(status), int(got) == pid, reapError("wait4", errno)
}

func waitid(pid int) (syscall.WaitStatus, bool, error) {
	const byPID = 1
	var info [32]uint32 // siginfo_t: signo, errno, code, then pid, uid, status
	_, _, errno := syscall.RawSyscall6(kernel.SysWaitid, byPID, uintptr(pid), uintptr(unsafe.Pointer(&info)), waitExited|waitNoHang|wallClone, 0, 0)
	const codeExited = 1
	at := 3
	if wordSize == 8 {
		at = 4
	}
	if errno != 0 || int(info[at]) != pid {
		return 0, false, reapError("waitid", errno)
	}
	if info[2] == codeExited {
		return syscall.WaitStatus(info[at+2] << 8), true, nil
	}
	return syscall.WaitStatus(info[at+2] & 0x7f), true, nil
}

// reapError turns errno into an error. EINTR is none: the caller looks again.
func reapError(call string, errno syscall.Errno) error {
	switch errno {
	case 0, syscall.EINTR:
		return nil
	case syscall.ECHILD:
		return fmt.Errorf("child: %s: %w: another part of this program reaped the child", call, errno)
	default:
		return fmt.Errorf("child: %s: %w", call, errno)
	}
}

// gone says that /proc shows the child as dead. It opens and reads a file and
// does nothing that the audit's first read of /proc did not do.
func gone(pid int) bool {
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		// In a chroot there may be no /proc at all, which tells nothing.
		return errors.Is(err, syscall.ENOENT) && procIsThere()
	}
	defer syscall.Close(fd)
	buf := make([]byte, 512)
	n, err := syscall.Read(fd, buf)
	if err != nil || n <= 0 {
		return false
	}
	_, after, ok := bytes.Cut(buf[:n], []byte(") "))
	return ok && len(after) > 0 && (after[0] == 'Z' || after[0] == 'X')
}

func procIsThere() bool {
	fd, err := syscall.Open("/proc/self/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	syscall.Close(fd)
	return true
}
