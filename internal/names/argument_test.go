package names

import (
	"fmt"
	"strings"
	"testing"
)

func TestArgBits(t *testing.T) {
	for _, c := range []struct {
		arch, name, want string
	}{
		{"amd64", "ioctl", "32 32 64"}, {"386", "ioctl", "32 32 32"}, {"x32", "ioctl", "32 32 32"}, {"arm64", "ioctl", "32 32 64"},
		{"amd64", "socket", "32 32 32"}, {"amd64", "personality", "32"}, {"amd64", "prctl", "32 64 64 64 64"},
		{"amd64", "fcntl", "32 32 64"}, {"386", "fcntl64", "32 32 32"}, {"amd64", "futex", "64 32 32 64 64 32"},
		{"amd64", "mmap", "64 64 32 64 32 64"}, {"amd64", "mprotect", "64 64 64"}, {"386", "mmap", "32"}, {"386", "mmap2", "32 32 32 32 32 32"},
		{"amd64", "setuid", "32"}, {"386", "setuid", "16"}, {"arm", "setuid", "16"}, {"386", "setuid32", "32"}, {"386", "chown", "32 16 16"},
		{"amd64", "seccomp", "32 32 64"}, {"amd64", "setsockopt", "32 32 32 64 32"}, {"amd64", "openat", "32 64 32 16"}, {"amd64", "open", "64 32 16"},
		{"amd64", "clone", "32 64 64 64 64"}, {"amd64", "clone3", "64 64"}, {"amd64", "unshare", "64"}, {"amd64", "setns", "32 32"},
		{"amd64", "mount", "64 64 64 64 64"}, {"amd64", "umount2", "64 32"}, {"amd64", "kill", "32 32"}, {"amd64", "ptrace", "64 64 64 64"}, {"x32", "ptrace", "32 32 32 32"},
		{"amd64", "pread64", "32 64 64 64"}, {"386", "pread64", "32 32 32 32 32"}, {"arm", "pread64", "32 32 32 32 32 32"},
		{"amd64", "execve", "64 64 64"}, {"x32", "execve", "64 64 64"}, {"amd64", "init_module", "64 64 64"}, {"amd64", "kexec_load", "64 64 64 64"},
		{"386", "socketcall", "32 32"}, {"386", "ipc", "32 32 32 32 32 32"}, {"amd64", "keyctl", "32 64 64 64 64"}, {"amd64", "madvise", "64 64 32"},
		{"amd64", "fchmod", "32 16"}, {"amd64", "getpid", ""}, {"amd64", "stat", "64 64"}, {"amd64", "bpf", "32 64 32"}, {"amd64", "io_uring_setup", "32 64"},
	} {
		var got []string
		n, known := ArgCount(c.arch, c.name)
		for i := range n {
			got = append(got, fmt.Sprint(ArgBits(c.arch, c.name, i)))
		}
		if strings.Join(got, " ") != c.want || !known {
			t.Errorf("%s %s: %q, %v; want %q", c.arch, c.name, got, known, c.want)
		}
		if more := ArgBits(c.arch, c.name, n); more != 0 {
			t.Errorf("%s %s has %d arguments and %d bits of the next", c.arch, c.name, n, more)
		}
	}
	for _, c := range []struct {
		arch, name string
		arg        int
	}{{"amd64", "ioctl", -1}, {"amd64", "ioctl", 6}, {"amd64", "ioctl", 1 << 30}, {"amd64", "no_such", 0}, {"arm64", "open", 0}, {"mips", "read", 0}, {"", "", 0}, {"amd64", "security", 0}} {
		if bits := ArgBits(c.arch, c.name, c.arg); bits != 0 {
			t.Errorf("ArgBits(%s, %s, %d) = %d", c.arch, c.name, c.arg, bits)
		}
	}
	if n, known := ArgCount("amd64", "security"); known || n != 0 {
		t.Errorf("security has %d arguments, %v", n, known)
	}
}

// TestArgumentsKnown: nothing is known only of calls that no kernel has a body
// for, and no argument is missing between others.
func TestArgumentsKnown(t *testing.T) {
	bodiless := "afs_syscall bdflush break create_module epoll_ctl_old epoll_wait_old ftime get_kernel_syms getpmsg gtty idle lock mpx nfsservctl prof profil putpmsg query_module security stty tuxcall ulimit vserver"
	for _, arch := range SyscallArches() {
		for _, name := range SyscallNames() {
			if _, ok := Syscall(arch, name); !ok {
				continue
			}
			n, known := ArgCount(arch, name)
			if known == listed(bodiless, name) {
				t.Errorf("%s %s: arguments known %v", arch, name, known)
			}
			for i := n; i < maxArguments; i++ {
				if ArgBits(arch, name, i) != 0 {
					t.Errorf("%s %s: argument %d is not reached", arch, name, i)
				}
			}
		}
	}
}
