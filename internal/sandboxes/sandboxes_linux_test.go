package sandboxes

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

var update = flag.Bool("update", false, "write the reports and the table of docs/sandboxes.md anew")

func TestMain(m *testing.M) { launch.Main(m) }

// sandbox is one way to confine a process.
type sandbox struct {
	// name is that of its report's files and of its heading in the document.
	name string
	// command is the command line as people write it. DIR is a directory with
	// the sleeper in it, and with a tree that has nothing but the sleeper.
	command string
	// tools must be installed.
	tools []string
	// prepare is what the shell does before, in a mount namespace of its own,
	// so that nothing of it stays; or "".
	prepare string
	// start starts it where the command alone does not, and returns the
	// process that is confined.
	start func(t *testing.T, b *bench, s *sandbox) int
}

// runtimeDirectory hides what a program leaves behind below /run.
const runtimeDirectory = "mount -t tmpfs tmpfs /run"

// sandboxes are in the order of the document.
var sandboxes = []sandbox{
	{name: "runc", command: "runc run sleeper", tools: []string{"runc"}, start: bundle},
	{name: "crun", command: "crun run sleeper", tools: []string{"runc", "crun"}, start: bundle,
		// Version 1 and version 2 of cgroups mounted side by side are more than
		// it reads.
		prepare: "if grep -q ' cgroup ' /proc/mounts; then umount /sys/fs/cgroup/unified; fi"},
	{name: "podman", command: "podman run --rm --network none localhost/sleeper /sleeper", tools: []string{"podman", "runc"}, start: podman},
	{name: "podman-user", command: "podman run --rm --network none --user 65532 --cap-drop ALL --read-only --security-opt no-new-privileges localhost/sleeper /sleeper",
		tools: []string{"podman", "runc"}, start: podman},
	{name: "docker", command: "docker run --rm sleeper /sleeper", tools: dockerTools, start: docker},
	{name: "docker-hardened", command: "docker run --rm --cap-drop ALL --cap-add NET_BIND_SERVICE --read-only --tmpfs /tmp:noexec,nosuid --security-opt no-new-privileges sleeper /sleeper",
		tools: dockerTools, start: docker},
	{name: "docker-hardened-user", command: "docker run --rm --user 65532:65532 --cap-drop ALL --cap-add NET_BIND_SERVICE --read-only --tmpfs /tmp:noexec,nosuid --security-opt no-new-privileges sleeper /sleeper",
		tools: dockerTools, start: docker},
	{name: "nspawn", command: "systemd-nspawn -q -D DIR/tree --register=no --keep-unit --as-pid2 /sleeper", tools: []string{"systemd-nspawn"}, prepare: runtimeDirectory, start: nspawn},
	{name: "bwrap-root", command: bubblewrap, tools: []string{"bwrap"}},
	{name: "bwrap-user", command: asUser + bubblewrap, tools: []string{"bwrap", "setpriv"}},
	{name: "firejail", command: "firejail --quiet --noprofile --seccomp --caps.drop=all --nonewprivs DIR/sleeper", tools: []string{"firejail"}, prepare: runtimeDirectory},
	{name: "unshare", command: "unshare -Urmpf --mount-proc DIR/sleeper", tools: []string{"unshare"}},
	{name: "chroot", command: "chroot --userspec=65532:65532 --groups= DIR/tree /sleeper", tools: []string{"chroot"}},
	{name: "setpriv", command: asUser + "--inh-caps=-all --bounding-set=-all --no-new-privs DIR/sleeper", tools: []string{"setpriv"}},
	{name: "nginx", command: "nginx -c DIR/nginx.conf", tools: []string{"nginx"}, start: nginx},
	{name: "chronyd", command: "chronyd -d -x -f DIR/chrony.conf -F 1 -u _chrony", tools: []string{"chronyd"}, start: chronyd},
	{name: "strict", command: "DIR/strict", start: strict},
}

const (
	bubblewrap = "bwrap --ro-bind DIR/sleeper /sleeper --proc /proc --dev /dev --unshare-all --die-with-parent --new-session /sleeper"
	asUser     = "setpriv --reuid 65532 --regid 65532 --clear-groups "
)

