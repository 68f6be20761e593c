package calibration

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

const image = "localhost/calibration:1"

// engine is a podman with its own store, so that nothing of the machine's is
// touched and everything goes away with the test's directory.
type engine struct {
	dir      string
	auditctl string
}

// newEngine builds auditctl, something that sleeps and something that scans
// itself, all static, and makes an image of them.
func newEngine(t *testing.T) *engine {
	t.Helper()
	launch.NeedRoot(t)
	for _, tool := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(tool); err != nil {
			launch.Skip(t, "needs "+tool+": "+err.Error())
		}
	}
	// Not t.TempDir: the store holds what only podman should remove first.
	dir, err := os.MkdirTemp("", "calibration")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{dir: dir, auditctl: filepath.Join(dir, "auditctl")}
	t.Cleanup(func() {
		e.podman(context.Background(), "rm", "--all", "--force", "--time", "0").Run()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	compile(t, e.auditctl, "../../cmd/auditctl")
	sleeper := filepath.Join(dir, "sleeper")
	compile(t, sleeper, "./testdata/sleeper")
	archive := filepath.Join(dir, "image.tar")
	scanner := filepath.Join(dir, "scanner")
	compile(t, scanner, "./testdata/scanner")
	pack(t, archive, e.auditctl, sleeper, scanner)
	if out, err := e.podman(t.Context(), "import", archive, image).CombinedOutput(); err != nil {
		t.Fatalf("podman import: %v\n%s", err, out)
	}
	return e
}

func compile(t *testing.T, program, folder string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", program, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", folder, err, out)
	}
}

// pack writes an image's file system: the programs and nothing else.
func pack(t *testing.T, archive string, programs ...string) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range programs {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.Base(p), Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(archive, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// podman prepares a command on the engine's own store.
func (e *engine) podman(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "podman", append([]string{
		"--root", filepath.Join(e.dir, "store"), "--runroot", filepath.Join(e.dir, "run"), "--tmpdir", filepath.Join(e.dir, "tmp"),
		"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc", "--events-backend", "none",
	}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// container prepares a container with the given flags. The explicit limits
// are needed where the caller lacks CAP_SYS_RESOURCE.
func (e *engine) container(ctx context.Context, flags []string, command ...string) *exec.Cmd {
	args := []string{"run", "--rm", "--network", "none", "--log-driver", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"}
	args = append(append(args, flags...), image)
	return e.podman(ctx, append(args, command...)...)
}

// inside audits a container from inside.
func (e *engine) inside(t *testing.T, flags []string) (document string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return audit(t, e.container(ctx, flags, "/auditctl", "check", "--output", "json"))
}

// outside starts a container that sleeps, and audits it by its pid.
func (e *engine) outside(t *testing.T, flags []string) (document string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	file := filepath.Join(t.TempDir(), "pid")
	name := "sleeper" + strconv.Itoa(os.Getpid())
	sleeper := e.container(ctx, append([]string{"--name", name, "--pidfile", file}, flags...), "/sleeper")
	var output bytes.Buffer
	sleeper.Stdout, sleeper.Stderr = &output, &output
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sleeper.Wait() }()
	defer func() {
		e.podman(context.Background(), "rm", "--force", "--time", "0", name).Run()
		<-ended
	}()
	pid := awaitPID(t, file, ended, &output)
	return audit(t, exec.CommandContext(ctx, e.auditctl, "check", "--pid", pid, "--output", "json"))
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

// audit runs a command that prints a report. Its exit status is the report's.
func audit(t *testing.T, cmd *exec.Cmd) (document string, exit int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	exit = cmd.ProcessState.ExitCode()
	if stdout.Len() == 0 {
		t.Fatalf("exit status %d and no report\n%s", exit, &stderr)
	}
	if stderr.Len() > 0 {
		t.Logf("standard error: %s", &stderr)
	}
	return stdout.String(), exit
}
