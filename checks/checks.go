// Package checks compares what was observed of a process with what a policy
// allows. Every check is a pure function: it reads no file, makes no system
// call and keeps nothing, so that the posture of any kernel can be judged on
// any other.
//
// Three rules hold for all of them. A fact that is not known never becomes a
// pass. Of several threads the worst decides, and a gap that was seen is not
// softened by what could not be seen. What the policy does not ask for is
// skipped, by name.
package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// family is checks of one kind. It adds at least one finding for each of its
// ids, whatever the policy asks.
type family func(*results, *audited, *policy.Policy)

// families are all checks but those that cost a program most.
var families = []family{
	identity,
	groups,
	capabilitySets,
	securebits,
	noNewPrivs,
	uniformThreads,
	seccompMode,
	rootDirectory,
	workingDirectory,
	directoryDescriptors,
	contradictions,
}

// maxSpare is room for the ids that have more than one finding.
const maxSpare = 8

// Run holds p against pol and returns the findings in the report's fixed
// order. An id that the policy does not ask for has one finding that says
// skipped; an id that it asks for has at least one that says pass, gap or
// unknown. Nil stands for a process of which nothing is known, and for a
// policy that asks for nothing.
func Run(p *posture.Process, pol *policy.Policy) []report.Finding {
	return run(p, pol, names.Attempts(), weighAll, compareFilters, execOfPrograms, probesOfThreads, filters, depth, reach)
}

// RunWithoutFilters is Run for an audit of self by a policy that asks nothing of
// seccomp filters, or of what the process can reach, as the default policy does:
// what it asks of them is unknown,
// and so is an attempt that speaks for some threads alone. A program that calls
// no other than this one links much less of this package.
func RunWithoutFilters(p *posture.Process, pol *policy.Policy) []report.Finding {
	return run(p, pol, names.CoreAttempts(), weigh, nil, exec, probes, leaveFilters, leaveDepth, leaveReach, leaveReachProbes)
}

func run(p *posture.Process, pol *policy.Policy, attempts []names.Attempt, weigh func(string) weight, compare comparison, more ...family) []report.Finding {
	if p == nil {
		p = &posture.Process{}
	}
	if pol == nil {
		pol = &policy.Policy{}
	}
	a := view(p)
	a.compare, a.attempts = compare, attempts
	out := results{make([]report.Finding, 0, len(weights)+len(reachIDs)+len(reachProbes)+len(attempts)+maxSpare), weigh}
	for _, family := range families {
		family(&out, a, pol)
	}
	for _, family := range more {
		family(&out, a, pol)
	}
	// The schema promises a list, also where there is nothing to show.
	for i := range out.findings {
		if f := &out.findings[i]; f.Evidence == nil {
			f.Evidence = []report.Evidence{}
		}
	}
	report.Sort(out.findings)
	return out.findings
}
