package collect

import (
	"bytes"
	"runtime"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Hint returns what the calling thread's status file says, and what that of
// process 1 says of its user ids. It makes no system call but openat, read and
// close, which the Go runtime makes too, since it is asked before anything is
// known of a filter. It is no evidence: /proc is not verified for it.
func Hint() (own *posture.Thread, init *posture.Fact[posture.IDs]) {
	own = &unverified("/proc/thread-self/status").Thread
	own.TID = kernel.Gettid()
	return own, &unverified("/proc/1/status").UID
}

// OwnSeccomp returns the seccomp mode of the calling thread, as Hint does: 0
// disabled, 1 strict, 2 filter.
func OwnSeccomp() (mode int, known bool) {
	return unverified("/proc/thread-self/status").SeccompMode.Get()
}

func unverified(path string) *procfs.Status {
	b, err := procfs.ReadUnverified(path)
	if err != nil {
		return procfs.Unreadable(err)
	}
	return procfs.StatusOf(b, path)
}

// Host returns the kernel's release, and Go's word for the architecture. The
// release is empty where /proc is not readable: uname(2) is not made, since a
// filter could kill for it. It is for a person to read.
func Host() (kernelRelease, arch string) {
	b, err := procfs.ReadUnverified("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", runtime.GOARCH
	}
	return string(bytes.TrimSpace(b)), runtime.GOARCH
}
