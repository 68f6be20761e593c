package audit_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/inside"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// owner is no other test's user, whose processes would be let in too.
const owner = 65123

// TestOwnedUserNamespace: a process without any capability may trace what is in
// a user namespace that its user has made, whatever user that is there.
func TestOwnedUserNamespace(t *testing.T) {
	launch.NeedRoot(t)
	s := fixture.Clean()
	s.UID = fixture.IDs{Real: owner, Effective: owner, Saved: owner, FS: owner}
	pid := launch.Wait(t, nil, s)
	if r := checkPID(t, pid); r.Verdict != report.Confined {
		t.Fatalf("verdict %s before there is one", r.Verdict)
	}
	if r := checkSelf(t, s); r.Verdict != report.Confined {
		t.Fatalf("verdict %s of itself before there is one", r.Verdict)
	}
	other := owned(t)
	openTo(t, checkPID(t, pid), other)
	openTo(t, checkSelf(t, s), other)
}

// openTo wants a process to be found open to another's attempts.
func openTo(t *testing.T, r *report.Report, other int) {
	t.Helper()
	for _, id := range []string{"probe.ptrace", "probe.process-vm-readv"} {
		if !slices.ContainsFunc(r.Gaps(), func(f report.Finding) bool { return f.ID == id }) {
			t.Errorf("self %v: %s: no gap, though process %d is open to it", r.Target.Self, id, other)
		}
	}
}

// checkSelf returns what a process says of itself.
func checkSelf(t *testing.T, s fixture.Settings) *report.Report {
	t.Helper()
	r := launch.Inside(t, nil, s, inside.Request{})
	if r.Reports[0] == nil {
		t.Fatal(r.Errors[0])
	}
	return r.Reports[0]
}

func checkPID(t *testing.T, pid int) *report.Report {
	t.Helper()
	r, err := audit.Check(context.Background(), audit.WithPID(pid))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// owned starts a process of another user in a user namespace that owner has
// made.
func owned(t *testing.T) int {
	t.Helper()
	const script = "read go; exec setpriv --reuid 0 --regid 0 --clear-groups sleep 60"
	cmd := exec.Command("unshare", "--user", "--keep-caps", "sh", "-c", script)
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner, Gid: fixture.Group}}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	pid := cmd.Process.Pid
	at := "/proc/" + strconv.Itoa(pid)
	until(t, func() bool { return launch.Status(pid)["Name"] == "sh" })
	for _, name := range []string{"/uid_map", "/gid_map"} {
		if err := os.WriteFile(at+name, []byte("0 100000 1\n"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(stdin, "go\n"); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return launch.Status(pid)["Name"] == "sleep" })
	return pid
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited for nothing")
}
