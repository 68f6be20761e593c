package kernel

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Getpid is getpid(2).
func Getpid() int { return unix.Getpid() }

// Gettid is gettid(2), of the thread that the caller has locked.
func Gettid() int { return unix.Gettid() }

// PidfdOpen is pidfd_open(2), Linux 5.3. The descriptor is close-on-exec.
func (c *Calls) PidfdOpen(pid int) (int, error) {
	if err := c.gate(callPidfdOpen); err != nil {
		return -1, err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	return fd, wrap("pidfd_open(2)", "pid "+strconv.Itoa(pid), err)
}

// PidfdEnded says whether all threads of the process behind the pidfd have
// ended: the descriptor is readable then.
func (c *Calls) PidfdEnded(fd int) (bool, error) {
	if err := c.gate(callPpoll); err != nil {
		return false, err
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n := 0
	err := retry(func() (err error) {
		n, err = unix.Ppoll(fds, &unix.Timespec{}, nil)
		return err
	})
	if err != nil {
		return false, wrap("ppoll(2)", "pidfd", err)
	}
	return n != 0, nil
}

// SinceBoot returns the time since boot as /proc counts it, suspend included.
func (c *Calls) SinceBoot() (time.Duration, error) {
	if err := c.gate(callClock); err != nil {
		return 0, err
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, wrap("clock_gettime(2)", "CLOCK_BOOTTIME", err)
	}
	return time.Duration(ts.Nano()), nil
}

// SameFiles says whether two threads share one table of descriptors: kcmp(2)
// with KCMP_FILES, Linux 3.5. It needs ptrace access to both.
func (c *Calls) SameFiles(tid1, tid2 int) (bool, error) {
	const kcmpFiles = 2
	return c.same(tid1, tid2, kcmpFiles)
}

// SameFS says whether two threads share root and working directory: kcmp(2)
// with KCMP_FS, Linux 3.5. It needs ptrace access to both.
func (c *Calls) SameFS(tid1, tid2 int) (bool, error) {
	const kcmpFS = 3
	return c.same(tid1, tid2, kcmpFS)
}

func (c *Calls) same(tid1, tid2, what int) (bool, error) {
	if err := c.gate(callKcmp); err != nil {
		return false, err
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(tid1), uintptr(tid2), uintptr(what), 0, 0, 0)
	if errno != 0 {
		return false, fail("kcmp(2)", "threads "+strconv.Itoa(tid1)+" and "+strconv.Itoa(tid2), errno)
	}
	return r == 0, nil
}

// Uname returns the kernel's release and machine as uname(2) gives them.
func Uname() (release, machine string) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", ""
	}
	return unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
}
