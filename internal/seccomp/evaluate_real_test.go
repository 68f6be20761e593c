package seccomp

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/internal/names"
)

// loadFilters reads a stack of filters as a kernel gave it: one file, or a
// folder with the oldest filter first.
func loadFilters(t testing.TB, name string) []Program {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", name, "*.bpf"))
	if err != nil {
		t.Fatal(err)
	}
	if files == nil {
		files = []string{filepath.Join("testdata", name+".bpf")}
	}
	var stack []Program
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		stack = append(stack, p)
	}
	return stack
}

func abi(t testing.TB, name string) names.ABI {
	t.Helper()
	a, ok := names.FindABI(name)
	if !ok {
		t.Fatalf("no ABI %s", name)
	}
	return a
}

// conditions returns the ranges that are not simply allowed or denied, a line
// each, and their notes.
func conditions(a names.ABI, ranges []Range) []string {
	var out []string
	for _, r := range ranges {
		if len(r.Ways) == 1 && (r.Ways[0].lets() || strings.HasPrefix(r.Summary, "denied")) && r.Summary != "logged" {
			continue
		}
		name, _ := names.SyscallName(a.Arch, r.First)
		if r.Last != r.First {
			last, _ := names.SyscallName(a.Arch, r.Last)
			name += "-" + last
		}
		out = append(out, name+": "+r.Summary)
		for _, w := range r.Ways {
			for _, n := range w.Notes {
				out = append(out, "note: "+n)
			}
		}
	}
	return out
}

