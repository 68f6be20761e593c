package probes

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of special cases into docs/seccomp.md")

// wayWords say how a special case is made, other than with its arguments.
var wayWords = map[specialWay]string{
	wayNever:   "not made",
	wayBlocks:  "made, and ended by a deadline",
	wayEnds:    "made by a child that ends with it",
	wayForks:   "made, and the new process ends at once",
	wayFrame:   "made with a frame of its own on the stack, in the native ABI",
	wayIllegal: "made, and its SIGILL is the answer",
	waySession: "made in a session of its own only",
}

func specialsTable() string {
	var b strings.Builder
	b.WriteString("| call | first arguments | how | why |\n|---|---|---|---|\n")
	for i := range specials {
		s := &specials[i]
		var args []string
		for _, a := range s.args {
			if a == one {
				args = append(args, "all ones")
				continue
			}
			args = append(args, fmt.Sprintf("%#x", a))
		}
		how := wayWords[s.way]
		if how == "" {
			how = "made with these"
		}
		if s.way == wayNever {
			args = []string{"–"}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, strings.Join(args, ", "), how, s.why)
	}
	return b.String()
}

// TestScanDocument holds the table of docs/seccomp.md against the code's.
func TestScanDocument(t *testing.T) {
	const file = "../docs/seccomp.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- begin special cases -->\n", "<!-- end special cases -->"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + begin + specialsTable() + end + after
	switch {
	case want == string(text):
	case *update:
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the code says: go test ./probes -run TestScanDocument -update", file)
	}
}
