package calibration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// expected is one finding that a container must show, and why.
type expected struct {
	id, because string
	// where says whether this machine's settings let it happen; nil: always.
	where func() bool
}

// sysctl says whether a file of /proc/sys has this value.
func sysctl(name, value string) func() bool {
	return func() bool {
		b, err := os.ReadFile("/proc/sys/" + name)
		return err == nil && strings.TrimSpace(string(b)) == value
	}
}

// sysctlAtMost says whether a file of /proc/sys has this number or a lower one.
func sysctlAtMost(name string, most int) func() bool {
	return func() bool {
		b, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return false
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil && n <= most
	}
}

func not(f func() bool) func() bool { return func() bool { return !f() } }

var (
	userNamespaces = not(sysctl("user/max_user_namespaces", "0"))
	ioUring        = sysctl("kernel/io_uring_disabled", "0")
)

const (
	user       = "--user=65532:65532"
	dropAll    = "--cap-drop=ALL"
	noNewPrivs = "--security-opt=no-new-privileges"
)

// containers is the calibration of the profile "confined". FILTER and OLDER
// stand for the two filter files. The gaps are all that may be found.
var containers = []struct {
	name  string
	flags []string
	gaps  []expected
}{
	{"hardened", []string{user, dropAll, noNewPrivs, "FILTER"}, nil},
	{"without the user", []string{dropAll, noNewPrivs, "FILTER"}, []expected{
		{id: "identity.uid", because: "containers run as root unless told otherwise"},
		{id: "identity.gid", because: "and with root's group"},
		{id: "probe.setuid-root", because: "user id 0 is there already"},
		{id: "probe.setresuid-root", because: "user id 0 is there already"},
		{id: "probe.setreuid-root", because: "user id 0 is there already"},
		{id: "probe.setfsuid-root", because: "user id 0 is there already"},
		{id: "probe.setgid-root", because: "group id 0 is there already"},
		{id: "probe.setresgid-root", because: "group id 0 is there already"},
	}},
	{"without no-new-privileges", []string{user, dropAll, "FILTER"}, []expected{
		{id: "privilege.no_new_privs", because: "nobody set it"},
	}},
	{"without a filter", []string{user, dropAll, noNewPrivs, "--security-opt=seccomp=unconfined"}, []expected{
		{id: "seccomp.mode", because: "no filter is loaded"},
		{id: "probe.userns", because: "every user may make user namespaces", where: userNamespaces},
		{id: "probe.userns-clone", because: "every user may make user namespaces", where: userNamespaces},
		{id: "probe.userns-clone3", because: "every user may make user namespaces", where: userNamespaces},
		{id: "probe.io-uring-setup", because: "every user may set up io_uring", where: ioUring},
		{id: "probe.perf-event-open", because: "every user may measure processes of its own", where: sysctlAtMost("kernel/perf_event_paranoid", 2)},
		{id: "probe.keyctl", because: "every user has keyrings"},
		{id: "probe.add-key", because: "every user has keyrings"},
	}},
	{"under an older filter", []string{user, dropAll, noNewPrivs, "OLDER"}, []expected{
		{id: "probe.io-uring-setup", because: "Docker's default filter let io_uring through before version 25", where: ioUring},
	}},
}

// filterFile writes a profile as Docker's command line takes it.
func filterFile(t *testing.T, name string, profile *seccomp.Seccomp) string {
	t.Helper()
	text, err := json.Marshal(profile)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "--security-opt=seccomp=" + file
}

// older returns the default profile as it was before io_uring left it.
func older() *seccomp.Seccomp {
	profile := seccomp.DefaultProfile()
	profile.Syscalls = append(profile.Syscalls, &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{
		Names:  []string{"io_uring_enter", "io_uring_register", "io_uring_setup"},
		Action: specs.ActAllow,
	}})
	return profile
}

func TestConfinedIsCalibrated(t *testing.T) {
	e := newEngine(t)
	filters := map[string]string{
		"FILTER": filterFile(t, "default.json", seccomp.DefaultProfile()),
		"OLDER":  filterFile(t, "older.json", older()),
	}
	for _, c := range containers {
		t.Run(c.name, func(t *testing.T) {
			var flags []string
			for _, f := range c.flags {
				if file, ok := filters[f]; ok {
					f = file
				}
				flags = append(flags, f)
			}
			document, exit := e.inside(t, flags)
			compare(t, "inside", document, exit, c.gaps)

			document, exit = e.outside(t, flags)
			compare(t, "outside", document, exit, c.gaps)
		})
	}
}

// compare holds a report against the gaps that it must name, all of them and
// no other. Nothing may be unknown.
func compare(t *testing.T, where, document string, exit int, gaps []expected) {
	t.Helper()
	var report struct {
		Verdict  string
		Findings []struct{ ID, Status, Subject, Message string }
	}
	if err := json.Unmarshal([]byte(document), &report); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	because := make(map[string]string)
	for _, g := range gaps {
		if g.where == nil || g.where() {
			because[g.id] = g.because
		}
	}
	verdict, status := "confined", 0
	if len(because) > 0 {
		verdict, status = "exposed", 1
	}
	if report.Verdict != verdict || exit != status {
		t.Errorf("%s: verdict %s, exit status %d; want %s, %d", where, report.Verdict, exit, verdict, status)
	}
	for _, f := range report.Findings {
		switch {
		case f.Status == "gap" && because[f.ID] == "":
			t.Errorf("%s: found and not listed: %s %s: %s", where, f.ID, f.Subject, f.Message)
		case f.Status == "gap":
			delete(because, f.ID)
		case f.Status == "unknown":
			t.Errorf("%s: unknown: %s %s: %s", where, f.ID, f.Subject, f.Message)
		}
	}
	for id, why := range because {
		t.Errorf("%s: not found: %s, though %s", where, id, why)
	}
}
