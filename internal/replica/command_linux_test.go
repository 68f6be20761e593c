//go:build amd64 || arm64

package replica_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/container"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// someone is an ordinary user's id, and neighbour another's.
const (
	someone   = 1234
	neighbour = 1235
)

// auditctl builds the command where every user can start it.
func auditctl(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "auditctl")
	launch.Static(t, file, "github.com/selfaudit/selfaudit/cmd/auditctl")
	return file
}

// plain is a process that sleeps.
func plain(user uint32, before ...string) func(*testing.T) int {
	return sandbox{command: append(before, "sleep", "300"), user: user}.start
}

// clean is the clean fixture of an ordinary user, which is not dumpable since it
// changed its ids; a program that it executes is.
func clean(executes ...string) func(*testing.T) int {
	return func(t *testing.T) int {
		s := fixture.Clean()
		ids := fixture.IDs{Real: someone, Effective: someone, Saved: someone, FS: someone}
		s.UID, s.GID = ids, ids
		if len(executes) == 0 {
			return launch.Wait(t, nil, s)
		}
		return sandbox{command: append([]string{launch.Holed(t), "-settings", launch.JSON(t, s), "--"}, executes...)}.start(t)
	}
}

// audited is a way to run auditctl, on a process.
type audited struct {
	name  string
	start func(*testing.T) int
	// by comes before the command; it may mention HOLED and the PID.
	by   []string
	exit int
	// known are findings with the status that they must have.
	known map[string]report.Status
	// unknown are texts of which each unknown finding has one: what is missing.
	unknown []string
	// probes says whether attempts were made at all.
	probes bool
}

const (
	asUser = "setpriv --reuid 1234 --regid 1234 --clear-groups"
	// hides is for mount namespaces of their own only.
	hides   = "mount -t proc -o hidepid=2 proc /proc && exec "
	ptrace  = "CAP_SYS_PTRACE"
	noPeer  = "could not be looked at" // of another's process, which may end meanwhile
	hidden  = "/proc does not list process 1"
	nowhere = "SECBIT_"
)

func words(s string) []string { return strings.Fields(s) }

var (
	// open is what a process without a filter can do.
	open = map[string]report.Status{
		"seccomp.mode": report.Gap, "probe.userns": report.Gap, "probe.io-uring-setup": report.Gap,
		"probe.setuid-root": report.Pass, "probe.mount": report.Pass, "probe.capset": report.Pass, "identity.uid": report.Pass,
	}
	// shown is what everybody may read of it.
	shown = map[string]report.Status{"seccomp.mode": report.Gap, "identity.uid": report.Pass, "capabilities.permitted": report.Pass, "probe.userns": report.Unknown}
	// closed is a confined process of which only facts are known.
	closed = map[string]report.Status{"seccomp.mode": report.Pass, "identity.uid": report.Pass, "probe.userns": report.Unknown, "probe.setuid-root": report.Unknown}
)

var ways = []audited{
	{name: "own", start: plain(someone), by: words(asUser), exit: 1, known: open, unknown: []string{noPeer}, probes: true},
	{name: "own, no_new_privs", start: plain(someone, "setpriv", "--no-new-privs"), by: words(asUser), exit: 1, known: open, unknown: []string{noPeer}, probes: true},
	{name: "own, user namespace", start: plain(someone, "unshare", "-Urmpf", "--mount-proc"), by: words(asUser), exit: 1, probes: true,
		known:   map[string]report.Status{"identity.uid": report.Gap, "probe.setuid-root": report.Gap, "probe.mount": report.Gap, "probe.settimeofday": report.Pass},
		unknown: []string{noPeer, nowhere}},
	{name: "own, bwrap", start: plain(someone, words("bwrap --ro-bind / / --proc /proc --dev /dev --unshare-all --die-with-parent --new-session")...), by: words(asUser),
		exit: 1, known: open, unknown: []string{noPeer}, probes: true},
	{name: "own, not dumpable", start: clean(), by: words(asUser), exit: 3, known: closed, unknown: []string{ptrace}},
	{name: "own, empty bounding set", start: clean("/bin/sleep", "300"), by: words(asUser), exit: 3, known: closed, unknown: []string{"takes CAP_SETPCAP"}},
	{name: "another's", start: plain(neighbour), by: words(asUser), exit: 1, known: shown, unknown: []string{ptrace}},
	{name: "own, hidepid", start: plain(0, "unshare", "-m", "sh", "-c", hides+asUser+` "$@"`, "sh"), by: words("nsenter -t PID -m " + asUser), exit: 1, known: shown, unknown: []string{ptrace, hidden}},
	{name: "another's, hidepid", start: plain(neighbour), by: []string{"unshare", "-m", "sh", "-c", hides + asUser + ` "$@"`, "sh"}, exit: 2},
	{name: "by root, hidepid", start: clean("/bin/sleep", "300"), by: []string{"unshare", "-m", "sh", "-c", hides + `"$@"`, "sh"}, exit: 0, probes: true},
	{name: "by root with no_new_privs", start: clean("/bin/sleep", "300"), by: words("setpriv --no-new-privs"), exit: 0, probes: true},
	{name: "by root without capabilities", start: clean("/bin/sleep", "300"), by: words("setpriv --inh-caps=-all --bounding-set=-all --no-new-privs"), exit: 3, known: closed, unknown: []string{ptrace}},
	{name: "by root under a filter", start: clean("/bin/sleep", "300"), by: []string{"HOLED", "-settings", `{"Effective":2097152,"Permitted":2097152,"Bounding":18446744073709551615,"Filter":true}`, "--"}, exit: 3, known: closed,
		unknown: []string{"itself under a seccomp filter"}},
}

