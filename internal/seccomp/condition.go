package seccomp

// Condition is what a system call's arguments must be for an outcome: any of
// its alternatives, each of which is a list of tests that must all come out as
// they say. The zero value never holds.
type Condition struct{ any []conjunction }

type conjunction []clause

// clause is a test that must hold, or must not.
type clause struct {
	test
	not bool
	// narrow says that arguments have 32 bits, so that their low words are
	// all of them as far as the call goes.
	narrow bool
}

// Always says that the condition asks nothing.
func (c Condition) Always() bool {
	for _, all := range c.any {
		if len(all) == 0 {
			return true
		}
	}
	return false
}

// Eval says whether the condition holds for a system call.
func (c Condition) Eval(d *Data) bool {
	for _, all := range c.any {
		if all.eval(d) {
			return true
		}
	}
	return false
}

func (all conjunction) eval(d *Data) bool {
	for i := range all {
		if all[i].eval(d) == all[i].not {
			return false
		}
	}
	return true
}

// eval answers the test for a system call.
func (t *test) eval(d *Data) bool {
	switch t.kind {
	case testEqual:
		return value{t: t.left}.of(d) == value{t: t.right}.of(d)
	case testNotLess:
		return value{t: t.left}.of(d) >= value{t: t.right}.of(d)
	}
	return t.about(t.of.of(d))
}

// about answers the test for a value of its variable.
func (t *test) about(v uint64) bool {
	switch t.kind {
	case testMask:
		return v&t.mask == t.want
	case testAtLeast:
		return v >= t.want
	default:
		return v&lowWord >= t.want
	}
}

// of returns the variable's value in a system call.
func (v variable) of(d *Data) uint64 {
	switch v.index {
	case variableIP:
		return d.IP
	case variableNR:
		return uint64(d.NR)
	case variableTerm:
		return uint64(value{t: v.t}.of(d))
	}
	return d.Args[v.index]
}

// balance takes the one condition for the other's opposite, which it is, where
// that is the shorter way to say it.
func balance(a, b *Condition) {
	if c, ok := a.opposite(); ok && c.weight() < b.weight() {
		*b = c
	} else if c, ok := b.opposite(); ok && c.weight() < a.weight() {
		*a = c
	}
}

// opposite returns the condition that holds where c does not, if c is a list of
// single tests.
func (c Condition) opposite() (Condition, bool) {
	if len(c.any) == 1 {
		out := Condition{make([]conjunction, len(c.any[0]))}
		for i, t := range c.any[0] {
			t.not = !t.not
			out.any[i] = conjunction{t}
		}
		return out, true
	}
	all := make(conjunction, len(c.any))
	for i := range c.any {
		if len(c.any[i]) != 1 {
			return Condition{}, false
		}
		all[i] = c.any[i][0]
		all[i].not = !all[i].not
	}
	return Condition{[]conjunction{all}}, true
}

// weight tells how much there is to read: how many tests, of which those that
// say what a value is not are harder, and then how long they are.
func (c Condition) weight() int {
	weight := 0
	for _, all := range c.any {
		for i := range all {
			weight += 1000
			if all[i].kind == testMask && all[i].not && all[i].want != 0 {
				weight += 1000
			}
		}
	}
	if weight < 1000*summaryTests {
		weight += len(c.String())
	}
	return weight
}

// size counts the tests.
func (c Condition) size() int {
	n := 0
	for _, all := range c.any {
		n += len(all)
	}
	return n
}
