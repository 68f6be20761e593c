package kernel

import (
	"strconv"
	"time"
	"unsafe"

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
	fd, errno := invoke(unix.SYS_PIDFD_OPEN, pid, nil, 0, 0, nil)
	if errno != 0 {
		return -1, c.fail(callPidfdOpen, "pid "+strconv.Itoa(pid), errno)
	}
	return fd, nil
}

// PidfdEnded says whether all threads of the process behind the pidfd have
// ended: the descriptor is readable then.
func (c *Calls) PidfdEnded(fd int) (bool, error) {
	if err := c.gate(callPpoll); err != nil {
		return false, err
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Ppoll(fds, &unix.Timespec{}, nil)
		switch err {
		case nil:
			return n != 0, nil
		case unix.EINTR:
		default:
			return false, c.fail(callPpoll, "pidfd", errnoOf(err))
		}
	}
}

// SinceBoot returns the time since boot as /proc counts it, suspend included.
func (c *Calls) SinceBoot() (time.Duration, error) {
	if err := c.allowed(callClock); err != nil {
		return 0, err
	}
	ts := unix.Timespec{Nsec: -1}
	_, errno := invoke(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, unsafe.Pointer(&ts), 0, 0, nil)
	return time.Duration(ts.Nano()), c.settle(callClock, "CLOCK_BOOTTIME", errno, ts.Nsec >= 0)
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

// SameMemory says whether two processes share their memory: kcmp(2) with KCMP_VM,
// Linux 3.5. It needs ptrace access to both.
func (c *Calls) SameMemory(pid1, pid2 int) (bool, error) {
	const kcmpVM = 1
	return c.same(pid1, pid2, kcmpVM)
}

func (c *Calls) same(tid1, tid2, what int) (bool, error) {
	if err := c.gate(callKcmp); err != nil {
		return false, err
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(tid1), uintptr(tid2), uintptr(what), 0, 0, 0)
	if errno != 0 {
		return false, c.fail(callKcmp, "threads "+strconv.Itoa(tid1)+" and "+strconv.Itoa(tid2), errno)
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

// CwdReachable says whether the calling thread's working directory lies under
// its root directory, by the path that getcwd(2) returns: it begins with
// "(unreachable)" where it does not (Linux 2.6.36). It takes no permission on
// any directory. A directory that was removed is an error, ENOENT.
func (c *Calls) CwdReachable() (bool, error) {
	if err := c.gate(callGetcwd); err != nil {
		return false, err
	}
	const most = 4096 + len("(unreachable)") + 1
	var path [most]byte
	n, _, errno := unix.RawSyscall(unix.SYS_GETCWD, uintptr(unsafe.Pointer(&path)), uintptr(most), 0)
	if errno != 0 {
		return false, fail("getcwd(2)", "", errno)
	}
	if n < 2 || path[0] != '/' && path[0] != '(' {
		return false, fail("getcwd(2)", "", unix.EINVAL)
	}
	return path[0] == '/', nil
}
