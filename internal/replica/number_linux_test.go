//go:build amd64 || arm64

package replica_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/replica"
)

// TestNumberBelow: a process in a pid namespace below that of a process is
// known there too, and one in a namespace beside it is not.
func TestNumberBelow(t *testing.T) {
	launch.NeedRoot(t)
	nested := func() (outer, inner int) {
		cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", "unshare --pid --fork sleep 60; true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		deep := func(n int) func(int) bool {
			return func(pid int) bool {
				s := launch.Status(pid)
				return len(strings.Fields(s["NSpid"])) == n && s["Name"] == map[int]string{2: "sh", 3: "sleep"}[n]
			}
		}
		inner = find(t, cmd.Process.Pid, deep(3))
		return find(t, cmd.Process.Pid, deep(2)), inner
	}
	outer, inner := nested()
	_, beside := nested()
	target, err := replica.Open(t.Context(), outer)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := collect.PID(t.Context(), outer, collect.Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := target.Posture(&p.Classes[0]); err != nil {
		t.Fatal(err)
	}
	number, known, err := target.Number(inner, &p.Classes[0])
	if want := strings.Fields(launch.Status(inner)["NSpid"])[1]; err != nil || !known || strconv.Itoa(number) != want {
		t.Errorf("process %d below: %d, %v, %v, want %s", inner, number, known, err, want)
	}
	if number, known, err := target.Number(beside, &p.Classes[0]); known || err != nil {
		t.Errorf("process %d beside: %d, %v", beside, number, err)
	}
	if number, known, err := target.Number(outer, &p.Classes[0]); !known || number != 1 || err != nil {
		t.Errorf("process %d itself: %d, %v, %v", outer, number, known, err)
	}
	for pid, want := range map[int]bool{outer: true, inner: false, beside: false, os.Getpid(): false} {
		if got := target.Sees(pid, &p.Classes[0]); got != want {
			t.Errorf("process %d sees what is born there: %v, want %v", pid, got, want)
		}
	}
}

// asFirst is set where this program is to start the first process of a pid
// namespace below its own, as a child of its own parent, and to wait.
const asFirst = "SELFAUDIT_REPLICA_FIRST"

func init() {
	if os.Getenv(asFirst) == "" {
		return
	}
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_PARENT}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	time.Sleep(time.Minute)
	os.Exit(0)
}

// TestNumberParentOutside: the parent of a namespace's first process may lie
// outside all namespaces above it: clone(2) with CLONE_PARENT.
func TestNumberParentOutside(t *testing.T) {
	launch.NeedRoot(t)
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "sleep", "60")
	start(t, cmd)
	depth := func(n int) func(int) bool {
		return func(pid int) bool {
			s := launch.Status(pid)
			return len(strings.Fields(s["NSpid"])) == n && s["Name"] == "sleep"
		}
	}
	outer := find(t, cmd.Process.Pid, depth(2))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	enter := exec.Command("nsenter", "--pid=/proc/"+strconv.Itoa(outer)+"/ns/pid", exe)
	enter.Env = append(os.Environ(), asFirst+"=1")
	start(t, enter)
	inner := find(t, enter.Process.Pid, depth(3))
	if parent := launch.Status(inner)["PPid"]; parent != strconv.Itoa(enter.Process.Pid) {
		t.Fatalf("its parent is %s", parent)
	}
	target, class := held(t, outer)
	number, known, err := target.Number(inner, class)
	if want := strings.Fields(launch.Status(inner)["NSpid"])[1]; err != nil || !known || strconv.Itoa(number) != want {
		t.Errorf("process %d below: %d, %v, %v, want %s", inner, number, known, err, want)
	}
}

// start starts a command, and ends it with all that it started.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		below := launch.Descendants(cmd.Process.Pid)
		cmd.Process.Kill()
		cmd.Wait()
		for _, pid := range below {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// held holds a process, of which a replica could be made.
func held(t *testing.T, pid int) (*replica.Target, *posture.Class) {
	t.Helper()
	target, err := replica.Open(t.Context(), pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	p, err := collect.PID(t.Context(), pid, collect.Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := target.Posture(&p.Classes[0]); err != nil {
		t.Fatal(err)
	}
	return target, &p.Classes[0]
}

// find waits for a process below another.
func find(t *testing.T, below int, wanted func(int) bool) int {
	t.Helper()
	for range 500 {
		for _, pid := range launch.Descendants(below) {
			if wanted(pid) {
				return pid
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no such process below %d", below)
	return 0
}