// TestReports starts each sandbox, audits what runs in it, and holds the
// report against the one that is kept.
func TestReports(t *testing.T) {
	b := newBench(t)
	for i := range sandboxes {
		s := &sandboxes[i]
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			launch.Need(t, s.tools...)
			pid := b.start(t, s)
			b.remember(t, pid)
			m := masksFor(t, b.dir)
			// How lines are broken depends on how many digits a pid has.
			heading := "$ " + s.command + "\n$ auditctl check --pid PID --policy confined --seccomp-filter -v\n"
			text, code := b.audit(t, pid, "-v")
			document, same := b.audit(t, pid, "--output", "json")
			if code != same || code == 2 {
				t.Errorf("exit status %d with text, %d with JSON", code, same)
			}
			checkDocument(t, document, pid, code)
			text, document = heading+m.apply(text), m.apply(document)
			compare(t, filepath.Join("testdata", s.name+".json"), document, strings.TrimSpace)
			compare(t, filepath.Join("testdata", s.name+".txt"), text, words)
		})
	}
}

// words puts each word on a line.
func words(s string) string { return strings.Join(strings.Fields(s), "\n") }

// audit runs auditctl on a process.
func (b *bench) audit(t *testing.T, pid int, flags ...string) (document string, code int) {
	t.Helper()
	args := append([]string{"check", "--pid", strconv.Itoa(pid), "--policy", "confined", "--seccomp-filter", "--timeout", "60s"}, flags...)
	return launch.Report(t, exec.Command(b.auditctl, args...))
}

// checkDocument holds what a golden file cannot show, since it is masked: that
// the report is of this process, and that its verdict is its exit status.
func checkDocument(t *testing.T, document string, pid, code int) {
	t.Helper()
	var r struct {
		Verdict string
		Target  report.Target
	}
	if err := json.Unmarshal([]byte(document), &r); err != nil {
		t.Fatal(err)
	}
	verdicts := map[int]string{0: "confined", 1: "exposed", 3: "inconclusive"}
	if r.Target.PID != pid || r.Verdict != verdicts[code] {
		t.Errorf("the report is of %d and says %s, want %d and %s", r.Target.PID, r.Verdict, pid, verdicts[code])
	}
}

// compare holds a text against a file, after both went through plain.
func compare(t *testing.T, file, got string, plain func(string) string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err == nil && plain(string(want)) == plain(got) {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("%s is not what comes out; run the test with -update and read the difference:\n%s", file, difference(plain(string(want)), plain(got)))
}

// difference returns the first lines in which two texts differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	same := 0
	for same < min(len(w), len(g)) && w[same] == g[same] {
		same++
	}
	part := func(lines []string) string {
		return strings.Join(lines[max(0, same-3):min(len(lines), same+12)], "\n")
	}
	return "want, from line " + strconv.Itoa(same+1) + ":\n" + part(w) + "\ngot:\n" + part(g)
}

// TestEveryReportHasASandbox: none is left of a sandbox that is gone.
func TestEveryReportHasASandbox(t *testing.T) {
	var want []string
	for _, s := range sandboxes {
		want = append(want, s.name+".json", s.name+".txt")
	}
	slices.Sort(want)
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// needMachine skips where the reports that are kept would be others.
func needMachine(t *testing.T) {
	t.Helper()
	launch.NeedRoot(t)
	if runtime.GOARCH != "amd64" {
		launch.Skip(t, "the reports are of amd64")
	}
	for name, want := range map[string]string{"kernel/perf_event_paranoid": "2", "kernel/io_uring_disabled": "0", "kernel/unprivileged_bpf_disabled": "2"} {
		if got, err := os.ReadFile("/proc/sys/" + name); err != nil || strings.TrimSpace(string(got)) != want {
			launch.Skip(t, "the reports are of machines where "+name+" is "+want)
		}
	}
	if got, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err != nil || strings.TrimSpace(string(got)) == "0" {
		launch.Skip(t, "the reports are of machines where every user may make user namespaces")
	}
}
