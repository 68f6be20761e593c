package audit_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/names"
)

// neighbour is the user of the processes that these tests start, and no other's.
const neighbour = 65124

func beyondPolicy() *policy.Policy {
	p := &policy.Policy{Name: "beyond", Network: policy.Network{NoAbstract: true}}
	for _, a := range names.AttemptsBeyond() {
		if a.Group == names.Reescalation {
			p.Probes.Reescalation = append(p.Probes.Reescalation, a.Name)
		} else {
			p.Probes.Syscalls = append(p.Probes.Syscalls, a.Name)
		}
	}
	return p
}

// asNeighbour starts a program that does nothing as that user, in a root that
// holds it alone and, by a bind mount, /proc where proc is true.
func asNeighbour(t *testing.T, flags uintptr, proc bool, files ...*os.File) int {
	t.Helper()
	root := t.TempDir()
	for d := root; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(launch.Build(t, "sleeper", []string{"CGO_ENABLED=0"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/sleeper", program, 0o755); err != nil {
		t.Fatal(err)
	}
	if proc {
		return withProc(t, root, flags, files)
	}
	cmd := exec.Command("/sleeper")
	cmd.Dir, cmd.Env, cmd.ExtraFiles = "/", []string{}, files
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Cloneflags: flags, Credential: &syscall.Credential{Uid: neighbour, Gid: neighbour}}
	return startUntilEnd(t, cmd)
}

// withProc starts it in a mount namespace of its own, where /proc can be mounted.
func withProc(t *testing.T, root string, flags uintptr, files []*os.File) int {
	t.Helper()
	if err := os.Mkdir(root+"/proc", 0o755); err != nil {
		t.Fatal(err)
	}
	who := strconv.Itoa(neighbour)
	cmd := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c",
		`mount --bind /proc "$1/proc" && exec chroot --userspec="$2:$2" --groups= "$1" /sleeper`, "sh", root, who)
	cmd.Dir, cmd.ExtraFiles = "/", files
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	pid := startUntilEnd(t, cmd)
	for range 500 {
		if launch.Status(pid)["Name"] == "sleeper" {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no sleeper came of %v", cmd.Args)
	return 0
}

func startUntilEnd(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

// outsider starts a process of the same user outside that root.
func outsider(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: neighbour, Gid: neighbour}}
	pid := startUntilEnd(t, cmd)
	until(t, func() bool {
		s := launch.Status(pid)
		return s["Name"] == "sleep" && strings.HasPrefix(s["State"], "S")
	})
	return pid
}

// beyondOf audits a process and returns the findings on what lies outside it.
func beyondOf(t *testing.T, pid int) map[string]report.Finding {
	t.Helper()
	r, err := audit.Check(context.Background(), audit.WithPID(pid), audit.WithPolicy(beyondPolicy()))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]report.Finding{}
	for _, f := range r.Findings {
		out[f.ID] = f
	}
	return out
}

func wantBeyond(t *testing.T, where string, got map[string]report.Finding, want map[string]report.Status) {
	t.Helper()
	for _, a := range names.AttemptsBeyond() {
		id := "probe." + a.Name
		status, listed := want[id]
		if !listed {
			status = report.Pass
		}
		if got[id].Status != status {
			t.Errorf("%s: %s is %s: %s", where, id, got[id].Status, got[id].Message)
		}
	}
}

