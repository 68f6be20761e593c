package checks

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// ExecveByRealIDs is for the comparison with the kernel that runs the tests.
func ExecveByRealIDs(c Credentials) posture.CapSets { return c.execveByRealIDs() }

// Weighed is an id with what it weighs.
type Weighed struct {
	ID       string
	Layer    report.Layer
	Severity report.Severity
}

// ReachIDs are those of the short table.
func ReachIDs() (out []Weighed) {
	for _, f := range reachIDs {
		out = append(out, Weighed{f.id, f.layer, f.severity})
	}
	return out
}

// CatalogReach is the long table.
var CatalogReach = catalogReach

// ReachProbes are the attempts of the other short table.
func ReachProbes() (out []Weighed) {
	for _, p := range reachProbes {
		out = append(out, Weighed{probePrefix + p.name, p.layer, p.severity})
	}
	return out
}

// WeighAll returns what a finding of that id carries.
func WeighAll(id string) (report.Layer, report.Severity, string) {
	w := weighAll(id)
	return w.layer, w.severity, w.fix
}

// ExecveFileByRealIDs is ExecveFile for older kernels.
func ExecveFileByRealIDs(c Credentials, f File) Result { return c.transformed(&f, true) }

// MayExecute says whether the credentials let a program be executed: yes, no, or
// neither where that is not known.
func MayExecute(c Credentials, p *posture.Program) (may, known bool) {
	answer, _ := c.mayExecute(p)
	return answer == yes, answer != perhaps
}
