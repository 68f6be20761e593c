package seccomp

import (
	"slices"

	"github.com/selfaudit/selfaudit/internal/names"
)

// region is a range of numbers for which a program, or a stack, comes to one
// node. The node may still ask for the number where it has number set.
type region struct {
	span
	node int32
}

// Bounds on the work that one evaluation may take. A step of a program is 1,
// and real filters take some ten thousand altogether.
const (
	workTotal  = 1 << 25
	workWalk   = 1 << 18 // one set of numbers, in one program
	workSingle = 1 << 14 // one number, in one program
)

// surveyor splits the numbers of an ABI by what one program does with them,
// before it looks at anything but the number.
type surveyor struct {
	walker
	// calls are the numbers that the ABI has names for, ascending.
	calls func() []uint32
	out   []region
	todo  []visit
}

// visit is an instruction that some numbers come to.
type visit struct {
	pc  int
	m   machine
	set numbers
}

// survey returns what the program decides, in ascending order and without gaps
// within the ABI's numbers. It is false where the budget is spent.
func (s *surveyor) survey() ([]region, bool) {
	s.out = make([]region, 0, len(s.program))
	s.todo = append(s.todo, visit{set: numbersOf(s.abi)})
	for len(s.todo) > 0 {
		v := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		if !s.visit(&v) {
			return nil, false
		}
	}
	slices.SortFunc(s.out, func(a, b region) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return s.out, true
}

// numbersOf returns every number that a call of the ABI can have: an ABI that
// shares its AUDIT_ARCH with another has only its own half of them.
func numbersOf(abi names.ABI) numbers {
	bit := abi.NumberBit
	for _, other := range names.ABIs(abi.Machine) {
		if other.Audit == abi.Audit {
			bit |= other.NumberBit
		}
	}
	all := numbers{{0, ^uint32(0)}}
	with, without, ok := all.masked(bit)
	switch {
	case bit == 0 || !ok:
		return all
	case abi.NumberBit != 0:
		return with
	}
	return without
}

// visit goes on as long as all numbers of the set do the same.
func (s *surveyor) visit(v *visit) bool {
	s.number = s.g.terms.load(wordNR)
	for {
		if !s.g.work.spend(1) {
			return false
		}
		if uint(v.pc) >= uint(len(s.program)) {
			return s.enter(v)
		}
		in := &s.program[v.pc]
		switch {
		case in.Code == opJa:
			v.pc += 1 + int(in.K)
		case in.isConditional():
			if !s.decides(in, v) {
				return s.enter(v)
			}
			if len(v.set) == 0 {
				return true
			}
		case in.Code == opRetK:
			s.emit(v.set, s.leaf(v.pc, in.K))
			return true
		case in.Code == opRetA, in.Code == opDivX, in.divides() && in.K == 0, s.computes(in, &v.m), !s.step(in, &v.m):
			return s.enter(v)
		default:
			v.pc++
		}
	}
}

// computes says that an instruction computes with the number.
func (s *surveyor) computes(in *Instruction, m *machine) bool {
	const class, alu = 0x07, 0x04 // BPF_CLASS, BPF_ALU
	return in.Code&class == alu && (m.a == s.number || in.Code&sourceX != 0 && m.x == s.number)
}

// decides goes past a jump that only the number decides. The numbers for which
// it is taken are visited later, or at once where they come to a return.
func (s *surveyor) decides(in *Instruction, v *visit) bool {
	operand := value{c: in.K}
	if in.Code&sourceX != 0 {
		operand = v.m.x
	}
	if v.m.a.t == nil && operand.t == nil {
		if holds(in.Code, v.m.a.c, operand.c) {
			v.pc += 1 + int(in.JT)
		} else {
			v.pc += 1 + int(in.JF)
		}
		return true
	}
	if v.m.a != s.number || operand.t != nil {
		return false
	}
	taken, ok := v.split(in.Code&^sourceX, operand.c)
	if !ok {
		return false
	}
	s.g.work.spend(len(v.set) / 16)
	s.later(visit{v.pc + 1 + int(in.JT), v.m, taken})
	v.pc += 1 + int(in.JF)
	return true
}

// split takes the numbers out of the set for which the jump is taken.
func (v *visit) split(code uint16, c uint32) (taken numbers, ok bool) {
	switch code {
	case opJeqK:
		if v.set, ok = v.set.remove(c); ok {
			taken = numbers{{c, c}}
		}
		return taken, true
	case opJgtK:
		if c == ^uint32(0) {
			return nil, true
		}
		v.set, taken = v.set.cut(c + 1)
	case opJgeK:
		v.set, taken = v.set.cut(c)
	default:
		with, without, ok := v.set.masked(c)
		if ok {
			taken, v.set = with, without
		}
		return taken, ok
	}
	return taken, true
}

func (s *surveyor) later(v visit) {
	if len(v.set) == 0 {
		return
	}
	for uint(v.pc) < uint(len(s.program)) && s.program[v.pc].Code == opJa {
		if !s.g.work.spend(1) {
			break
		}
		v.pc += 1 + int(s.program[v.pc].K)
	}
	if uint(v.pc) < uint(len(s.program)) && s.program[v.pc].Code == opRetK {
		s.emit(v.set, s.leaf(v.pc, s.program[v.pc].K))
		return
	}
	s.todo = append(s.todo, v)
}

func (s *surveyor) emit(set numbers, node int32) {
	for _, sp := range set {
		s.out = append(s.out, region{sp, node})
	}
}

// enter decides about numbers for which the program looks at more than the
// number, or computes with it. Where one decision does not do for all of them,
// those that have a name are looked at singly.
func (s *surveyor) enter(v *visit) bool {
	if nr, ok := v.set.single(); ok {
		return s.enterSingle(v, nr, workWalk)
	}
	s.number, s.seen = s.g.terms.load(wordNR), nil
	node, ok := s.walk(v.pc, v.m, workWalk)
	if s.g.work.left < 0 {
		return false
	}
	if ok && !s.g.nodes[node].number {
		s.emit(v.set, node)
		return true
	}
	for _, nr := range s.calls() {
		var in bool
		if v.set, in = v.set.remove(nr); in && !s.enterSingle(v, nr, workSingle) {
			return false
		}
	}
	if !ok {
		node = s.g.undecided(undecidedWork)
	}
	s.emit(v.set, node)
	return true
}

// enterSingle decides about one number.
func (s *surveyor) enterSingle(v *visit, nr uint32, work int) bool {
	m := v.m
	ts := s.g.terms
	m.a, m.x = ts.withNumber(m.a, nr), ts.withNumber(m.x, nr)
	for i := range m.m {
		m.m[i] = ts.withNumber(m.m[i], nr)
	}
	s.number, s.seen = value{c: nr}, nil
	node, ok := s.walk(v.pc, m, work)
	if !ok {
		node = s.g.undecided(undecidedWork)
	}
	s.out = append(s.out, region{span{nr, nr}, node})
	return s.g.work.left >= 0
}

// walk is from with a bound of its own.
func (s *surveyor) walk(pc int, m machine, work int) (node int32, ok bool) {
	s.g.work.limited(work, func() bool {
		node, ok = s.from(pc, m)
		return ok
	})
	return node, ok
}
