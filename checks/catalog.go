package checks

import (
	"cmp"
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
	out := slices.Concat(catalog, catalogReach)
	for _, attempt := range names.Attempts() {
		out = append(out, probeMeta(attempt))
	}
	slices.SortFunc(out, func(a, b Meta) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func probeMeta(a names.Attempt) Meta {
	layer, severity := probeWeight(&a)
	return Meta{
		ID: probePrefix + a.Name, Layer: layer, Severity: severity,
		Title:   "the attempt to " + a.Does,
		Meaning: "A child with the process's own credentials and filters tried to " + a.Does + ", and succeeded.",
		Why:     names.AttemptReason(a.Name), Fix: a.Remedy,
	}
}

func probeWeight(a *names.Attempt) (layer report.Layer, severity report.Severity) {
	// A word that the table misspells leaves the zero value, which for the
	// severity is the careful one; a test keeps the table right.
	for _, l := range report.Layers() {
		if l.String() == a.Layer {
			layer = l
		}
	}
	for s := report.Critical; s <= report.Low; s++ {
		if s.String() == a.Severity {
			severity = s
		}
	}
	return layer, severity
}

// weight is what a finding carries of its id's entry.
type weight struct {
	layer    report.Layer
	severity report.Severity
	fix      string
}

// weigh returns the weight of an id, and the zero weight for one without an
// entry.
func weigh(id string) weight {
	for i := range weights {
		if w := &weights[i]; w.id == id {
			return w.weight
		}
	}
	if name, ok := strings.CutPrefix(id, probePrefix); ok {
		if a := attemptNamed(names.CoreAttempts(), name); a != nil {
			return attemptWeight(a)
		}
	}
	return weight{}
}

func attemptWeight(a *names.Attempt) weight {
	layer, severity := probeWeight(a)
	return weight{layer, severity, a.Remedy}
}

// attemptNamed returns the table's own entry, or nil.
func attemptNamed(attempts []names.Attempt, name string) *names.Attempt {
	for i := range attempts {
		if attempts[i].Name == name {
			return &attempts[i]
		}
	}
	return nil
}
