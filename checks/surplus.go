package checks

import (
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const onlyAllowed = "nothing but the allow-list"

// surplus checks that nothing of the native ABI's table is let through but
// what the allow-list names. One finding for each call that is, or may be; one
// without a subject for threads whose calls cannot be told apart, and for a
// pass. Numbers without a name are for seccomp.filter.
func (c *filterCase) surplus(out *results) {
	before := len(out.findings)
	for _, one := range c.abis[native].calls {
		if _, listed := slices.BinarySearch(c.allow, one.name); !listed && c.abis[native].unfiltered(one.nr) == "" {
			c.surplusCall(out, one)
		}
	}
	some := len(out.findings) - before
	if f := c.surplusThreads(out); f.Status == report.Pass && some > 0 {
		out.findings = out.findings[:len(out.findings)-1]
	}
}

// surplusThreads judges threads as a whole.
func (c *filterCase) surplusThreads(out *results) *report.Finding {
	check := threadCheck{
		id: surplusID, expected: onlyAllowed,
		judge: c.judgeThread,
		show: func(t *posture.Thread) []report.Evidence {
			return c.guards[t].evidence(&c.abis[native], 0, &decision{})
		},
		say: func(status report.Status, who, observed string) string {
			switch status {
			case report.Gap:
				return who + " can make every system call: " + observed
			case report.Pass:
				return "of the calls of " + c.abis[native].Name + ", none is let through to " + who + " but those on the allow-list"
			default:
				return "whether " + who + " can make more calls than those on the allow-list is not known: " + observed
			}
		},
	}
	return check.run(out, c.audited)
}

// judgeThread answers for what is not decided call by call.
func (c *filterCase) judgeThread(t *posture.Thread) (report.Status, string) {
	g, b := c.guards[t], &c.abis[native]
	switch {
	case g.guard == guardNone:
		return report.Gap, "no filter is loaded"
	case b.why != "":
		return report.Unknown, b.why
	case g.guard == guardUnknown:
		return report.Unknown, g.why
	case g.guard == guardTried:
		return report.Unknown, "that calls are denied as they were tried does not tell of other arguments; " + g.why + ". " + fromOutside
	case g.guard == guardFilters && g.verdicts[native].why != "":
		return report.Unknown, g.verdicts[native].why
	default:
		return report.Pass, "no other of " + strconv.Itoa(len(b.calls)) + " calls"
	}
}

// surplusCall adds a finding where a call that is not on the list is not known
// to be denied, to threads that are judged call by call. It is then about all
// threads.
func (c *filterCase) surplusCall(out *results, one call) {
	decide := func(t *posture.Thread) decision { return c.guards[t].decide(c.abis, native, one.nr) }
	if !slices.ContainsFunc(c.views, func(v threads) bool { return c.standsOut(v.Thread, decide) }) {
		return
	}
	check := threadCheck{
		id: surplusID, expected: "denied",
		judge: func(t *posture.Thread) (report.Status, string) {
			d := decide(t)
			return d.status, d.words()
		},
		show: func(t *posture.Thread) []report.Evidence {
			d := decide(t)
			return c.guards[t].evidence(&c.abis[native], one.nr, &d)
		},
		say: func(status report.Status, who, observed string) string {
			if status == report.Gap {
				return who + " can make " + one.name + ", which is not on the allow-list: " + observed
			}
			return "whether " + one.name + ", which is not on the allow-list, is always denied to " + who + " is not known: " + observed
		},
	}
	check.run(out, c.audited).Subject = one.name
}

// standsOut says whether the finding on a thread as a whole leaves something
// to say of one call. Of calls that were tried only those that were reached do.
func (c *filterCase) standsOut(t *posture.Thread, decide func(*posture.Thread) decision) bool {
	switch whole, _ := c.judgeThread(t); {
	case c.guards[t].guard == guardTried:
		return decide(t).status == report.Gap
	case whole != report.Pass:
		return false
	default:
		return decide(t).status != report.Pass
	}
}
