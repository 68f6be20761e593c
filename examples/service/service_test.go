//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/names"
)

// patience bounds each wait for a service; a healthy one takes a hundredth.
const patience = 60 * time.Second

// buildDir holds the built service until TestMain removes it.
var buildDir string

var buildService = sync.OnceValues(func() (program string, err error) {
	if buildDir, err = os.MkdirTemp("", "service"); err != nil {
		return "", err
	}
	program = filepath.Join(buildDir, "service")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// program builds the service as its README says.
func program(t *testing.T) string {
	t.Helper()
	p, err := buildService()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// command prepares a service as root with root's group, on a loopback address
// of its own. All of 127.0.0.0/8 is loopback, so the port can be a low one
// that nobody else has.
func command(ctx context.Context, program, address string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, program, append([]string{"-listen", address}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 0, Gid: 0, Groups: []uint32{0}},
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

var addresses struct {
	sync.Mutex
	n int
}

func address() string {
	addresses.Lock()
	defer addresses.Unlock()
	addresses.n++
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d:80", 1+pid>>8&0x7f, pid&0xff, addresses.n)
}

func TestRightPlanServes(t *testing.T) {
	launch.NeedRoot(t)
	for name, args := range map[string][]string{
		"own root":      nil,
		"chroot":        {"-chroot", t.TempDir()},
		"filter kills":  {"-kill"},
		"kills, chroot": {"-chroot", t.TempDir(), "-kill"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			at := address()
			cmd, stderr := command(ctx, program(t), at, args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			t.Cleanup(func() {
				cmd.Process.Kill()
				<-ended
			})
			body := get(t, ctx, "http://"+at+"/", ended, stderr)
			if body != "hello from a confined service\n" {
				t.Errorf("GET / = %q", body)
			}
			var report struct {
				Verdict string
				Counts  struct{ Pass, Gap, Unknown int }
			}
			ready := get(t, ctx, "http://"+at+"/readyz", ended, stderr)
			if err := json.Unmarshal([]byte(ready), &report); err != nil {
				t.Fatalf("GET /readyz: %v\n%s", err, ready)
			}
			if report.Verdict != "confined" || report.Counts.Pass == 0 || report.Counts.Gap+report.Counts.Unknown != 0 {
				t.Errorf("GET /readyz: %+v", report)
			}
		})
	}
}

// get asks until the service answers, or has ended.
func get(t *testing.T, ctx context.Context, url string, ended chan error, stderr *bytes.Buffer) string {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("GET %s: %s, %v\n%s", url, resp.Status, err, body)
			}
			return string(body)
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the service ended: %v\n%s", err, stderr)
		case <-ctx.Done():
			t.Fatalf("GET %s: %v", url, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// finding is what the service logs of a gap or an unknown.
type finding struct{ ID, Status, Subject string }

func (f finding) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Status, f.ID, f.Subject))
}

// logged reads the findings from the service's log lines.
func logged(stderr string) (found []finding) {
	for line := range strings.Lines(stderr) {
		var f finding
		if json.Unmarshal([]byte(line), &f) == nil && f.ID != "" {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return cmp.Compare(a.String(), b.String()) })
	return found
}

func TestMistakesAreRefused(t *testing.T) {
	launch.NeedRoot(t)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			want, listed := refusals[m.name]
			if !listed {
				t.Fatal("no row in the table of refusals")
			}
			args := []string{"-mistake", m.name}
			if want.chroot {
				args = append(args, "-chroot", t.TempDir())
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd, stderr := command(ctx, program(t), address(), args...)
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 2 {
				t.Fatalf("ended with %v, want exit status 2, that of a panic\n%s", err, stderr)
			}
			if !strings.Contains(stderr.String(), "panic: process ") || !strings.Contains(stderr.String(), `is not confined by policy "confined"`) {
				t.Errorf("the panic does not say why:\n%s", stderr)
			}
			compare(t, logged(stderr.String()), want.findings)
		})
	}
	for name := range refusals {
		if _, known := mistakeNamed(name); !known {
			t.Errorf("the table of refusals has %q, which is no mistake of the program", name)
		}
	}
}

// compare reports every finding that is too many and every one that is missing.
func compare(t *testing.T, got []finding, want []expected) {
	t.Helper()
	left := slices.Clone(got)
	for _, w := range want {
		if w.where != nil && !w.where() {
			continue
		}
		i := slices.IndexFunc(left, func(f finding) bool { return f.ID == w.id && f.Status == w.status() })
		if i < 0 {
			t.Errorf("not found: %s %s, though %s", w.status(), w.id, w.because)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, f := range left {
		t.Errorf("found and not listed: %s", f)
	}
}

// TestDocumentedCallsAreAllowed: the filter is what docs/probes.md says that
// an audit needs, and TestRightPlanServes shows that it is enough. Calls that
// only other policies or audit.Open need are left out.
func TestDocumentedCallsAreAllowed(t *testing.T) {
	text, err := os.ReadFile("../../docs/probes.md")
	if err != nil {
		t.Fatal(err)
	}
	notHere := []string{"clone", "open_tree", "unshare", "setns"}
	documented := 0
	for _, table := range []string{"calls", "children"} {
		_, rest, _ := strings.Cut(string(text), "<!-- begin "+table+" -->")
		rows, _, closed := strings.Cut(rest, "<!-- end "+table+" -->")
		if !closed {
			t.Fatalf("docs/probes.md has no table of %s", table)
		}
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)").FindAllStringSubmatch(rows, -1) {
			documented++
			nr, known := names.Syscall(runtime.GOARCH, m[1])
			switch {
			case slices.Contains(notHere, m[1]):
			case !known:
				t.Errorf("docs/probes.md has %s, which linux/%s has not", m[1], runtime.GOARCH)
			case !slices.Contains(allowed, nr):
				t.Errorf("docs/probes.md has %s, which the filter does not allow", m[1])
			}
		}
	}
	if documented < 30 {
		t.Errorf("docs/probes.md has %d calls, which cannot be all", documented)
	}
}
