package audit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/selfaudit/selfaudit/checks/report"
)

// Bounds on what Error says, so that a target cannot flood a log: findings
// named of each kind, and bytes of any one text.
const (
	maxNamed = 12
	maxText  = 400
)

// NotConfinedError is what MustBeConfined panics with.
type NotConfinedError struct {
	// Report is the audit's report. It is nil where there is none.
	Report *report.Report
	// Cause is why there is no report. It is nil where there is one.
	Cause error
}

// Error says in one paragraph what is wrong: each gap and, where there is no
// gap, what could not be found out. Its length is bounded and it holds
// printable characters only.
func (e *NotConfinedError) Error() string {
	switch {
	case e.Report == nil && e.Cause == nil:
		return "not known to be confined: there is no report"
	case e.Report == nil:
		return "not known to be confined, the audit failed: " + printable(e.Cause.Error())
	}
	r := e.Report
	var b strings.Builder
	fmt.Fprintf(&b, "process %d is not confined by policy %q: verdict %s, %s, %s",
		r.Target.PID, printable(r.Policy.Name), r.Verdict, count(r.Counts.Gap, "gap"), count(r.Counts.Unknown, "unknown"))
	name(&b, ": ", r.Gaps())
	if r.Counts.Gap == 0 {
		name(&b, "; not found out: ", r.Unknowns())
	}
	return b.String()
}

// Unwrap returns Cause.
func (e *NotConfinedError) Unwrap() error { return e.Cause }

// name writes the findings in one line, the first of them in full.
func name(b *strings.Builder, lead string, fs []report.Finding) {
	for i := range fs {
		if i == maxNamed {
			fmt.Fprintf(b, "; and %d more", len(fs)-maxNamed)
			return
		}
		if i > 0 {
			lead = "; "
		}
		fmt.Fprintf(b, "%s%s: %s", lead, printable(title(&fs[i])), printable(fs[i].Message))
	}
}

// title is the finding's id with its subject, where it has one.
func title(f *report.Finding) string {
	if f.Subject == "" {
		return f.ID
	}
	return f.ID + " " + f.Subject
}

func count(n int, what string) string {
	if n == 1 || what == "unknown" {
		return fmt.Sprintf("%d %s", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printable returns s with everything escaped that a terminal or a log could
// take for more than text, and cut to maxText bytes.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		if b.Len() >= maxText {
			b.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
