package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// auditctl returns the command as a process of its own.
func auditctl(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = "auditctl"
	return cmd
}

// A closed pipe must end in exit code 2 and an error, neither in death by
// SIGPIPE nor in the verdict of a report that nobody got.
func TestClosedPipe(t *testing.T) {
	for _, args := range [][]string{{"policy", "list"}, {"check", "--probes", "off"}, {"check", "--probes", "off", "--output", "json"}, {"--help"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd := auditctl(t, args...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &stderr
		_ = cmd.Run()
		w.Close()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(stderr.String(), "auditctl: error: standard output: ") {
			t.Errorf("%q: %v, stderr %q", args, cmd.ProcessState, stderr.String())
		}
	}
}

// A signal ends a command that waits, with an exit code of no verdict.
func TestSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := auditctl(t, "check", "--policy", "-")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		stdin.Close()
		if code := cmd.ProcessState.ExitCode(); code != 2 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("%v: %v, stdout %q, stderr %q", sig, cmd.ProcessState, stdout.String(), stderr.String())
		}
	}
}

// What the child reports is what the kernel's own file says of another plain
// program that is started the same way.
func TestExecChild(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	fact := execChild(ctx)
	got, known := fact.Get()
	if !known {
		t.Fatalf("not known: %s", fact.Why())
	}
	out, err := exec.CommandContext(ctx, "cat", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range execSets {
		words := strings.Fields(formatSets(got))
		for _, w := range words {
			name, bits, _ := strings.Cut(w, "=")
			if name == s.name && !strings.Contains(string(out), name+":\t"+bits+"\n") {
				t.Errorf("%s is %s after execve, and not so in\n%s", name, bits, out)
			}
		}
	}
}

// A program file with privileges of its own tells nothing of a plain one.
func TestPlainFile(t *testing.T) {
	for _, mode := range []uint32{0o755, 0o4755, 0o2755} {
		f, err := os.CreateTemp(t.TempDir(), "program")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := syscall.Chmod(f.Name(), mode); err != nil {
			t.Fatal(err)
		}
		if err := plainFile(f); (err == nil) != (mode == 0o755) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if os.Geteuid() != 0 {
		t.Log("left out: file capabilities, which need CAP_SETFCAP to be set")
		return
	}
	f, err := os.CreateTemp(t.TempDir(), "program")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Version 2, effective, CAP_NET_RAW permitted: capabilities(7).
	value := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := syscall.Setxattr(f.Name(), "security.capability", value, 0); err != nil {
		t.Fatal(err)
	}
	if err := plainFile(f); err == nil || !strings.Contains(err.Error(), "file capabilities") {
		t.Errorf("file capabilities: %v", err)
	}
}
