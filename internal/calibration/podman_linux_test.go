package calibration

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/internal/fixture/container"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// engine starts containers of the three programs, and audits them.
type engine struct {
	*container.Engine
	auditctl, sleeper string
}

// newEngine builds auditctl, something that sleeps and something that scans
// itself, all static, and makes an image of them.
func newEngine(t *testing.T) *engine {
	t.Helper()
	launch.NeedRoot(t)
	dir := t.TempDir()
	e := &engine{auditctl: filepath.Join(dir, "auditctl"), sleeper: filepath.Join(dir, "sleeper")}
	scanner := filepath.Join(dir, "scanner")
	launch.Static(t, e.auditctl, "../../cmd/auditctl")
	launch.Static(t, e.sleeper, "../fixture/cmd/sleeper")
	launch.Static(t, scanner, "./testdata/scanner")
	e.Engine = container.New(t, map[string]string{"auditctl": e.auditctl, "sleeper": e.sleeper, "scanner": scanner})
	return e
}

// inside audits a container from inside.
func (e *engine) inside(t *testing.T, flags []string) (document string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return launch.Report(t, e.Run(ctx, flags, "/auditctl", "check", "--output", "json"))
}

// outside starts a container that sleeps, and audits it by its pid.
func (e *engine) outside(t *testing.T, flags []string) (document string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	file := filepath.Join(t.TempDir(), "pid")
	name := "sleeper" + strconv.Itoa(os.Getpid())
	sleeper := e.Run(ctx, append([]string{"--name", name, "--pidfile", file}, flags...), "/sleeper")
	var output bytes.Buffer
	sleeper.Stdout, sleeper.Stderr = &output, &output
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sleeper.Wait() }()
	defer func() {
		e.Podman(context.Background(), "rm", "--force", "--time", "0", name).Run()
		<-ended
	}()
	pid := awaitPID(t, file, ended, &output)
	return launch.Report(t, exec.CommandContext(ctx, e.auditctl, "check", "--pid", pid, "--output", "json"))
}

// awaitPID waits until the container's first process is the sleeper: before
// that it is the runtime, which has more privileges.
func awaitPID(t *testing.T, file string, ended chan error, output *bytes.Buffer) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the container ended: %v\n%s", err, output)
		default:
		}
		text, err := os.ReadFile(file)
		pid := strings.TrimSpace(string(text))
		if err != nil || pid == "" {
			continue
		}
		if exe, err := os.Readlink("/proc/" + pid + "/exe"); err == nil && exe == "/sleeper" {
			return pid
		}
	}
	t.Fatal("the container's process did not come up")
	return ""
}
