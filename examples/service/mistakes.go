//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"runtime"

	"github.com/syndtr/gocapability/capability"
	"golang.org/x/sys/unix"
)

// A mistake is a change of the right plan that people have really made.
type mistake struct {
	name, what string
	change     func(plan) plan
}

var mistakes = []mistake{
	{"groups", "setgroups(2) forgotten", func(p plan) plan { return p.without("groups") }},
	{"saved-uid", "the saved user id left 0", func(p plan) plan { return p.with("uid", leaveSavedUID) }},
	{"order", "the uid dropped before the gid, and the error not looked at", uidBeforeGID},
	{"one-thread", "ids dropped on the calling thread alone", idsOnOneThread},
	{"keep-caps", "keep-caps set, and the sets never emptied", func(p plan) plan {
		return p.before("uid", "keep-caps", keepCaps).without("capabilities")
	}},
	{"gocapability", "keep-caps set, and the sets emptied by a library that knows one thread", func(p plan) plan {
		return p.before("uid", "keep-caps", keepCaps).with("capabilities", applyOnOneThread)
	}},
	{"inheritable", "an inheritable capability raised, and the sets never emptied", inheritableKept},
	{"no-new-privs", "no_new_privs forgotten, since root may load a filter without it", filterAsRoot},
	{"no-seccomp", "no filter loaded", func(p plan) plan { return p.without("filter") }},
	{"log-only", "a filter that logs what it should deny", func(p plan) plan { return p.with("filter", loadLoggingFilter) }},
	{"no-tsync", "the filter loaded on the calling thread alone", func(p plan) plan { return p.with("filter", filterOnOneThread) }},
	{"directory", "a directory opened before the chroot and never closed (with -chroot)", func(p plan) plan {
		return p.before("chroot", "open directory", leaveDirectoryOpen)
	}},
	{"no-open", "audit.Open not called before the chroot (with -chroot)", func(p plan) plan { return p.with("chroot", chrootAlone) }},
}

func mistakeNamed(name string) (mistake, bool) {
	for _, m := range mistakes {
		if m.name == name {
			return m, true
		}
	}
	return mistake{}, false
}

func leaveSavedUID(s *service) error {
	return onAllThreads("setresuid(2)", unix.SYS_SETRESUID, uintptr(s.uid), uintptr(s.uid), 0)
}

// uidBeforeGID fails with EPERM at the gid: CAP_SETGID went with uid 0.
func uidBeforeGID(p plan) plan {
	return p.without("gid").before("capabilities", "gid", func(s *service) error {
		_ = dropGID(s)
		return nil
	})
}

// idsOnOneThread does what os and syscall did in Go before 1.16, and what the
// raw calls of x/sys/unix do today. The goroutine stays on its thread, so
// that the audit is made where everything looks right.
func idsOnOneThread(p plan) plan {
	raw := func(name string, nr uintptr, ids func(*service) [3]uintptr) func(*service) error {
		return func(s *service) error {
			runtime.LockOSThread()
			a := ids(s)
			if _, _, errno := unix.RawSyscall(nr, a[0], a[1], a[2]); errno != 0 {
				return fmt.Errorf("%s: %w", name, errno)
			}
			return nil
		}
	}
	return p.
		with("groups", raw("setgroups(2)", unix.SYS_SETGROUPS, func(*service) [3]uintptr { return [3]uintptr{} })).
		with("gid", raw("setresgid(2)", unix.SYS_SETRESGID, func(s *service) [3]uintptr {
			return [3]uintptr{uintptr(s.gid), uintptr(s.gid), uintptr(s.gid)}
		})).
		with("uid", raw("setresuid(2)", unix.SYS_SETRESUID, func(s *service) [3]uintptr {
			return [3]uintptr{uintptr(s.uid), uintptr(s.uid), uintptr(s.uid)}
		}))
}

// keepCaps makes the permitted set survive the change of uid.
func keepCaps(*service) error {
	return onAllThreads("prctl(PR_SET_KEEPCAPS)", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0)
}

// applyOnOneThread empties the sets of the calling thread: capset(2) knows no
// other, and the library does not call it on each.
func applyOnOneThread(*service) error {
	runtime.LockOSThread()
	caps, err := capability.NewPid2(unix.Gettid())
	if err != nil {
		return err
	}
	caps.Clear(capability.CAPS)
	return caps.Apply(capability.CAPS)
}

// inheritableKept raises CAP_NET_BIND_SERVICE for helper programs whose file
// grants it to whoever inherits it, and leaves it to the change of uid to drop
// everything. That change leaves the inheritable set alone.
func inheritableKept(p plan) plan {
	raise := func(*service) error {
		var sets [2]unix.CapUserData
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capget(&head, &sets[0]); err != nil {
			return fmt.Errorf("capget(2): %w", err)
		}
		sets[0].Inheritable |= 1 << unix.CAP_NET_BIND_SERVICE
		return capset(sets)
	}
	return p.before("bounding", "inheritable", raise).without("capabilities")
}

// filterAsRoot loads the filter while CAP_SYS_ADMIN is there. It must then
// allow the calls that drop privileges.
func filterAsRoot(p plan) plan {
	load := func(*service) error {
		wide := append([]uint32{unix.SYS_SETGROUPS, unix.SYS_SETRESGID, unix.SYS_SETRESUID, unix.SYS_CAPSET}, allowed...)
		return install(assemble(wide, enforcing), unix.SECCOMP_FILTER_FLAG_TSYNC)
	}
	return p.without("no-new-privs").without("filter").before("groups", "filter", load)
}

// loadLoggingFilter is how one starts, to learn what a service calls.
func loadLoggingFilter(*service) error {
	logging := answers{denied: unix.SECCOMP_RET_LOG, noClone3: unix.SECCOMP_RET_LOG}
	return install(assemble(allowed, logging), unix.SECCOMP_FILTER_FLAG_TSYNC)
}

func filterOnOneThread(*service) error {
	runtime.LockOSThread()
	return install(assemble(allowed, enforcing), 0)
}

// leaveDirectoryOpen opens what becomes a way out of the root.
func leaveDirectoryOpen(*service) error {
	_, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return err
}

// chrootAlone leaves the audit without any /proc.
func chrootAlone(s *service) error {
	if s.chroot == "" {
		return nil
	}
	return chrootAndChdir(s)
}
