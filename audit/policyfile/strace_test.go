package policyfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

func importStrace(text string) (*policy.Policy, error) {
	return ImportStrace(strings.NewReader(text), "run.txt")
}

// TestStraceLines reads lines in all their forms.
func TestStraceLines(t *testing.T) {
	for name, c := range map[string][2]string{
		"plain":              {"read(3, \"abc\", 3) = 3\n", "read"},
		"padded":             {"close(3)                                = 0\n", "close"},
		"no result":          {"exit_group(0)                           = ?\n+++ exited with 0 +++\n", "exit_group"},
		"pid":                {"1234  openat(AT_FDCWD, \"/x\", O_RDONLY) = -1 ENOENT (No such file or directory)\n", "openat"},
		"pid and comm":       {"1234<my sh> brk(NULL) = 0x1\n", "brk"},
		"pid in brackets":    {"[pid  1234] brk(NULL) = 0x1\n[pid 1<a b>] getpid() = 1\n", "brk getpid"},
		"-t":                 {"1234 12:34:56 brk(NULL) = 0x1\n", "brk"},
		"-tt -T":             {"12:34:56.789012 brk(NULL) = 0x1 <0.000012>\n", "brk"},
		"-ttt":               {"1700000000.123456 brk(NULL) = 0x1\n", "brk"},
		"-r":                 {"     0.000000 brk(NULL) = 0x1\n", "brk"},
		"-r with another":    {"12:34:56 (+     0.000011) brk(NULL) = 0x1\n", "brk"},
		"-n -i":              {"1 [  12] [00007f1832036829] brk(NULL) = 0x1\n1 [ 231] [????????????????] +++ exited with 0 +++\n", "brk"},
		"unfinished":         {"1 read(0,  <unfinished ...>\n2 getpid() = 2\n1 <... read resumed>\"\", 1) = 0\n", "getpid read"},
		"resumed only":       {"1 <... futex resumed>) = 0\n", "futex"},
		"older resumed":      {"1 <... wait4 resumed> [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 7\n", "wait4"},
		"resumed to an end":  {"1 <... exit resumed> = ?\n", "exit"},
		"detached":           {"pause( <detached ...>\n", "pause"},
		"restarted":          {"1 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=5, tv_nsec=0}, restart_syscall(<... resuming interrupted read ...>) = 0\n", "clock_nanosleep restart_syscall"},
		"restart_syscall":    {"restart_syscall(<... resuming interrupted read ...>) = 0\n", "restart_syscall"},
		"signals":            {"1 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---\n1 --- stopped by SIGTSTP ---\n1 rt_sigreturn({mask=[]}) = 0\n1 +++ killed by SIGSEGV (core dumped) +++\n", "rt_sigreturn"},
		"messages":           {"strace: Process 12 attached\nProcess 12 attached\n[ Process PID=12 runs in 32 bit mode. ]\nstrace: [ Process PID=12 runs in x32 mode. ]\n[pid 1] [ Process PID=1 runs in 64 bit mode. ]\ngetpid() = 12\n", "getpid"},
		"torn by a message":  {"clone(child_stack=NULL, flags=SIGCHLDstrace: Process 12 attached\n, child_tidptr=0x7f) = 12\npause(strace: Process 7 detached\n <detached ...>\n", "clone pause"},
		"stack and dump":     {"write(1, \"hi\\n\", 3) = 3\n | 00000  68 69 0a    hi. |\n > /usr/lib/libc.so.6(write+0x4d) [0x10e1ed]\n", "write"},
		"summary at the end": {"getpid() = 1\n% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- --------- ----------------\n100.00    0.000000                     1           total\n", "getpid"},
		"known number":       {"syscall_0x1c3(0, 0, 0) = -1 EFAULT (Bad address)\n", "cachestat"},
		"number with a bit":  {"syscall_0x400001c3(0) = 0\n", "cachestat"},
		"no such number":     {"getpid() = 1\nsyscall_0x3e7(0x1, 0x2) = -1 ENOSYS\nsyscall_0xffffffffff(0) = -1 ENOSYS\n", "getpid"},
		"killed by a number": {"getpid() = 1\nsyscall_0x3e7(0x1) = ?\n1 syscall_0x3e7(0x1 <unfinished ...>\n", "getpid"},
		"unreadable call":    {"getpid() = 1\n????( <unfinished ...>\n????() = ?\n", "getpid"},
		"old names":          {"old_mmap(NULL) = 0\nold_select(NULL) = 0\noldumount(NULL) = 0\nsync_file_range2(1, 2) = 0\n_llseek(1) = 0\n", "_llseek arm_sync_file_range mmap select umount"},
		"paths with results": {"read(3</a = b>, \"x) = 5\", 5) = 3</c) = d>\n", "read"},
		"CRLF":               {"getpid() = 1\r\n\r\ngetuid() = 0\r\n", "getpid getuid"},
		"cut in a call":      {"getpid() = 1\nopenat(AT_FDCWD, \"/e", "getpid openat"},
		"cut in a name":      {"getpid() = 1\nopena", "getpid"},
		"cut in a pid":       {"getpid() = 1\n12", "getpid"},
		"cut in a signal":    {"getpid() = 1\n--- SIGC", "getpid"},
		"failed exec":        {"execve(\"/x\", [\"x\"], 0x7ffc /* 3 vars */) = -1 ENOENT (No such file or directory)\n", "execve"},
	} {
		p, err := importStrace(c[0])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(*p.Seccomp.Allow, " "); got != c[1] {
			t.Errorf("%s: %q, want %q", name, got, c[1])
		}
		if p.Name != "run" || p.Source != "run.txt" {
			t.Errorf("%s: name %q, source %q", name, p.Name, p.Source)
		}
	}
}

