//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/selfaudit/selfaudit/audit"
	"golang.org/x/sys/unix"
)

// onAllThreads makes one system call on every thread of the process.
// Credentials are per thread in the kernel, and a Go program has several
// threads before main starts. The call is ENOTSUP in a program with cgo, so
// this one is built with CGO_ENABLED=0.
func onAllThreads(name string, nr uintptr, a, b, c uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall(nr, a, b, c); errno != 0 {
		return fmt.Errorf("%s on all threads: %w", name, errno)
	}
	return nil
}

// enterChroot makes an empty directory the root. What the audit needs of
// /proc is kept first, since the new root has none. The working directory is
// moved too: chroot(2) leaves it where it was, outside.
func enterChroot(s *service) (err error) {
	if s.chroot == "" {
		return nil
	}
	if s.auditor, err = audit.Open(); err != nil {
		return err
	}
	return chrootAndChdir(s)
}

func chrootAndChdir(s *service) error {
	if err := unix.Chroot(s.chroot); err != nil {
		return fmt.Errorf("chroot(2): %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("chdir(2): %w", err)
	}
	return nil
}

// dropBounding empties the bounding set, so that no execve(2) can grant a
// capability. EINVAL ends the list: that is the first number beyond those
// that this kernel has.
func dropBounding(*service) error {
	for c := uintptr(0); ; c++ {
		if held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err == unix.EINVAL {
			return nil
		} else if err != nil {
			return fmt.Errorf("prctl(PR_CAPBSET_READ): %w", err)
		} else if held == 0 {
			continue
		}
		if err := onAllThreads("prctl(PR_CAPBSET_DROP)", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0); err != nil {
			return err
		}
	}
}

// dropGroups comes first of the three: it and setresgid(2) need CAP_SETGID,
// which is lost with uid 0.
func dropGroups(*service) error {
	return onAllThreads("setgroups(2)", unix.SYS_SETGROUPS, 0, 0, 0)
}

// dropGID sets all three ids, the saved one included; the file system's
// follows the effective one.
func dropGID(s *service) error {
	return onAllThreads("setresgid(2)", unix.SYS_SETRESGID, uintptr(s.gid), uintptr(s.gid), uintptr(s.gid))
}

func dropUID(s *service) error {
	return onAllThreads("setresuid(2)", unix.SYS_SETRESUID, uintptr(s.uid), uintptr(s.uid), uintptr(s.uid))
}

// dropCapabilities empties the effective, permitted and inheritable sets. The
// change of uid emptied the first two unless something kept them; this makes
// sure, and is the only thing that empties the third.
func dropCapabilities(*service) error { return capset([2]unix.CapUserData{}) }

func capset(sets [2]unix.CapUserData) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return onAllThreads("capset(2)", unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&sets[0])), 0)
}

// setNoNewPrivs lets no execve(2) grant what the process does not have, and
// lets it load a filter without CAP_SYS_ADMIN.
func setNoNewPrivs(*service) error {
	return onAllThreads("prctl(PR_SET_NO_NEW_PRIVS)", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
}
