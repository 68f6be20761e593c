package checks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

const depthID = "probe.depth"

// Depths returns what stands before each attack that was tried, sorted by name;
// nil where none was. Of several threads those are shown that meet the fewest
// layers.
func Depths(p *posture.Process) []report.Depth {
	if p == nil {
		return nil
	}
	var tried []string
	for i := range p.Attempts {
		if name := p.Attempts[i].Name; !names.IsNetworkAttempt(name) {
			tried = append(tried, name)
		}
	}
	slices.Sort(tried)
	c := newDepthCase(view(p))
	var out []report.Depth
	for _, name := range slices.Compact(tried) {
		if one := c.attack(name); one != nil {
			out = append(out, c.shown(name, one))
		}
	}
	return out
}

func (c *depthCase) shown(name string, stands []standing) report.Depth {
	worst := leastOf(stands)
	var tids []int
	for i := range stands {
		if s := &stands[i]; s.outcome == worst.outcome && slices.Equal(s.layers(), worst.layers()) {
			tids = append(tids, s.tids...)
		}
	}
	tids, _ = c.holdsFor(tids)
	return report.Depth{
		Attack: name, Outcome: worst.outcome.String(), Layers: append([]string{}, worst.layers()...),
		Unknown: worst.with(barUnknown), Threads: tids, Notes: worst.notes(barStands, barOpen, barUnknown),
	}
}

// depth asks how many layers stop each of the attempts that the policy names.
func depth(out *results, a *audited, pol *policy.Policy) {
	want := pol.Probes.MinimumDepth
	if want <= 0 {
		out.skip(depthID)
		return
	}
	asked := pol.Probes.Names()
	slices.Sort(asked)
	c := newDepthCase(a)
	var untried []string
	passed := 0
	for _, name := range slices.Compact(asked) {
		switch stands := c.attack(name); {
		case stands == nil:
			untried = append(untried, name)
		case c.judge(out, name, stands, want) == report.Pass:
			passed++
		default:
			passed = -len(asked) // one that does not pass speaks for itself
		}
	}
	expected := "at least " + layerCount(want)
	switch {
	case len(asked) == 0:
		out.add(depthID, report.Unknown, expected, "unknown", "the policy asks how many layers stop attacks, and names none of those under probes")
	case len(untried) > 0:
		out.add(depthID, report.Unknown, expected, "not tried", "how many layers stop "+few(untried)+" was not found out: "+a.notTried())
	case passed > 0:
		f := out.add(depthID, report.Pass, expected, expected, "every attack of the "+strconv.Itoa(passed)+" that the policy names is stopped by "+expected+", or had nothing to try it on")
		f.Evidence = []report.Evidence{{Source: "attempts", Value: strconv.Itoa(passed) + ", each with " + layerCount(want) + " or more"}}
	}
}

// judge adds a finding for an attack that does not pass.
func (c *depthCase) judge(out *results, name string, stands []standing, want int) report.Status {
	status := report.Pass
	var decide []standing
	for i := range stands {
		one := stands[i].judge(want)
		if one == report.Pass && c.incomplete != "" {
			one = report.Unknown
		}
		if worse(one, status) {
			status, decide = one, nil
		}
		if one == status {
			decide = append(decide, stands[i])
		}
	}
	if status == report.Pass {
		return status
	}
	var tids []int
	for i := range decide {
		tids = append(tids, decide[i].tids...)
	}
	who := "the process"
	if len(tids) > 0 {
		tids, who = c.holdsFor(tids)
	}
	worst := leastOf(decide)
	f := out.add(depthID, status, "at least "+layerCount(want), worst.words(), c.message(status, name, who, worst, want))
	f.Subject, f.Threads, f.Evidence = name, tids, worst.evidence(c, status)
	return status
}

func (c *depthCase) message(status report.Status, name, who string, s *standing, want int) string {
	does := name
	if meta := attemptNamed(c.attempts, name); meta != nil {
		does = meta.Does
	}
	switch {
	case s.outcome == posture.Succeeded:
		return who + " can " + does + ": no layer stops that"
	case status == report.Gap:
		return "an attempt of " + who + " to " + does + " is stopped by " + s.words() + ", and " + strconv.Itoa(want) + " are asked for: " + strings.Join(s.notes(barOpen, barStands, barUnknown), "; ")
	}
	why := strings.Join(s.notes(barUnknown), "; ")
	if s.judge(want) == report.Pass {
		why = c.incomplete
	}
	return "how many layers stop " + who + " in an attempt to " + does + " could not be found out: " + why
}

func layerCount(n int) string {
	return counted(n, "layer")
}

// standing is what stands before one attack of some threads.
type standing struct {
	*posture.Thread
	tids    []int
	outcome posture.Outcome
	// why says why the outcome is not decided.
	why      string
	attempt  *posture.Attempt
	barriers []barrier
}

