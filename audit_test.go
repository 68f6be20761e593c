// Package selfaudit_test holds the rules of this repository, and the main job
// from end to end: two services that differ in one id, told apart from outside.
package selfaudit_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/names"
)

const module = "github.com/selfaudit/selfaudit"

func TestMain(m *testing.M) { launch.Main(m) }

// run returns a command's standard output and fails where the command does.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// rooms are the folders with what each may import of this module. "*" is
// everything. Tests may import more.
var rooms = map[string][]string{
	"checks/posture":     {},
	"checks/policy":      {},
	"checks/report":      {},
	"internal/names":     {},
	"internal/names/gen": {},
	"checks":             {"checks/posture", "checks/policy", "checks/report", "internal/names"},
	"internal/kernel":    {},
	"internal/procfs":    {"checks/posture", "internal/kernel"},
	"internal/child":     {"internal/kernel"},
	"internal/seccomp":   {"internal/names"},
	"internal/cgroup":    {"checks/posture", "internal/kernel", "internal/procfs"},
	"internal/collect":   {"internal/procfs", "internal/seccomp", "internal/kernel", "internal/cgroup", "checks/posture"},
	// It stands between collect and audit: what was observed of a process goes
	// in, and what a child has to take on comes out.
	"internal/replica":             {"checks/posture", "internal/cgroup", "internal/child", "internal/kernel", "internal/procfs"},
	"probes":                       {"checks/posture", "internal/child", "internal/kernel", "internal/names"},
	"internal/auditopt":            {"checks/posture"},
	"audit":                        {"checks", "checks/posture", "checks/policy", "checks/report", "internal/auditopt", "internal/child", "internal/collect", "internal/kernel", "internal/names", "internal/procfs", "internal/replica", "probes"},
	"audit/policyfile":             {"checks/policy", "internal/names"},
	"internal/render":              {"checks/report"},
	"internal/cli":                 {"*"},
	"internal/fixture":             {"*"},
	"internal/fixture/cmd/holed":   {"*"},
	"internal/fixture/cmd/jail":    {"internal/fixture/inside", "internal/fixture/mounts"},
	"internal/fixture/cmd/plain":   {"*"},
	"internal/fixture/cmd/server":  {"*"},
	"internal/fixture/cmd/sleeper": {},
	"internal/fixture/container":   {"*"},
	"internal/fixture/inside":      {"*"},
	"internal/fixture/launch":      {"*"},
	"internal/fixture/mounts":      {},
	"internal/calibration":         {},
	"internal/profiles":            {},
	"internal/sandboxes":           {},
	"internal/bench":               {},
	"internal/kernels":             {},
	"internal/bench/measure":       {"audit", "checks/posture", "checks/report", "internal/fixture", "internal/names", "probes"},
	"cmd/auditctl":                 {"internal/cli"},
	"examples/service":             {"audit"},
}

// systems are what everything must compile for. Files differ between them, so
// imports do.
var systems = []string{"linux/amd64", "linux/arm64", "linux/386", "darwin/arm64", "freebsd/amd64"}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T, system string, args ...string) (packages []listed) {
	t.Helper()
	goos, goarch, _ := strings.Cut(system, "/")
	env := []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0"}
	out := run(t, env, "go", append([]string{"list", "-e", "-json=ImportPath,Imports,Deps,Standard"}, args...)...)
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func room(importPath string) (string, bool) { return strings.CutPrefix(importPath, module+"/") }

func TestArrows(t *testing.T) {
	for _, system := range systems {
		for _, p := range list(t, system, "./...") {
			from, inside := room(p.ImportPath)
			if !inside {
				continue // the top level, which has tests only
			}
			allowed, known := rooms[from]
			if !known {
				t.Errorf("%s: %s is a room that the table of arrows does not have", system, from)
				continue
			}
			for _, imported := range p.Imports {
				to, inside := room(imported)
				if !inside {
					continue
				}
				if !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") {
					t.Errorf("%s: %s imports %s", system, from, to)
				}
				// The fixture's programs belong to it and to nobody else.
				if strings.HasPrefix(from, to+"/") && to != "internal/fixture" {
					t.Errorf("%s: %s imports %s, which stands above it", system, from, to)
				}
				if strings.HasPrefix(to, "cmd/") {
					t.Errorf("%s: %s imports a command", system, from)
				}
			}
		}
	}
}

