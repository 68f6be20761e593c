package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// probes turns the attempts that the policy asks for into findings. One that
// was not made is unknown: only an attempt that failed says anything.
func probes(out *results, a *audited, pol *policy.Policy) { eachProbe(out, a, pol, probe) }

func eachProbe(out *results, a *audited, pol *policy.Policy, one func(*results, *audited, string)) {
	asked := map[string]bool{}
	for _, name := range pol.Probes.Names() {
		if !asked[name] {
			asked[name] = true
			one(out, a, name)
		}
	}
	for i := range a.attempts {
		if name := a.attempts[i].Name; !asked[name] {
			out.skip(probePrefix + name)
		}
	}
}

// probe judges attempts that speak for the whole process. One that failed for
// some threads alone is undecided here.
func probe(out *results, a *audited, name string) {
	id := probePrefix + name
	meta := attemptNamed(a.attempts, name)
	if meta == nil {
		out.add(id, report.Unknown, "fails", "unknown", "there is no attempt named "+quoted(name))
		return
	}
	made := a.attempt(name)
	if made == nil {
		out.add(id, report.Unknown, "fails", "not tried", "whether the process can "+meta.Does+" was not tried: "+a.notTried())
		return
	}
	status, observed, message := outcome(made, meta.Does)
	f := out.add(id, status, "fails", observed, message)
	n := min(len(made.Evidence), maxEvidence)
	f.Evidence = make([]report.Evidence, n, n+1)
	for i := range f.Evidence {
		f.Evidence[i] = report.Evidence(made.Evidence[i])
	}
	if left := len(made.Evidence) - n; left > 0 {
		f.Evidence = append(f.Evidence, more(left, ""))
	}
}

func (a *audited) notTried() string {
	if a.NotProbed == "" {
		return "it is not among those that were made"
	}
	return a.NotProbed
}

// attempt returns what was made under that name; the worst, where it was made
// more than once.
func (a *audited) attempt(name string) *posture.Attempt {
	var worst *posture.Attempt
	for i := range a.Attempts {
		if one := &a.Attempts[i]; one.Name == name && (worst == nil || severity(one.Outcome) > severity(worst.Outcome)) {
			worst = one
		}
	}
	return worst
}

func severity(o posture.Outcome) int {
	switch o {
	case posture.Succeeded:
		return 2
	case posture.Stopped, posture.NoObject:
		return 0
	default:
		return 1
	}
}

func outcome(made *posture.Attempt, does string) (status report.Status, observed, message string) {
	detail := ""
	if made.Detail != "" {
		detail = ": " + made.Detail
	}
	o := made.Outcome
	if len(made.TIDs) > 0 && o != posture.Succeeded {
		o = posture.Undecided
	}
	switch o {
	case posture.Succeeded:
		return report.Gap, "succeeded", "the process can " + does + detail
	case posture.Stopped:
		observed = "stopped by " + made.By.String()
		if made.By == posture.StoppedUnknown {
			observed = "stopped, by which layer is unknown"
		}
		if made.Also != posture.StoppedUnknown {
			observed += ", and behind that by " + made.Also.String()
		}
		return report.Pass, observed, "the process cannot " + does + detail
	case posture.NoObject:
		return report.Pass, "nothing to try it on", "there was nothing to try on whether the process can " + does + detail
	default:
		return report.Unknown, "undecided", "whether the process can " + does + " could not be told" + detail
	}
}

// leaveDepth stands in for depth where that check is left out.
func leaveDepth(out *results, _ *audited, pol *policy.Policy) {
	if pol.Probes.MinimumDepth <= 0 {
		out.skip(depthID)
		return
	}
	out.add(depthID, report.Unknown, "checked", "unknown", "how many layers stop an attack was left out of this audit")
}
