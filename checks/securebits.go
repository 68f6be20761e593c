package checks

import (
	"fmt"

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
func securebits(a *audited, pol *policy.Policy) []report.Finding {
	const id = "capabilities.securebits"
	want := pol.Process.Securebits
	if want == nil {
		return []report.Finding{skipped(id)}
	}
	return []report.Finding{threadCheck{
		id:       id,
		expected: expectedBits(want.Set),
		thing:    "the securebits word",
		judge: func(t *posture.Thread) (report.Status, string) {
			bits, known := t.Securebits.Get()
			if !known {
				return report.Unknown, whyNot(t.Securebits, "securebits") +
					"; the kernel tells them to the thread itself alone (PR_GET_SECUREBITS)"
			}
			return judgeBits(bits, want.Set)
		},
		evidence: func(t *posture.Thread) []report.Evidence { return seen(t.Securebits) },
		gap: func(who, observed string) string {
			return fmt.Sprintf("%s has securebits %s", who, observed)
		},
	}.run(a)}
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
