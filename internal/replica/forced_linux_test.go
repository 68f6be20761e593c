//go:build amd64 || arm64

package replica_test

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/replica"
)

// asFiltered is the variable that makes the test binary load a filter without
// no_new_privs, and drop its privileges after that. It says what the filter does:
// it denies capset(2), or leaves mount(2) to a supervisor.
const asFiltered = "SELFAUDIT_TEST_FILTERED"

const (
	denies     = "denies"
	supervises = "supervises"
)

// filtered does that on one thread, says so and waits.
func filtered() error {
	runtime.LockOSThread()
	nr, action, flags := uint32(kernel.SysCapset), 0x00050000|uint32(syscall.EPERM), uintptr(0)
	if os.Getenv(asFiltered) == supervises {
		nr, action, flags = syscall.SYS_MOUNT, 0x7fc00000, 8
	}
	program := []syscall.SockFilter{
		{Code: 0x20, K: 0}, // the number
		{Code: 0x15, Jt: 0, Jf: 1, K: nr},
		{Code: 0x06, K: action},
		{Code: 0x06, K: 0x7fff0000},
	}
	prog := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := syscall.RawSyscall(kernel.SysSeccomp, 1, flags, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	if _, _, errno := syscall.RawSyscall(kernel.SysSetresuid, 65532, 65532, 0); errno != 0 {
		return os.NewSyscallError("setresuid", errno)
	}
	os.Stdout.WriteString("ready\n")
	io.ReadAll(os.Stdin)
	return nil
}

// startFiltered starts the test binary so and returns its number.
func startFiltered(t *testing.T, what string) int {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asFiltered+"="+what)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	if _, err := io.ReadFull(stdout, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// filteredThread makes attempts in a replica of the one thread with a filter.
func filteredThread(t *testing.T, what string) tried {
	t.Helper()
	for _, r := range try(t, startFiltered(t, what), []string{"setuid-root", "capset", "mount"}, nil) {
		if r.class.SeccompMode.Value != 0 {
			return r
		}
	}
	t.Fatal("no thread has a filter")
	return tried{}
}

// TestForced: filters that stand before capset(2), of a process without
// no_new_privs, are loaded with it, and that is said.
func TestForced(t *testing.T) {
	launch.NeedRoot(t)
	r := filteredThread(t, denies)
	if !slices.ContainsFunc(r.limits, func(l string) bool { return strings.Contains(l, "no_new_privs") }) {
		t.Errorf("limits: %q", r.limits)
	}
	check(t, []tried{r}, map[string]posture.Outcome{"setuid-root": yes, "mount": no, "capset": no})
}

// TestSupervised: what a supervisor would answer to the process, a replica does
// not find out, and says so.
func TestSupervised(t *testing.T) {
	launch.NeedRoot(t)
	check(t, []tried{filteredThread(t, supervises)}, map[string]posture.Outcome{"setuid-root": yes, "mount": posture.Undecided, "capset": yes})
}

// TestUnexplained: a death that the evaluated filters do not explain proves
// nothing. Here they are said to let everything through.
func TestUnexplained(t *testing.T) {
	launch.NeedRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := fixture.Clean()
	s.Kill = []fixture.Kill{{Number: syscall.SYS_MOUNT}}
	pid := launch.Wait(t, nil, s)
	target, err := replica.Open(t.Context(), pid)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := collect.PID(t.Context(), pid, collect.Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	class := &p.Classes[0]
	names := []string{"mount", "setuid-root"}
	check(t, []tried{tryClass(t.Context(), target, p, class, names, nil)}, map[string]posture.Outcome{"mount": no, "setuid-root": no})
	allow := []posture.Way{{Action: posture.ActionAllow}}
	class.Filters.Value.ABIs = []posture.FilteredABI{{Calls: []posture.FilteredCalls{{Last: ^uint32(0), Ways: allow}}}}
	check(t, []tried{tryClass(t.Context(), target, p, class, names, nil)}, map[string]posture.Outcome{"mount": posture.Undecided, "setuid-root": no})
}

// BenchmarkReplica is a whole round: facts, filters, replica and attempts.
func BenchmarkReplica(b *testing.B) {
	launch.NeedRoot(b)
	pid := launch.Wait(b, nil, fixture.Clean())
	names := confined(b).Probes.Names()
	for b.Loop() {
		if err := round(pid, names); err != nil {
			b.Fatal(err)
		}
	}
}
