package checks

import (
	"fmt"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// probes turns the attempts that the policy asks for into findings. One that
// was not made is unknown: only an attempt that failed says anything.
func probes(a *audited, pol *policy.Policy) []report.Finding {
	asked := map[string]bool{}
	out := make([]report.Finding, 0, len(names.Attempts()))
	for _, name := range pol.Probes.Names() {
		if asked[name] {
			continue
		}
		asked[name] = true
		out = append(out, a.probe(name))
	}
	for _, known := range names.Attempts() {
		if !asked[known.Name] {
			out = append(out, skipped("probe."+known.Name))
		}
	}
	return out
}

func (a *audited) probe(name string) report.Finding {
	id := "probe." + name
	meta, known := names.AttemptNamed(name)
	if !known {
		f := blank(id, report.Unknown)
		f.Expected, f.Observed = "fails", "unknown"
		f.Message = fmt.Sprintf("there is no attempt named %s", quoted(name))
		return f
	}
	made := a.attempt(name)
	if made == nil {
		why := a.NotProbed
		if why == "" {
			why = "it is not among those that were made"
		}
		f := blank(id, report.Unknown)
		f.Expected, f.Observed = "fails", "not tried"
		f.Message = fmt.Sprintf("whether the process can %s was not tried: %s", meta.Does, why)
		return f
	}
	status, observed, message := outcome(*made, meta.Does)
	f := blank(id, status)
	f.Expected, f.Observed, f.Message = "fails", observed, message
	for i, e := range made.Evidence {
		if i == maxEvidence {
			f.Evidence = append(f.Evidence, report.Evidence{Source: "…", Value: fmt.Sprintf("… and %d more", len(made.Evidence)-i)})
			break
		}
		f.Evidence = append(f.Evidence, report.Evidence(e))
	}
	return f
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

func outcome(made posture.Attempt, does string) (status report.Status, observed, message string) {
	detail := ""
	if made.Detail != "" {
		detail = ": " + made.Detail
	}
	switch made.Outcome {
	case posture.Succeeded:
		return report.Gap, "succeeded", "the process can " + does + detail
	case posture.Stopped:
		observed = "stopped by " + made.By.String()
		if made.By == posture.StoppedUnknown {
			observed = "stopped, by which layer is unknown"
		}
		return report.Pass, observed, "the process cannot " + does + detail
	case posture.NoObject:
		return report.Pass, "nothing to try it on", "there was nothing to try on whether the process can " + does + detail
	default:
		return report.Unknown, "undecided", "whether the process can " + does + " could not be told" + detail
	}
}
