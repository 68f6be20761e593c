package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
)

// reachProbes are the attempts that names.AttemptsBeyond has, in that order, with
// what each weighs: see reachIDs.
var reachProbes = [...]struct {
	name     string
	layer    report.Layer
	severity report.Severity
}{
	{"kill-other-users", report.Isolation, report.Medium},
	{"kill-processes", report.Isolation, report.Low},
	{"ptrace-processes", report.Isolation, report.High},
	{"process-vm-readv-processes", report.Isolation, report.High},
	{"fd-escape", report.Filesystem, report.Critical},
	{"proc-root", report.Filesystem, report.Critical},
}

// leaveReachProbes says of those that the policy does not ask for that it does
// not. One that it asks for is unknown already: no table that is linked has it.
func leaveReachProbes(out *results, _ *audited, pol *policy.Policy) {
	asked := pol.Probes.Names()
	for i := range reachProbes {
		p := &reachProbes[i]
		if slices.Contains(asked, p.name) {
			continue
		}
		out.skip(probePrefix + p.name)
		last := &out.findings[len(out.findings)-1]
		last.Layer, last.Severity = p.layer, p.severity
	}
}
