package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	// labelColumn is where the values of a finding's lines begin.
	labelColumn = 14
	// evidenceShown is how many observations a finding is printed with.
	evidenceShown = 4
	// sentenceLimit bounds one printed text, in bytes.
	sentenceLimit = 4096
)

var severityTones = map[report.Severity]tone{
	report.Critical: bad, report.High: bad, report.Medium: doubtful, report.Low: noTone,
}

// own makes a sentence of the checks, which may hold bytes of the target, fit
// for printing, and shortens its long lists.
func (t *text) own(s string) string {
	if !t.verbose {
		s = shorten(s)
	}
	return printable(s, style{keep: terminal})
}

// message is a finding's sentence. Its lists are always shortened: what was
// observed stands below it in full where the text is verbose.
func message(s string) string { return printable(shorten(s), style{keep: terminal}) }

// raw makes a value as the kernel put it fit for printing. The kernel separates
// fields by tabs.
func raw(s string) string {
	return printable(strings.ReplaceAll(s, "\t", " "), style{keep: terminal, double: true})
}

func printable(s string, how style) string {
	text, rest := escape(s, sentenceLimit, how)
	if rest > 0 {
		text += "… (" + number(rest, "byte", "bytes") + " more)"
	}
	return text
}

func (t *text) gaps(gaps []report.Finding) {
	if len(gaps) == 0 {
		return
	}
	title := "Gaps, the worst first"
	if len(gaps) == 1 {
		title = "The gap"
	}
	t.section(title)
	remedyOf := map[string]string{}
	for i, f := range gaps {
		if i > 0 {
			t.blank()
		}
		t.item(2, f.Severity.String(), severityTones[f.Severity], 12, name(f))
		t.para(4, message(f.Message))
		t.line("expected", f.Expected)
		t.line("observed", f.Observed)
		t.threads(f.Threads)
		t.evidence(f.Evidence)
		t.remedy(f, remedyOf)
	}
}

// name is a finding's id with what tells it apart from others of that id.
func name(f report.Finding) string {
	if f.Subject == "" {
		return Safe(f.ID)
	}
	return Safe(f.ID) + " " + Safe(f.Subject)
}

func (t *text) line(label, value string) {
	if value != "" {
		t.item(4, label, noTone, labelColumn, t.own(value))
	}
}

func (t *text) threads(tids []int) {
	words := make([]string, len(tids))
	for i, tid := range tids {
		words[i] = strconv.Itoa(tid)
	}
	t.line("threads", strings.Join(words, ", "))
}

func (t *text) evidence(all []report.Evidence) {
	label := "evidence"
	for i, e := range all {
		if i == evidenceShown && !t.verbose {
			t.item(4, label, noTone, labelColumn, "and "+strconv.Itoa(len(all)-i)+" more, see --output json")
			return
		}
		text := raw(e.Source)
		if e.Value != "" {
			text += ": " + raw(e.Value)
		}
		t.item(4, label, noTone, labelColumn, text)
		label = ""
	}
}

// remedy writes one way out a line. A remedy that was printed already is only
// pointed at: many attempts are closed by the same means.
func (t *text) remedy(f report.Finding, printed map[string]string) {
	if f.Remedy == "" {
		return
	}
	if first, ok := printed[f.Remedy]; ok {
		t.item(4, "remedy", noTone, labelColumn, "as for "+first+" above")
		return
	}
	printed[f.Remedy] = name(f)
	label := "remedy"
	for part := range strings.SplitSeq(f.Remedy, "; ") {
		t.item(4, label, noTone, labelColumn, t.own(part))
		label = ""
	}
}

// unknowns writes what could not be found out, findings with one reason together.
func (t *text) unknowns(unknown []report.Finding) {
	if len(unknown) == 0 {
		return
	}
	t.section("Could not be found out, and so does not count as passed")
	for i, group := range byReason(unknown) {
		if i > 0 {
			t.blank()
		}
		t.item(2, "unknown", doubtful, 12, t.members(group))
		t.para(4, message(reason(group)))
		if len(group) == 1 {
			t.line("expected", group[0].Expected)
			t.line("observed", group[0].Observed)
			t.threads(group[0].Threads)
		}
		t.evidence(group[0].Evidence)
		t.remedy(group[0], map[string]string{})
	}
}

// members names the findings of a group, the first of them where there are many.
func (t *text) members(group []report.Finding) string {
	words := make([]string, 0, len(group))
	for i, f := range group {
		if i == listLimit && !t.verbose {
			return fmt.Sprintf("%s and %d more, which -v lists", strings.Join(words, ", "), len(group)-i)
		}
		words = append(words, name(f))
	}
	return strings.Join(words, ", ")
}

// byReason groups findings that give one reason and show the same, in the order
// in which each group's first one stands.
func byReason(all []report.Finding) [][]report.Finding {
	var groups [][]report.Finding
	for _, f := range all {
		at := slices.IndexFunc(groups, func(g []report.Finding) bool {
			return why(g[0].Message) == why(f.Message) && g[0].Remedy == f.Remedy &&
				slices.Equal(g[0].Evidence, f.Evidence) && slices.Equal(g[0].Threads, f.Threads)
		})
		if at < 0 {
			groups = append(groups, []report.Finding{f})
			continue
		}
		groups[at] = append(groups[at], f)
	}
	return groups
}

// why is what a message says after what it is about: "whether it can mount was
// not tried: WHY".
func why(sentence string) string {
	if _, after, ok := strings.Cut(sentence, ": "); ok {
		return after
	}
	return sentence
}

// reason is the whole message where all of a group say the same, else what they
// have in common.
func reason(group []report.Finding) string {
	for _, f := range group {
		if f.Message != group[0].Message {
			return why(f.Message)
		}
	}
	return group[0].Message
}

func (t *text) passes(all []report.Finding) {
	first := true
	for _, f := range all {
		if f.Status != report.Pass {
			continue
		}
		if first {
			t.section("Passed")
			first = false
		}
		said := f.Message
		if said == "" {
			said = f.Observed
		}
		t.item(2, "pass", good, 8, name(f)+": "+message(said))
	}
}

func (t *text) skipped(all []report.Finding) {
	var names []string
	for _, f := range all {
		if f.Status == report.Skipped {
			names = append(names, name(f))
		}
	}
	if len(names) > 0 {
		t.section("Not asked for by the policy")
		t.para(2, strings.Join(names, ", "))
	}
}
