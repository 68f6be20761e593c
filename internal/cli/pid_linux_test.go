package cli

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// What is mounted over /proc must not hold the command up or fill its memory.
// A pipe without a writer and a device without an end stand for it.
func TestFilesOverProc(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			for _, file := range []string{"sys/kernel/pid_max", "1/status"} {
				path := filepath.Join(proc, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := put(path); err != nil {
					t.Fatal(err)
				}
			}
			over := make(chan struct{})
			go func() {
				defer close(over)
				if n := pidMax(proc); n != maxPID {
					t.Errorf("kernel.pid_max is %d", n)
				}
				if leader, ok := leaderOf(proc, 1); ok {
					t.Errorf("the leader is %d", leader)
				}
			}()
			select {
			case <-over:
			case <-time.After(20 * time.Second):
				t.Fatal("still reading")
			}
		})
	}
}

// The real /proc answers both.
func TestFilesOfProc(t *testing.T) {
	if n := pidMax(procDir); n < os.Getpid() {
		t.Errorf("kernel.pid_max is %d", n)
	}
	if leader, ok := leaderOf(procDir, os.Getpid()); !ok || leader != os.Getpid() {
		t.Errorf("the leader of %d is %d, %v", os.Getpid(), leader, ok)
	}
}
