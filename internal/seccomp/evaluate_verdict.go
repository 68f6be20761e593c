package seccomp

import (
	"slices"

	"github.com/selfaudit/selfaudit/internal/names"
)

// verdict is what a node says in words.
type verdict struct {
	summary string
	ways    []Way
	// arguments has a bit for each argument that conditions look at, of which
	// the kernel may read fewer bits or more.
	arguments uint8
	// noted are the ways with notes, for what the kernel may read of them.
	noted map[widths][]Way
	work  *budget
}

// Bounds on what is done to find the ways of one node. All are tried with the
// first, and what that leaves open with the second, so that a few hard ones
// cannot use up what the easy ones need.
var workPaths = [...]int{1 << 15, 1 << 22}

// Bounds on what is done to make conditions shorter, of one node and of all.
const (
	workSimplify = 1 << 18
	workWording  = 1 << 23
)

// callsOf returns the numbers that an ABI has names for, ascending.
func callsOf(abi names.ABI) []uint32 {
	var out []uint32
	for _, name := range names.SyscallNames() {
		if nr, ok := names.Syscall(abi.Arch, name); ok {
			out = append(out, nr)
		}
	}
	slices.Sort(out)
	return out
}

// decide returns the verdicts of regions.
func (e *evaluator) decide(regions []region) []*verdict {
	verdicts := make([]*verdict, len(regions))
	for round, work := range workPaths {
		for i, r := range regions {
			if verdicts[i] == nil {
				verdicts[i] = e.verdict(r, work, round == len(workPaths)-1)
			}
		}
	}
	return verdicts
}

// describe adds a region to the ranges, number by number where the widths of
// arguments matter.
func (e *evaluator) describe(r region, v *verdict) {
	first := r.first
	if v.arguments != 0 {
		for _, nr := range e.callsWithin(r.span) {
			noted := e.noted(v, nr)
			if noted == nil {
				continue
			}
			if nr > first {
				e.emit(Range{first, nr - 1, v.summary, v.ways})
			}
			e.emit(Range{nr, nr, v.summary, noted})
			if nr == r.last {
				return
			}
			first = nr + 1
		}
	}
	e.emit(Range{first, r.last, v.summary, v.ways})
}

// callsWithin returns the named numbers of a span.
func (e *evaluator) callsWithin(sp span) []uint32 {
	if sp.first == sp.last {
		return []uint32{sp.first}
	}
	calls := e.calls()
	from, _ := slices.BinarySearch(calls, sp.first)
	to, found := slices.BinarySearch(calls, sp.last)
	if found {
		to++
	}
	return calls[from:to]
}

// emit appends a range, to the last one where both are alike.
func (e *evaluator) emit(r Range) {
	if n := len(e.out); n > 0 {
		if last := &e.out[n-1]; last.Last+1 == r.First && last.Summary == r.Summary && alike(last.Ways, r.Ways) {
			last.Last = r.Last
			return
		}
	}
	e.out = append(e.out, r)
}

func alike(a, b []Way) bool {
	if len(a) == len(b) && &a[0] == &b[0] {
		return true
	}
	return slices.EqualFunc(a, b, func(a, b Way) bool {
		return a.Ret == b.Ret && a.Filter == b.Filter && a.Offset == b.Offset && a.When == b.When &&
			a.Undecided == b.Undecided && slices.Equal(a.Notes, b.Notes)
	})
}

// verdict returns what a region's node says of its numbers. If that takes more
// work than it may it returns nil, or the last time, that it is undecided.
func (e *evaluator) verdict(r region, work int, last bool) *verdict {
	if v := e.verdicts[r.node]; v != nil {
		return v
	}
	n := &e.g.nodes[r.node]
	v := new(verdict)
	if n.test == outcomeNode {
		*v = certainly(n.outcome)
	} else {
		ways, st, undecided := e.g.ways(r.node, r.span, e.most, work)
		if undecided == undecidedWork && !last {
			return nil
		}
		*v = e.conditional(r.node, ways, st, undecided)
	}
	if !n.number || n.test == outcomeNode {
		e.verdicts[r.node] = v
	}
	return v
}

// certainly is the verdict of an outcome that nothing changes.
func certainly(o outcome) verdict {
	w := o.way()
	w.Condition = Condition{[]conjunction{{}}}
	ways := []Way{w}
	return verdict{summary: summarise(ways), ways: ways}
}

func (o outcome) way() Way {
	if o.undecided != "" {
		return Way{Undecided: o.undecided, Filter: NoFilter, Offset: -1}
	}
	return Way{Ret: o.ret, Filter: int(o.filter), Offset: int(o.offset)}
}

// conditional is the verdict of a node that tests something.
func (e *evaluator) conditional(node int32, ways []way, st *store, undecided string) verdict {
	switch {
	case undecided == "" && len(ways) == 1:
		return certainly(ways[0].outcome)
	case undecided == "":
		return e.worded(ways, st)
	}
	if o, ok := e.g.certain(node); ok {
		return certainly(o)
	}
	return certainly(outcome{undecided: undecided})
}

// worded simplifies the conditions of several ways and puts them in words.
func (e *evaluator) worded(ways []way, st *store) verdict {
	st.work = &e.wording
	s := &simplifier{g: e.g, store: st, work: st.work, pairs: e.abi.WordBits == 64}
	v := verdict{ways: make([]Way, len(ways)), work: st.work}
	e.wording.limited(workSimplify, func() bool {
		for i, w := range ways {
			var off []cube
			for j := range ways {
				if j != i {
					off = append(off, ways[j].paths...)
				}
			}
			v.ways[i] = w.outcome.way()
			v.ways[i].Condition = e.condition(s.simplify(w.paths, off))
		}
		return true
	})
	if len(ways) == 2 {
		balance(&v.ways[0].Condition, &v.ways[1].Condition)
	}
	for i := range v.ways {
		w := &v.ways[i]
		w.When = w.Condition.String()
		v.arguments |= w.Condition.arguments()
	}
	v.summary = summarise(v.ways)
	return v
}

// condition takes literals out of the graph, which ends with the evaluation.
func (e *evaluator) condition(paths []cube) Condition {
	out := Condition{make([]conjunction, len(paths))}
	for i, path := range paths {
		out.any[i] = make(conjunction, len(path))
		for j, l := range path {
			out.any[i][j] = clause{test: e.g.tests[l.test()], not: !l.holds(), narrow: e.abi.WordBits == 32}
		}
	}
	return out
}

// arguments returns a bit for each argument of which the condition looks at
// bits as they are.
func (c Condition) arguments() uint8 {
	var out uint8
	for _, all := range c.any {
		for i := range all {
			if all[i].kind <= testLow && all[i].of.index < variableIP {
				out |= 1 << all[i].of.index
			}
		}
	}
	return out
}
