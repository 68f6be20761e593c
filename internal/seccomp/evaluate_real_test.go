package seccomp

import (
	"os"
	"testing"

	"github.com/selfaudit/selfaudit/internal/names"
)

func loadFilters(t testing.TB, files ...string) []Program {
	t.Helper()
	var stack []Program
	for _, f := range files {
		raw, err := os.ReadFile("testdata/" + f + ".bpf")
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		stack = append(stack, p)
	}
	return stack
}

func abi(t testing.TB, name string) names.ABI {
	t.Helper()
	a, ok := names.FindABI(name)
	if !ok {
		t.Fatalf("no ABI %s", name)
	}
	return a
}

func TestDump(t *testing.T) {
	for _, stack := range [][]string{{"docker-default-amd64"}, {"chronyd-amd64"}, {"firejail-amd64-0", "firejail-amd64-1"}} {
		for _, a := range []string{"x86-64", "x32", "i386"} {
			t.Log(stack, a)
			for _, r := range Evaluate(loadFilters(t, stack...), abi(t, a), Options{}) {
				n, _ := names.SyscallName(abi(t, a).Arch, r.First)
				t.Log(r.First, r.Last, n, r.Summary)
				for _, w := range r.Ways {
					if len(w.Notes) > 0 {
						t.Log("   ", w.Notes)
					}
				}
			}
		}
	}
}