// TestCommand: auditctl finds out what its caller may, says which privilege the
// rest takes, and says confined only where that was proven.
func TestCommand(t *testing.T) {
	launch.NeedRoot(t)
	command := auditctl(t)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			pid := w.start(t)
			args := slices.Clone(w.by)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "PID", strconv.Itoa(pid))
				if args[i] == "HOLED" {
					args[i] = launch.Holed(t)
				}
			}
			args = append(args, command, "check", "--output", "json", "--pid", strconv.Itoa(pid))
			w.judge(t, exec.Command(args[0], args[1:]...))
		})
	}
}

// judge runs auditctl, and holds its report against what must be in it.
func (w audited) judge(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if exit := cmd.ProcessState.ExitCode(); exit != w.exit {
		t.Errorf("exit status %d, not %d: %s", exit, w.exit, &stderr)
	}
	if w.exit == 2 {
		if stdout.Len() > 0 || !strings.Contains(stderr.String(), ptrace) {
			t.Errorf("%s%s", &stdout, &stderr)
		}
		return
	}
	var r report.Report
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
		t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	got, made := map[string]report.Status{}, false
	for _, f := range r.Findings {
		got[f.ID] = f.Status
		named := slices.ContainsFunc(w.unknown, func(text string) bool { return strings.Contains(f.Message, text) })
		if f.Status == report.Unknown && !named {
			t.Errorf("%s is unknown, and names nothing that is missing: %s", f.ID, f.Message)
		}
		if strings.HasPrefix(f.ID, "probe.") && (f.Status == report.Gap || f.Status == report.Pass) && len(f.Evidence) > 0 {
			made = true
		}
	}
	for id, want := range w.known {
		if s, there := got[id]; !there || s != want {
			t.Errorf("%s is %v, not %v", id, s, want)
		}
	}
	if made != w.probes {
		t.Errorf("attempts were made: %v", made)
	}
	if r.Verdict == report.Confined && w.exit != 0 {
		t.Error("confined")
	}
	t.Logf("%s: %+v, limits %q", r.Verdict, r.Counts, r.Limits)
}

// TestSharedPIDNamespace: auditctl in a container of its own that sees another's
// processes.
func TestSharedPIDNamespace(t *testing.T) {
	launch.NeedRoot(t)
	e := container.New(t, map[string]string{"sleeper": launch.Build(t, "sleeper", []string{"CGO_ENABLED=0"}), "auditctl": auditctl(t)})
	name := "selfaudit-" + strconv.Itoa(os.Getpid())
	id := filepath.Join(t.TempDir(), "pid")
	ended := launch.Start(t, e.Run(t.Context(), []string{"--name", name, "--pidfile", id, "--cap-drop", "ALL", "--read-only", "--security-opt", "no-new-privileges", "--user", "65532:65532"}, "/sleeper"))
	awaitFile(t, id, ended)
	for _, c := range []struct {
		name  string
		flags []string
		w     audited
	}{
		{"default", nil, audited{exit: 3, known: map[string]report.Status{"seccomp.mode": report.Pass, "identity.uid": report.Pass, "probe.mount": report.Unknown}, unknown: []string{ptrace, "itself under a seccomp filter"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			flags := append([]string{"--pid", "container:" + name}, c.flags...)
			c.w.judge(t, e.Run(t.Context(), flags, "/auditctl", "check", "--output", "json", "--pid", "1"))
		})
	}
	if err := syscall.Kill(pidIn(t, id), syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// awaitFile waits for a file with a number in it.
func awaitFile(t *testing.T, file string, ended func() (error, bool)) {
	t.Helper()
	for pidIn(t, file) == 0 {
		if err, over := ended(); over {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func pidIn(t *testing.T, file string) int {
	t.Helper()
	text, _ := os.ReadFile(file) // it is not there at first
	pid, _ := strconv.Atoi(string(text))
	return pid
}
