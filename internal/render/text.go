package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	// DefaultWidth is the width of a text where none is given, in columns.
	DefaultWidth = 80
	// MinWidth is the least width that a text is wrapped to; labels and the
	// words beside them need that much.
	MinWidth = 40
)

// TextOptions say how a report is written for a person.
type TextOptions struct {
	// Color allows ANSI colours. They repeat what the words say.
	Color bool
	// Width is in columns; 0 is DefaultWidth, less than MinWidth is MinWidth.
	Width int
	// Verbose lists what passed and what was not asked for, and shortens nothing.
	Verbose bool
	// Opinions are sentences on what others read of the same process. They
	// are printed beside the report and belong to no finding.
	Opinions []string
}

// Text writes r for a person: the verdict, the gaps with the worst first, what
// is unknown and why, the limits of the audit, and the counts.
func Text(w io.Writer, r *report.Report, o TextOptions) error {
	if r == nil {
		return errNoReport
	}
	t := text{page: page{width: max(o.Width, MinWidth), paint: uncoloured}, verbose: o.Verbose}
	if o.Width == 0 {
		t.width = DefaultWidth
	}
	if o.Color {
		t.paint = coloured
	}
	t.verdict(r)
	t.facts(r)
	t.gaps(r.Gaps())
	t.unknowns(r.Unknowns())
	if o.Verbose {
		t.passes(r.Findings)
		t.skipped(r.Findings)
	}
	t.depth(r.Depth)
	t.list("What this audit could not see", r.Limits)
	t.list("Second opinions, which do not change the verdict", o.Opinions)
	t.counts(r)
	return writeAll(w, []byte(t.b.String()))
}

type text struct {
	page
	verbose bool
}

func (t *text) verdict(r *report.Report) {
	word := strings.ToUpper(r.Verdict.String()) + ":"
	process, policy := subjectOf(r.Target), policyName(r.Policy)
	switch r.Verdict {
	case report.Confined:
		t.item(0, word, good, 0, fmt.Sprintf("%s passes everything that %s asks for.", process, policy))
	case report.Exposed:
		t.item(0, word, bad, 0, fmt.Sprintf("%s can do more than %s allows.", process, policy))
	default:
		why := fmt.Sprintf("no gap was seen in %s, but %s of what %s asks for could not be found out.", process, number(r.Counts.Unknown, "point", "points"), policy)
		if r.Counts.Unknown == 0 {
			why = fmt.Sprintf("%s asks for nothing that was found out about %s.", policy, process)
		}
		t.item(0, word, doubtful, 0, why)
	}
	t.blank()
}

func subjectOf(p report.Target) string {
	if p.Comm == "" {
		return fmt.Sprintf("process %d", p.PID)
	}
	return fmt.Sprintf("process %d (%s)", p.PID, Safe(p.Comm))
}

func policyName(p report.Policy) string {
	if p.Name == "" {
		return "the policy"
	}
	return "policy " + Safe(p.Name)
}

// factColumn is where the values of the lines on target, policy and host begin.
const factColumn = 11

func (t *text) facts(r *report.Report) {
	t.fact("process", processLine(r.Target))
	if !r.Target.StartTime.IsZero() {
		t.fact("started", r.Target.StartTime.UTC().Format(time.DateTime)+" UTC")
	}
	t.fact("policy", policyLine(r.Policy))
	if t.verbose && r.Policy.SHA256 != "" {
		t.fact("sha256", Safe(r.Policy.SHA256))
	}
	t.fact("host", hostLine(r.Host))
}

func hostLine(h report.Host) string {
	kernel, arch := "kernel version unknown", "architecture unknown"
	if h.Kernel != "" {
		kernel = "Linux " + Safe(h.Kernel)
	}
	if h.Arch != "" {
		arch = Safe(h.Arch)
	}
	return kernel + ", " + arch
}

func policyLine(p report.Policy) string {
	name := "without a name"
	if p.Name != "" {
		name = Safe(p.Name)
	}
	switch p.Source {
	case "":
		return name
	case "builtin:" + p.Name:
		return name + ", built in"
	default:
		return name + ", from " + Safe(p.Source)
	}
}

func (t *text) fact(label, value string) { t.item(2, label, noTone, factColumn, value) }

func processLine(p report.Target) string {
	parts := []string{strconv.Itoa(p.PID), "name unknown", "program file unknown", "number of threads unknown"}
	if p.Comm != "" {
		parts[1] = Safe(p.Comm)
	}
	if p.Exe != "" {
		parts[2] = Safe(p.Exe)
		// Of a process with another root the kernel shows a path that need not
		// be that by which the process itself knows the file.
		if !p.Self {
			parts[2] += " (as /proc shows it from here)"
		}
	}
	if p.Threads > 0 {
		parts[3] = number(p.Threads, "thread", "threads")
	}
	if p.Self {
		parts = append(parts, "the auditing process itself")
	}
	return strings.Join(parts, ", ")
}

func (t *text) section(title string) {
	t.blank()
	for _, line := range wrap(title, t.width, t.width) {
		t.b.WriteString(t.paint(heading, line) + "\n")
	}
}

func (t *text) list(title string, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	t.section(title)
	for _, s := range sentences {
		t.item(2, "-", noTone, 4, t.own(s))
	}
}

func (t *text) counts(r *report.Report) {
	t.blank()
	line := fmt.Sprintf("%d passed, %s, %d unknown, %d not asked for; took %s.",
		r.Counts.Pass, number(r.Counts.Gap, "gap", "gaps"), r.Counts.Unknown, r.Counts.Skipped, took(r.DurationNs))
	t.para(0, line)
}

// took rounds to what a person can use.
func took(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	default:
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
}

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
