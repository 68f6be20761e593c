package checks

import (
	"fmt"
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

// blank returns a finding of that id with what its table entry says of it.
func blank(id string, status report.Status) report.Finding {
	m := metaOf(id)
	f := report.Finding{ID: id, Layer: m.Layer, Severity: m.Severity, Status: status}
	if status == report.Gap {
		f.Remedy = m.Fix
	}
	return f
}

func skipped(id string) report.Finding {
	f := blank(id, report.Skipped)
	f.Message = "the policy does not ask"
	return f
}

// whyNot says in words why a fact is not known, naming the thing.
func whyNot[T any](f posture.Fact[T], thing string) string {
	if f.State == posture.Absent {
		return fmt.Sprintf("the kernel that answers here does not have or show %s: %s", thing, f.Why())
	}
	return thing + ": " + f.Why()
}

// seen returns the evidence that a fact is, known or not.
func seen[T any](f posture.Fact[T]) []report.Evidence {
	value := f.Raw
	if f.State != posture.Known {
		value = f.State.String() + ": " + f.Why()
	}
	source := f.Source
	if source == "" {
		source = "none"
	}
	return []report.Evidence{{Source: source, Value: value}}
}

// bounded drops repeated evidence and cuts off what is too much of it.
func bounded(groups [][]report.Evidence) []report.Evidence {
	var out []report.Evidence
	kept, left := 0, 0
	for _, g := range groups {
		fresh := slices.DeleteFunc(slices.Clone(g), func(e report.Evidence) bool { return slices.Contains(out, e) })
		switch {
		case len(fresh) == 0:
		case kept < maxEvidence:
			out = append(out, fresh...)
			kept++
		default:
			left++
		}
	}
	if left > 0 {
		out = append(out, report.Evidence{Source: "…", Value: fmt.Sprintf("… and %d more classes", left)})
	}
	return out
}

// listed joins distinct words, at most maxListed of them.
func listed(words []string, separator string) string {
	var out []string
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
	words := make([]string, 0, maxListed)
	for i, n := range ns {
		if i == maxListed {
			return fmt.Sprintf("%s and %d more", strings.Join(words, ", "), len(ns)-i)
		}
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}

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
	return fmt.Sprintf("%s and %d more", strings.Join(words[:few-1], ", "), len(words)-few+1)
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
