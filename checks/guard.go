package checks

import (
	"sort"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// guard is what is known to stand before the system calls of a thread.
type guard uint8

const (
	// guardUnknown: nothing tells; why says why.
	guardUnknown guard = iota
	// guardNone: no filter at all.
	guardNone
	// guardStrict: strict mode, which leaves four calls.
	guardStrict
	// guardFilters: filters that were read and evaluated.
	guardFilters
	// guardTried: filters that could not be read, of a thread whose calls
	// were tried. That a call was refused as it was tried does not prove that
	// it always is.
	guardTried
)

// guarded is the posture of some threads as the checks of filters see it.
type guarded struct {
	*posture.Thread
	guard guard
	// why says why the filters do not tell.
	why string
	// verdicts are those of each ABI, in the order of the ABIs.
	verdicts []verdicts
	// tried are the calls that were tried, likewise; nil where none were.
	tried []*posture.Scan
	// source is where tried comes from.
	source string
	// shared says that one of several threads tried, which shows no gap of
	// the others.
	shared bool
}

// verdicts are what filters decide for the numbers of one ABI.
type verdicts struct {
	calls []posture.FilteredCalls
	// why says why they cannot be used.
	why string
}

// guardOf says what stands before the calls of a thread. Two sources that
// disagree leave it unknown: the contradiction is a finding of its own.
func guardOf(t *posture.Thread, abis []abi) *guarded {
	g := &guarded{Thread: t}
	mode, modeKnown := t.SeccompMode.Get()
	count, counted := t.SeccompFilters.Get()
	fetched, n := t.Filters.State == posture.Known, len(t.Filters.Value.Programs)
	switch {
	case modeKnown && (mode < 0 || mode >= len(seccompRank)):
		g.why = "seccomp mode " + strconv.Itoa(mode) + " is not one that seccomp(2) describes"
	case fetched && modeKnown && (mode == seccompFilter) != (n > 0),
		fetched && counted && count != n:
		g.why = disagreement(t)
	case modeKnown && mode == seccompDisabled:
		g.guard = guardNone
	case modeKnown && mode == seccompStrict:
		g.guard = guardStrict
	case n > 0 && fetched:
		g.guard = guardFilters
		for i := range abis {
			g.verdicts = append(g.verdicts, verdictsOf(&t.Filters.Value, &abis[i]))
		}
	case !fetched:
		g.why = whyNot(&t.Filters.Origin, "the filters")
	default:
		g.why = whyNot(&t.SeccompMode.Origin, "the seccomp mode")
	}
	return g
}

func disagreement(t *posture.Thread) string {
	words := "two sources disagree: " + someFilters(len(t.Filters.Value.Programs)) + " could be read"
	if t.SeccompMode.State == posture.Known {
		words += ", the seccomp mode is " + names.SeccompModeName(t.SeccompMode.Value)
	}
	if t.SeccompFilters.State == posture.Known {
		words += ", and the kernel counts " + someFilters(t.SeccompFilters.Value)
	}
	return words
}

// verdictsOf trusts only one list, in order and without overlaps: anything
// else could hide a number that is let through.
func verdictsOf(f *posture.Filters, b *abi) verdicts {
	var v verdicts
	lists := 0
	for i := range f.ABIs {
		if f.ABIs[i].ABI == b.Name {
			v.calls = f.ABIs[i].Calls
			lists++
		}
	}
	if lists != 1 {
		return verdicts{why: "there are " + strconv.Itoa(lists) + " lists of what the filters decide for " + b.Name}
	}
	for i := range v.calls {
		one := &v.calls[i]
		if one.Last < one.First || i > 0 && one.First <= v.calls[i-1].Last {
			return verdicts{why: "what the filters decide for " + b.Name + " is not in the order of its numbers"}
		}
	}
	return v
}

// of returns the range that a number is in, or nil.
func (v *verdicts) of(nr uint32) *posture.FilteredCalls {
	i := sort.Search(len(v.calls), func(i int) bool { return v.calls[i].Last >= nr })
	if i == len(v.calls) || v.calls[i].First > nr {
		return nil
	}
	return &v.calls[i]
}

// cover says whether every number of the ABI is in a range.
func (v *verdicts) cover(b *abi) bool {
	for _, segment := range b.segments() {
		next := uint64(segment[0])
		for i := range v.calls {
			if one := &v.calls[i]; uint64(one.First) <= next && next <= uint64(one.Last) {
				next = uint64(one.Last) + 1
			}
		}
		if next <= uint64(segment[1]) {
			return false
		}
	}
	return true
}

// decision is what is known of one call of one thread. Its zero value is unknown.
type decision struct {
	status report.Status
	// ways are the outcomes that make it so, of filters that were read.
	ways []posture.Way
	// tried is what came of trying it.
	tried *posture.Scanned
	// why is what there is to say where neither is there.
	why string
}

// decide says whether a call can be made: a gap where it can under any
// arguments, a pass where it cannot under all.
func (g *guarded) decide(abis []abi, which int, nr uint32) decision {
	b := &abis[which]
	switch {
	case g.guard == guardNone:
		return decision{status: report.Gap, why: "no filter is loaded"}
	case b.why != "":
		return decision{why: b.why}
	case g.guard == guardStrict:
		return strict(b, nr)
	case g.guard != guardUnknown && b.unfiltered(nr) != "":
		return decision{why: b.unfiltered(nr)}
	case g.guard == guardFilters:
		return g.verdicts[which].decide(nr)
	case g.guard == guardTried:
		return g.try(which, nr)
	default:
		return decision{why: g.why}
	}
}

// strictCalls are those that strict mode leaves: seccomp(2). The kernel compares
// numbers of x32 with those of i386, and bit 30 keeps them from being equal.
var strictCalls = [...]struct{ abi, call string }{
	{"x86-64", "rt_sigreturn"}, {"i386", "sigreturn"}, {"arm64", "rt_sigreturn"}, {"arm", "sigreturn"},
}

func strict(b *abi, nr uint32) decision {
	name, _ := names.SyscallName(b.Arch, nr)
	for _, s := range strictCalls {
		if s.abi == b.Name && name != "" && (name == s.call || name == "read" || name == "write" || name == "exit") {
			return decision{status: report.Gap, why: "strict mode leaves it"}
		}
	}
	return decision{status: report.Pass, why: "denied: strict mode kills for it"}
}

func (v *verdicts) decide(nr uint32) decision {
	if v.why != "" {
		return decision{why: v.why}
	}
	calls := v.of(nr)
	if calls == nil {
		return decision{why: "what the filters do with number " + decimal(nr) + " was not evaluated"}
	}
	return weighWays(calls.Ways)
}

// weighWays says what the worst of the ways is, and which ways those are.
func weighWays(ways []posture.Way) decision {
	if len(ways) == 0 {
		return decision{why: "the evaluation has no outcome for it"}
	}
	d := decision{status: report.Pass}
	for i := range ways {
		status := report.Unknown
		switch a := ways[i].Action; {
		case a.Lets():
			status = report.Gap
		case a.Denies():
			status = report.Pass
		}
		if status == report.Gap && d.status != report.Gap || status == report.Unknown && d.status == report.Pass {
			d = decision{status: status}
		}
		if status == d.status {
			d.ways = append(d.ways, ways[i])
		}
	}
	return d
}

func (g *guarded) try(which int, nr uint32) decision {
	scan := g.tried[which]
	if scan == nil {
		return decision{why: g.why + "; and it was not tried"}
	}
	one := scanned(scan, nr)
	if one == nil {
		return decision{why: g.why + "; and it was not tried" + because(scan.Why)}
	}
	switch one.Answer {
	case posture.AnswerReachable, posture.AnswerNoCall:
		if g.shared {
			return decision{tried: one, why: "the calling thread alone tried it, and can make it; " + g.why}
		}
		return decision{status: report.Gap, tried: one}
	case posture.AnswerDenied:
		return decision{tried: one, why: "denied as it was tried (" + seenWords(one) + "), which does not tell of other arguments; " + g.why + ". " + fromOutside}
	default:
		return decision{tried: one, why: "what came of trying it does not tell" + because(one.Detail) + "; " + g.why}
	}
}

// fromOutside says how what cannot be known from inside is found out.
const fromOutside = "From outside, as root, auditctl check --pid reads the filters themselves"

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + clip(why) + ")"
}

// scanned returns what came of trying a number, or nil.
func scanned(s *posture.Scan, nr uint32) *posture.Scanned {
	i := sort.Search(len(s.Calls), func(i int) bool { return s.Calls[i].Number >= nr })
	if i == len(s.Calls) || s.Calls[i].Number != nr {
		return nil
	}
	return &s.Calls[i]
}
