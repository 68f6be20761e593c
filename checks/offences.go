package checks

import (
	"slices"
	"sort"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// offence is a number that the policy forbids, or a range of numbers without
// names.
type offence struct {
	call
	last uint32
	// does is set for a call that does the work of another, which the policy
	// denies, where its first argument says so.
	does string
}

// forbidden are the calls of an ABI that the policy forbids there.
func (c *filterCase) forbidden(which int) []offence {
	b := &c.abis[which]
	var out []offence
	all := c.unlisted(which)
	for _, one := range b.calls {
		if (all || c.forbids(one.name)) && b.unfiltered(one.nr) == "" {
			out = append(out, offence{call: one, last: one.nr})
		}
	}
	for _, name := range c.deny {
		for _, one := range b.forms(name) {
			out = append(out, offence{call: one, last: one.nr})
		}
		if by, _, found := names.Multiplexer(b.Arch, name); found && !c.forbids(by) {
			nr, _ := names.Syscall(b.Arch, by)
			out = append(out, offence{call: call{nr, by}, last: nr, does: name})
		}
	}
	slices.SortStableFunc(out, func(a, b offence) int { return compareCalls(a.call, b.call) })
	out = slices.CompactFunc(out, func(a, b offence) bool { return a.call == b.call && a.does == b.does })
	if all || c.want.Allow != nil {
		for _, hole := range b.unnamed() {
			out = append(out, offence{call: call{nr: hole[0]}, last: hole[1]})
		}
	}
	return out
}

// words name the offence and, of a call that is let through on a condition, that.
func (o *offence) words(d *decision) string {
	name := o.name
	switch {
	case name == "" && o.nr == o.last:
		name = "number " + decimal(o.nr) + ", which has no name"
	case name == "":
		name = "numbers " + decimal(o.nr) + " to " + decimal(o.last) + ", which have no name"
	case o.does != "":
		name += " (which does " + o.does + ")"
	}
	if d.status == report.Gap && (len(d.ways) > 1 || len(d.ways) == 1 && (d.ways[0].When != "" || d.ways[0].Action != posture.ActionAllow)) {
		name += " (" + clip(d.words()) + ")"
	}
	return name
}

// decideOn decides on all numbers of an offence.
func (g *guarded) decideOn(abis []abi, which int, o *offence) decision {
	if o.name == "" {
		return g.decideRange(abis, which, o.nr, o.last)
	}
	d := g.decide(abis, which, o.nr)
	if o.does == "" || d.status != report.Gap {
		return d
	}
	// What is let through on a condition may be other work than that which is
	// forbidden, and the condition is not taken apart here.
	for i := range d.ways {
		if d.ways[i].When == "" {
			return d
		}
	}
	if d.tried == nil && len(d.ways) == 0 {
		return d
	}
	d.status, d.why = report.Unknown, o.name+" is "+d.words()+", and whether "+o.does+" is among that was not examined"
	return d
}

// decideRange decides on numbers that have no name.
func (g *guarded) decideRange(abis []abi, which int, first, last uint32) decision {
	b := &abis[which]
	switch {
	case g.guard == guardFilters && b.why == "":
		return g.verdicts[which].decideRange(first, last)
	case g.guard == guardTried && b.why == "":
		return g.tryRange(which, first, last)
	default:
		return g.decide(abis, which, first)
	}
}

func (v *verdicts) decideRange(first, last uint32) decision {
	if v.why != "" {
		return decision{why: v.why}
	}
	worst := decision{status: report.Pass}
	left := v.each(first, last, func(one *posture.FilteredCalls) {
		if d := weighWays(one.Ways); worse(d.status, worst.status) || len(worst.ways) == 0 && d.status == worst.status {
			worst = d
		}
	})
	if left != "" && worst.status == report.Pass {
		return decision{why: left}
	}
	return worst
}

// each visits the ranges that have numbers from first to last, and says which
// number is in none.
func (v *verdicts) each(first, last uint32, visit func(*posture.FilteredCalls)) (left string) {
	next := uint64(first)
	i := sort.Search(len(v.calls), func(i int) bool { return v.calls[i].Last >= first })
	for ; i < len(v.calls) && v.calls[i].First <= last; i++ {
		if uint64(v.calls[i].First) <= next {
			next = uint64(v.calls[i].Last) + 1
		}
		visit(&v.calls[i])
	}
	if next > uint64(last) {
		return ""
	}
	return "what the filters do with number " + strconv.FormatUint(next, 10) + " was not evaluated"
}

// tryRange never passes: not every number without a name was tried.
func (g *guarded) tryRange(which int, first, last uint32) decision {
	if scan := g.tried[which]; scan != nil {
		for i := range scan.Calls {
			if nr := scan.Calls[i].Number; nr >= first && nr <= last {
				if d := g.try(which, nr); d.status == report.Gap {
					return d
				}
			}
		}
	}
	return decision{why: "not every number without a name was tried; " + g.why}
}

// let is what an ABI lets through to some threads.
type let struct {
	status report.Status
	// calls have the worst answer, which why explains where it is unknown.
	calls    []string
	why      string
	evidence []report.Evidence
}

func (l *let) words() string {
	switch {
	case l.status == report.Pass:
		return "all that is forbidden is denied"
	case l.why == "":
		return few(l.calls)
	case len(l.calls) == 0:
		return l.why
	default:
		return few(l.calls) + ": " + l.why
	}
}

// letThrough collects what has the worst answer of all that is forbidden.
func (c *filterCase) letThrough(t *posture.Thread, which int, forbidden []offence) let {
	g, b := c.guards[t], &c.abis[which]
	var l let
	switch g.guard {
	case guardNone:
		l = let{status: report.Gap, calls: []string{"no filter is loaded"}, evidence: seen(&t.SeccompMode.Origin)}
	case guardUnknown:
		return let{why: g.why, evidence: seen(&t.Filters.Origin)}
	default:
		l.status = report.Pass
		for i := range forbidden {
			l.add(g, b, &forbidden[i], g.decideOn(c.abis, which, &forbidden[i]))
		}
		if l.status == report.Pass {
			l.evidence = g.passEvidence()
		}
	}
	if l.status == report.Gap && b.present.State != posture.Known {
		l.status, l.why = report.Unknown, "that would be let through; whether this kernel has "+b.Name+" is not known: "+b.present.Why()
	}
	return l
}

func (l *let) add(g *guarded, b *abi, o *offence, d decision) {
	if worse(d.status, l.status) {
		l.status, l.calls, l.why, l.evidence = d.status, nil, "", nil
		if d.status == report.Unknown {
			l.why = d.words()
		}
	}
	if d.status != l.status || d.status == report.Pass {
		return
	}
	if len(l.calls) < maxListed {
		evidence := g.evidence(b, o.nr, &d)
		for i := range evidence {
			// What was tried is named already.
			if d.tried == nil {
				evidence[i].Value = b.callName(o.nr) + ": " + evidence[i].Value
			}
		}
		l.evidence = append(l.evidence, evidence...)
	}
	l.calls = append(l.calls, o.words(&d))
}
