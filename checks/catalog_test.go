package checks_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

var update = flag.Bool("update", false, "write docs/findings.md anew")

const document = "../docs/findings.md"

// TestFindingsDocument holds docs/findings.md against the catalogue.
func TestFindingsDocument(t *testing.T) {
	want := findingsDocument()
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the catalogue says: go test ./checks -run TestFindingsDocument -update", document)
	}
}

func findingsDocument() string {
	var b strings.Builder
	b.WriteString("# Findings\n\n" +
		"Every finding has an id. For each of them: what a gap means, why it matters, and how it is closed.\n" +
		"This page is made from `checks.Catalog`; a test keeps the two equal.\n\n" +
		"A finding is `pass`, `gap`, `unknown` or `skipped`. What the policy asks for and could not be\n" +
		"found out is `unknown`, never `pass`; what it does not ask for is `skipped`. Of several threads\n" +
		"the worst decides. The severity is that of a gap.\n")
	for _, m := range checks.Catalog() {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s. Layer: %s. Severity: %s.\n\n", m.ID, capital(m.Title), m.Layer, m.Severity)
		fmt.Fprintf(&b, "- Meaning: %s\n- Why it matters: %s\n- How to fix it: %s.\n", m.Meaning, m.Why, capital(strings.TrimSuffix(m.Fix, ".")))
	}
	return b.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// TestCatalogIsComplete: sorted, without repetition, and nothing left empty.
func TestCatalogIsComplete(t *testing.T) {
	all := checks.Catalog()
	ids := make([]string, len(all))
	for i, m := range all {
		ids[i] = m.ID
		for what, text := range map[string]string{"title": m.Title, "meaning": m.Meaning, "why": m.Why, "fix": m.Fix} {
			if text == "" {
				t.Errorf("%s has no %s", m.ID, what)
			}
		}
		for _, text := range []string{m.Meaning, m.Why} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q is no sentence", m.ID, text)
			}
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("ids are not sorted, or repeated: %q", ids)
	}
}

// TestFindingsCarryTheirEntry: what a finding carries is in a table of its own.
func TestFindingsCarryTheirEntry(t *testing.T) {
	for _, m := range checks.Catalog() {
		if layer, severity, fix := checks.WeighAll(m.ID); layer != m.Layer || severity != m.Severity || fix != m.Fix {
			t.Errorf("%s: findings carry %s %s %q, the catalogue has %s %s %q", m.ID, layer, severity, fix, m.Layer, m.Severity, m.Fix)
		}
	}
}

// TestCheckFixesNameEveryPlatform: what is not an attempt says how it is closed
// under docker, kubernetes and systemd and in Go.
func TestCheckFixesNameEveryPlatform(t *testing.T) {
	for _, m := range checks.Catalog() {
		if strings.HasPrefix(m.ID, "probe.") {
			continue
		}
		for _, platform := range []string{"docker", "kubernetes", "systemd", "Go: "} {
			if !strings.Contains(m.Fix, platform) {
				t.Errorf("%s: the fix does not name %s: %s", m.ID, platform, m.Fix)
			}
		}
	}
}

// TestAttemptWordsAreTheReports: a misspelt layer or severity in the table of
// attempts would silently read as the first of its kind.
func TestAttemptWordsAreTheReports(t *testing.T) {
	for _, a := range names.Attempts() {
		var l report.Layer
		var s report.Severity
		if err := l.UnmarshalText([]byte(a.Layer)); err != nil {
			t.Errorf("%s: layer: %v", a.Name, err)
		}
		if err := s.UnmarshalText([]byte(a.Severity)); err != nil {
			t.Errorf("%s: severity: %v", a.Name, err)
		}
	}
}
