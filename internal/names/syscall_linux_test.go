package names

import (
	"runtime"
	"syscall"
	"testing"
)

// TestSyscallNative compares with the constants of the toolchain's own table.
func TestSyscallNative(t *testing.T) {
	for name, nr := range map[string]uint32{"read": syscall.SYS_READ, "prctl": syscall.SYS_PRCTL, "ptrace": syscall.SYS_PTRACE, "setuid": syscall.SYS_SETUID, "unshare": syscall.SYS_UNSHARE, "mount": syscall.SYS_MOUNT} {
		if got, ok := Syscall(runtime.GOARCH, name); !ok || got != nr {
			t.Errorf("%s: %d, %v; the toolchain says %d", name, got, ok, nr)
		}
	}
}
