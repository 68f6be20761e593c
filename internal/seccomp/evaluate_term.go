package seccomp

// value is what a register or a word of scratch memory holds: the number c, or
// where t is set what t stands for.
type value struct {
	t *term
	c uint32
}

// term is a 32-bit number that is not known before the system call is made: a
// word of seccomp_data, with op opLdAbs, or what arithmetic makes of others.
type term struct {
	// op is an instruction's code in its K form; opNeg has no b.
	op   uint16
	word uint8
	a, b value
	// size counts the operations, of which a program can make 2 to the power
	// of its length.
	size int32
	// number says that the system call's number is in it.
	number bool
}

// maxTermSize bounds terms, which a condition prints. Real filters need two
// operations, a shift and a mask.
const maxTermSize = 32

// Words of struct seccomp_data, in units of four bytes. The low half of a 64-bit
// field comes first on every ABI that names knows.
const (
	wordNR   = offsetNR / 4
	wordArch = offsetArch / 4
	wordIP   = offsetIP / 4
	wordArgs = offsetArgs / 4
	words    = sizeOfData / 4
)

// terms makes terms so that equal ones are the same.
type terms struct {
	data [words]term
	made map[term]*term
	// tooLong stands for all terms above maxTermSize.
	tooLong *term
}

func newTerms() *terms {
	ts := &terms{tooLong: &term{op: opLdAbs, word: words, size: maxTermSize + 1, number: true}}
	for i := range ts.data {
		ts.data[i] = term{op: opLdAbs, word: uint8(i), number: i == wordNR}
	}
	return ts
}

// load returns a word of seccomp_data.
func (ts *terms) load(word uint8) value { return value{t: &ts.data[word]} }

// compute returns what an arithmetic instruction makes of A and its operand. A
// division by a number that may be 0 is the caller's to find.
func (ts *terms) compute(code uint16, a, operand value) value {
	if code != opNeg {
		code &^= sourceX
	}
	if a.t == nil && operand.t == nil {
		return value{c: arithmetic(code, a.c, operand.c)}
	}
	if a.t == nil && commutes(code) {
		a, operand = operand, a
	}
	if code == opAndK && operand.t == nil && a.t.op == opAndK && a.t.b.t == nil {
		a, operand.c = a.t.a, a.t.b.c&operand.c
	}
	if v, ok := trivial(code, a, operand); ok {
		return v
	}
	return ts.make(term{op: code, a: a, b: operand})
}

// arithmetic is compute, made total: no program goes on after a division by 0,
// but a condition may ask what the quotient is.
func arithmetic(code uint16, a, operand uint32) uint32 {
	if code == opDivK && operand == 0 {
		return 0
	}
	c, _ := compute(code, a, operand)
	return c
}

func commutes(code uint16) bool {
	switch code {
	case opAddK, opMulK, opAndK, opOrK, opXorK:
		return true
	}
	return false
}

// trivial knows the operations that a constant makes simple.
func trivial(code uint16, a, operand value) (value, bool) {
	if operand.t != nil || code == opNeg {
		return value{}, false
	}
	switch c := operand.c; code {
	case opAddK, opSubK, opOrK, opXorK, opLshK, opRshK:
		return a, c == 0
	case opAndK:
		if c == 0 {
			return value{}, true
		}
		return a, c == ^uint32(0)
	case opMulK:
		if c == 0 {
			return value{}, true
		}
		return a, c == 1
	case opDivK:
		return a, c == 1
	}
	return value{}, false
}

func (ts *terms) make(t term) value {
	t.size = 1
	for _, v := range [...]value{t.a, t.b} {
		if v.t != nil {
			t.size += v.t.size
			t.number = t.number || v.t.number
		}
	}
	if t.size > maxTermSize {
		return value{t: ts.tooLong}
	}
	if known := ts.made[t]; known != nil {
		return value{t: known}
	}
	if ts.made == nil {
		ts.made = make(map[term]*term)
	}
	made := new(term)
	*made = t
	ts.made[t] = made
	return value{t: made}
}

// withNumber returns the value for one system call's number.
func (ts *terms) withNumber(v value, nr uint32) value {
	if v.t == nil || !v.t.number || v.t == ts.tooLong {
		return v
	}
	if v.t.op == opLdAbs {
		return value{c: nr}
	}
	return ts.compute(v.t.op, ts.withNumber(v.t.a, nr), ts.withNumber(v.t.b, nr))
}

// values returns all numbers that a term can be, where they are few and plain
// to see: a word that is masked, shifted, added to.
func (t *term) values() ([]uint32, bool) {
	const most = 16
	if t.op == opLdAbs || t.b.t != nil || t.a.t == nil {
		return nil, false
	}
	var out []uint32
	if from, ok := t.a.t.values(); ok {
		for _, v := range from {
			out = appendNew(out, arithmetic(t.op, v, t.b.c))
		}
		return out, true
	}
	switch t.op {
	case opAndK:
		for v := uint32(0); len(out) <= most; v = (v - t.b.c) & t.b.c {
			if len(out) > 0 && v == 0 {
				return out, true
			}
			out = append(out, v)
		}
	case opRshK:
		for v := uint32(0); v < most && v <= ^uint32(0)>>(t.b.c&31); v++ {
			out = append(out, v)
		}
		return out, t.b.c&31 >= 28
	}
	return nil, false
}

func appendNew(list []uint32, v uint32) []uint32 {
	for _, old := range list {
		if old == v {
			return list
		}
	}
	return append(list, v)
}

// of returns the number that the value is in a system call.
func (v value) of(d *Data) uint32 {
	if v.t == nil {
		return v.c
	}
	if v.t.op == opLdAbs {
		return d.word(v.t.word)
	}
	return arithmetic(v.t.op, v.t.a.of(d), v.t.b.of(d))
}

// word returns one of the words that a filter loads.
func (d *Data) word(word uint8) uint32 {
	switch {
	case word == wordNR:
		return d.NR
	case word == wordArch:
		return d.Arch
	}
	field := d.IP
	if word >= wordArgs {
		field = d.Args[(word-wordArgs)/2]
	}
	return uint32(field >> (32 * (word & 1)))
}
