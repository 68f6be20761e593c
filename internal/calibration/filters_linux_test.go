package calibration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// enosys is what a kernel answers to a call that it does not have.
const enosys = 38

func TestMain(m *testing.M) { launch.Main(m) }

// running is a process under a filter, and what it scanned from inside.
type running struct {
	pid int
	// scans is nil where the program is not ours.
	scans []posture.Scan
	// filters is how many it must have.
	filters int
}

// filtered are real filters, each loaded by what usually loads it.
var filtered = []struct {
	name  string
	start func(*testing.T, *engine) running
}{
	{"Docker's default profile, loaded by runc", func(t *testing.T, e *engine) running {
		return e.scanned(t, []string{user, dropAll, noNewPrivs, filterFile(t, "default.json", seccomp.DefaultProfile())})
	}},
	{"@system-service of systemd, loaded by runc", func(t *testing.T, e *engine) running {
		return e.scanned(t, []string{user, dropAll, noNewPrivs, filterFile(t, "service.json", systemService())})
	}},
	{"an allow-list that kills, loaded by runc", func(t *testing.T, e *engine) running {
		profile := systemService()
		profile.DefaultAction, profile.DefaultErrnoRet = specs.ActKillProcess, nil
		return e.scanned(t, []string{user, dropAll, noNewPrivs, filterFile(t, "kill.json", profile)})
	}},
	{"an allow-list", func(t *testing.T, _ *engine) running {
		s := fixture.Clean()
		s.Only = names.ExpandSyscalls([]string{"@system-service", "seccomp"})
		return running{pid: launch.Wait(t, nil, s), filters: 1}
	}},
	{"a deny-list", func(t *testing.T, _ *engine) running {
		return running{pid: launch.Wait(t, nil, fixture.Clean()), filters: 1}
	}},
	{"the stacked filters of firejail", firejail},
	{"chronyd's own filter", chronyd},
}

// systemService is what systemd makes of SystemCallFilter=@system-service, by
// the same library: all ABIs of the machine, EPERM for what is not listed.
func systemService() *seccomp.Seccomp {
	eperm := uint(1)
	return &seccomp.Seccomp{LinuxSeccomp: specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: &eperm,
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32},
	}, Syscalls: []*seccomp.Syscall{{LinuxSyscall: specs.LinuxSyscall{
		Names: names.ExpandSyscalls([]string{"@system-service"}), Action: specs.ActAllow,
	}}}}
}

// TestFiltersAgree reads real filters from running processes, computes what
// they do with every number of every ABI, and has the kernel say the same: in
// children that load them here, and in the process itself where it is ours.
func TestFiltersAgree(t *testing.T) {
	e := newEngine(t)
	for _, f := range filtered {
		t.Run(f.name, func(t *testing.T) {
			r := f.start(t, e)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			p, err := collect.PID(ctx, r.pid, collect.Options{Filters: true})
			if err != nil {
				t.Fatal(err)
			}
			got, known := p.Classes[0].Filters.Get()
			if !known || len(got.Programs) != r.filters {
				t.Fatalf("%d filters, want %d: %s", len(got.Programs), r.filters, p.Classes[0].Filters.Why())
			}
			scans, err := probes.Scan(ctx, probes.ScanInput{Filters: got.Programs})
			if err != nil {
				t.Fatal(err)
			}
			agree(t, "in children here", p, got, scans)
			if r.scans != nil {
				agree(t, "in the process itself", p, got, r.scans)
			}
		})
	}
}