// TestBeyond: a process of the same user outside the root is open to a process
// that has no privilege at all, and lends it its root where there is a /proc. In
// a pid namespace of its own it can name none; a directory it needs no /proc for.
func TestBeyond(t *testing.T) {
	launch.NeedRoot(t)
	alone := asNeighbour(t, 0, true)
	wantBeyond(t, "alone", beyondOf(t, alone), nil)
	other := outsider(t)
	before := launch.Status(other)
	reached := map[string]report.Status{
		"probe.kill-processes": report.Gap, "probe.ptrace-processes": report.Gap, "probe.process-vm-readv-processes": report.Gap, "probe.proc-root": report.Gap,
	}
	got := beyondOf(t, alone)
	wantBeyond(t, "beside another", got, reached)
	if f := got["probe.proc-root"]; !strings.Contains(f.Message, "process "+strconv.Itoa(other)) {
		t.Errorf("the one that lends its root is not named: %s", f.Message)
	}
	after := launch.Status(other)
	for _, line := range []string{"State", "TracerPid", "SigPnd", "ShdPnd"} {
		if before[line] != after[line] {
			t.Errorf("%s of the other was %s and is %s", line, before[line], after[line])
		}
	}
	reached["probe.proc-root"] = report.Pass
	wantBeyond(t, "without /proc", beyondOf(t, asNeighbour(t, 0, false)), reached)
	wantBeyond(t, "own pid namespace", beyondOf(t, asNeighbour(t, syscall.CLONE_NEWPID, false)), nil)
	dir, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	wantBeyond(t, "a directory from outside", beyondOf(t, asNeighbour(t, syscall.CLONE_NEWPID, false, dir)), map[string]report.Status{"probe.fd-escape": report.Gap})
}

// TestHiddenBehindAnother: one process that is not dumpable does not speak for
// another one of the same user.
func TestHiddenBehindAnother(t *testing.T) {
	launch.NeedRoot(t)
	pid := asNeighbour(t, 0, false)
	program, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	// What its user may not read is not dumpable: execve(2).
	hidden := filepath.Join(t.TempDir(), "hidden")
	for d := filepath.Dir(hidden); strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(hidden, program, 0o711); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(hidden, "60")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: neighbour, Gid: neighbour}}
	first := startUntilEnd(t, cmd)
	until(t, func() bool { return launch.Status(first)["Name"] == "hidden" })
	if f := beyondOf(t, pid)["probe.ptrace-processes"]; f.Status != report.Pass {
		t.Errorf("beside one that is not dumpable: %s: %s", f.Status, f.Message)
	}
	outsider(t)
	if f := beyondOf(t, pid)["probe.ptrace-processes"]; f.Status != report.Gap {
		t.Errorf("beside another one too: %s: %s", f.Status, f.Message)
	}
}

// TestOthersProcInRoot: a /proc of the pid namespace above numbers processes as
// the auditor does, and leads out of the root though they cannot be signalled.
func TestOthersProcInRoot(t *testing.T) {
	launch.NeedRoot(t)
	outsider(t)
	pid := asNeighbour(t, syscall.CLONE_NEWPID, true)
	wantBeyond(t, "own pid namespace", beyondOf(t, pid), map[string]report.Status{"probe.proc-root": report.Gap})
}

// TestAbstractOfItsOwn: who listens is not told of its own socket, and whoever
// else shares the network namespace is.
func TestAbstractOfItsOwn(t *testing.T) {
	name := fmt.Sprintf("selfaudit-own-%d\n\x1b[2J", os.Getpid())
	l, err := net.Listen("unix", "@"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	only := &policy.Policy{Name: "network", Network: policy.Network{NoAbstract: true}}
	find := func(opts ...audit.Option) report.Finding {
		t.Helper()
		r, err := audit.Check(context.Background(), append(opts, audit.WithPolicy(only))...)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			if f.ID == "network.abstract" {
				return f
			}
		}
		t.Fatal("no network.abstract")
		return report.Finding{}
	}
	shown := strconv.QuoteToASCII("@" + name)
	if f := find(); f.Status == report.Unknown || strings.Contains(f.Message, shown) {
		t.Errorf("its own: %s %s", f.Status, f.Message)
	}
	cmd := exec.Command("sleep", "60")
	if f := find(audit.WithPID(startUntilEnd(t, cmd))); f.Status != report.Gap || !strings.Contains(f.Message, shown) {
		t.Errorf("a child's: %s %s", f.Status, f.Message)
	}
}
