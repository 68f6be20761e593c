package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Meta is what is said of a finding id, whatever process it is found in.
type Meta struct {
	ID       string
	Layer    report.Layer
	Severity report.Severity
	// Title is a few words, Meaning says what a gap means, Why what an
	// attacker gains by it, Fix how it is closed.
	Title, Meaning, Why, Fix string
}

// probePrefix is that of the ids that attempts have.
const probePrefix = "probe."

// Catalog returns what is said of every finding id, sorted by id. The slice is
// the caller's.
func Catalog() []Meta {
	out := slices.Clone(catalog)
	for _, attempt := range names.Attempts() {
		out = append(out, probeMeta(attempt))
	}
	slices.SortFunc(out, func(a, b Meta) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func probeMeta(a names.Attempt) Meta {
	m := probeWords(a)
	m.Meaning = fmt.Sprintf("A child with the process's own credentials and filters tried to %s, and succeeded.", a.Does)
	return m
}

// probeWords is the entry without its meaning, which no finding carries.
func probeWords(a names.Attempt) Meta {
	m := Meta{ID: probePrefix + a.Name, Title: "the attempt to " + a.Does, Why: a.Why, Fix: a.Remedy}
	// A word that the table misspells leaves the zero value, which for the
	// severity is the careful one; a test keeps the table right.
	for _, l := range report.Layers() {
		if l.String() == a.Layer {
			m.Layer = l
		}
	}
	for s := report.Critical; s <= report.Low; s++ {
		if s.String() == a.Severity {
			m.Severity = s
		}
	}
	return m
}

// metaOf returns the catalogue's entry, that of an attempt without its meaning,
// and for an unknown id one that has nothing but the id.
func metaOf(id string) Meta {
	for i := range catalog {
		if catalog[i].ID == id {
			return catalog[i]
		}
	}
	if name, ok := strings.CutPrefix(id, probePrefix); ok {
		if a, ok := names.AttemptNamed(name); ok {
			return probeWords(a)
		}
	}
	return Meta{ID: id}
}
