package audit_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// TestOpenProgram: a set-user-ID program outside the root needs no path where a
// descriptor of it is open.
func TestOpenProgram(t *testing.T) {
	launch.NeedRoot(t)
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	only := &policy.Policy{Name: "programs", Filesystem: policy.Filesystem{NoSetuidFiles: true}}
	verdict := func(pid int) report.Verdict {
		t.Helper()
		r, err := audit.Check(context.Background(), audit.WithPID(pid), audit.WithPolicy(only))
		if err != nil {
			t.Fatal(err)
		}
		return r.Verdict
	}
	pid := asNeighbour(t, 0, false, f)
	if v := verdict(pid); v != report.Confined {
		t.Errorf("a plain program: %s", v)
	}
	if err := os.Chmod(name, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if v := verdict(pid); v != report.Inconclusive {
		t.Errorf("a set-user-ID program: %s", v)
	}
}
