package kernel

import (
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	capSysChroot = 18
	capSysAdmin  = 21
)

// NamespaceRoot describes the root directory of the mount namespace that nsfd
// is a descriptor of: setns(2). It needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
//
// A thread of its own joins the namespace and ends with that: it had left the
// process's shared working and root directory before (CLONE_FS), so that
// nothing is changed for any other thread, and no thread is left that anyone
// else's code could run on.
func (c *Calls) NamespaceRoot(nsfd int, shown string) (FileStat, error) {
	have, err := c.Capget(0)
	if err != nil {
		return FileStat{}, err
	}
	const need = 1<<capSysAdmin | 1<<capSysChroot
	if have.Effective&need != need {
		return FileStat{}, fail("setns(2)", shown, unix.EPERM)
	}
	for _, call := range []int{callUnshare, callSetns, callStatx} {
		if err := c.gate(call); err != nil {
			return FileStat{}, err
		}
	}
	type answer struct {
		tid  int
		stat FileStat
		err  error
	}
	done := make(chan answer, 1)
	offMainThread(func() {
		stat, err := rootInside(nsfd, shown)
		done <- answer{Gettid(), stat, err}
	})
	a := <-done
	c.awaitEnd(a.tid)
	return a.stat, a.err
}

// awaitEnd waits until a thread is gone, so that nobody who looks next sees
// it. The runtime ends it soon after its goroutine; the bound is generous.
func (c *Calls) awaitEnd(tid int) {
	for range 1000 {
		if _, err := c.Capget(tid); errors.Is(err, unix.ESRCH) {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// offMainThread runs f on a thread that ends with it. The main thread cannot
// end without leaving a corpse behind that /proc shows, so it is kept busy
// while another is found.
func offMainThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if Gettid() != Getpid() {
			f()
			return // still locked: the thread ends
		}
		defer runtime.UnlockOSThread()
		other := make(chan struct{})
		go func() {
			defer close(other)
			runtime.LockOSThread()
			f()
		}()
		<-other
	}()
}

func rootInside(nsfd int, shown string) (FileStat, error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return FileStat{}, fail("unshare(2)", "CLONE_FS", errnoOf(err))
	}
	if err := unix.Setns(nsfd, unix.CLONE_NEWNS); err != nil {
		return FileStat{}, fail("setns(2)", shown, errnoOf(err))
	}
	fd, err := Open(CurrentDir, "/", OpenPath|OpenDirectory, "")
	if err != nil {
		if e, ok := err.(*Error); ok {
			e.File = "/ in " + shown
		}
		return FileStat{}, err
	}
	defer Close(fd)
	return New(nil).Stat(fd, "/ in "+shown)
}
