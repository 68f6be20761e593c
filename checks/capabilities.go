package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// capabilityTable says for each set what it is called, where it is, and what a
// surplus in it means.
var capabilityTable = [...]struct {
	name   string
	fact   fact
	danger string
}{
	{"effective", factEffective, "can use"},
	{"permitted", factPermitted, "can make effective"},
	{"inheritable", factInheritable, "can pass on to programs with file capabilities, or started as root,"},
	{"ambient", factAmbient, "gives every program that it starts"},
	{"bounding", factBounding, "can gain by executing a privileged program"},
}

// capabilitySets checks the five sets of capabilities(7), each against an upper
// bound. Bits above the last capability that the kernel has count like any
// other: nobody should have set them.
func capabilitySets(out *results, a *audited, pol *policy.Policy) {
	want := &pol.Process.Capabilities
	bounds := [len(capabilityTable)]*policy.CapSet{want.Effective, want.Permitted, want.Inheritable, want.Ambient, want.Bounding}
	for i, bound := range bounds {
		set := &capabilityTable[i]
		id := "capabilities." + set.name
		if bound == nil {
			out.skip(id)
			continue
		}
		allowed := posture.CapSet(*bound)
		check := threadCheck{
			id:       id,
			expected: atMost(allowed),
			thing:    "the " + set.name + " capability set",
			judge: func(t *posture.Thread) (report.Status, string) {
				return judgeCaps(set.fact.caps(&t.Caps), set.name, allowed)
			},
			facts: []fact{set.fact},
			gap:   [...]string{"", " " + set.danger + " ", ", which the policy does not allow in the " + set.name + " set"},
			brief: true,
		}
		check.run(out, a)
	}
}

// judgeCaps returns as observed the surplus of a gap, and the whole set else.
func judgeCaps(f *posture.Fact[posture.CapSet], name string, allowed posture.CapSet) (report.Status, string) {
	if f.State != posture.Known {
		return report.Unknown, whyNot(&f.Origin, "the "+name+" set")
	}
	if surplus := f.Value &^ allowed; surplus != 0 {
		return report.Gap, caps(surplus)
	}
	return report.Pass, caps(f.Value)
}
