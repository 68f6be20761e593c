package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// nobody is the id of the processes that the scripts audit.
const nobody = 65534

// hostileName is a name that clears a terminal, forges a verdict and is not
// UTF-8. The kernel keeps 15 bytes.
const hostileName = "\x1b[2J\nOK \xff\u202e\x07"

// hold POSTURE NAME starts a process with that posture and sets $NAME to its
// pid, and $NAME_TID to one of its threads that is not the leader. It ends with
// the script.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold POSTURE NAME")
	}
	cmd, err := startHolder(args[0])
	if err != nil {
		ts.Fatalf("hold %s: %v", args[0], err)
	}
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ts.Setenv(args[1], fmt.Sprint(cmd.Process.Pid))
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
	if err == nil && len(threads) > 1 {
		ts.Setenv(args[1]+"_TID", threads[len(threads)-1].Name())
	}
}

// startHolder starts the holder from a thread that has given up what the
// posture does without: execve(2) passes a thread's credentials on. That thread
// is never used again.
func startHolder(posture string) (cmd *exec.Cmd, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		cmd, err = launch(posture)
	}()
	<-done
	if err == nil && posture == "zombie" {
		err = waitZombie(cmd.Process.Pid)
	}
	return cmd, err
}

func launch(posture string) (*exec.Cmd, error) {
	// Held by a descriptor, for the directory is closed to other users.
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	if err := drop(posture); err != nil {
		return nil, err
	}
	cmd := exec.Command(fmt.Sprintf("/proc/self/fd/%d", self.Fd()), posture)
	cmd.Args[0] = "holder"
	cmd.Stderr = os.Stderr
	// The holder ends where its input does, also if the tests are killed.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("the holder says %q: %v", line, err)
	}
	return cmd, nil
}

// drop changes the calling thread alone.
func drop(posture string) error {
	real, effective := nobody, nobody
	switch posture {
	case "clean":
	case "saved-root":
		effective = 0
	default:
		return nil
	}
	for c := range 64 {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err == unix.EINVAL {
			break
		} else if err != nil {
			return fmt.Errorf("prctl(PR_CAPBSET_DROP): %w", err)
		}
	}
	calls := []struct {
		name    string
		nr      uintptr
		a, b, c int
	}{
		{"setgroups", unix.SYS_SETGROUPS, 0, 0, 0},
		{"setresgid", unix.SYS_SETRESGID, nobody, nobody, nobody},
		{"setresuid", unix.SYS_SETRESUID, real, effective, effective},
	}
	for _, call := range calls {
		if _, _, errno := unix.RawSyscall(call.nr, uintptr(call.a), uintptr(call.b), uintptr(call.c)); errno != 0 {
			return fmt.Errorf("%s(2): %w", call.name, errno)
		}
	}
	return nil
}

func waitZombie(pid int) error {
	for range 500 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return err
		}
		if _, after, ok := strings.Cut(string(b), ") "); ok && strings.HasPrefix(after, "Z") {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("process %d does not become a zombie", pid)
}

// holder is the process that is audited: it takes its posture, says that it is
// ready, and waits for the end of its input.
func holder() {
	if err := take(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "holder:", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	if os.Args[1] == "zombie" {
		os.Exit(0)
	}
	// A second thread, so that there is one that is not the leader.
	go func() { runtime.LockOSThread(); select {} }()
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func take(posture string) error {
	switch posture {
	case "clean", "plain", "zombie":
		return nil
	case "saved-root":
		// The real id may be taken without a privilege, on every thread.
		return syscall.Setresuid(-1, nobody, 0)
	case "hostile":
		name := append([]byte(hostileName), 0)
		// The name of the process is that of its first thread.
		return onFirstThread(func() error {
			return unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)
		})
	default:
		return takeFilter(posture)
	}
}

func onFirstThread(f func() error) error {
	if unix.Gettid() != unix.Getpid() {
		return fmt.Errorf("not on the first thread")
	}
	return f()
}

func init() {
	// main runs on the first thread and stays there.
	if len(os.Args) > 0 && os.Args[0] == "holder" {
		runtime.LockOSThread()
	}
}
