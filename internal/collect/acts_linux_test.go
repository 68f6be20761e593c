package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// skip leaves a test out for the reason given. Where SELFAUDIT_NO_SKIP=1 asks
// for all tests and we are root, that is a failure.
func skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("SELFAUDIT_NO_SKIP") == "1" && os.Geteuid() == 0 {
		t.Fatal("must not be skipped: " + reason)
	}
	t.Skip(reason)
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
}

const actVariable = "SELFAUDIT_COLLECT_ACT"

// acts run in a process of their own, which ends with 0 where all was as it
// must be.
var acts = map[string]func() error{}

// An act is the leader's, whom its parent looks at. Only in init is the main
// goroutine sure to be on that thread.
func init() {
	if os.Getenv(actVariable) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	name := os.Getenv(actVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	act := acts[name]
	if act == nil {
		act = func() error { return errors.New("no such act: " + name) }
	}
	if err := act(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// command makes the test binary run an act, through the words before it where
// there are any.
func command(t *testing.T, act string, words ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words = append(words, exe)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), actVariable+"="+act, "GOMAXPROCS=2", "GORACE=atexit_sleep_ms=0", "TMPDIR="+openTempDir(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// openTempDir returns a directory that an act may use as any user, and that is
// gone afterwards: an act that changed its root cannot remove anything.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "collect")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// runAct runs an act and judges it by its exit status.
func runAct(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
}

// privateMounts puts a command into a mount namespace of its own.
func privateMounts(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr.Unshareflags |= syscall.CLONE_NEWNS
	return cmd
}

func privateMountsUnless(cmd *exec.Cmd, not bool) *exec.Cmd {
	if not {
		return cmd
	}
	return privateMounts(cmd)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func private() error { return mounts.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") }

func self(o Options) (*posture.Process, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return Self(context.Background(), o)
}

// classOf returns the class of a thread.
func classOf(p *posture.Process, tid int) *posture.Class {
	for i := range p.Classes {
		for _, t := range p.Classes[i].TIDs {
			if t == tid {
				return &p.Classes[i]
			}
		}
	}
	return nil
}

// wellRead wants all facts of all threads known, and all threads.
func wellRead(p *posture.Process) error {
	n, known := p.Threads.Get()
	if !known {
		return errors.New("threads: " + p.Threads.Why())
	}
	seen := 0
	for i := range p.Classes {
		c := &p.Classes[i]
		seen += len(c.TIDs)
		for name, why := range map[string]string{
			"uid": c.UID.Why(), "gid": c.GID.Why(), "groups": c.Groups.Why(), "effective": c.Caps.Effective.Why(), "bounding": c.Caps.Bounding.Why(),
			"no_new_privs": c.NoNewPrivs.Why(), "seccomp": c.SeccompMode.Why(), "filters": c.SeccompFilters.Why(), "nspid": c.NSpid.Why(),
		} {
			if why != "" {
				return fmt.Errorf("threads %v: %s: %s", c.TIDs, name, why)
			}
		}
	}
	if seen != n || n == 0 {
		return fmt.Errorf("%d threads in classes, %d counted", seen, n)
	}
	if !agree(p) {
		return errors.New("kernel and /proc disagree")
	}
	return nil
}

// disbelieved wants nothing from /proc, and the calling thread's own answers.
func disbelieved(p *posture.Process, because string) error {
	if p.Threads.State != posture.Unreadable || !strings.Contains(p.Threads.Err, because) {
		return fmt.Errorf("threads: %v %q, want unreadable for %q", p.Threads.State, p.Threads.Why(), because)
	}
	if len(p.Classes) != 1 || len(p.Classes[0].TIDs) != 1 || p.Classes[0].TID != syscall.Gettid() {
		return fmt.Errorf("classes %+v, want that of the calling thread", p.Classes)
	}
	c := &p.Classes[0]
	// Without a map the overflow id may stand for any, 0 among them.
	uidKnown := posture.Known
	if os.Getuid() == overflowID {
		uidKnown = posture.Unreadable
	}
	if c.Caps.Effective.State != posture.Known || c.Caps.Effective.Source != capgetSource || c.UID.State != uidKnown {
		return fmt.Errorf("own answers: effective %q, uid %q", c.Caps.Effective.Why(), c.UID.Why())
	}
	if c.SeccompFilters.State != posture.Unreadable || c.NSpid.State != posture.Unreadable {
		return errors.New("what only /proc shows is not unreadable")
	}
	return nil
}

// stay tells numbers to whoever started the act, and waits for its end.
func stay(numbers ...int) error {
	fmt.Println(strings.Trim(fmt.Sprint(numbers), "[]"))
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// talk starts an act that stays, and returns its pid and the numbers it tells.
func talk(t *testing.T, cmd *exec.Cmd, n int) (pid int, numbers []int) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	numbers = make([]int, n)
	for i := range numbers {
		if _, err := fmt.Fscan(out, &numbers[i]); err != nil {
			t.Fatalf("%v: %s", err, complaint.String())
		}
	}
	return cmd.Process.Pid, numbers
}

func newCalls() *kernel.Calls { return kernel.New(nil) }