// realVerdicts are of filters as a kernel gave them back while they were in
// force: Docker's default profile under runc, chronyd -F 1, firejail's default,
// what systemd 252 loads for SystemCallFilter=@system-service and most of its
// other options. Those for arm64, and the two of all comparisons, as a chain and
// as a tree, are what libseccomp 2.5.4 exports.
var realVerdicts = []struct {
	name, abi string
	want      []string
}{
	{"docker-default-amd64", "x86-64", []string{
		"socket: allowed unless arg0 == 38 || arg0 == 40 (else ERRNO EPERM)",
		"note: more bits of arg0 are compared than the 32 that the kernel reads: 0x100000026 gets through, and means 0x26",
		"clone: allowed unless arg0 & 0x7e020000 (else ERRNO EPERM)",
		"personality: allowed if arg0 == 0 || arg0 == 8 || arg0 == 0x20000 || arg0 == 0x20008 || arg0 == 0xffffffff (else ERRNO EPERM)",
	}},
	{"docker-default-amd64", "x32", []string{
		"socket: allowed unless low32(arg0) == 38 || low32(arg0) == 40 (else ERRNO EPERM)",
		"clone: allowed unless arg0 & 0x7e020000 (else ERRNO EPERM)",
		"personality: allowed if low32(arg0) == 0 || low32(arg0) == 8 || low32(arg0) == 0x20000 || low32(arg0) == 0x20008 || low32(arg0) == 0xffffffff (else ERRNO EPERM)",
	}},
	{"docker-default-amd64", "i386", []string{
		"clone: allowed unless arg0 & 0x7e020000 (else ERRNO EPERM)",
		"personality: allowed if arg0 == 0 || arg0 == 8 || arg0 == 0x20000 || arg0 == 0x20008 || arg0 == 0xffffffff (else ERRNO EPERM)",
		"socket: allowed unless arg0 == 38 || arg0 == 40 (else ERRNO EPERM)",
	}},
	{"docker-default-arm64", "arm64", []string{
		"personality: allowed if arg0 == 0 || arg0 == 8 || arg0 == 0x20000 || arg0 == 0x20008 || arg0 == 0xffffffff (else ERRNO EPERM)",
		"socket: allowed unless arg0 == 38 || arg0 == 40 (else ERRNO EPERM)",
		"note: more bits of arg0 are compared than the 32 that the kernel reads: 0x100000026 gets through, and means 0x26",
		"clone: allowed unless arg0 & 0x7e020000 (else ERRNO EPERM)",
	}},
	{"docker-default-arm64", "arm", []string{
		"clone: allowed unless arg0 & 0x7e020000 (else ERRNO EPERM)",
		"personality: allowed if arg0 == 0 || arg0 == 8 || arg0 == 0x20000 || arg0 == 0x20008 || arg0 == 0xffffffff (else ERRNO EPERM)",
		"socket: allowed unless arg0 == 38 || arg0 == 40 (else ERRNO EPERM)",
	}},
	{"docker-default-arm64", "x86-64", nil},
	{"chronyd-amd64", "x86-64", []string{
		"ioctl: allowed if arg1 == 0x5401 || arg1 == 0x541b || arg1 == 0x7003 || arg1 == 0x7004 || arg1 == 0x8946 || arg1 == 0x40103d02 || arg1 == 0x4024700a || arg1 == 0x40603d07 || arg1 == 0x43403d05 || arg1 == 0x80247009 || arg1 == 0xc00870a4 || arg1 == 0xc0403d08 … (1 more) (else KILL_THREAD)",
		"socket: allowed if arg0 == 1 || arg0 == 2 || arg0 == 10 || arg0 == 16 (else KILL_THREAD)",
		"setsockopt: allowed if arg1 == 0 && arg2 == 1 || arg1 == 0 && arg2 == 8 || arg1 == 0 && arg2 == 15 || arg1 == 1 && arg2 == 2 || arg1 == 1 && arg2 == 6 || arg1 == 1 && arg2 == 15 … (14 more) (else KILL_THREAD)",
		"fcntl: allowed if arg1 == 1 || arg1 == 2 || arg1 == 3 || arg1 == 4 (else KILL_THREAD)",
	}},
	{"firejail-default-amd64", "x86-64", []string{
		"socket: allowed if low32(arg0) == 1 || low32(arg0) == 2 || low32(arg0) == 10 || low32(arg0) == 16 || low32(arg0) == 17 (else ERRNO EOPNOTSUPP)",
		"clone: allowed unless arg0 & 0x7e020000 (else ERRNO EPERM)",
		"unshare: allowed unless arg0 & 0x7e020080 (else ERRNO EPERM)",
		"setns: allowed unless low32(arg1) == 0 || arg1 & 0x7e020080 (else ERRNO EPERM)",
	}},
	{"firejail-default-amd64", "i386", []string{
		"clone: allowed unless arg0 & 0x7e020000 (else ERRNO EPERM)",
		"unshare: allowed unless arg0 & 0x7e020080 (else ERRNO EPERM)",
		"setns: allowed unless arg1 == 0 || arg1 & 0x7e020080 (else ERRNO EPERM)",
		"socket: allowed if arg0 == 1 || arg0 == 2 || arg0 == 10 || arg0 == 16 || arg0 == 17 (else ERRNO EOPNOTSUPP)",
	}},
	{"systemd-system-service-amd64", "x86-64", []string{
		"open: allowed unless arg1 & 0x40 && arg2 & 0xc00 (else ERRNO EPERM)",
		"mmap: allowed unless arg2 & 0x6 == 0x6 (else ERRNO EPERM)",
		"mprotect: allowed unless arg2 & 0x4 (else ERRNO EPERM)",
		"shmat: allowed unless arg2 & 0x8000 (else ERRNO EPERM)",
		"clone: allowed unless arg0 & 0x7e020080 (else ERRNO EPERM)",
		"mkdir: allowed unless arg1 & 0xc00 (else ERRNO EPERM)",
		"creat: allowed unless arg1 & 0xc00 (else ERRNO EPERM)",
		"chmod-fchmod: allowed unless arg1 & 0xc00 (else ERRNO EPERM)",
		"mknod: allowed unless arg1 & 0xc00 (else ERRNO EPERM)",
		"personality: allowed if arg0 == 0 (else ERRNO EPERM)",
		"sched_setscheduler: allowed if arg1 == 0 || arg1 == 3 || arg1 == 5 (else ERRNO EPERM)",
		"openat: allowed unless arg2 & 0x40 && arg3 & 0xc00 (else ERRNO EPERM)",
		"mkdirat-mknodat: allowed unless arg2 & 0xc00 (else ERRNO EPERM)",
		"fchmodat: allowed unless arg2 & 0xc00 (else ERRNO EPERM)",
		"unshare: allowed unless arg0 & 0x7e020080 (else ERRNO EPERM)",
		"fchmodat2: allowed unless arg2 & 0xc00 (else ERRNO EPERM)",
	}},
	{"libseccomp-operators-amd64", "x86-64", libseccompOperators},
	{"libseccomp-tree-amd64", "x86-64", libseccompOperators},
}

