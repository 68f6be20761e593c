package audit_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSize measures what a service pays for in bytes of its program.
func TestSize(t *testing.T) {
	const most = 800_000
	bare, audited := size(t, "without"), size(t, "with")
	t.Logf("without %d bytes, with %d bytes: %.2f MB more", bare, audited, float64(audited-bare)/1e6)
	if audited-bare > most {
		t.Errorf("importing audit adds %d bytes, more than %d", audited-bare, most)
	}
}

// size leaves the path of the checkout out of the program: it is linked with every
// file's name.
func size(t *testing.T, program string) int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), program)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./testdata/size/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
