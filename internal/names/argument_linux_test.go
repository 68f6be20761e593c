//go:build linux && (amd64 || arm64)

package names

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// above is a bit that an argument of 32 bits does not have.
const above = 1 << 32

// TestArgBitsKernel makes calls with a bit set above those that are said to
// count: the kernel must answer as without it. Where all 64 are said to count,
// it must not.
func TestArgBitsKernel(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(1 << 16); err != nil {
		t.Fatal(err)
	}
	fd, page := file.Fd(), uintptr(os.Getpagesize())
	buffer := make([]byte, 64)
	memory := uintptr(unsafe.Pointer(&buffer[0]))
	vector := [2]uintptr{memory, 8}
	iov, noAction := uintptr(unsafe.Pointer(&vector)), uint32(0x7fff0000)
	const anonymous = syscall.MAP_PRIVATE | syscall.MAP_ANON
	dir := filepath.Join(t.TempDir(), "d")
	path, err := syscall.BytePtrFromString(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		arg  int
		high uintptr
		args [6]uintptr
	}{
		{"socket", 0, above, [6]uintptr{syscall.AF_UNIX, syscall.SOCK_STREAM}},
		{"socket", 1, above, [6]uintptr{syscall.AF_UNIX, syscall.SOCK_STREAM}},
		{"personality", 0, above, [6]uintptr{0xffffffff}},
		{"prctl", 0, above, [6]uintptr{syscall.PR_GET_DUMPABLE}},
		{"fcntl", 1, above, [6]uintptr{fd, syscall.F_GETFD}},
		{"kill", 0, above, [6]uintptr{uintptr(os.Getpid()), 0}},
		{"seccomp", 0, above, [6]uintptr{2, 0, uintptr(unsafe.Pointer(&noAction))}},
		{"openat", 2, above, [6]uintptr{^uintptr(99), uintptr(unsafe.Pointer(unsafe.StringData("/dev/null\x00"))), syscall.O_RDONLY}},
		{"readv", 0, above, [6]uintptr{fd, iov, 1}},
		{"writev", 0, above, [6]uintptr{fd, iov, 1}},
		{"preadv", 0, above, [6]uintptr{fd, iov, 1}},
		{"preadv2", 0, above, [6]uintptr{fd, iov, 1}},
		{"pwritev", 0, above, [6]uintptr{fd, iov, 1}},
		{"pwritev2", 0, above, [6]uintptr{fd, iov, 1}},
		{"mmap", 2, above, [6]uintptr{0, page, syscall.PROT_READ, anonymous, ^uintptr(0)}},
		{"mmap", 4, above, [6]uintptr{0, page, syscall.PROT_READ, syscall.MAP_PRIVATE, fd}},
		{"fchmod", 1, 1 << 16, [6]uintptr{fd, 0o600}},
		{"mkdirat", 2, 1 << 16, [6]uintptr{^uintptr(99), uintptr(unsafe.Pointer(path)), 0o700}},
		{"unshare", 0, above, [6]uintptr{0}},
		{"mprotect", 2, above, [6]uintptr{memory &^ (page - 1), page, syscall.PROT_READ | syscall.PROT_WRITE}},
		{"lseek", 1, 1 << 63, [6]uintptr{fd, 0, 0}},
	} {
		nr, ok := Syscall(runtime.GOARCH, c.name)
		if !ok {
			t.Fatalf("no %s on %s", c.name, runtime.GOARCH)
		}
		call := func() syscall.Errno {
			_ = os.Remove(dir)
			a := c.args
			_, _, errno := syscall.Syscall6(uintptr(nr), a[0], a[1], a[2], a[3], a[4], a[5])
			return errno
		}
		if errno := call(); errno != 0 {
			t.Errorf("%s fails as it is: %v", c.name, errno)
			continue
		}
		c.args[c.arg] |= c.high
		bits := ArgBits(runtime.GOARCH, c.name, c.arg)
		ignored := c.high>>bits != 0
		if errno := call(); (errno == 0) != ignored {
			t.Errorf("%s: argument %d is said to have %d bits; with %#x above the kernel answers %v", c.name, c.arg, bits, c.high, errno)
		}
	}
}