// libseccompOperators is what rules with SCMP_CMP_EQ, NE, LT, LE, GE, GT and
// MASKED_EQ come to, with constants of more than 32 bits and of fewer.
var libseccompOperators = []string{
	"read: allowed unless arg2 == 0x1122334455667788 (else ERRNO EPERM)",
	"write: allowed if arg2 == 0x1122334455667788 (else ERRNO EPERM)",
	"lseek: allowed if arg1 < 0x200000000 (else ERRNO EPERM)",
	"mmap: allowed if arg1 < 0x1122334455667788 (else ERRNO EPERM)",
	"mprotect: allowed unless arg1 & 0xff000000ff0000ff == 0x1100000022000033 (else ERRNO EPERM)",
	"munmap: allowed if arg1 < 0x1122334455667789 (else ERRNO EPERM)",
	"brk: allowed if arg0 >= 10 (else ERRNO EPERM)",
	"ioctl: allowed unless arg1 == 0x5412 || arg1 == 0x541c (else ERRNO EPERM)",
	"note: more bits of arg1 are compared than the 32 that the kernel reads: 0x100005412 gets through, and means 0x5412",
	"pread64: allowed if arg2 >= 0x1122334455667788 (else ERRNO EPERM)",
	"pwrite64: allowed if arg2 >= 0x1122334455667789 (else ERRNO EPERM)",
	"mremap: allowed if arg1 >= 11 (else ERRNO EPERM)",
	"msync: allowed if arg1 < 11 (else ERRNO EPERM)",
	"mincore: allowed if arg1 == 10 (else ERRNO EPERM)",
	"madvise: allowed if arg1 < 10 (else ERRNO EPERM)",
	"getpid: logged",
	"socket: denied (ERRNO EPERM) if arg0 == 17; denied (TRAP) if arg0 == 2 && arg1 == 3; else allowed",
	"note: more bits of arg0 are compared than the 32 that the kernel reads: 0x100000011 gets through, and means 0x11",
	"note: more bits of arg0 are compared than the 32 that the kernel reads: 0x100000002 gets through, and means 0x2",
	"note: more bits of arg1 are compared than the 32 that the kernel reads: 0x100000003 gets through, and means 0x3",
	"fcntl: allowed unless arg1 == 4 && arg2 & 0x400 (else ERRNO EPERM)",
	"note: more bits of arg1 are compared than the 32 that the kernel reads: 0x100000004 gets through, and means 0x4",
	"truncate: allowed if arg1 >= 0x200000000 (else ERRNO EPERM)",
	"ftruncate: allowed if arg1 < 0x200000000 (else ERRNO EPERM)",
	"getppid: left to a tracer",
	"prctl: allowed unless arg0 == 38 (else ERRNO EPERM)",
	"note: more bits of arg0 are compared than the 32 that the kernel reads: 0x100000026 gets through, and means 0x26",
	"gettid: left to a supervisor",
}

func TestRealVerdicts(t *testing.T) {
	for _, f := range realVerdicts {
		t.Run(f.name+" "+f.abi, func(t *testing.T) {
			a := abi(t, f.abi)
			stack := loadFilters(t, f.name)
			ranges := Evaluate(stack, a, Options{})
			checkCover(t, ranges, a)
			if got := conditions(a, ranges); !slices.Equal(got, f.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(f.want, "\n"))
			}
			compareAll(t, stack, ranges, a)
		})
	}
}

// compareAll compares with the interpreter for every number of the ABI, with
// arguments that the filters ask for, their neighbours, and high words.
func compareAll(t *testing.T, stack []Program, ranges []Range, a names.ABI) {
	t.Helper()
	r := randomSource(3)
	var asked []uint32
	for _, p := range stack {
		for _, in := range p {
			if in.isConditional() && in.K > 0 {
				asked = append(asked, in.K)
			}
		}
	}
	for nr := range uint32(600) {
		for range 25 {
			d := randomCall(r, a, asked)
			d.NR = a.NumberBit | nr
			for i := range d.Args {
				if r.IntN(3) > 0 {
					d.Args[i] &= lowWord
				}
			}
			if !compareOne(t, stack, ranges, &d) {
				t.Fatalf("%d is undecided", nr)
			}
		}
	}
}
