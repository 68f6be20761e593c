package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// probesOfThreads is probes for attempts that may speak for some threads alone.
func probesOfThreads(out *results, a *audited, pol *policy.Policy) {
	eachProbe(out, a, pol, func(out *results, a *audited, name string) {
		meta, m := attemptNamed(a.attempts, name), a.made(name)
		if meta == nil || m == nil || !m.apart {
			probe(out, a, name)
			return
		}
		tids, who := m.threads(a)
		observed, message := m.words(who, meta.Does, a.already(name, tids))
		f := out.add(probePrefix+name, m.status, "fails", observed, message)
		f.Threads, f.Evidence = tids, m.evidence()
	})
}

// made are the attempts of one name that have the worst outcome. Each may have
// been made in the posture of one class of threads.
type made struct {
	status   report.Status
	attempts []*posture.Attempt
	// apart says that some attempt of that name speaks for some threads alone.
	apart bool
	// tids are the threads that they speak for, whole says that one of them
	// speaks for the process.
	tids  []int
	whole bool
	// left are threads that no attempt speaks for, why says so.
	left []int
	why  string
}

// made returns nil where there was no such attempt. What succeeded for one class
// is a gap, whatever could not be told of another; where no attempt speaks for
// some threads, those that failed elsewhere prove nothing for them.
func (a *audited) made(name string) *made {
	var m *made
	var covered []int
	whole := false
	for i := range a.Attempts {
		one := &a.Attempts[i]
		if one.Name != name {
			continue
		}
		whole = whole || len(one.TIDs) == 0
		covered = append(covered, one.TIDs...)
		status := judgeOutcome(one.Outcome)
		if m == nil || worse(status, m.status) {
			m = &made{status: status}
		} else if status != m.status {
			continue
		}
		m.attempts = append(m.attempts, one)
		m.tids = append(m.tids, one.TIDs...)
		m.whole = m.whole || len(one.TIDs) == 0
	}
	if m == nil {
		return nil
	}
	if m.status != report.Gap && !whole {
		m.leave(a, covered)
	}
	m.apart = len(covered) > 0
	return m
}

// leave finds out which threads no attempt speaks for.
func (m *made) leave(a *audited, covered []int) {
	covered = distinct(covered)
	for _, tid := range a.all {
		if _, tried := slices.BinarySearch(covered, tid); !tried {
			m.left = append(m.left, tid)
		}
	}
	switch {
	case len(m.left) > 0:
		m.why = a.who(m.left) + ": not tried"
	case a.incomplete != "":
		m.why = a.incomplete
	default:
		return
	}
	if m.status == report.Pass {
		*m = made{status: report.Unknown, whole: len(m.left) == 0, left: m.left, why: m.why}
	}
}

// threads returns those that the outcome holds for, and who they are.
func (m *made) threads(a *audited) (tids []int, who string) {
	if m.whole || m.status == report.Pass {
		return nil, wholeProcess
	}
	return a.holdsFor(append(slices.Clone(m.tids), m.left...))
}

func (m *made) words(who, does, already string) (observed, message string) {
	var seen, details []string
	// What failed for some and had no object for others was stopped.
	o := posture.NoObject
	for _, one := range m.attempts {
		seen = append(seen, outcomeWords(one.Outcome, one))
		if one.Outcome != posture.NoObject {
			o = one.Outcome
		}
		if one.Detail != "" {
			details = append(details, one.Detail)
		}
	}
	if m.status == report.Unknown {
		seen, o = []string{"undecided"}, posture.Undecided
	}
	if m.why != "" {
		details = append(details, m.why)
	}
	return listed(seen, "; "), sentence(o, who, does, listed(details, "; "), already)
}

func (m *made) evidence() []report.Evidence {
	var out []report.Evidence
	left := 0
	for _, one := range m.attempts {
		for _, e := range one.Evidence {
			switch e := report.Evidence(e); {
			case slices.Contains(out, e):
			case len(out) < maxEvidence:
				out = append(out, e)
			default:
				left++
			}
		}
	}
	if left > 0 {
		out = append(out, more(left, ""))
	}
	return out
}
