package seccomp

import "math/bits"

// variable is what a test looks at: an argument or the instruction pointer with
// all 64 bits, the number, or a term that cannot be taken apart.
type variable struct {
	index uint8
	t     *term
}

const (
	variableIP   = 6
	variableNR   = 7
	variableTerm = 8
)

const (
	lowWord  = uint64(0xffffffff)
	highWord = lowWord << 32
)

type testKind uint8

const (
	testMask    testKind = iota // of & mask == want
	testAtLeast                 // of >= want
	testLow                     // the low word of of >= want
	testEqual                   // left == right
	testNotLess                 // left >= right
)

// test is one question to a system call. A branch of a filter asks one, and
// conditions are made of them.
type test struct {
	kind        testKind
	of          variable
	mask, want  uint64
	left, right *term
}

// literal is a test, by its index, that holds or does not.
type literal int32

const (
	always literal = -1
	never  literal = -2
)

func (l literal) not() literal {
	switch l {
	case always:
		return never
	case never:
		return always
	}
	return l ^ 1
}

func (l literal) test() int32 { return int32(l >> 1) }
func (l literal) holds() bool { return l&1 == 0 }

func certain(b bool) literal {
	if b {
		return always
	}
	return never
}

// compare returns the condition under which a jump is taken.
func (g *graph) compare(code uint16, a, operand value) literal {
	if a.t == nil && operand.t == nil {
		return certain(holds(code, a.c, operand.c))
	}
	switch code &^ sourceX {
	case opJeqK:
		return g.equal(a, operand)
	case opJgtK:
		return g.atLeast(operand, a).not()
	case opJgeK:
		return g.atLeast(a, operand)
	default:
		return g.masked(g.terms.compute(opAndK, a, operand), ^uint32(0), 0).not()
	}
}

func (g *graph) equal(a, b value) literal {
	switch {
	case a == b:
		return always
	case b.t == nil:
		return g.masked(a, ^uint32(0), b.c)
	case a.t == nil:
		return g.masked(b, ^uint32(0), a.c)
	}
	if id, ok := g.testIDs[test{kind: testEqual, left: b.t, right: a.t}]; ok {
		return literal(id << 1)
	}
	return g.literal(test{kind: testEqual, left: a.t, right: b.t})
}

// atLeast is a >= b.
func (g *graph) atLeast(a, b value) literal {
	switch {
	case a == b:
		return always
	case b.t == nil:
		return g.atLeastConstant(a, b.c)
	case a.t == nil && a.c == ^uint32(0):
		return always
	case a.t == nil:
		return g.atLeastConstant(b, a.c+1).not()
	}
	return g.literal(test{kind: testNotLess, left: a.t, right: b.t})
}

// masked is v & mask == want. It takes terms apart as far as that goes, so that
// all tests of one word are seen to be about that word.
func (g *graph) masked(v value, mask, want uint32) literal {
	for {
		if want&^mask != 0 {
			return never
		}
		if v.t == nil {
			return certain(v.c&mask == want)
		}
		if mask == 0 {
			return always
		}
		var ok bool
		if v, mask, want, ok = unwrap(v.t, mask, want); !ok {
			break
		}
	}
	of, shift := variableOf(v.t)
	t := test{kind: testMask, of: of, mask: uint64(mask) << shift, want: uint64(want) << shift}
	if t.want == t.mask && bits.OnesCount32(mask) == 1 {
		t.want = 0
		return g.literal(t).not()
	}
	return g.literal(t)
}

// unwrap turns a question about a term into one about its operand. A want
// outside the mask says that the answer is no.
func unwrap(t *term, mask, want uint32) (value, uint32, uint32, bool) {
	const impossible = 1
	c := t.b.c
	if t.op == opLdAbs || t.b.t != nil || t.a.t == nil {
		return value{t: t}, mask, want, false
	}
	switch lowBits := mask&(mask+1) == 0; {
	case t.op == opAndK:
		return t.a, mask & c, want, true
	case t.op == opOrK:
		if want&c != mask&c {
			return t.a, 0, impossible, true
		}
		return t.a, mask &^ c, want &^ c, true
	case t.op == opXorK:
		return t.a, mask, want ^ mask&c, true
	case t.op == opRshK:
		c &= 31
		if want<<c>>c != want {
			return t.a, 0, impossible, true
		}
		return t.a, mask << c, want << c, true
	case t.op == opLshK:
		c &= 31
		if want>>c<<c != want {
			return t.a, 0, impossible, true
		}
		return t.a, mask >> c, want >> c, true
	case t.op == opAddK && lowBits:
		return t.a, mask, (want - c) & mask, true
	case t.op == opSubK && lowBits:
		return t.a, mask, (want + c) & mask, true
	case t.op == opNeg && lowBits:
		return t.a, mask, -want & mask, true
	}
	return value{t: t}, mask, want, false
}

// atLeastConstant is v >= least.
func (g *graph) atLeastConstant(v value, least uint32) literal {
	for least != 0 && v.t != nil && v.t.op != opLdAbs && v.t.b.t == nil {
		c := v.t.b.c
		switch {
		case v.t.op == opRshK && least > ^uint32(0)>>(c&31):
			return never
		case v.t.op == opRshK:
			v, least = v.t.a, least<<(c&31)
			continue
		case v.t.op == opAndK && least > c:
			return never
		case v.t.op == opAndK && -c&c == -c:
			// Only high bits are left, so least is as good as the next
			// number that has none of the others.
			v, least = v.t.a, (least+^c)&c
			continue
		}
		break
	}
	if least == 0 {
		return always
	}
	if v.t == nil {
		return certain(v.c >= least)
	}
	of, shift := variableOf(v.t)
	if least == 1 && shift > 0 {
		// "More than 0" and "not 0" are one question to a high word.
		return g.masked(v, ^uint32(0), 0).not()
	}
	t := test{kind: testAtLeast, of: of, want: uint64(least) << shift}
	if of.index <= variableIP && shift == 0 {
		t.kind = testLow
	}
	return g.literal(t)
}

// variableOf returns what a term is part of, and at which bit it begins there.
func variableOf(t *term) (of variable, shift int) {
	switch {
	case t.op != opLdAbs || t.word >= words:
		return variable{index: variableTerm, t: t}, 0
	case t.word == wordNR:
		return variable{index: variableNR}, 0
	case t.word < wordArgs:
		return variable{index: variableIP}, 32 * int(t.word&1)
	}
	return variable{index: (t.word - wordArgs) / 2}, 32 * int(t.word&1)
}

// literal returns the literal that says that a test holds.
func (g *graph) literal(t test) literal {
	id, ok := g.testIDs[t]
	if !ok {
		id = int32(len(g.tests))
		g.tests = append(g.tests, t)
		g.testIDs[t] = id
	}
	return literal(id << 1)
}
