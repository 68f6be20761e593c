package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/selfaudit/selfaudit/checks/report"
)

func TestErrorNamesEveryGap(t *testing.T) {
	r := &Report{Target: report.Target{PID: 12}, Policy: report.Policy{Name: "confined"}, Verdict: report.Exposed,
		Counts: report.Counts{Gap: 2, Unknown: 1},
		Findings: []report.Finding{
			{ID: "identity.groups", Status: report.Gap, Severity: report.Medium, Message: "all 3 threads have group 0"},
			{ID: "namespace", Subject: "pid", Status: report.Unknown, Message: "not told"},
			{ID: "identity.uid", Status: report.Gap, Severity: report.Critical, Message: "saved user id is 0"},
		}}
	got := (&NotConfinedError{Report: r}).Error()
	want := `process 12 is not confined by policy "confined": verdict exposed, 2 gaps, 1 unknown: identity.uid: saved user id is 0; identity.groups: all 3 threads have group 0`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Findings, r.Counts, r.Verdict = r.Findings[1:2], report.Counts{Unknown: 1}, report.Inconclusive
	got = (&NotConfinedError{Report: r}).Error()
	want = `process 12 is not confined by policy "confined": verdict inconclusive, 0 gaps, 1 unknown; not found out: namespace pid: not told`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestErrorCarriesItsCause(t *testing.T) {
	var err error = &NotConfinedError{Cause: fmt.Errorf("open /proc: %w", fs.ErrNotExist)}
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "open /proc") {
		t.Errorf("%v", err)
	}
	var e *NotConfinedError
	if !errors.As(fmt.Errorf("start: %w", err), &e) {
		t.Error("errors.As does not find it")
	}
	if (&NotConfinedError{}).Error() == "" {
		t.Error("no words for an error without anything")
	}
}

// TestErrorIsHarmless: whatever a target put into a message, what is written
// is one line of printable characters with a bound.
func TestErrorIsHarmless(t *testing.T) {
	hostile := "\x1b[2J\x1b]0;owned\a\r\nroot:x:0\x00\xff\xfe\u202e\u2028\u0085" + strings.Repeat("A", 1<<20)
	r := &Report{Policy: report.Policy{Name: hostile}, Counts: report.Counts{Gap: 1000}}
	for range 1000 {
		r.Findings = append(r.Findings, report.Finding{ID: "fds.directory", Subject: hostile, Status: report.Gap, Message: hostile})
	}
	for _, e := range []*NotConfinedError{{Report: r}, {Cause: errors.New(hostile)}} {
		got := e.Error()
		if len(got) > 16<<10 || !utf8.ValidString(got) || strings.ContainsFunc(got, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%d bytes: %.300q", len(got), got)
		}
	}
	if got := (&NotConfinedError{Report: r}).Error(); !strings.HasSuffix(got, "and 988 more") {
		t.Errorf("the rest is not counted: %q", got[len(got)-40:])
	}
}