// with returns the layers that are in that state.
func (s *standing) with(state barState) []string {
	var out []string
	for _, b := range s.barriers {
		if b.state == state {
			out = append(out, b.layer)
		}
	}
	return out
}

// layers are those known to stop it. That it was stopped by something shows one
// layer, also where that has no name.
func (s *standing) layers() []string {
	if s.outcome == posture.Succeeded {
		return nil
	}
	known := s.with(barStands)
	if len(known) == 0 && s.outcome == posture.Stopped && s.attempt.By == posture.StoppedUnknown {
		return []string{posture.StoppedUnknown.String()}
	}
	return known
}

// most is how many layers there can be, of those that are looked for.
func (s *standing) most() int {
	return max(len(s.layers()), len(s.with(barStands))+len(s.with(barUnknown)))
}

func (s *standing) judge(want int) report.Status {
	switch s.outcome {
	case posture.Succeeded:
		return report.Gap
	case posture.NoObject:
		return report.Pass
	case posture.Stopped:
		switch {
		case len(s.layers()) >= want:
			return report.Pass
		case s.most() < want:
			return report.Gap
		}
	}
	return report.Unknown
}

func (s *standing) words() string {
	known := s.layers()
	if len(known) == 0 {
		return "no layer"
	}
	return layerCount(len(known)) + " (" + strings.Join(known, ", ") + ")"
}

// notes say why layers stand or do not, those of the first state first.
func (s *standing) notes(states ...barState) []string {
	var out []string
	for _, state := range states {
		for _, b := range s.barriers {
			if b.state == state {
				out = append(out, b.note())
			}
		}
	}
	if s.why != "" {
		out = append(out, s.why)
	}
	return out
}

// evidence of a gap is the attempt and the facts, of what is unknown the facts.
func (s *standing) evidence(c *depthCase, status report.Status) []report.Evidence {
	var e evidenceGroups
	if status == report.Gap && s.attempt != nil {
		for _, one := range s.attempt.Evidence {
			e.add([]report.Evidence{report.Evidence(one)})
		}
	}
	if s.outcome != posture.Succeeded {
		e.add(seen(&s.SeccompMode.Origin, &s.Filters.Origin))
		e.add(seen(&s.Caps.Effective.Origin, &s.Caps.Permitted.Origin))
		e.add(seen(&c.UserNamespace.UIDMap.Origin))
	}
	if len(e.list) == 0 {
		e.add([]report.Evidence{{Source: "attempt", Value: s.outcome.String()}})
	}
	return e.bounded()
}

// leastOf returns the one that an attacker would take: where it succeeded, then
// where that is not known, then where the fewest layers stand.
func leastOf(all []standing) *standing {
	rank := func(s *standing) int {
		switch s.outcome {
		case posture.Succeeded:
			return -2
		case posture.Stopped:
			return len(s.layers())
		case posture.NoObject:
			return 1 << 16
		default:
			return -1
		}
	}
	least := &all[0]
	for i := range all[1:] {
		if s := &all[i+1]; rank(s) < rank(least) {
			least = s
		}
	}
	return least
}

// attack returns what stands before the attack for each of the views; nil where
// it was not tried at all.
func (c *depthCase) attack(name string) []standing {
	if !slices.ContainsFunc(c.Attempts, func(one posture.Attempt) bool { return one.Name == name }) {
		return nil
	}
	// Of one that the table does not have only the attempt itself tells.
	need, _ := names.NeedOf(name)
	need.Attempt = name
	views := c.views
	if len(views) == 0 {
		views = []threads{{Thread: &posture.Thread{}}}
	}
	var out []standing
	for i := range views {
		out = append(out, c.stand(&need, &views[i]))
	}
	return out
}

// stand judges each attempt that speaks for the threads, and returns the least.
func (c *depthCase) stand(need *names.Need, v *threads) standing {
	var all []standing
	for i := range c.Attempts {
		one := &c.Attempts[i]
		if one.Name != need.Attempt || !c.speaksFor(i, v.tids) {
			continue
		}
		s := standing{Thread: v.Thread, tids: v.tids, outcome: one.Outcome, attempt: one}
		switch one.Outcome {
		case posture.Stopped:
			s.barriers = c.before(need, v, one)
		case posture.Succeeded, posture.NoObject:
		default:
			s.outcome, s.why = posture.Undecided, "the attempt is undecided"+because(one.Detail)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return standing{Thread: v.Thread, tids: v.tids, why: "it was not tried for these threads"}
	}
	return *leastOf(all)
}

// speaksFor says whether an attempt was made for all of the threads.
func (c *depthCase) speaksFor(attempt int, tids []int) bool {
	speaks := c.speaks[attempt]
	if speaks == nil {
		return true
	}
	for _, tid := range tids {
		if !speaks[tid] {
			return false
		}
	}
	return len(tids) > 0
}
