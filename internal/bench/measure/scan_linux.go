package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// allowed are the calls that a Go program and a scan from within it need. All
// others are denied with an errno.
var allowed = []string{
	"futex", "exit_group", "exit", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "mmap", "munmap", "madvise", "mprotect", "clone", "clone3",
	"gettid", "getpid", "tgkill", "sched_yield", "nanosleep", "clock_gettime", "read", "write", "openat", "close", "fcntl", "wait4", "pidfd_send_signal",
	"setsid", "timer_create", "timer_settime", "prlimit64", "epoll_pwait", "epoll_create1", "epoll_ctl", "eventfd2", "prctl", "seccomp",
}

// ScanCosts are medians, in nanoseconds: of a live scan of the native ABI, of as
// many bare system calls that fail, and of one fork.
type ScanCosts struct {
	Scan, Bare, Fork, Calls int64
}

// measureScan takes turns, so that what else the machine does falls on all alike.
func measureScan(rounds int) (c ScanCosts, err error) {
	scan := make([]int64, rounds)
	bare, fork := slices.Clone(scan), slices.Clone(scan)
	scanOnce := func() error {
		n, err := scanNative()
		c.Calls = n
		return err
	}
	if err := scanOnce(); err != nil {
		return c, err
	}
	for i := range rounds {
		for _, m := range []struct {
			into *int64
			do   func() error
		}{{&scan[i], scanOnce}, {&bare[i], func() error { return failing(c.Calls) }}, {&fork[i], forkExitWait}} {
			begin := time.Now()
			if err := m.do(); err != nil {
				return c, err
			}
			*m.into = time.Since(begin).Nanoseconds()
		}
	}
	c.Scan, c.Bare, c.Fork = median(scan), median(bare), median(fork)
	return c, nil
}

// scanNative scans the native ABI and returns how many numbers it tried.
func scanNative() (int64, error) {
	native := names.ABIs(runtime.GOARCH)[0].Name
	scans, err := probes.Scan(context.Background(), probes.ScanInput{ABIs: []string{native}, Filtered: true})
	if err != nil {
		return 0, err
	}
	denied := 0
	for _, call := range scans[0].Calls {
		if call.Answer == posture.AnswerDenied {
			denied++
		}
	}
	if denied == 0 {
		return 0, errors.New("the scan found no call that the filter denies")
	}
	return int64(len(scans[0].Calls)), nil
}

// failing makes n system calls that the filter denies. A scan of n numbers makes
// most of them twice, with a filter of its own and without.
func failing(n int64) error {
	for range n {
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_MOUNT, ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0), 0); errno != syscall.EPERM {
			return errno
		}
	}
	return nil
}
