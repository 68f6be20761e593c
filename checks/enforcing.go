package checks

import (
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// enforcing checks that the filters deny something rather than log, that what
// the policy forbids is not merely logged, and what becomes of numbers that no
// table names: of calls that a later kernel brings.
func (c *filterCase) enforcing(out *results) {
	check := threadCheck{
		id: filterID, expected: "filters that deny",
		judge: func(t *posture.Thread) (report.Status, string) {
			e := c.effect(t)
			return e.status, e.words()
		},
		show: func(t *posture.Thread) []report.Evidence {
			e := c.effect(t)
			if e.evidence == nil {
				return c.guards[t].passEvidence()
			}
			return e.evidence
		},
		say: c.enforcingWords,
	}
	check.run(out, c.audited)
}

func (c *filterCase) enforcingWords(status report.Status, who, observed string) string {
	words := "whether the filters of " + who + " enforce is not known: " + observed
	switch status {
	case report.Gap:
		words = "the seccomp filters do not enforce for " + who + ": " + observed
	case report.Pass:
		words = "the seccomp filters enforce for " + who + ": " + observed
	}
	for i := range c.abis {
		if b := &c.abis[i]; !b.absent() && b.why == "" {
			if blind := c.blind(b); blind != "" {
				return words + blind
			}
		}
	}
	return words
}

// effect is what the filters of some threads come to.
type effect struct {
	status   report.Status
	problems []string
	evidence []report.Evidence
}

func (e *effect) words() string { return listed(e.problems, "; ") }

// note adds a problem; of several the worst remain.
func (e *effect) note(status report.Status, problem string, evidence []report.Evidence) {
	if worse(status, e.status) {
		*e = effect{status: status}
	}
	if status != e.status {
		return
	}
	e.problems = append(e.problems, problem)
	if len(e.problems) <= maxEvidence {
		e.evidence = append(e.evidence, evidence...)
	}
}

func (c *filterCase) effect(t *posture.Thread) effect {
	g, b := c.guards[t], &c.abis[native]
	e := effect{status: report.Pass}
	switch {
	case g.guard == guardNone:
		e.note(report.Gap, "no filter is loaded", seen(&t.SeccompMode.Origin))
	case g.guard == guardStrict:
		e.problems = []string{"strict mode"}
	case g.guard == guardUnknown:
		e.note(report.Unknown, g.why, seen(&t.SeccompMode.Origin, &t.Filters.Origin))
	case b.why != "":
		e.note(report.Unknown, b.why, seen(&t.Filters.Origin))
	case g.guard == guardTried:
		c.triedEffect(&e, g)
	default:
		c.filterEffect(&e, g)
	}
	return e
}

func (c *filterCase) filterEffect(e *effect, g *guarded) {
	v, b := &g.verdicts[native], &c.abis[native]
	if v.why != "" {
		e.note(report.Unknown, v.why, seen(&g.Filters.Origin))
		return
	}
	if !v.cover(b) {
		e.note(report.Unknown, "what the filters decide was not evaluated for every number of "+b.Name, seen(&g.Filters.Origin))
	}
	c.anyEffect(e, g, v)
	c.unnamedEffect(e, g)
	c.forbiddenEffect(e, g)
	if e.status == report.Pass {
		e.problems = []string{someFilters(len(g.Filters.Value.Programs)) + ", by which " + strconv.Itoa(c.alwaysDenied(g)) + " of the " +
			strconv.Itoa(len(b.calls)) + " calls of " + b.Name + " are denied whatever their arguments"}
	}
}

func (c *filterCase) alwaysDenied(g *guarded) int {
	n := 0
	for _, one := range c.abis[native].calls {
		if d := g.decide(c.abis, native, one.nr); d.status == report.Pass {
			n++
		}
	}
	return n
}

// anyEffect asks whether there is any number and any argument for which the
// filters deny.
func (c *filterCase) anyEffect(e *effect, g *guarded, v *verdicts) {
	var open *posture.Way
	for i := range v.calls {
		if len(v.calls[i].Ways) == 0 {
			open = &posture.Way{}
		}
		for k := range v.calls[i].Ways {
			w := &v.calls[i].Ways[k]
			if w.Action.Denies() {
				return
			}
			if !w.Action.Lets() {
				open = w
			}
		}
	}
	switch {
	case open != nil:
		e.note(report.Unknown, "nothing is denied by the filters themselves, and there are calls that are "+actionWords(open), g.instructions([]posture.Way{*open}))
	case v.cover(&c.abis[native]):
		e.note(report.Gap, "the filters have no effect: every call is allowed or only logged", seen(&g.Filters.Origin))
	}
}

// unnamedEffect judges the numbers that no table names. That they are allowed
// is a gap under an allow-list alone; that they are only logged always is.
func (c *filterCase) unnamedEffect(e *effect, g *guarded) {
	var noted []posture.Action
	one := func(w *posture.Way) {
		status := c.judgeUnnamed(w.Action)
		if status == report.Pass || slices.Contains(noted, w.Action) {
			return
		}
		noted = append(noted, w.Action)
		e.note(status, "numbers that no call has yet are "+wayWords(w), g.instructions([]posture.Way{*w}))
	}
	for _, hole := range c.abis[native].unnamed() {
		left := g.verdicts[native].each(hole[0], hole[1], func(calls *posture.FilteredCalls) {
			for i := range calls.Ways {
				one(&calls.Ways[i])
			}
			if len(calls.Ways) == 0 {
				one(&posture.Way{})
			}
		})
		if left != "" {
			e.note(report.Unknown, left, seen(&g.Filters.Origin))
		}
	}
}

func (c *filterCase) judgeUnnamed(a posture.Action) report.Status {
	listed := c.want.Allow != nil
	switch {
	case a == posture.ActionLog, a == posture.ActionAllow && listed:
		return report.Gap
	case a == posture.ActionAllow, a.Denies(),
		(a == posture.ActionTrace || a == posture.ActionNotify) && !listed:
		return report.Pass
	default:
		return report.Unknown
	}
}

// forbiddenEffect asks how what the policy forbids is denied: what is only
// logged is not, and what is left to another process may not be. What is
// allowed outright is for seccomp.syscall and seccomp.surplus.
func (c *filterCase) forbiddenEffect(e *effect, g *guarded) {
	var logged, left forbiddenCalls
	for _, one := range c.abis[native].calls {
		if !c.forbids(one.name) || c.abis[native].unfiltered(one.nr) != "" {
			continue
		}
		ways := []posture.Way{{}}
		if calls := g.verdicts[native].of(one.nr); calls != nil && len(calls.Ways) > 0 {
			ways = calls.Ways
		}
		logged.add(g, one.name, ways, func(a posture.Action) bool { return a == posture.ActionLog })
		left.add(g, one.name, ways, func(a posture.Action) bool { return !a.Lets() && !a.Denies() })
	}
	if len(logged.names) > 0 {
		e.note(report.Gap, "what the policy forbids is only logged: "+few(logged.names), logged.evidence)
	}
	if len(left.names) > 0 {
		e.note(report.Unknown, "what the policy forbids is "+actionWords(&left.first)+": "+few(left.names), left.evidence)
	}
}

// forbiddenCalls are calls that the policy forbids and that have one kind of way.
type forbiddenCalls struct {
	names    []string
	first    posture.Way
	evidence []report.Evidence
}

func (f *forbiddenCalls) add(g *guarded, name string, ways []posture.Way, kind func(posture.Action) bool) {
	for i := range ways {
		if !kind(ways[i].Action) {
			continue
		}
		if len(f.names) == 0 {
			f.first = ways[i]
		}
		if len(f.names) < maxEvidence {
			f.evidence = append(f.evidence, g.instructions(ways[i:i+1])...)
		}
		f.names = append(f.names, name)
		return
	}
}

// triedEffect judges by what was tried. That something was denied shows that
// the filters have an effect; whether the rest is allowed or only logged looks
// the same from inside.
func (c *filterCase) triedEffect(e *effect, g *guarded) {
	b, scan := &c.abis[native], g.tried[native]
	denied, reached, rest := 0, 0, 0
	for _, one := range b.calls {
		var answer posture.Answer
		if scan != nil {
			if tried := scanned(scan, one.nr); tried != nil {
				answer = tried.Answer
			}
		}
		switch answer {
		case posture.AnswerDenied:
			denied++
		case posture.AnswerReachable, posture.AnswerNoCall:
			reached++
		default:
			rest++
		}
	}
	counts := strconv.Itoa(denied) + " of the " + strconv.Itoa(len(b.calls)) + " calls of " + b.Name + " were denied as they were tried"
	evidence := []report.Evidence{{Source: orNone(g.source), Value: b.Name + ": " + strconv.Itoa(denied) + " denied, " + strconv.Itoa(reached) + " not, " + strconv.Itoa(rest) + " not known"}}
	switch {
	case scan == nil:
		e.note(report.Unknown, g.why+"; and "+b.Name+" was not tried", evidence)
	case denied == 0 && rest == 0 && reached > 0 && !g.shared:
		e.note(report.Gap, "none of the "+strconv.Itoa(reached)+" calls of "+b.Name+" was denied as it was tried: the filters allow or log them", evidence)
	default:
		e.note(report.Unknown, counts+"; whether what is let through is only logged, and what other arguments and numbers come to, cannot be seen from inside; "+g.why+". "+fromOutside, evidence)
	}
}
