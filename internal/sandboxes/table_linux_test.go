package sandboxes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	document   = "../../docs/sandboxes.md"
	beginTable = "<!-- begin reports -->\n"
	endTable   = "<!-- end reports -->"
)

// kept is of a report what the document's table shows.
type kept struct {
	Verdict  string
	Counts   report.Counts
	Findings []struct{ ID, Status string }
}

// TestDocument: docs/sandboxes.md explains every sandbox under its command
// line, in their order, and its table is that of the reports that are kept.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	for _, s := range sandboxes {
		want := "\n### " + s.name + "\n\n```sh\n" + s.command + "\n```\n\n"
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%s has no part, or not in its place, that begins %q", document, want)
		}
		if explained, _, _ := strings.Cut(after, "\n#"); len(strings.Fields(explained)) < 20 {
			t.Errorf("%s does not explain %s", document, s.name)
		}
		rest = after
	}
	before, rest, found := strings.Cut(string(text), beginTable)
	_, after, closed := strings.Cut(rest, endTable)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", document)
	}
	compare(t, document, before+beginTable+table(t)+endTable+after, strings.TrimSpace)
}

func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| sandbox | verdict | gaps | passed | unknown |\n|---|---|---|---|---|\n")
	for _, s := range sandboxes {
		k := keptReport(t, s.name)
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %d | %d |\n", s.name, s.name, k.Verdict, k.gaps(), k.Counts.Pass, k.Counts.Unknown)
	}
	return b.String()
}

func keptReport(t *testing.T, name string) (k kept) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	// What is masked is no JSON.
	plain := strings.NewReplacer(": PID", ": 0", ": DURATION", ": 0", "[\n        PID\n", "[0\n").Replace(string(text))
	if err := json.Unmarshal([]byte(plain), &k); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return k
}

// gaps are the ids of what is too much, and the number of attempts that succeed.
func (k *kept) gaps() string {
	var ids []string
	attempts := 0
	for _, f := range k.Findings {
		switch {
		case f.Status != "gap":
		case strings.HasPrefix(f.ID, "probe."):
			attempts++
		case !slices.Contains(ids, "`"+f.ID+"`"):
			ids = append(ids, "`"+f.ID+"`")
		}
	}
	switch attempts {
	case 0:
	case 1:
		ids = append(ids, "1 attempt that succeeds")
	default:
		ids = append(ids, fmt.Sprintf("%d attempts that succeed", attempts))
	}
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
