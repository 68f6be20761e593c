package names

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// skip leaves a test out for the reason given. Where SELFAUDIT_NO_SKIP=1 asks
// for a complete run as root, that is a failure.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("SELFAUDIT_NO_SKIP") == "1" && os.Geteuid() == 0 {
		t.Fatal("left out: " + reason)
	}
	t.Skip(reason)
}

// TestSyscallNumbers compares with numbers known by heart from unistd.h.
func TestSyscallNumbers(t *testing.T) {
	for _, c := range []struct {
		arch, name string
		nr         uint32
	}{
		{"amd64", "read", 0}, {"amd64", "execve", 59}, {"amd64", "uretprobe", 335}, {"amd64", "openat2", 437}, {"amd64", "clone3", 435},
		{"386", "exit", 1}, {"386", "execve", 11}, {"386", "_llseek", 140}, {"386", "openat2", 437},
		{"arm64", "read", 63}, {"arm64", "execve", 221}, {"arm64", "newfstatat", 79}, {"arm64", "openat2", 437},
		{"arm", "execve", 11}, {"arm", "restart_syscall", 0}, {"arm", "breakpoint", 0xf0001}, {"arm", "get_tls", 0xf0006},
		{"x32", "read", 0x40000000}, {"x32", "execve", 0x40000000 | 520}, {"x32", "rt_sigaction", 0x40000000 | 512}, {"x32", "pwritev2", 0x40000000 | 547}, {"x32", "openat2", 0x40000000 | 437},
	} {
		if nr, ok := Syscall(c.arch, c.name); !ok || nr != c.nr {
			t.Errorf("Syscall(%s, %s) = %d, %v; want %d", c.arch, c.name, nr, ok, c.nr)
		}
		if name, ok := SyscallName(c.arch, c.nr); !ok || name != c.name {
			t.Errorf("SyscallName(%s, %d) = %q, %v; want %s", c.arch, c.nr, name, ok, c.name)
		}
	}
}

func TestSyscallUnknown(t *testing.T) {
	for _, c := range [][2]string{{"amd64", "syscall_mask"}, {"arm", "syscall_mask"}, {"arm64", "arch_specific_syscall"}, {"amd64", "READ"}, {"amd64", ""}, {"arm64", "open"}, {"x32", "uselib"}, {"mips", "read"}, {"", "read"}, {"amd64", "zzzz"}} {
		if nr, ok := Syscall(c[0], c[1]); ok {
			t.Errorf("Syscall(%s, %s) = %d", c[0], c[1], nr)
		}
	}
	for _, nr := range []uint32{337, 423, 511, 512, 0x40000000, 0x4000003b, 0xffff, ^uint32(0)} {
		if name, ok := SyscallName("amd64", nr); ok {
			t.Errorf("SyscallName(amd64, %d) = %s", nr, name)
		}
	}
	// On x32 the native numbers of calls with numbers of their own are empty.
	for _, nr := range []uint32{59, 0x40000000 | 59, 0x40000000 | 548, 0xffff, ^uint32(0)} {
		if name, ok := SyscallName("x32", nr); ok {
			t.Errorf("SyscallName(x32, %#x) = %s", nr, name)
		}
	}
	for _, arch := range []string{"", "mips"} {
		if name, ok := SyscallName(arch, 1); ok {
			t.Errorf("SyscallName(%q, 1) = %s", arch, name)
		}
	}
}

// TestSyscallTable checks what both searches rely on: order, and that names and
// numbers lead to each other.
func TestSyscallTable(t *testing.T) {
	names := SyscallNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("the names are not sorted and unique")
	}
	for _, arch := range SyscallArches() {
		n := 0
		for _, name := range names {
			nr, ok := Syscall(arch, name)
			if !ok {
				continue
			}
			n++
			if back, ok := SyscallName(arch, nr); !ok || back != name {
				t.Errorf("%s %d is %s, and back %q", arch, nr, name, back)
			}
			if !IsSyscall(name) {
				t.Errorf("IsSyscall(%s) is false", name)
			}
		}
		if n < 300 || n != len(syscallOrder[archColumn(arch)]) {
			t.Errorf("%s has %d calls, its order %d", arch, n, len(syscallOrder[archColumn(arch)]))
		}
	}
}

// TestSyscallHeaders compares with every number in the machine's kernel headers.
func TestSyscallHeaders(t *testing.T) {
	line := regexp.MustCompile(`^#define __NR_(\w+) \(?(?:__X32_SYSCALL_BIT \+ )?(\d+)\)?$`)
	seen := 0
	for arch, file := range map[string]string{"amd64": "unistd_64.h", "386": "unistd_32.h", "x32": "unistd_x32.h"} {
		path := "/usr/include/x86_64-linux-gnu/asm/" + file
		text, err := os.ReadFile(path)
		if err != nil {
			skip(t, fmt.Sprintf("the kernel's headers are not installed: %v", err))
		}
		scanner := bufio.NewScanner(bytes.NewReader(text))
		for scanner.Scan() {
			m := line.FindStringSubmatch(scanner.Text())
			if m == nil {
				continue
			}
			nr, err := strconv.ParseUint(m[2], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			if arch == "x32" {
				nr |= 0x40000000
			}
			seen++
			if got, ok := Syscall(arch, m[1]); !ok || uint64(got) != nr {
				t.Errorf("%s: %s is %d, %v; the header says %d", arch, m[1], got, ok, nr)
			}
		}
	}
	if seen < 1000 {
		t.Errorf("only %d lines of the headers were understood", seen)
	}
}

// TestGenerated runs the generator: the tables must be what it prints.
func TestGenerated(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil || strings.TrimSpace(string(dir)) == "" {
		skip(t, fmt.Sprintf("golang.org/x/sys is not in the module cache: %v", err))
	}
	for _, table := range []string{"syscalls", "groups", "arguments"} {
		want, err := exec.Command("go", "run", "./gen", "-table", table).Output()
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		got, err := os.ReadFile("zz_" + table + ".go")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("zz_%s.go is not what the generator prints: run go generate ./internal/names", table)
		}
	}
}