// agree holds a scan against the filters, number by number.
func agree(t *testing.T, where string, p *posture.Process, f posture.Filters, scans []posture.Scan) {
	t.Helper()
	collect.Predict(&f, scans)
	p.Scan = posture.Of(scans, where, "")
	for _, finding := range checks.Run(p, &policy.Policy{}) {
		if finding.ID == "contradiction" && finding.Status == report.Gap {
			t.Errorf("%s: %s: %s", where, finding.Subject, finding.Message)
		}
	}
	for _, s := range scans {
		var compared, unknown, missing int
		for _, c := range s.Calls {
			if a, _ := names.FindABI(s.ABI); names.Unfiltered(a.Arch, c.Number) != "" {
				continue
			}
			if _, known := c.Filtered.Get(); !known {
				t.Errorf("%s: %s %d: not computed: %s", where, s.ABI, c.Number, c.Filtered.Why())
			}
			if w := c.Filtered.Value; c.Answer == posture.AnswerUnknown && c.Errno == enosys && (w.Action.Lets() || w.Value == enosys) {
				missing++ // from inside nobody can tell that from a kernel without it
				continue
			}
			if c.Answer == posture.AnswerUnknown {
				unknown++
				t.Logf("%s: %s %d (%s): %s", where, s.ABI, c.Number, nameOf(s.ABI, c.Number), c.Detail)
				continue
			}
			compared++
			if lets := c.Filtered.Value.Action.Lets(); lets == (c.Answer == posture.AnswerDenied) {
				t.Errorf("%s: %s %d: computed %v, seen %v: %s", where, s.ABI, c.Number, c.Filtered.Value.Action, c.Answer, c.Detail)
			}
		}
		t.Logf("%s: %s: %d numbers agree, %d answered ENOSYS, %d told nothing. %s", where, s.ABI, compared, missing, unknown, s.Why)
		if s.Why == "" && (compared+missing < 400 || unknown > 6) {
			t.Errorf("%s: %s: %d numbers compared, %d unknown", where, s.ABI, compared, unknown)
		}
	}
}

func nameOf(abi string, nr uint32) string {
	a, _ := names.FindABI(abi)
	name, _ := names.SyscallName(a.Arch, nr)
	return name
}

// scanned starts a container that scans itself and then sleeps.
func (e *engine) scanned(t *testing.T, flags []string) running {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	file := filepath.Join(t.TempDir(), "pid")
	name := "scanner" + strconv.Itoa(os.Getpid())
	cmd := e.Run(ctx, append([]string{"--name", name, "--pidfile", file}, flags...), "/scanner")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		e.Podman(context.Background(), "rm", "--force", "--time", "0", name).Run()
		cmd.Wait()
	})
	r := running{filters: 1}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&r.scans); err != nil {
		cmd.Wait()
		t.Fatalf("scanner: %v\n%s", err, &stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r.pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		t.Fatal(err)
	}
	return r
}

// firejail starts a sleeper as firejail confines it. It is the process below
// firejail that has the filters.
func firejail(t *testing.T, e *engine) running {
	t.Helper()
	launch.Need(t, "firejail")
	cmd := exec.Command("firejail", "--quiet", "--noprofile", "--seccomp", "--caps.drop=all", "--nonewprivs", e.sleeper)
	return below(t, cmd, "sleeper", 2)
}

// chronyd starts a time server for loopback that loads a filter of its own.
func chronyd(t *testing.T, _ *engine) running {
	t.Helper()
	launch.Need(t, "chronyd")
	dir := t.TempDir()
	config := filepath.Join(dir, "chrony.conf")
	// A port that was free a moment ago: without one it has nothing to do.
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(socket.LocalAddr().String())
	socket.Close()
	text := "local stratum 10\nallow 127.0.0.0/8\nbindaddress 127.0.0.1\nport " + port + "\ncmdport 0\npidfile " + dir + "/pid\nbindcmdaddress /\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return below(t, exec.Command("chronyd", "-d", "-x", "-f", config, "-F", "1", "-u", "root"), "chronyd", 1)
}

// below starts a command and returns the process of a name, itself or below
// it, once that has as many filters as are wanted.
func below(t *testing.T, cmd *exec.Cmd, name string, filters int) running {
	t.Helper()
	// A daemon may leave a helper behind: all of its group ends with the test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	pid := launch.Below(t, cmd, func(pid int) bool {
		status := launch.Status(pid)
		return status["Name"] == name && status["Seccomp_filters"] == strconv.Itoa(filters)
	})
	return running{pid: pid, filters: filters}
}