// TestStraceRefuses gives what strace does not write.
func TestStraceRefuses(t *testing.T) {
	for name, c := range map[string][2]string{
		"empty":           {"", "run.txt: there is no system call of strace's output in it"},
		"blank":           {"\n\n", "run.txt: there is no system call of strace's output in it"},
		"only an end":     {"1 +++ exited with 0 +++\n", "run.txt: there is no system call of strace's output in it"},
		"text":            {"hello, world\n", `run.txt:1:1: strace writes no such line: "hello, world"`},
		"a word":          {"hello", "run.txt: there is no system call of strace's output in it"},
		"policy":          {head + "process: {noNewPrivileges: true}\n", `run.txt:1:1: strace writes no such line: "apiVersion: selfaudit/v1"`},
		"source":          {"getpid() = 1\nread(fd, buf, n);\n", `run.txt:2:1: a call of strace's output ends with its result: "read(fd, buf, n);"`},
		"program's words": {"1 getpid() = 1\n1 hi there\n", `run.txt:2:3: strace writes no such line: "hi there"`},
		"summary":         {"% time     seconds  usecs/call     calls    errors syscall\n", "run.txt:1:1: this is the summary of strace -c, which does not hold every call"},
		"unknown call":    {"printf(\"x\") = 1\n", `run.txt:1:1: unknown system call "printf"`},
		"unknown number":  {"syscall_0x3e7(0x1) = 0\n", `run.txt:1:1: syscall_0x3e7 is a system call that this version has no name for, and the kernel has it: "0"`},
		"escapes":         {"\x1b[2J\xff\x00x(1) = 0\n", `run.txt:1:1: strace writes no such line: "\x1b[2J\xff\x00x(1) = 0"`},
		"escapes as pid":  {"12<\x1b[2J> \x1b[2J\n", `run.txt:1:10: strace writes no such line: "\x1b[2J"`},
		"long name":       {strings.Repeat("a", 100) + "() = 0\n", `run.txt:1:1: strace writes no such line: "` + strings.Repeat("a", 40) + `…"`},
		"long line":       {"getpid() = 1\nread(" + strings.Repeat("x", maxStraceLine), "run.txt:2:1: longer than 1048576 bytes"},
		"nul bytes":       {strings.Repeat("\x00", 100) + "\n", `run.txt:1:1: strace writes no such line: "` + strings.Repeat(`\x00`, 40) + `…"`},
		"Process":         {"Process \n", `run.txt:1:1: strace writes no such line: "Process "`},
		"ltrace":          {"strlen(\"x\") = 1\n", `run.txt:1:1: unknown system call "strlen"`},
	} {
		p, err := importStrace(c[0])
		if err == nil || err.Error() != c[1] || p != nil {
			t.Errorf("%s: %v, %v, want %s", name, p, err, c[1])
			continue
		}
		var typed *Error
		if !errors.As(err, &typed) || !isPrintable(err.Error()) {
			t.Errorf("%s: %T %q", name, err, err)
		}
	}
	broken := errors.New("broken\x1b")
	if _, err := ImportStrace(io.MultiReader(strings.NewReader("getpid() = 1\n"), iotest.ErrReader(broken)), "a\nb"); !errors.Is(err, broken) || !isPrintable(err.Error()) {
		t.Errorf("a reader that breaks: %v", err)
	}
}

// TestStraceFiles reads what strace 6.1 wrote of one program, which makes calls
// of three ABIs, unknown ones, and a child that it is interrupted by.
func TestStraceFiles(t *testing.T) {
	want := "access brk cachestat clock_nanosleep clone close execve exit_group fstat getpid mmap mprotect munmap newfstatat openat pause pread64 prlimit64 read rseq select set_robust_list set_tid_address setxattrat socketcall umount"
	for _, file := range []string{"file.txt", "stderr.txt", "decorated.txt"} {
		p, err := LoadStrace(filepath.Join("testdata", "strace", file))
		if err != nil {
			t.Error(err)
			continue
		}
		got := slices.DeleteFunc(slices.Clone(*p.Seccomp.Allow), func(s string) bool { return s == "arch_prctl" || s == "fstat" })
		for _, call := range strings.Fields(want) {
			if !slices.Contains(got, call) && call != "fstat" {
				t.Errorf("%s: no %s", file, call)
			}
		}
		for _, call := range got {
			if !slices.Contains(strings.Fields(want), call) {
				t.Errorf("%s: %s", file, call)
			}
		}
		if text := encode(t, p); !slices.Equal(*mustDecode(t, string(text)).Seccomp.Allow, *p.Seccomp.Allow) {
			t.Errorf("%s comes back otherwise:\n%s", file, text)
		}
	}
	if p, err := LoadStrace("testdata/strace/cut.txt"); err != nil || !slices.Contains(*p.Seccomp.Allow, "mmap") {
		t.Errorf("cut.txt: %+v, %v", p, err)
	}
	if _, err := LoadStrace("testdata/strace/summary.txt"); err == nil || !strings.Contains(err.Error(), "strace -c") {
		t.Errorf("summary.txt: %v", err)
	}
	if _, err := LoadStrace(t.TempDir()); err == nil || !strings.Contains(err.Error(), "a directory") {
		t.Errorf("a directory: %v", err)
	}
}

