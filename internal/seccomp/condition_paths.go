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

// pathfinder finds the paths from a node that arguments can take.
type pathfinder struct {
	g     *graph
	store store
	here  cube
	most  int
	count int
	ways  []way
}

// ways returns the outcomes below a node for the numbers of a span, each with
// the paths that lead to it. No two paths can be taken by one call, and each
// call takes one. Where there are too many, or finding them is too much work,
// it returns why nothing is decided.
func (g *graph) ways(node int32, sp span, most int) (ways []way, st *store, undecided string) {
	f := &pathfinder{g: g, most: most, store: store{tests: g.tests, work: g.work}}
	if g.nodes[node].number {
		f.store.within(sp)
	}
	if !g.work.limited(workPaths, func() bool { return f.follow(node) }) {
		if f.count > most {
			return nil, nil, undecidedPaths
		}
		return nil, nil, undecidedWork
	}
	slices.SortStableFunc(f.ways, func(a, b way) int { return compareOutcomes(a.outcome, b.outcome) })
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
	if f.count++; f.count > f.most {
		return false
	}
	path := slices.Clone(f.here)
	for i := range f.ways {
		if at := &f.ways[i]; at.outcome.ret == o.ret && at.outcome.undecided == o.undecided {
			at.paths = append(at.paths, path)
			return true
		}
	}
	f.ways = append(f.ways, way{o, []cube{path}})
	return true
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
