package checks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Bounds on what one finding carries. How many threads, groups and
// descriptors there are is the target's choice.
const (
	maxEvidence = 8
	maxListed   = 8
	maxQuoted   = 200
)

// leftOut is said of what is asked and not linked: one sentence for all, since
// every program has it.
const leftOut = "its check was left out of this audit"

// results collects findings.
type results struct {
	findings []report.Finding
	// weigh says what an id weighs.
	weigh func(id string) weight
}

// add makes a finding of that id, with what its table entry says of it. What is
// returned stays in place only until the next one is added.
func (r *results) add(id string, status report.Status, expected, observed, message string) *report.Finding {
	w := r.weigh(id)
	if status != report.Gap {
		w.fix = ""
	}
	r.findings = append(r.findings, report.Finding{
		ID: id, Layer: w.layer, Severity: w.severity, Status: status,
		Expected: expected, Observed: observed, Message: message, Remedy: w.fix,
	})
	return &r.findings[len(r.findings)-1]
}

//go:noinline
func (r *results) skip(id string) *report.Finding {
	return r.add(id, report.Skipped, "", "", "the policy does not ask")
}

// whyNot says in words why a fact is not known, naming the thing.
//
//go:noinline
func whyNot(o *posture.Origin, thing string) string {
	if o.State == posture.Absent {
		thing = "the kernel that answers here does not have or show " + thing
	}
	return thing + ": " + o.Why()
}

// seen returns the evidence that facts are, known or not.
func seen(facts ...*posture.Origin) []report.Evidence {
	out := make([]report.Evidence, len(facts))
	for i, o := range facts {
		e := &out[i]
		e.Source, e.Value = sourceOf(o), o.Raw
		if o.State != posture.Known {
			e.Value = o.State.String() + ": " + o.Why()
		}
	}
	return out
}

func sourceOf(o *posture.Origin) string {
	if o.Source == "" {
		return "none"
	}
	return o.Source
}

// seenOf is seen for some of the facts of threads.
func seenOf(facts []fact, threads ...*posture.Thread) []report.Evidence {
	origins := make([]*posture.Origin, 0, maxEvidence)
	for _, f := range facts {
		for _, t := range threads {
			origins = append(origins, f.of(t))
		}
	}
	return seen(origins...)
}

// evidenceGroups is evidence put together from groups, of which each is kept or left whole.
type evidenceGroups struct {
	list       []report.Evidence
	kept, left int
}

// add drops what is there already, and counts what is too much.
func (e *evidenceGroups) add(group []report.Evidence) {
	before := e.list
	for i := range group {
		if !slices.Contains(before, group[i]) {
			e.list = append(e.list, group[i])
		}
	}
	switch {
	case len(e.list) == len(before):
	case e.kept < maxEvidence:
		e.kept++
	default:
		e.list = before
		e.left++
	}
}

// bounded returns the evidence, with a last line on what was too much.
func (e *evidenceGroups) bounded() []report.Evidence {
	if e.left > 0 {
		e.list = append(e.list, more(e.left, " classes"))
	}
	return e.list
}

func more(n int, things string) report.Evidence {
	return report.Evidence{Source: "…", Value: "… and " + strconv.Itoa(n) + " more" + things}
}

// worst collects what was observed of several things with one answer each: of
// those with the worst answer. At first nothing speaks against a pass.
type worst struct {
	status report.Status
	words  []string
}

func (w *worst) add(status report.Status, words string) {
	if status == w.status {
		w.words = append(w.words, words)
	} else if status == report.Gap || w.status == report.Pass {
		w.status, w.words = status, []string{words}
	}
}

// listed joins distinct words, at most maxListed of them.
func listed(words []string, separator string) string {
	out := make([]string, 0, maxListed+1)
	for _, w := range words {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
		if len(out) > maxListed {
			out[maxListed] = "…"
			break
		}
	}
	return strings.Join(out, separator)
}

func numbers(ns []int) string {
	words := make([]string, min(len(ns), maxListed))
	for i := range words {
		words[i] = strconv.Itoa(ns[i])
	}
	return andMore(words, len(ns)-len(words))
}

// andMore joins words and says how many more there are.
func andMore(words []string, n int) string {
	list := strings.Join(words, ", ")
	if n > 0 {
		list += " and " + strconv.Itoa(n) + " more"
	}
	return list
}

// distinct sorts numbers in place and drops the repeated ones.
func distinct(ns []int) []int {
	slices.Sort(ns)
	return slices.Compact(ns)
}

// counted is a number of things, of which there may be one.
//
//go:noinline
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// caps names every capability of the set.
func caps(s posture.CapSet) string { return names.CapSetString(uint64(s)) }

// fewCaps names the first capabilities of the set, for a sentence.
func fewCaps(s posture.CapSet) string { return short(caps(s)) }

// short cuts a list of capabilities, for a sentence; observed has them all.
func short(list string) string {
	const few = 4
	words := strings.Split(list, ", ")
	if len(words) <= few {
		return list
	}
	return andMore(words[:few-1], len(words)-few+1)
}

func atMost(s posture.CapSet) string {
	if s == 0 {
		return "none"
	}
	return "at most " + caps(s)
}

// quoted makes bytes that the target chose fit for a sentence.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