// TestCloneFlags: flags above 32 bits of clone(2) are ignored, those below are
// not.
func TestCloneFlags(t *testing.T) {
	if bits := ArgBits(runtime.GOARCH, "clone", 0); bits != 32 {
		t.Fatalf("clone's flags are said to have %d bits", bits)
	}
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: 1 << 40}
	if err := cmd.Run(); err != nil {
		t.Errorf("clone with flag 1<<40: %v", err)
	}
	if os.Geteuid() != 0 {
		skip(t, "making a namespace needs root")
	}
	ours, err := os.Readlink("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("readlink", "/proc/self/ns/uts")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: 1<<40 | syscall.CLONE_NEWUTS}
	if theirs, err := cmd.Output(); err != nil || strings.TrimSpace(string(theirs)) == ours {
		t.Errorf("clone with flags 1<<40 and CLONE_NEWUTS: %s, %v", theirs, err)
	}
}

// tracedNames are calls that the kernel declares under another name than the
// table's.
var tracedNames = map[string]string{"newstat": "stat", "newlstat": "lstat", "newfstat": "fstat", "newuname": "uname", "umount": "umount2", "sendfile64": "sendfile"}

// TestArgumentsTraced compares counts and widths with what the running kernel
// says of its own calls.
func TestArgumentsTraced(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "reading tracefs needs root")
	}
	// The file system is mounted in a mount namespace that ends with the shell.
	out, err := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c", `mount -t tracefs none "$1" && cat "$1"/events/syscalls/sys_enter_*/format`, "sh", t.TempDir()).Output()
	if err != nil {
		skip(t, "tracefs cannot be mounted, or traces no system calls: "+err.Error())
	}
	field := regexp.MustCompile(`^\tfield:(.*?)\b\w+;\toffset:\d+;\tsize:8;`)
	seen := 0
	for text := range strings.SplitSeq(string(out), "name: sys_enter_") {
		name, rest, _ := strings.Cut(text, "\n")
		if ours, ok := tracedNames[name]; ok {
			name = ours
		}
		if _, ok := Syscall(runtime.GOARCH, name); !ok || name == "" {
			continue
		}
		seen++
		var kinds []string
		for line := range strings.Lines(rest) {
			if m := field.FindStringSubmatch(line); m != nil {
				kinds = append(kinds, strings.TrimSpace(m[1]))
			}
		}
		if n, ok := ArgCount(runtime.GOARCH, name); !ok || n != len(kinds) {
			t.Errorf("%s: %d arguments, %v; the kernel says %d: %q", name, n, ok, len(kinds), kinds)
			continue
		}
		for i, kind := range kinds {
			compareTraced(t, name, i, kind)
		}
	}
	if seen < 280 {
		t.Errorf("only %d calls of the kernel were understood", seen)
	}
}

// compareTraced holds one argument's width against its type in the kernel.
func compareTraced(t *testing.T, name string, arg int, kind string) {
	t.Helper()
	bits := ArgBits(runtime.GOARCH, name, arg)
	wide := strings.Contains(kind, "*") || regexp.MustCompile(`\b(long|size_t|off_t|loff_t|u64|__u64|aio_context_t|cap_user_\w+)$`).MatchString(kind)
	less := map[string]string{"clone": "0", "mmap": "2 4", "readv": "0", "writev": "0", "preadv": "0", "pwritev": "0", "preadv2": "0", "pwritev2": "0"}
	if wide && listed(less[name], string(rune('0'+arg))) {
		wide = false
	}
	if wide != (bits == 64) || (kind == "umode_t") != (bits == 16) {
		t.Errorf("%s: argument %d is %s to the kernel, and %d bits to us", name, arg, kind, bits)
	}
}