// TestMountsAreApart: whoever mounts by any other way than internal/fixture/mounts
// may do so where the whole machine sees it, and its files are then deleted with
// the test's directory.
func TestMountsAreApart(t *testing.T) {
	// The first program of a virtual machine has it to itself.
	const guest = "internal/kernels/testdata/guest/"
	direct := regexp.MustCompile(`\b(syscall|unix)\.(Mount|MoveMount|SYS_MOUNT|SYS_MOVE_MOUNT)\b`)
	everyFile(t, func(path string, text []byte) {
		if strings.HasPrefix(path, guest) || strings.HasPrefix(path, "internal/fixture/mounts/") || !strings.HasSuffix(path, ".go") {
			return
		}
		for n, line := range strings.Split(string(text), "\n") {
			if found := direct.FindString(line); found != "" && strings.Contains(line, found+"(") {
				t.Errorf("%s:%d: %s: use internal/fixture/mounts", path, n+1, found)
			}
		}
	})
}

// TestOneRoomMakesSystemCalls: whoever else makes raw calls goes around what
// internal/kernel knows of errnos.
func TestOneRoomMakesSystemCalls(t *testing.T) {
	for _, system := range systems {
		for _, p := range list(t, system, "./...") {
			from, _ := room(p.ImportPath)
			if slices.Contains(p.Imports, "golang.org/x/sys/unix") && from != "internal/kernel" && !strings.HasPrefix(from, "examples/") {
				t.Errorf("%s: %s imports golang.org/x/sys/unix", system, from)
			}
		}
	}
}

// TestDoorLinksLittle: a service that imports audit pays for x/sys and nothing
// else beyond the standard library.
func TestDoorLinksLittle(t *testing.T) {
	for _, system := range systems {
		packages := list(t, system, "-deps", "./audit")
		if len(packages) < 50 {
			t.Fatalf("%s: audit has %d dependencies, which cannot be all", system, len(packages))
		}
		for _, p := range packages {
			own := strings.HasPrefix(p.ImportPath, module)
			if !p.Standard && !own && !strings.HasPrefix(p.ImportPath, "golang.org/x/sys/") {
				t.Errorf("%s: audit links %s", system, p.ImportPath)
			}
			if from, _ := room(p.ImportPath); own && strings.HasPrefix(from, "cmd/") {
				t.Errorf("%s: audit links %s", system, from)
			}
		}
	}
}

// TestImportDoesNoWork: no package that audit links has an init function, and
// a program that imports it has one goroutine when main starts.
func TestImportDoesNoWork(t *testing.T) {
	for _, p := range list(t, "linux/"+runtime.GOARCH, "-deps", "./audit") {
		from, own := room(p.ImportPath)
		if !own {
			continue
		}
		for name, text := range sources(t, from) {
			if regexp.MustCompile(`(?m)^func init\(\)`).Match(text) {
				t.Errorf("%s has an init function", name)
			}
		}
	}
	program := build(t, "importer", `package main

import (
	"fmt"
	"os"
	"runtime"

	_ "github.com/selfaudit/selfaudit/audit"
)

func main() {
	d, _ := os.ReadDir("/proc/self/fd")
	fmt.Println(runtime.NumGoroutine(), len(d))
}
`)
	// Three standard descriptors and the one that lists them; the runtime's
	// poller brings two of its own with that one.
	out := strings.TrimSpace(run(t, nil, program))
	bare := strings.TrimSpace(run(t, nil, build(t, "bare", `package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	d, _ := os.ReadDir("/proc/self/fd")
	fmt.Println(runtime.NumGoroutine(), len(d))
}
`)))
	if out != bare {
		t.Errorf("goroutines and descriptors at the start of main: %s with audit imported, %s without", out, bare)
	}
}

// build compiles a program of one file, stripped as services are.
func build(t *testing.T, name, source string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, name+".go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, name)
	run(t, []string{"CGO_ENABLED=0"}, "go", "build", "-ldflags=-s -w", "-o", program, file)
	return program
}

func TestModuleIsTidy(t *testing.T) {
	run(t, nil, "go", "mod", "tidy", "-diff")
}

