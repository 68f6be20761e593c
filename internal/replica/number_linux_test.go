//go:build amd64 || arm64

package replica_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

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
