package collect

import (
	"bytes"
	"runtime"

	"github.com/selfaudit/selfaudit/internal/procfs"
)

// OwnSeccomp returns the seccomp mode of the calling thread: 0 disabled, 1
// strict, 2 filter. It makes no system call but openat, read and close, which
// the Go runtime makes too, since it is asked before anything is known of a
// filter. What it says is no evidence: /proc is not verified for it.
func OwnSeccomp() (mode int, known bool) {
	b, err := procfs.ReadUnverified("/proc/thread-self/status")
	if err != nil {
		return 0, false
	}
	var l procfs.Lines
	l.Scan(b)
	return l.Parse("").SeccompMode.Get()
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
