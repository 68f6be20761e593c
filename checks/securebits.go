package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// securebits checks the bits that must be set, and that keep-caps is off.
//
// prctl(2) tells a thread its own bits and nobody else's, and no file shows
// them. So an audit of another process cannot know them, and an audit of self
// knows those of the calling thread alone: with more threads than that one the
// answer for the others is unknown, unless the calling thread is a gap already.
func securebits(out *results, a *audited, pol *policy.Policy) {
	const id = "capabilities.securebits"
	want := pol.Process.Securebits
	if want == nil {
		out.skip(id)
		return
	}
	check := threadCheck{
		id:       id,
		expected: expectedBits(want.Set),
		thing:    "the securebits word",
		judge: func(t *posture.Thread) (report.Status, string) {
			if t.Securebits.State != posture.Known {
				return report.Unknown, whyNot(&t.Securebits.Origin, "securebits") +
					"; the kernel tells them to the thread itself alone (PR_GET_SECUREBITS)"
			}
			return judgeBits(t.Securebits.Value, want.Set)
		},
		facts: []fact{factSecurebits},
		gap:   [...]string{"", " has securebits ", ""},
	}
	check.run(out, a)
}

func expectedBits(set uint32) string {
	if set&names.SecbitKeepCaps != 0 {
		return names.SecurebitsString(set)
	}
	if set == 0 {
		return "keep-caps off"
	}
	return names.SecurebitsString(set) + "; keep-caps off"
}

func judgeBits(got, set uint32) (report.Status, string) {
	words := names.SecurebitsString(got)
	missing := set &^ got
	switch {
	case missing != 0:
		return report.Gap, words + ", without " + names.SecurebitsString(missing)
	case got&names.SecbitKeepCaps&^set != 0:
		return report.Gap, words + ", with keep-caps on"
	default:
		return report.Pass, words
	}
}
