package collect

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	// Sleeps under a filter that kills for restart_syscall(2), or not. What the
	// kernel makes of a stop goes to standard output.
	acts["dozing"] = func() error {
		answer := uint32(unix.SECCOMP_RET_ALLOW)
		if os.Args[1] == "denied" {
			answer = unix.SECCOMP_RET_KILL_PROCESS
		}
		must(loadHere([]unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
			{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_RESTART_SYSCALL, Jf: 1},
			{Code: unix.BPF_RET | unix.BPF_K, K: answer},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		}))
		go func() {
			_ = stay(1)
			os.Exit(0)
		}()
		for began := time.Now(); ; {
			wait := unix.Timespec{Sec: 1}
			if err := unix.Nanosleep(&wait, nil); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			} else if err == nil && os.Args[1] == "allowed" {
				if took := time.Since(began); took < 900*time.Millisecond || took > 10*time.Second {
					return fmt.Errorf("slept %v", took)
				}
				return nil
			} else if err != nil && os.Args[1] == "allowed" {
				return err
			}
		}
	}
}

// inSleep waits for a thread to be in nanosleep(2).
func inSleep(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
		if strings.HasPrefix(string(b), fmt.Sprint(unix.SYS_NANOSLEEP)+" ") {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("process %d does not sleep", pid)
}

// The kernel goes on with a sleep by restart_syscall(2). Filters that kill for
// it do not kill for a stop of ours.
func TestRestartDenied(t *testing.T) {
	needFetch(t)
	cmd := command(t, "dozing")
	cmd.Args = append(cmd.Args, "denied")
	pid, _ := talk(t, cmd, 1)
	for range 5 {
		inSleep(t, pid)
		p, err := PID(t.Context(), pid, Options{Filters: true})
		if err != nil {
			t.Fatal(err)
		}
		if f, known := classOf(p, pid).Filters.Get(); !known || len(f.Programs) != 1 {
			t.Errorf("%d filters: %s", len(f.Programs), classOf(p, pid).Filters.Why())
		}
	}
	inSleep(t, pid)
	untouched(t, pid)
}

// Where they let it through the sleep goes on, and ends when it should.
func TestRestartAllowed(t *testing.T) {
	needFetch(t)
	cmd := command(t, "dozing")
	cmd.Args = append(cmd.Args, "allowed")
	pid, _ := talk(t, cmd, 1)
	inSleep(t, pid)
	if _, err := PID(t.Context(), pid, Options{Filters: true}); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
