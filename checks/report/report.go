// Package report holds the result of an audit: the versioned document that
// every output is made from. The package is a leaf and decides only what
// follows from the findings: counts and verdict.
package report

import (
	"sort"
	"strings"
	"time"
)

// Schema names the version of the document. Within it keys are only added.
const Schema = "selfaudit.report/v1"

// Report is the result of one audit of one process.
type Report struct {
	Schema    string    `json:"schema"`
	Verdict   Verdict   `json:"verdict"`
	Target    Target    `json:"target"`
	Policy    Policy    `json:"policy"`
	Host      Host      `json:"host"`
	StartedAt time.Time `json:"startedAt"`
	// DurationNs is how long the audit took, in nanoseconds.
	DurationNs int64     `json:"durationNs"`
	Counts     Counts    `json:"counts"`
	Findings   []Finding `json:"findings"`
	// Limits are sentences on what this audit could not see or do.
	Limits []string `json:"limits,omitempty"`
	// Depth is what stands before each attack that was tried, in the order of
	// their names; nothing where that was not worked out.
	Depth []Depth `json:"depth,omitempty"`
}

// Target is the audited process. Comm and Exe are bytes that the target
// chose: whoever prints them must make them harmless first.
type Target struct {
	PID       int       `json:"pid"`
	StartTime time.Time `json:"startTime,omitzero"`
	Comm      string    `json:"comm"`
	Exe       string    `json:"exe"`
	// Threads is the number of threads that were seen.
	Threads int  `json:"threads"`
	Self    bool `json:"self"`
}

// Policy says what the process was held against.
type Policy struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	// SHA256 is of the file's bytes, or of a built-in policy's JSON form.
	SHA256 string `json:"sha256"`
}

// Host is the kernel that answered.
type Host struct {
	Kernel string `json:"kernel"`
	Arch   string `json:"arch"`
}

// Counts are the findings by status.
type Counts struct {
	Pass    int `json:"pass"`
	Gap     int `json:"gap"`
	Unknown int `json:"unknown"`
	Skipped int `json:"skipped"`
}

// Finding is the result of one check or one probe.
type Finding struct {
	ID       string   `json:"id"`
	Layer    Layer    `json:"layer"`
	Status   Status   `json:"status"`
	Severity Severity `json:"severity"`
	// Subject tells findings with one id apart: a syscall, a path, a limit.
	Subject  string `json:"subject"`
	Expected string `json:"expected"`
	Observed string `json:"observed"`
	// Threads is there only where threads differ or it holds for some.
	Threads  []int      `json:"threads,omitempty"`
	Evidence []Evidence `json:"evidence"`
	Message  string     `json:"message"`
	Remedy   string     `json:"remedy"`
}

// Evidence is one observation. Value may hold bytes that the target chose.
type Evidence struct {
	Source string `json:"source"`
	Value  string `json:"value"`
}

// Depth is what stands before one attack, layer by layer: what is known to stop
// it by itself, were all else to give way.
type Depth struct {
	// Attack is the attempt's name, its finding's id without "probe.".
	Attack string `json:"attack"`
	// Outcome is how the attempt ended: "stopped", "succeeded", "no object" or
	// "undecided".
	Outcome string `json:"outcome"`
	// Layers are "filter", "capability", "namespace", "permission" (ids, modes,
	// a setting of the machine or a Linux security module), "kernel" (it lacks
	// the feature), or "unknown" alone: something stopped it, and what is not
	// known. None where it succeeded.
	Layers []string `json:"layers"`
	// Unknown are those of which it could not be found out. What the audit does
	// not look for, a permission behind a filter say, is in neither list.
	Unknown []string `json:"unknown,omitempty"`
	// Threads are there only where the attack meets more layers in others.
	Threads []int `json:"threads,omitempty"`
	// Notes say of layers why they stand, do not, or are not known.
	Notes []string `json:"notes,omitempty"`
}

// Sort puts findings into their fixed order: layer, id, subject.
func Sort(findings []Finding) {
	order(findings, func(a, b *Finding) int {
		if a.Layer != b.Layer {
			return int(a.Layer) - int(b.Layer)
		}
		if a.ID != b.ID {
			return strings.Compare(a.ID, b.ID)
		}
		return strings.Compare(a.Subject, b.Subject)
	})
}

// order sorts findings and leaves equal ones as they were. A finding is large,
// so their places are sorted, and each finding is moved once.
func order(findings []Finding, compare func(a, b *Finding) int) {
	o := ordering{append([]Finding(nil), findings...), make([]int, len(findings)), compare}
	for i := range o.places {
		o.places[i] = i
	}
	sort.Sort(&o)
	for i, place := range o.places {
		findings[i] = o.findings[place]
	}
}

// ordering is a [sort.Interface] of places in findings.
type ordering struct {
	findings []Finding
	places   []int
	compare  func(a, b *Finding) int
}

func (o *ordering) Len() int      { return len(o.places) }
func (o *ordering) Swap(i, j int) { o.places[i], o.places[j] = o.places[j], o.places[i] }

func (o *ordering) Less(i, j int) bool {
	a, b := o.places[i], o.places[j]
	if c := o.compare(&o.findings[a], &o.findings[b]); c != 0 {
		return c < 0
	}
	return a < b
}

// Decide counts the findings and draws the verdict from them. No findings,
// or none that the policy asks for, are inconclusive.
func Decide(findings []Finding) (Counts, Verdict) {
	var c Counts
	for i := range findings {
		switch findings[i].Status {
		case Pass:
			c.Pass++
		case Gap:
			c.Gap++
		case Skipped:
			c.Skipped++
		default:
			c.Unknown++
		}
	}
	switch {
	case c.Gap > 0:
		return c, Exposed
	case c.Unknown > 0 || c.Pass == 0:
		return c, Inconclusive
	default:
		return c, Confined
	}
}

// Gaps returns the findings with status gap, worst first.
func (r *Report) Gaps() []Finding { return r.with(Gap) }

// Unknowns returns the findings with status unknown, worst first.
func (r *Report) Unknowns() []Finding { return r.with(Unknown) }

func (r *Report) with(s Status) []Finding {
	var out []Finding
	for i := range r.Findings {
		if r.Findings[i].Status == s {
			out = append(out, r.Findings[i])
		}
	}
	order(out, func(a, b *Finding) int { return int(a.Severity) - int(b.Severity) })
	return out
}
