package checks

import (
	"slices"
	"strings"

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
	status, observed, message := outcome(made, meta.Does, a.already(name, nil))
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

func outcome(made *posture.Attempt, does, already string) (status report.Status, observed, message string) {
	o := made.Outcome
	if len(made.TIDs) > 0 && o != posture.Succeeded {
		o = posture.Undecided
	}
	observed = outcomeWords(o, made)
	return judgeOutcome(o), observed, sentence(o, wholeProcess, does, made.Detail, already)
}

const wholeProcess = "the process"

// sentence says how an attempt of somebody ended. Already is what they are
// without it.
func sentence(o posture.Outcome, who, does, detail, already string) string {
	words := "whether " + who + " can " + does + " could not be told"
	switch {
	case o == posture.Succeeded && already != "":
		is := " is "
		if strings.Contains(who, "threads") {
			is = " are "
		}
		words = who + is + already + " already, so that an attempt to " + does + " succeeds"
	case o == posture.Succeeded:
		words = who + " can " + does
	case o == posture.Stopped:
		words = who + " cannot " + does
	case o == posture.NoObject:
		words = "there was nothing on which to try whether " + who + " can " + does
	}
	if detail != "" {
		words += ": " + detail
	}
	return words
}

// already says what threads, all where none are named, are without an attempt
// that takes an id of 0, or nothing.
func (a *audited) already(name string, tids []int) string {
	which, is := factUID, "root"
	if !strings.HasSuffix(name, "uid-root") {
		which, is = factGID, "in group 0"
		if !strings.HasSuffix(name, "gid-root") {
			return ""
		}
	}
	are := ""
	for i := range a.views {
		v := &a.views[i]
		if len(tids) > 0 && !slices.Contains(tids, v.tids[0]) {
			continue
		}
		ids := which.ids(v.Thread)
		if ids.State != posture.Known || !root(ids.Value.Effective) || !root(ids.Value.FS) {
			return ""
		}
		are = is
	}
	return are
}

func judgeOutcome(o posture.Outcome) report.Status {
	switch o {
	case posture.Succeeded:
		return report.Gap
	case posture.Stopped, posture.NoObject:
		return report.Pass
	default:
		return report.Unknown
	}
}

// outcomeWords is what was observed of an attempt.
func outcomeWords(o posture.Outcome, made *posture.Attempt) string {
	switch o {
	case posture.Succeeded:
		return "succeeded"
	case posture.Stopped:
	case posture.NoObject:
		return "nothing to try it on"
	default:
		return "undecided"
	}
	words := "stopped by " + made.By.String()
	if made.By == posture.StoppedUnknown {
		words = "stopped, by which layer is unknown"
	}
	if made.Also != posture.StoppedUnknown {
		words += ", and behind that by " + made.Also.String()
	}
	return words
}

// leaveDepth stands in for depth where that check is left out.
func leaveDepth(out *results, _ *audited, pol *policy.Policy) {
	if pol.Probes.MinimumDepth <= 0 {
		out.skip(depthID)
		return
	}
	out.add(depthID, report.Unknown, "checked", "unknown", leftOut)
}
