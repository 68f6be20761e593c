package seccomp

import "github.com/selfaudit/selfaudit/internal/names"

// machine is what a program has computed so far.
type machine struct {
	a, x value
	m    [scratchWords]value
}

// walker follows one program through the paths that arguments choose between.
type walker struct {
	g       *graph
	abi     names.ABI
	program Program
	filter  int32
	// live says for each instruction which registers are read from there on.
	live []uint32
	// number is the system call's number, as a constant or as the word.
	number value
	// seen has the node of each branch that was followed, for the registers
	// that matter there. Paths that meet again are followed once.
	seen map[place]int32
}

type place struct {
	pc int
	m  machine
}

// from returns what the program decides from an instruction on. It is false
// where the work is more than the budget has.
func (w *walker) from(pc int, m machine) (int32, bool) {
	for {
		if !w.g.work.spend(1) {
			return 0, false
		}
		if uint(pc) >= uint(len(w.program)) {
			return w.g.undecided(undecidedCode), true
		}
		in := &w.program[pc]
		switch {
		case in.Code == opJa:
			pc += 1 + int(in.K)
		case in.isConditional():
			l, ok := w.condition(in, &m)
			switch {
			case !ok:
				return w.g.undecided(undecidedTerm), true
			case l == always:
				pc += 1 + int(in.JT)
			case l == never:
				pc += 1 + int(in.JF)
			default:
				return w.fork(pc, m, l)
			}
		case in.Code == opRetK:
			return w.leaf(pc, in.K), true
		case in.Code == opRetA:
			return w.returnA(pc, m.a), true
		case in.Code == opDivX && m.x.t != nil:
			return w.divide(pc, m)
		case in.divides() && in.divisor(&m) == 0:
			return w.leaf(pc, 0), true
		default:
			if !w.step(in, &m) {
				return w.g.undecided(undecidedCode), true
			}
			pc++
		}
	}
}

// condition returns when a jump is taken, or false where the comparison is
// beyond what a term may be.
func (w *walker) condition(in *Instruction, m *machine) (literal, bool) {
	operand := value{c: in.K}
	if in.Code&sourceX != 0 {
		operand = m.x
	}
	if m.a.t == w.g.terms.tooLong || operand.t == w.g.terms.tooLong {
		return never, false
	}
	return w.g.compare(in.Code, m.a, operand), true
}

// fork follows both ways of a jump.
func (w *walker) fork(pc int, m machine, l literal) (int32, bool) {
	if w.live == nil {
		w.live = liveness(w.program)
	}
	here := place{pc, m.only(w.live[pc])}
	if id, ok := w.seen[here]; ok {
		return id, true
	}
	if !w.g.work.spend(16) {
		return 0, false
	}
	in := &w.program[pc]
	yes, ok := w.from(pc+1+int(in.JT), m)
	if !ok {
		return 0, false
	}
	no, ok := w.from(pc+1+int(in.JF), m)
	if !ok {
		return 0, false
	}
	id := w.g.branch(l, yes, no)
	if w.seen == nil {
		w.seen = make(map[place]int32)
	}
	w.seen[here] = id
	return id, true
}

// leaf is the node of a return. Data beside RetAllow is lost in the kernel.
func (w *walker) leaf(pc int, ret uint32) int32 {
	if ret&RetActionFull == RetAllow {
		ret = RetAllow
	}
	return w.g.leaf(outcome{ret: ret, filter: w.filter, offset: int32(pc)})
}

// returnA tells apart the values that A can have.
func (w *walker) returnA(pc int, a value) int32 {
	if a.t == nil {
		return w.leaf(pc, a.c)
	}
	values, ok := a.t.values()
	if !ok {
		return w.g.undecided(undecidedValue)
	}
	id := w.leaf(pc, values[0])
	for _, v := range values[1:] {
		id = w.g.branch(w.g.equal(a, value{c: v}), w.leaf(pc, v), id)
	}
	return id
}

// divide follows a division by what may be 0, which would end the program with
// the value 0: see Program.Run.
func (w *walker) divide(pc int, m machine) (int32, bool) {
	if m.x.t == w.g.terms.tooLong {
		return w.g.undecided(undecidedTerm), true
	}
	l := w.g.equal(m.x, value{})
	m.a = w.g.terms.compute(opDivX, m.a, m.x)
	rest, ok := w.from(pc+1, m)
	return w.g.branch(l, w.leaf(pc, 0), rest), ok
}

func (in *Instruction) divides() bool { return in.Code == opDivK || in.Code == opDivX }

// divisor is what a division divides by, where that is a constant.
func (in *Instruction) divisor(m *machine) uint32 {
	if in.Code == opDivX {
		return m.x.c
	}
	return in.K
}

// step executes an instruction that only computes.
func (w *walker) step(in *Instruction, m *machine) bool {
	switch in.Code {
	case opLdAbs:
		m.a = w.load(in.K)
	case opLdLen:
		m.a = value{c: sizeOfData}
	case opLdxLen:
		m.x = value{c: sizeOfData}
	case opLdImm:
		m.a = value{c: in.K}
	case opLdxImm:
		m.x = value{c: in.K}
	case opLdMem:
		m.a = m.m[in.K%scratchWords]
	case opLdxMem:
		m.x = m.m[in.K%scratchWords]
	case opSt:
		m.m[in.K%scratchWords] = m.a
	case opStx:
		m.m[in.K%scratchWords] = m.x
	case opTax:
		m.x = m.a
	case opTxa:
		m.a = m.x
	default:
		if in.form() == formUnknown {
			return false
		}
		operand := value{c: in.K}
		if in.Code&sourceX != 0 {
			operand = m.x
		}
		m.a = w.g.terms.compute(in.Code, m.a, operand)
	}
	return true
}

// load returns a word of seccomp_data. The arguments of a 32-bit ARM call have
// no high words. Those of i386 do: a 64-bit program that uses int 0x80 chooses
// them, filters see them, and the kernel drops them only later.
func (w *walker) load(offset uint32) value {
	word := uint8(offset/4) % words
	switch {
	case word == wordNR:
		return w.number
	case word == wordArch:
		return value{c: w.abi.Audit}
	case word >= wordArgs && word%2 == 1 && w.abi.Arch == "arm":
		return value{}
	}
	return w.g.terms.load(word)
}
