package profiles

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/names"
)

func TestMain(m *testing.M) { launch.Main(m) }

// profile returns a built-in policy.
func profile(t *testing.T, name string) *policy.Policy {
	t.Helper()
	p, ok := policy.Builtin(name)
	if !ok {
		t.Fatalf("no profile %q", name)
	}
	return p
}

// because names findings, each with its subject where that tells it apart, and
// the reason for each.
type because map[string]string

// without returns those that are not among ids.
func (b because) without(ids []string) because {
	left := maps.Clone(b)
	maps.DeleteFunc(left, func(id, _ string) bool { return slices.Contains(ids, id) })
	return left
}

// bySubject are the findings that are told apart by their subjects here.
var bySubject = []string{"namespace", "limit.rlimit", "limit.cgroup", "filesystem.mount", "seccomp.syscall"}

func key(f report.Finding) string {
	if f.Subject != "" && slices.Contains(bySubject, f.ID) {
		return f.ID + " " + f.Subject
	}
	return f.ID
}

// outside audits a process.
func outside(t *testing.T, pid int, p *policy.Policy) *report.Report {
	t.Helper()
	r, err := audit.Check(context.Background(), audit.WithPID(pid), audit.WithPolicy(p))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// clean fails on all that keeps a report from being confined.
func clean(t *testing.T, where string, r *report.Report, unknown because) {
	t.Helper()
	for _, f := range r.Gaps() {
		t.Errorf("%s: false alarm: %s %s: %s", where, f.ID, f.Subject, f.Message)
	}
	seen := map[string]bool{}
	for _, f := range r.Unknowns() {
		seen[key(f)] = true
		if unknown[key(f)] == "" {
			t.Errorf("%s: unknown: %s %s: %s", where, f.ID, f.Subject, f.Message)
		}
	}
	for id, why := range unknown {
		if !seen[id] {
			t.Errorf("%s: %s is known, though %s", where, id, why)
		}
	}
	if want := report.Confined; len(unknown) == 0 && r.Verdict != want {
		t.Errorf("%s: verdict %s, want %s", where, r.Verdict, want)
	}
}

// holed fails on each gap that is missing and on each that is too much.
func holed(t *testing.T, r *report.Report, want because) {
	t.Helper()
	got := map[string]bool{}
	for _, f := range r.Gaps() {
		got[key(f)] = true
		if want[key(f)] == "" {
			t.Errorf("false alarm: %s %s: %s", f.ID, f.Subject, f.Message)
		}
	}
	for id, why := range want {
		if !got[id] {
			t.Errorf("hole not found: %s, though %s%s", id, why, said(r, id))
		}
	}
	if r.Verdict != report.Exposed {
		t.Errorf("verdict %s", r.Verdict)
	}
}

// said is what the report has under an id instead.
func said(r *report.Report, id string) (out string) {
	id, _, _ = strings.Cut(id, " ")
	for _, f := range r.Findings {
		if f.ID == id {
			out += fmt.Sprintf("\n\t%v %s: %s", f.Status, f.Subject, f.Message)
		}
	}
	return out
}

// covered fails where the report of a clean process passes something that no
// hole has opened: a key that no process could fail need not be in the profile.
// Of attempts it takes one of each of the policy's two lists.
func covered(t *testing.T, r *report.Report, holes []because, not because) {
	t.Helper()
	opened := map[string]bool{}
	for _, h := range holes {
		for id := range h {
			opened[id] = true
			if a, ok := strings.CutPrefix(id, "probe."); ok {
				opened[list(a)] = true
			}
		}
	}
	for _, f := range r.Findings {
		k := key(f)
		if a, ok := strings.CutPrefix(f.ID, "probe."); ok {
			k = list(a)
		}
		if f.Status == report.Skipped || k == "contradiction" || opened[k] {
			continue
		}
		opened[k] = true
		if not[k] == "" {
			t.Errorf("no hole opens %s: %s", k, f.Message)
		} else {
			t.Logf("no hole opens %s: %s", k, not[k])
		}
	}
}

// list is the key that an attempt belongs to.
func list(attempt string) string {
	for _, a := range names.Attempts() {
		if a.Name == attempt {
			return "probes." + a.Group.String()
		}
	}
	return ""
}

// bench is a directory that holds what is started, outside of /tmp, which some
// of that covers.
func bench(t *testing.T) string {
	t.Helper()
	launch.NeedRoot(t)
	dir, err := os.MkdirTemp("/var/tmp", "selfaudit-profiles-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// abstractSocket listens on the machine's network while the test runs.
func abstractSocket(t *testing.T) {
	t.Helper()
	l, err := net.Listen("unix", fmt.Sprintf("@selfaudit-profiles-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// runtimeSocket makes a socket that every user may connect to.
func runtimeSocket(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
}

// traced has a process traced while f runs. Nothing stops it.
func traced(t *testing.T, pid int, f func()) {
	t.Helper()
	const seize, detach = 0x4206, 17
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PTRACE, seize, uintptr(pid), 0, 0, 0, 0); e != 0 {
		t.Fatalf("ptrace(PTRACE_SEIZE): %v", e)
	}
	defer func() {
		// It can be let go only while it stands still.
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			t.Error(err)
		}
		if _, _, e := syscall.RawSyscall6(syscall.SYS_PTRACE, detach, uintptr(pid), 0, 0, 0, 0); e != 0 {
			t.Errorf("ptrace(PTRACE_DETACH): %v", e)
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}()
	f()
}

// words are the words of a command line of the document. DIR stands for a
// directory; quotes are those of a shell, and none is within others.
func words(dir, command string) (out []string) {
	for i, part := range strings.Split(strings.ReplaceAll(command, "DIR", dir), "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// begin starts a command and returns the process below it, or itself, that runs
// a program.
func begin(t *testing.T, cmd *exec.Cmd, program string) int {
	t.Helper()
	pid := launch.Below(t, cmd, func(pid int) bool {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return err == nil && filepath.Base(exe) == program
	})
	// With it everything around it ends.
	t.Cleanup(func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("kill %d: %v", pid, err)
		}
	})
	return pid
}

// document is docs/profiles.md.
var document = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("../../docs/profiles.md")
	return string(text), err
})

// documented fails where the document does not have the command line as it is.
func documented(t *testing.T, command string) {
	t.Helper()
	text, err := document()
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.ReplaceAll(text, " \\\n  ", " ")
	if !strings.Contains(joined, "\n"+command+"\n") {
		t.Errorf("docs/profiles.md does not have: %s", command)
	}
}

// TestEveryProfileIsDescribed: each has a part of the document.
func TestEveryProfileIsDescribed(t *testing.T) {
	text, err := document()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policy.Profiles() {
		_, after, found := strings.Cut(text, "\n## "+p.Name+"\n\n")
		if part, _, _ := strings.Cut(after, "\n## "); !found || len(strings.Fields(part)) < 60 {
			t.Errorf("docs/profiles.md does not describe %s", p.Name)
		}
	}
}
