//go:build linux && !s390x

package child

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// underFilter is the variable that makes the test binary load a filter and run
// a program under it: an action and numbers, separated by commas.
const underFilter = "SELFAUDIT_TEST_FILTER"

func TestMain(m *testing.M) {
	spec := os.Getenv(underFilter)
	if spec == "" {
		os.Exit(m.Run())
	}
	if err := runFiltered(spec); err != nil {
		fmt.Println("error:", err)
		os.Exit(3)
	}
	os.Exit(0)
}

// runFiltered loads the filter on the locked main thread, runs a program that
// gets its parent's id, and prints how that went and which children are left.
func runFiltered(spec string) error {
	runtime.LockOSThread()
	var action uint32
	var numbers []uint32
	for k, word := range strings.Split(spec, ",") {
		var n uint32
		if _, err := fmt.Sscan(word, &n); err != nil {
			return err
		}
		if k == 0 {
			action = n
			continue
		}
		numbers = append(numbers, n)
	}
	pid, tid := syscall.Getpid(), syscall.Gettid()
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for _, n := range numbers {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ, Jf: 1, K: n},
			unix.SockFilter{Code: unix.BPF_RET, K: action})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return e
	}
	p, err := New()
	if err != nil {
		return err
	}
	ppid := p.Call(uint32(unix.SYS_GETPPID), 0)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = p.Run(ctx, Options{Filtered: true})
	o := p.Outcome(ppid)
	if cerr := p.Close(); cerr != nil {
		return cerr
	}
	children, rerr := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", tid))
	if rerr != nil {
		return rerr
	}
	fmt.Printf("left: %d\n", len(strings.Fields(string(children))))
	if err != nil {
		return err
	}
	if !o.OK() || int(o.Ret) != pid {
		return fmt.Errorf("getppid: %+v", o)
	}
	return nil
}

func TestUnderFilters(t *testing.T) {
	const kill, deny = uint32(unix.SECCOMP_RET_KILL_PROCESS), uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
	for _, c := range []struct {
		name    string
		action  uint32
		numbers []uint32
		left    int
		fails   string
	}{
		{"nothing that matters", kill, []uint32{unix.SYS_REBOOT}, 0, ""},
		{"wait4 kills", kill, []uint32{unix.SYS_WAIT4}, 0, ""},
		{"wait4 denied", deny, []uint32{unix.SYS_WAIT4}, 0, ""},
		{"prctl kills", kill, []uint32{unix.SYS_PRCTL}, 0, ""},
		{"prlimit64 kills", kill, []uint32{unix.SYS_PRLIMIT64}, 0, ""},
		{"prlimit64, prctl and wait4 kill", kill, []uint32{unix.SYS_PRLIMIT64, unix.SYS_PRCTL, unix.SYS_WAIT4}, 0, ""},
		{"pidfd_send_signal kills", kill, []uint32{unix.SYS_PIDFD_SEND_SIGNAL}, 0, ""},
		{"setsid and the timers kill", kill, []uint32{unix.SYS_SETSID, unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME}, 0, ""},
		{"getpid kills", kill, []uint32{unix.SYS_GETPID}, 0, ""},
		{"all controls but the clock denied", deny, []uint32{unix.SYS_GETPID, unix.SYS_GETTID}, 0, ""},
		{"all controls faked", uint32(unix.SECCOMP_RET_ERRNO), []uint32{unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_CLOCK_GETTIME}, 0, "no control"},
		{"clone denied", deny, []uint32{unix.SYS_CLONE}, 0, "clone: operation not permitted"},
		{"wait4 and waitid kill", kill, []uint32{unix.SYS_WAIT4, unix.SYS_WAITID}, 2, "kills for wait4(2) and waitid(2)"},
		{"wait4 and waitid denied", deny, []uint32{unix.SYS_WAIT4, unix.SYS_WAITID}, 1, "denies wait4(2) and waitid(2)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			words := []string{fmt.Sprint(c.action)}
			for _, n := range c.numbers {
				words = append(words, fmt.Sprint(n))
			}
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), underFilter+"="+strings.Join(words, ","))
			out, err := cmd.Output()
			code := cmd.ProcessState.ExitCode()
			if code < 0 {
				t.Fatalf("the parent died: %v", err)
			}
			if want := fmt.Sprintf("left: %d\n", c.left); !strings.HasPrefix(string(out), want) {
				t.Errorf("printed %q, want it to begin with %q", out, want)
			}
			switch {
			case c.fails == "" && code != 0:
				t.Errorf("failed: %s", out)
			case c.fails != "" && (code != 3 || !strings.Contains(string(out), c.fails)):
				t.Errorf("exit %d, printed %q, want an error with %q", code, out, c.fails)
			}
		})
	}
}

func TestSurvey(t *testing.T) {
	// Without a filter every call of the table survives, and the answers are
	// those that the table lists.
	deny, err := Deny(withTimeout(t, 10*time.Second), kernel.AuditCalls())
	if err != nil {
		t.Fatal(err)
	}
	if len(kernel.AuditCalls()) < 10 || len(deny) != 0 {
		t.Errorf("%d calls surveyed, denied: %v", len(kernel.AuditCalls()), deny)
	}
}

// TestDeadlineOfItsOwn: a child that its parent may not signal ends itself.
func TestDeadlineOfItsOwn(t *testing.T) {
	p := newProgram(t)
	sleep := p.Call(kernelPause, 0, Int(0), Int(0), Int(0), Int(0))
	p.End()
	r := runner{Program: p}
	r.prepare()
	r.area.end = uint32(p.steps)
	ctx := withTimeout(t, 30*time.Millisecond)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.area.start = r.area.prolog
	r.setDeadline(ctx)
	pidfd := int32(-1)
	pid, err := forkBlocked(r.area, &pidfd)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(int(pidfd))
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, wallClone, nil); err != syscall.EINTR {
			break
		}
	}
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("wait status %#x, want death by SIGKILL", uint32(status))
	}
	if p.Outcome(sleep).Made {
		t.Error("the sleep returned")
	}
}
