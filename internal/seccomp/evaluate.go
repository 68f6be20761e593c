package seccomp

import "github.com/selfaudit/selfaudit/internal/names"

// Range is a run of system call numbers that the filters treat alike.
type Range struct {
	First, Last uint32
	// Summary is the verdict in words: "allowed unless arg0 & 0x7e020000
	// (else ERRNO EPERM)".
	Summary string
	// Ways are all outcomes that are possible, at least one, the most
	// permissive first. For each call the condition of exactly one holds.
	// Ranges share them: they are not to be changed.
	Ways []Way
}

// Way is one outcome and when it comes about.
type Way struct {
	// Ret is the return value of the filters together, as Compose returns it.
	Ret uint32
	// Filter is the filter that decides, by its index in the stack, and
	// Offset the instruction that returns. Where all filters allow it is the
	// newest one's; where several returns have one value, one of them; both
	// are -1 where there is no filter or nothing is decided.
	Filter, Offset int
	// When is Condition in words: empty where it always holds.
	When string
	// Condition is what the arguments must be.
	Condition Condition
	// Notes say which bits of an argument a comparison forgets, or takes into
	// account that the kernel does not.
	Notes []string
	// Undecided is why Ret could not be found, and empty where it was.
	Undecided string
}

// Options bound an evaluation.
type Options struct {
	// MaxPaths is how many cases the arguments of one system call may make.
	// A number with more is undecided. Zero is 1024.
	MaxPaths int
}

const defaultMaxPaths = 1024

// Evaluate returns what a stack of filters, the oldest first, does with every
// number that a call of the ABI can have: in ascending order, without gaps
// (x86-64 and x32 share one space: each has the numbers with bit 30 as its own
// have it), and for all arguments. The programs should be valid.
//
// Its work is bounded, whatever the programs are. What the bound leaves open is
// a Way that is Undecided, of just the numbers and arguments concerned.
func Evaluate(stack []Program, abi names.ABI, o Options) []Range {
	if o.MaxPaths <= 0 {
		o.MaxPaths = defaultMaxPaths
	}
	e := &evaluator{
		abi: abi, most: o.MaxPaths, wording: budget{workWording},
		g: newGraph(&budget{workTotal}), verdicts: make(map[int32]*verdict),
	}
	regions := e.stack(stack)
	e.out = make([]Range, 0, len(regions))
	for i, v := range e.decide(regions) {
		e.describe(regions[i], v)
	}
	return e.out
}

type evaluator struct {
	abi  names.ABI
	most int
	g    *graph
	// wording is what may still be spent on shorter conditions and on notes.
	wording budget
	// named are the numbers that the ABI has names for, once asked for.
	named []uint32
	// verdicts are those of nodes that do not ask for the number.
	verdicts map[int32]*verdict
	out      []Range
}

// stack evaluates the filters one by one, the newest first, and joins them.
func (e *evaluator) stack(stack []Program) []region {
	all := e.everywhere(e.g.leaf(outcome{ret: RetAllow, filter: NoFilter, offset: -1}))
	for i := len(stack) - 1; i >= 0; i-- {
		s := &surveyor{calls: e.calls, walker: walker{g: e.g, abi: e.abi, program: stack[i], filter: int32(i)}}
		regions, ok := s.survey()
		if !ok {
			regions = e.everywhere(e.g.undecided(undecidedWork))
		}
		if i == len(stack)-1 {
			all = regions
		} else {
			all = e.join(all, regions)
		}
	}
	return all
}

// everywhere returns one node for all numbers of the ABI.
func (e *evaluator) everywhere(node int32) []region {
	var out []region
	for _, sp := range numbersOf(e.abi) {
		out = append(out, region{sp, node})
	}
	return out
}

// join lays the regions of an older filter over those of newer ones.
func (e *evaluator) join(newer, older []region) []region {
	out := make([]region, 0, max(len(newer), len(older)))
	for len(newer) > 0 && len(older) > 0 {
		a, b := newer[0], older[0]
		last := min(a.last, b.last)
		node, ok := e.g.join(a.node, b.node)
		if !ok || !e.g.work.spend(1) {
			node = e.g.undecided(undecidedWork)
		}
		if n := len(out); n > 0 && out[n-1].node == node && out[n-1].last+1 == a.first {
			out[n-1].last = last
		} else {
			out = append(out, region{span{a.first, last}, node})
		}
		newer, older = above(newer, last), above(older, last)
	}
	return out
}

// above returns the regions, which it changes, without the numbers up to last.
func above(regions []region, last uint32) []region {
	if regions[0].last == last {
		return regions[1:]
	}
	regions[0].first = last + 1
	return regions
}

// calls returns the numbers of the ABI's named calls, ascending.
func (e *evaluator) calls() []uint32 {
	if e.named == nil {
		e.named = callsOf(e.abi)
	}
	return e.named
}