// TestStraceItself traces a program, in the forms that people use, and reads
// what comes out.
func TestStraceItself(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		skip(t, "strace is not installed")
	}
	file := filepath.Join(t.TempDir(), "out")
	for _, args := range [][]string{{"-f"}, {"-f", "-y"}, {"-f", "-tt", "-T"}, {"-f", "-ttt", "-r"}, {"-f", "-i", "-n"}, {"-f", "-v", "-s", "9999", "-C"}, {"-f", "-k"}, {"-f", "-Y", "-yy"}} {
		output := []string{"-o", file}
		out, err := exec.Command("strace", slices.Concat(args, output, []string{"sh", "-c", "(exec true); exec cat /dev/null"})...).CombinedOutput()
		if err != nil {
			if args[1] == "-k" || args[1] == "-Y" || args[1] == "-i" {
				t.Logf("this strace has no %v: %s", args, out)
				continue
			}
			skip(t, "nothing can be traced here: "+string(out))
		}
		p, err := LoadStrace(file)
		if err != nil {
			t.Errorf("%v: %v", args, err)
			continue
		}
		got := *p.Seccomp.Allow
		for _, call := range []string{"execve", "openat", "close", "exit_group", "mmap", "read", "brk"} {
			if !slices.Contains(got, call) {
				t.Errorf("%v: no %s among %q", args, call, got)
			}
		}
		if slices.Contains(got, "mount") || slices.Contains(got, "ptrace") || !slices.IsSorted(got) {
			t.Errorf("%v: %q", args, got)
		}
	}
}

// TestLoadUsed tells a policy from strace's output.
func TestLoadUsed(t *testing.T) {
	for text, want := range map[string]string{
		"execve(\"/x\", [\"x\"], 0x1) = 0\nread(0, 1, 2) = 0\n":                            "execve read",
		"# used\n\n" + head + "seccomp: {allow: [write]}\n":                                "write",
		"\ufeff---\n" + head + "seccomp: {allow: [write]}\n":                               "write",
		`{"kind": "Policy", "apiVersion": "selfaudit/v1", "seccomp": {"allow": ["read"]}}`: "read",
		"seccomp: {allow: [write]}\n" + head:                                               "write",
		head + "seccomp: {mode: filter}\n":                                                 "error: f: the policy has no seccomp.allow, so it does not say what is used",
		head + "seccomp: {alow: [write]}\n":                                                "error: f:3:11: unknown key \"seccomp.alow\": did you mean seccomp.allow?",
		"nothing\n":                                                                        "error: f:1:1: strace writes no such line: \"nothing\"",
		"":                                                                                 "error: f: there is no system call of strace's output in it",
	} {
		p, err := decodeUsed(strings.NewReader(text), "f")
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = strings.Join(*p.Seccomp.Allow, " ")
		}
		if got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// TestStraceLarge: a long trace costs time by its length, and memory by its
// calls.
func TestStraceLarge(t *testing.T) {
	line := "12345 12:34:56.789012 read(3, \"" + strings.Repeat("x", 200) + "\", 4096) = 200 <0.000012>\n"
	start := time.Now()
	p, err := ImportStrace(bytes.NewReader(bytes.Repeat([]byte(line), 200_000)), "run.txt")
	if err != nil || !slices.Equal(*p.Seccomp.Allow, []string{"read"}) {
		t.Fatalf("%+v, %v", p, err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%d MB took %v", len(line)*200_000>>20, took)
	}
}

// FuzzImportStrace: whatever a file holds, what comes out is a policy of known
// calls that can be written and read back, or an error that can be printed.
func FuzzImportStrace(f *testing.F) {
	files, err := filepath.Glob("testdata/strace/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("1 <... read resumed>) = 0\n[pid 1<x>] Process \nsyscall_0x3e7() = 0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ImportStrace(bytes.NewReader(text), "f")
		if err != nil {
			var typed *Error
			if p != nil || !errors.As(err, &typed) || !isPrintable(err.Error()) || len(err.Error()) > 1000 {
				t.Fatalf("%v, %q", p, err)
			}
			return
		}
		for _, call := range *p.Seccomp.Allow {
			if !names.IsSyscall(call) {
				t.Errorf("%q is no call", call)
			}
		}
		encode(t, p)
	})
}
