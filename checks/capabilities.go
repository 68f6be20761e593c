package checks

import (
	"fmt"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// capabilityTable says for each set what asks for it, where it is, and what a
// surplus in it means.
var capabilityTable = []struct {
	name   string
	bound  func(*policy.Capabilities) *policy.CapSet
	of     func(*posture.CapFacts) *posture.Fact[posture.CapSet]
	danger string
}{
	{
		"effective",
		func(c *policy.Capabilities) *policy.CapSet { return c.Effective },
		func(c *posture.CapFacts) *posture.Fact[posture.CapSet] { return &c.Effective },
		"can use",
	},
	{
		"permitted",
		func(c *policy.Capabilities) *policy.CapSet { return c.Permitted },
		func(c *posture.CapFacts) *posture.Fact[posture.CapSet] { return &c.Permitted },
		"can make effective",
	},
	{
		"inheritable",
		func(c *policy.Capabilities) *policy.CapSet { return c.Inheritable },
		func(c *posture.CapFacts) *posture.Fact[posture.CapSet] { return &c.Inheritable },
		"can pass on to programs with file capabilities, or started as root,",
	},
	{
		"ambient",
		func(c *policy.Capabilities) *policy.CapSet { return c.Ambient },
		func(c *posture.CapFacts) *posture.Fact[posture.CapSet] { return &c.Ambient },
		"gives every program that it starts",
	},
	{
		"bounding",
		func(c *policy.Capabilities) *policy.CapSet { return c.Bounding },
		func(c *posture.CapFacts) *posture.Fact[posture.CapSet] { return &c.Bounding },
		"can gain by executing a privileged program",
	},
}

// capabilitySets checks the five sets of capabilities(7), each against an upper
// bound. Bits above the last capability that the kernel has count like any
// other: nobody should have set them.
func capabilitySets(a *audited, pol *policy.Policy) []report.Finding {
	var out []report.Finding
	for _, set := range capabilityTable {
		id := "capabilities." + set.name
		bound := set.bound(&pol.Process.Capabilities)
		if bound == nil {
			out = append(out, skipped(id))
			continue
		}
		allowed := posture.CapSet(*bound)
		out = append(out, threadCheck{
			id:       id,
			expected: atMost(allowed),
			thing:    "the " + set.name + " capability set",
			judge: func(t *posture.Thread) (report.Status, string) {
				f := set.of(&t.Caps)
				return judgeCaps(*f, "the "+set.name+" set", allowed)
			},
			evidence: func(t *posture.Thread) []report.Evidence { return seen(*set.of(&t.Caps)) },
			gap: func(who, observed string) string {
				return fmt.Sprintf("%s %s %s, which the policy does not allow in the %s set", who, set.danger, short(observed), set.name)
			},
		}.run(a))
	}
	return out
}

// judgeCaps returns as observed the surplus of a gap, and the whole set else.
func judgeCaps(f posture.Fact[posture.CapSet], thing string, allowed posture.CapSet) (report.Status, string) {
	got, known := f.Get()
	if !known {
		return report.Unknown, whyNot(f, thing)
	}
	if surplus := got &^ allowed; surplus != 0 {
		return report.Gap, caps(surplus)
	}
	return report.Pass, caps(got)
}
