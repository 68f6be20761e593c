package collect

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A service that audits itself links nothing of what reads and evaluates
// filters, which it has no use for.
func TestSelfLinksNoFilters(t *testing.T) {
	if _, err := os.Stat("testdata/self/main.go"); err != nil {
		t.Fatal("needs the source tree: ", err)
	}
	program := filepath.Join(t.TempDir(), "self")
	build := exec.Command("go", "build", "-o", program, "./testdata/self")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(symbols), "internal/collect.(*collector).selfThreads") {
		t.Error("the list of symbols is not one")
	}
	for _, unwanted := range []string{"selfaudit/internal/seccomp.", "collect.(*filterReader)", "SeccompFilters", "kernel.(*tracee)"} {
		if strings.Contains(string(symbols), unwanted) {
			t.Errorf("links %s", unwanted)
		}
	}
}
