package seccomp

import "math"

// node is a place in a decision graph: a test with a way on for either answer,
// or an outcome. Equal nodes are the same, so that programs that come to the
// same thing by many ways stay small.
type node struct {
	// test is an index of graph.tests, or outcomeNode.
	test    int32
	yes, no int32
	outcome outcome
	// least and most bound the actions below it, as the kernel compares them.
	least, most int32
	// number says that a test below it looks at the system call's number, or
	// that knowing the number might decide what is undecided.
	number bool
}

const outcomeNode = -1

// outcome is a return value and the instruction that returns it.
type outcome struct {
	ret            uint32
	filter, offset int32
	// undecided is why there is no return value.
	undecided string
}

// Reasons why something is undecided.
const (
	undecidedWork  = "the filters take more steps to evaluate than the bound allows"
	undecidedPaths = "the filters tell more cases apart than the bound allows"
	undecidedValue = "the filter returns a number that it computes"
	undecidedTerm  = "the filter compares a number that it computes in too many steps"
	undecidedCode  = "the filter is not valid"
)

// graph holds the decisions of all filters.
type graph struct {
	terms   *terms
	tests   []test
	testIDs map[test]int32
	nodes   []node
	nodeIDs map[[3]int32]int32
	leaves  map[outcome]int32
	joined  map[[2]int32]int32
	work    *budget
	// literals is how many literals paths may still have.
	literals budget
}

func newGraph(work *budget) *graph {
	return &graph{
		terms: newTerms(), testIDs: make(map[test]int32), work: work, literals: budget{maxLiteralsTotal},
		nodeIDs: make(map[[3]int32]int32), leaves: make(map[outcome]int32), joined: make(map[[2]int32]int32),
	}
}

// budget counts work down, over all of an evaluation or within a part of it.
type budget struct{ left int }

// spend says whether there was enough left.
func (b *budget) spend(n int) bool {
	b.left -= n
	return b.left >= 0
}

// limited runs f with at most n of the budget and reports what f does.
func (b *budget) limited(n int, f func() bool) bool {
	whole := b.left
	b.left = min(n, whole)
	granted := b.left
	ok := f()
	b.left = whole - (granted - b.left)
	return ok
}

func (g *graph) leaf(o outcome) int32 {
	if id, ok := g.leaves[o]; ok {
		return id
	}
	n := node{test: outcomeNode, outcome: o, least: actionOrder(o.ret), most: actionOrder(o.ret)}
	if o.undecided != "" {
		n.least, n.most = math.MinInt32, math.MaxInt32
		n.number = o.undecided != undecidedWork
	}
	id := g.add(n)
	g.leaves[o] = id
	return id
}

// actionOrder is what the kernel compares when several filters answer.
func actionOrder(ret uint32) int32 { return int32(ret & RetActionFull) }

func (g *graph) undecided(why string) int32 { return g.leaf(outcome{undecided: why}) }

// branch returns the node that goes one way where a literal holds.
func (g *graph) branch(l literal, yes, no int32) int32 {
	switch {
	case l == always || yes == no:
		return yes
	case l == never:
		return no
	case !l.holds():
		yes, no = no, yes
	}
	key := [3]int32{l.test(), yes, no}
	if id, ok := g.nodeIDs[key]; ok {
		return id
	}
	a, b := &g.nodes[yes], &g.nodes[no]
	id := g.add(node{
		test: l.test(), yes: yes, no: no,
		least: min(a.least, b.least), most: max(a.most, b.most),
		number: a.number || b.number || g.tests[l.test()].number(),
	})
	g.nodeIDs[key] = id
	return id
}

func (g *graph) add(n node) int32 {
	g.nodes = append(g.nodes, n)
	return int32(len(g.nodes) - 1)
}

// number says whether a test looks at the system call's number.
func (t *test) number() bool {
	switch t.kind {
	case testEqual, testNotLess:
		return t.left.number || t.right.number
	}
	return t.of.index == variableNR || t.of.index == variableTerm && t.of.t.number
}

// join returns what two filters, or stacks of them, decide together: the older
// one's action where it precedes the newer one's, as Compose has it. It is
// false where the work is more than the budget has.
func (g *graph) join(newer, older int32) (int32, bool) {
	a, b := &g.nodes[newer], &g.nodes[older]
	if b.least >= a.most {
		return newer, true
	}
	if a.test == outcomeNode && (a.outcome.undecided != "" || b.test == outcomeNode) {
		return g.joinOutcomes(newer, older), true
	}
	key := [2]int32{newer, older}
	if id, ok := g.joined[key]; ok {
		return id, true
	}
	if !g.work.spend(256) {
		return 0, false
	}
	test, yesA, noA, yesB, noB := a.test, a.yes, a.no, older, older
	if test == outcomeNode {
		test, yesA, noA, yesB, noB = b.test, newer, newer, b.yes, b.no
	}
	yes, ok := g.join(yesA, yesB)
	if !ok {
		return 0, false
	}
	no, ok := g.join(noA, noB)
	if !ok {
		return 0, false
	}
	id := g.branch(literal(test<<1), yes, no)
	g.joined[key] = id
	return id, true
}

func (g *graph) joinOutcomes(newer, older int32) int32 {
	a, b := &g.nodes[newer].outcome, &g.nodes[older].outcome
	switch {
	case a.undecided != "":
		return newer
	case b.undecided != "" || Precedes(b.ret, a.ret):
		return older
	}
	return newer
}
