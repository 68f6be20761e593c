package policyfile

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

const docsPath = "../../docs/policy.md"

// TestDocs holds the tables of docs/policy.md against those of the code.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	want := replaceSection(t, text, "keys", keyTable())
	want = replaceSection(t, want, "attempts", attemptTable())
	checkGolden(t, docsPath, want)
}

// replaceSection puts a table between the markers of that name.
func replaceSection(t *testing.T, text []byte, name, table string) []byte {
	t.Helper()
	section := regexp.MustCompile(`(?s)(<!-- ` + name + `: begin[^\n]*-->\n).*(<!-- ` + name + `: end -->)`)
	if n := len(section.FindAll(text, -1)); n != 1 {
		t.Fatalf("%s has %d sections %s", docsPath, n, name)
	}
	return section.ReplaceAllFunc(text, func(old []byte) []byte {
		m := section.FindSubmatch(old)
		return slices.Concat(m[1], []byte(table), m[2])
	})
}

func keyTable() string {
	var b strings.Builder
	b.WriteString("| key | value | meaning | findings | checked |\n|---|---|---|---|---|\n")
	for _, l := range leaves("", schema()) {
		checked := "no"
		if l.key.checked {
			checked = "yes"
		}
		ids := strings.Join(l.key.ids, "`, `")
		if ids != "" {
			ids = "`" + ids + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", l.path, l.key.words, l.key.means, ids, checked)
	}
	return b.String()
}

func attemptTable() string {
	var b strings.Builder
	b.WriteString("| attempt | key | default | a process fails that can … | because |\n|---|---|---|---|---|\n")
	defaults := append(policy.DefaultReescalation(), policy.DefaultSyscalls()...)
	for _, a := range names.Attempts() {
		mark := ""
		if slices.Contains(defaults, a.Name) {
			mark = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | `probes.%s` | %s | %s | %s |\n", a.Name, a.Group, mark, a.Does, names.AttemptReason(a.Name))
	}
	return b.String()
}

// TestDocsExamples reads every policy that stands in the document.
func TestDocsExamples(t *testing.T) {
	text, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(?:yaml|json)\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) < 2 {
		t.Errorf("%d examples", len(blocks))
	}
	for _, block := range blocks {
		if _, err := Decode(bytes.NewReader(block[1]), docsPath); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
}
