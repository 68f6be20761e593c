package names

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEquivalents(t *testing.T) {
	for name, want := range map[string]string{
		"open":        "creat open_by_handle_at openat openat2",
		"execve":      "execveat",
		"execveat":    "execve",
		"ptrace":      "pidfd_getfd process_madvise process_vm_readv process_vm_writev",
		"kill":        "pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo tgkill tkill",
		"mount":       "fsconfig fsmount fsopen fspick mount_setattr move_mount open_tree open_tree_attr",
		"clone":       "clone3 fork unshare vfork",
		"unshare":     "clone clone3 setns",
		"setuid":      "setfsuid setfsuid32 setresuid setresuid32 setreuid setreuid32 setuid32",
		"socket":      "socketcall",
		"connect":     "sendmmsg sendmsg sendto socketcall",
		"shmat":       "ipc",
		"socketcall":  "",
		"ipc":         "",
		"io_submit":   "",
		"getpid":      "",
		"no_such":     "",
		"":            "",
		"sendto":      "send sendmmsg sendmsg socketcall",
		"init_module": "finit_module",
	} {
		if got := strings.Join(Equivalents(name), " "); got != want {
			t.Errorf("Equivalents(%s) = %q", name, got)
		}
	}
	for _, c := range [][3]string{{"execve", "execveat", "executes programs"}, {"socket", "socketcall", "i386"}, {"clone", "unshare", "namespaces"}} {
		if why := EquivalentWhy(c[0], c[1]); !strings.Contains(why, c[2]) {
			t.Errorf("EquivalentWhy(%s, %s) = %q", c[0], c[1], why)
		}
	}
	if why := EquivalentWhy("socketcall", "socket"); why != "" {
		t.Errorf("socket does the work of socketcall: %q", why)
	}
}

// TestEquivalentTables: every word of the tables is a call, no family repeats
// one, and every row has a reason.
func TestEquivalentTables(t *testing.T) {
	check := func(words, why string) {
		t.Helper()
		list := strings.Fields(words)
		for i, call := range list {
			if !IsSyscall(call) || slices.Contains(list[:i], call) {
				t.Errorf("%q: %s is no system call, or there twice", words, call)
			}
		}
		if len(list) == 0 || why == "" {
			t.Errorf("%q has no calls or no reason", words)
		}
	}
	for _, f := range families {
		check(f.calls, f.why)
		if !strings.Contains(f.calls, " ") {
			t.Errorf("%q is a family of one", f.calls)
		}
	}
	for _, d := range detours {
		check(d.calls, d.why)
		check(d.by, d.why)
	}
	for i, op := range ioUringOps {
		check(op.calls, op.Since)
		if i > 0 && op.Number <= ioUringOps[i-1].Number {
			t.Errorf("%s is out of order", op.Name)
		}
	}
}

// TestTimesAndWidths: a call that exists twice, with times or ids of other
// widths, is the equivalent of its twin.
func TestTimesAndWidths(t *testing.T) {
	for _, name := range SyscallNames() {
		for _, suffix := range []string{"_time64", "64", "32"} {
			twin, ok := strings.CutSuffix(name, suffix)
			if !ok || !IsSyscall(twin) {
				continue
			}
			if !slices.Contains(Equivalents(twin), name) || !slices.Contains(Equivalents(name), twin) {
				t.Errorf("%s and %s are not known to be the same", twin, name)
			}
		}
	}
}

func TestIOUring(t *testing.T) {
	for name, want := range map[string]string{"openat": "IORING_OP_OPENAT", "open": "IORING_OP_OPENAT", "openat2": "IORING_OP_OPENAT2", "connect": "IORING_OP_CONNECT", "socket": "IORING_OP_SOCKET", "unlink": "IORING_OP_UNLINKAT", "read": "IORING_OP_READ_FIXED"} {
		if op, ok := IOUring(name); !ok || op.Name != want {
			t.Errorf("IOUring(%s) = %s, %v", name, op.Name, ok)
		}
	}
	for _, name := range []string{"execve", "mount", "ptrace", "io_uring_setup", "", "kill"} {
		if op, ok := IOUring(name); ok {
			t.Errorf("IOUring(%q) = %s", name, op.Name)
		}
	}
	for _, op := range IOUringOps() {
		if len(op.Calls()) == 0 {
			t.Errorf("%s does nothing", op.Name)
		}
	}
}

// TestIOUringKernel compares numbers with the running kernel's own list, which
// its type information holds in order.
func TestIOUringKernel(t *testing.T) {
	btf, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		skip(t, "the kernel's types are not readable: "+err.Error())
	}
	var kernel []string
	for _, m := range regexp.MustCompile(`\x00(IORING_OP_[A-Z0-9_]+)`).FindAllSubmatch(btf, -1) {
		kernel = append(kernel, string(m[1]))
	}
	if len(kernel) < 30 || kernel[0] != "IORING_OP_NOP" {
		skip(t, "the kernel's types hold no list of io_uring's operations")
	}
	for _, op := range ioUringOps {
		if int(op.Number) < len(kernel)-1 && kernel[op.Number] != op.Name {
			t.Errorf("%d is %s to the kernel, not %s", op.Number, kernel[op.Number], op.Name)
		}
	}
}

func TestMultiplexers(t *testing.T) {
	for _, c := range []struct {
		arch, name, by string
		number         uint32
	}{{"386", "socket", "socketcall", 1}, {"386", "accept4", "socketcall", 18}, {"386", "sendmmsg", "socketcall", 20}, {"386", "recv", "socketcall", 10}, {"386", "semop", "ipc", 1}, {"386", "shmat", "ipc", 21}, {"386", "msgctl", "ipc", 14}} {
		if by, n, ok := Multiplexer(c.arch, c.name); !ok || by != c.by || n != c.number {
			t.Errorf("Multiplexer(%s, %s) = %s %d %v", c.arch, c.name, by, n, ok)
		}
	}
	for _, c := range [][2]string{{"amd64", "socket"}, {"arm", "socket"}, {"arm64", "shmat"}, {"386", "read"}, {"386", "socketcall"}, {"", "socket"}} {
		if by, n, ok := Multiplexer(c[0], c[1]); ok {
			t.Errorf("Multiplexer(%s, %s) = %s %d", c[0], c[1], by, n)
		}
	}
	if len(SubCalls("socketcall")) != 20 || len(SubCalls("ipc")) != 12 || SubCalls("read") != nil {
		t.Error("wrong number of calls within a call")
	}
}

func TestLastSyscall(t *testing.T) {
	for arch, least := range map[string]uint32{"amd64": 469, "386": 469, "arm64": 469, "arm": 469, "x32": 0x40000000 | 547} {
		last := LastSyscall(arch)
		if _, ok := SyscallName(arch, last); !ok || last < least || last > least+100 {
			t.Errorf("LastSyscall(%s) = %d", arch, last)
		}
		if name, ok := SyscallName(arch, last+1); ok {
			t.Errorf("%s: %s is after the last", arch, name)
		}
	}
	if got := PrivateSyscalls("arm"); len(got) != 6 || got[0] != 0xf0001 || got[5] != 0xf0006 {
		t.Errorf("private calls of arm: %#x", got)
	}
	if LastSyscall("mips") != 0 || PrivateSyscalls("386") != nil {
		t.Error("unknown architectures have calls")
	}
}
