package seccomp

import (
	"cmp"
	"slices"
)

// cube is a list of literals that hold together: a path through the graph.
type cube []literal

// way is one outcome with all paths to it.
type way struct {
	outcome outcome
	paths   []cube
}

// maxLiterals bounds how many literals the paths of one node have, and
// maxLiteralsTotal those of all nodes together: conditions print them.
const (
	maxLiterals      = 1 << 14
	maxLiteralsTotal = 1 << 19
)

// pathfinder finds the paths from a node that arguments can take.
type pathfinder struct {
	g        *graph
	store    store
	here     cube
	ways     []way
	paths    budget
	literals budget
	// fixed is for path alone.
	fixed []fixedBits
}

// fixedBits are the bits of a variable that are known.
type fixedBits struct {
	of          variable
	mask, value uint64
}

// ways returns the outcomes below a node for the numbers of a span, each with
// the paths that lead to it. No two paths can be taken by one call, and each
// call takes one. Where there are more than most, or finding them is too much
// work, it returns why nothing is decided.
func (g *graph) ways(node int32, sp span, most, work int) (ways []way, st *store, undecided string) {
	f := &pathfinder{
		g: g, store: store{tests: g.tests, work: g.work},
		paths: budget{most}, literals: budget{min(maxLiterals, g.literals.left)},
	}
	literals := f.literals.left
	if g.nodes[node].number {
		f.store.within(sp)
	}
	if !g.work.limited(work, func() bool { return f.follow(node) }) {
		if f.paths.left < 0 || f.literals.left < 0 {
			return nil, nil, undecidedPaths
		}
		return nil, nil, undecidedWork
	}
	g.literals.spend(literals - f.literals.left)
	slices.SortFunc(f.ways, func(a, b way) int { return compareOutcomes(a.outcome, b.outcome) })
	return f.ways, &f.store, ""
}

// compareOutcomes orders outcomes, the most permissive first. Those of one
// action are in the order of their data.
func compareOutcomes(a, b outcome) int {
	if a.undecided != "" || b.undecided != "" {
		return cmp.Compare(a.undecided, b.undecided)
	}
	if c := cmp.Compare(actionOrder(b.ret), actionOrder(a.ret)); c != 0 {
		return c
	}
	return cmp.Compare(a.ret, b.ret)
}

// follow goes down both ways of a node that are possible.
func (f *pathfinder) follow(id int32) bool {
	if f.g.work.left < 0 {
		return false
	}
	n := &f.g.nodes[id]
	if n.test == outcomeNode {
		return f.arrive(n.outcome)
	}
	holds := literal(n.test << 1)
	start := f.store.mark()
	mayFail := f.store.add(holds.not())
	f.store.back(start)
	mayHold := f.store.add(holds)
	if mayHold && !f.descend(n.yes, holds, mayFail) {
		return false
	}
	f.store.back(start)
	if !mayFail {
		return true
	}
	f.store.add(holds.not())
	ok := f.descend(n.no, holds.not(), mayHold)
	f.store.back(start)
	return ok
}

// descend follows a node under a literal, which is noted where the other answer
// was possible too.
func (f *pathfinder) descend(id int32, l literal, chosen bool) bool {
	if !chosen {
		return f.follow(id)
	}
	f.here = append(f.here, l)
	ok := f.follow(id)
	f.here = f.here[:len(f.here)-1]
	return ok
}

// arrive notes a path's end.
func (f *pathfinder) arrive(o outcome) bool {
	path, ok := f.path()
	if !ok {
		return true
	}
	if !f.paths.spend(1) || !f.literals.spend(len(path)) {
		return false
	}
	for i := range f.ways {
		if at := &f.ways[i]; at.outcome.ret == o.ret && at.outcome.undecided == o.undecided {
			at.paths = append(at.paths, path)
			return true
		}
	}
	f.ways = append(f.ways, way{o, []cube{path}})
	return true
}

// path returns the literals that lead here, without those that follow from the
// bits that others fix: that a value is not 5, where it is 7. It is false where
// one of them contradicts those bits, so that no call comes here after all.
func (f *pathfinder) path() (cube, bool) {
	f.fixed = f.fixed[:0]
	for _, l := range f.here {
		t := &f.g.tests[l.test()]
		if t.fixes(l.holds()) {
			b := f.bitsOf(t.of)
			b.mask |= t.mask
			b.value |= t.want
			if !l.holds() {
				b.value ^= t.mask
			}
		}
	}
	out := make(cube, 0, min(len(f.here), 8))
	for _, l := range f.here {
		t := &f.g.tests[l.test()]
		if t.kind > testLow || t.fixes(l.holds()) {
			out = append(out, l)
			continue
		}
		if b := f.bitsOf(t.of); t.bits()&^b.mask != 0 {
			out = append(out, l)
		} else if t.about(b.value) != l.holds() {
			return nil, false
		}
	}
	f.g.work.spend(len(f.here))
	return out, true
}

// bitsOf returns the place for the bits of a variable that a path fixes.
func (f *pathfinder) bitsOf(of variable) *fixedBits {
	for i := range f.fixed {
		if f.fixed[i].of == of {
			return &f.fixed[i]
		}
	}
	f.fixed = append(f.fixed, fixedBits{of: of})
	return &f.fixed[len(f.fixed)-1]
}

// fixes says that the answer to a test tells bits of the variable.
func (t *test) fixes(holds bool) bool {
	return t.kind == testMask && (holds || t.mask&(t.mask-1) == 0)
}

// bits returns the bits of the variable that the answer depends on.
func (t *test) bits() uint64 {
	switch {
	case t.kind == testMask:
		return t.mask
	case t.kind == testLow || t.of.index >= variableNR:
		return lowWord
	}
	return ^uint64(0)
}

// certain returns the outcome that is the only one below a node, whatever the
// paths to it. Which instruction returns it may still differ.
func (g *graph) certain(id int32) (outcome, bool) {
	seen := make(map[int32]bool)
	todo := []int32{id}
	var found *outcome
	for len(todo) > 0 {
		n := &g.nodes[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		switch {
		case !g.work.spend(1):
			return outcome{}, false
		case n.test != outcomeNode:
			for _, next := range [...]int32{n.yes, n.no} {
				if !seen[next] {
					seen[next] = true
					todo = append(todo, next)
				}
			}
		case found == nil:
			found = &n.outcome
		case found.ret != n.outcome.ret || found.undecided != n.outcome.undecided:
			return outcome{}, false
		}
	}
	return *found, true
}