// sources returns the Go files of a folder that are no tests.
func sources(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string][]byte)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if texts[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

// everyFile calls f for each file of the project.
func everyFile(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || d.Name() == "bin"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f(name, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFormatted(t *testing.T) {
	everyFile(t, func(name string, text []byte) {
		if path.Ext(name) != ".go" {
			return
		}
		if formatted, err := format.Source(text); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(text, formatted) {
			t.Errorf("%s: gofmt would change it", name)
		}
	})
}

// TestFilesCanBeReadInOneGo: tables, tests and generated files may be longer.
func TestFilesCanBeReadInOneGo(t *testing.T) {
	exempt := regexp.MustCompile(`(_test|_gen|_?tables?(_\w+)?)\.go$|(^|/)zz_\w+\.go$`)
	everyFile(t, func(name string, text []byte) {
		if path.Ext(name) != ".go" || exempt.MatchString(name) {
			return
		}
		if n := bytes.Count(text, []byte("\n")); n > 400 {
			t.Errorf("%s has %d lines", name, n)
		}
	})
}

// TestNothingLeftOpen: no marks of unfinished work, and nothing of the machine
// that a change was made on.
func TestNothingLeftOpen(t *testing.T) {
	// In two halves, so that this file does not match itself.
	unwanted := regexp.MustCompile(strings.Join([]string{
		`\bTO` + `DO\b`, `\bFIX` + `ME\b`, `\bnot imple` + `mented\b`,
		`/ro` + `ot/[\w.]`, `/wo` + `rk/[\w.]`, `proxy\.go` + `lang\.org`,
	}, "|"))
	everyFile(t, func(name string, text []byte) {
		if !slices.Contains([]string{".go", ".md", ".mod", ".yaml", ".json", ".sh", ""}, path.Ext(name)) && !strings.HasPrefix(name, ".ci/") {
			return
		}
		if m := unwanted.Find(text); m != nil {
			t.Errorf("%s: has %q", name, m)
		}
	})
}

// TestFindingsAreDocumented: every id has a heading of its own, and every
// heading an id.
func TestFindingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^#+ `([^`]+)`").FindAllSubmatch(text, -1) {
		documented = append(documented, string(m[1]))
	}
	var known []string
	for _, m := range checks.Catalog() {
		known = append(known, m.ID)
	}
	for _, id := range known {
		if n := count(documented, id); n != 1 {
			t.Errorf("docs/findings.md has %d headings for %s", n, id)
		}
	}
	for _, id := range documented {
		if n := count(known, id); n != 1 {
			t.Errorf("docs/findings.md has %s, which the code has %d times", id, n)
		}
	}
	if len(known) < 50 {
		t.Errorf("%d ids, which cannot be all", len(known))
	}
}

var update = flag.Bool("update", false, "write the tables of docs/probes.md anew")

// TestProbesDocument holds the tables of docs/probes.md against the code's.
func TestProbesDocument(t *testing.T) {
	const file = "docs/probes.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for name, table := range map[string]string{"calls": callsTable(), "attempts": attemptsTable()} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		before, rest, found := strings.Cut(want, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("%s has no place for %s", file, name)
		}
		if name == "calls" && runtime.GOOS != "linux" {
			continue // other systems do not have the table
		}
		want = before + begin + table + end + after
	}
	switch {
	case want == string(text):
	case *update:
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the code says: go test . -run TestProbesDocument -update", file)
	}
}

func callsTable() string {
	var b strings.Builder
	b.WriteString("| call | what for |\n|---|---|\n")
	for _, c := range kernel.AuditCalls() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c.Name, c.Why)
	}
	return b.String()
}

