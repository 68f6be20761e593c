// Package report holds the result of an audit: the versioned document that
// every output is made from. The package is a leaf and decides only what
// follows from the findings: counts and verdict.
package report

import (
	"cmp"
	"slices"
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

// Sort puts findings into their fixed order: layer, id, subject.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject))
	})
}

// Decide counts the findings and draws the verdict from them. No findings,
// or none that the policy asks for, are inconclusive.
func Decide(findings []Finding) (Counts, Verdict) {
	var c Counts
	for _, f := range findings {
		switch f.Status {
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
	for _, f := range r.Findings {
		if f.Status == s {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Severity, b.Severity) })
	return out
}