func attemptsTable() string {
	defaults := append(policy.DefaultReescalation(), policy.DefaultSyscalls()...)
	var b strings.Builder
	b.WriteString("| attempt | group | layer | tries to |\n|---|---|---|---|\n")
	for _, a := range names.Attempts() {
		mark := ""
		if slices.Contains(defaults, a.Name) {
			mark = " †"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s | %s |\n", a.Name, mark, a.Group, a.Layer, a.Does)
	}
	return b.String()
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// The main job, from end to end.

const twinPolicy = `apiVersion: selfaudit/v1
kind: Policy
metadata: {name: twins}
process:
  user: {uid: 65532, gid: 65532, additionalGids: []}
  capabilities: {effective: [], permitted: [], inheritable: [], ambient: []}
  noNewPrivileges: true
  threads: uniform
seccomp: {mode: filter}
`

// TestTwinsAreToldApart audits two services that differ in one id only. The
// profile "confined" asks for attempts, which children make in their place.
func TestTwinsAreToldApart(t *testing.T) {
	launch.NeedRoot(t)
	auditctl := filepath.Join(t.TempDir(), "auditctl")
	run(t, nil, "go", "build", "-o", auditctl, "./cmd/auditctl")
	file := filepath.Join(t.TempDir(), "twins.yaml")
	if err := os.WriteFile(file, []byte(twinPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	clean, saved := fixture.Clean(), fixture.Clean()
	saved.UID.Saved = 0
	for _, twin := range []struct {
		name, policy, verdict string
		service               fixture.Settings
		exit                  int
		gaps                  []string
	}{
		{"clean", file, "confined", clean, 0, nil},
		{"saved uid 0", file, "exposed", saved, 1, []string{"identity.uid"}},
		{"clean, default policy", "confined", "confined", clean, 0, nil},
		{"saved uid 0, default policy", "confined", "exposed", saved, 1, []string{
			"identity.uid", "probe.setfsuid-root", "probe.setresuid-root", "probe.setreuid-root", "probe.setuid-root"}},
	} {
		t.Run(twin.name, func(t *testing.T) {
			pid := launch.Wait(t, nil, twin.service)
			text := check(t, twin.exit, auditctl, "--pid", fmt.Sprint(pid), "--policy", twin.policy)
			if !strings.HasPrefix(text, strings.ToUpper(twin.verdict)+":") {
				t.Errorf("the text does not begin with the verdict %s:\n%s", twin.verdict, text)
			}
			for _, id := range twin.gaps {
				if !strings.Contains(text, id) {
					t.Errorf("the text does not name %s:\n%s", id, text)
				}
			}
			document := check(t, twin.exit, auditctl, "--pid", fmt.Sprint(pid), "--policy", twin.policy, "--output", "json")
			compareJSON(t, document, pid, twin.verdict, twin.gaps)
		})
	}
}

// check runs auditctl check and returns its report. It must say nothing else.
func check(t *testing.T, exit int, auditctl string, args ...string) string {
	t.Helper()
	cmd := exec.Command(auditctl, append([]string{"check"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != exit {
		t.Errorf("auditctl check %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, exit, &stdout, &stderr)
	}
	if stderr.Len() > 0 {
		t.Errorf("auditctl check %s: standard error: %s", strings.Join(args, " "), &stderr)
	}
	return stdout.String()
}

func compareJSON(t *testing.T, document string, pid int, verdict string, gaps []string) {
	t.Helper()
	var report struct {
		Schema, Verdict string
		Target          struct{ PID int }
		Counts          struct{ Pass, Gap, Unknown int }
		Findings        []struct{ ID, Status, Message string }
	}
	d := json.NewDecoder(strings.NewReader(document))
	if err := d.Decode(&report); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	if rest, _ := io.ReadAll(d.Buffered()); string(rest) != "\n" {
		t.Errorf("after the document: %q, want one newline", rest)
	}
	var found []string
	for _, f := range report.Findings {
		switch {
		case f.Status == "gap":
			found = append(found, f.ID)
		case f.Status == "unknown" && !strings.HasPrefix(f.ID, "probe."):
			t.Errorf("unknown: %s: %s", f.ID, f.Message)
		}
	}
	if report.Schema != "selfaudit.report/v1" || report.Verdict != verdict || report.Target.PID != pid {
		t.Errorf("schema %q, verdict %q, pid %d; want selfaudit.report/v1, %q, %d", report.Schema, report.Verdict, report.Target.PID, verdict, pid)
	}
	if !slices.Equal(found, gaps) || report.Counts.Gap != len(gaps) || report.Counts.Pass == 0 {
		t.Errorf("gaps %v, counts %+v; want gaps %v", found, report.Counts, gaps)
	}
}
