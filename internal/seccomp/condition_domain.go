package seccomp

// domain is what is known of one variable: some of its bits, a range, a range
// of its low word, and what it is not.
type domain struct {
	of          variable
	known, bits uint64
	first, last uint64
	low0, low1  uint64
	not         []exclusion
	// least is the smallest value that all this allows, or a lower bound of
	// it where finding one took too long.
	least uint64
}

// exclusion is of & mask != want.
type exclusion struct{ mask, want uint64 }

// newDomain returns what is known of a variable at first.
func newDomain(of variable) domain {
	d := domain{of: of, last: ^uint64(0), low1: lowWord}
	if of.index >= variableNR {
		d.last = lowWord
	}
	return d
}

// restrict adds what the answer to a test says, and returns false where no
// value is left.
func (d *domain) restrict(t *test, holds bool, work *budget) bool {
	switch {
	case t.kind == testMask && holds:
		return d.fix(t.mask, t.want, work)
	case t.kind == testMask && t.mask&(t.mask-1) == 0:
		return d.fix(t.mask, t.mask^t.want, work)
	case t.kind == testMask:
		d.not = append(d.not, exclusion{t.mask, t.want})
	case t.kind == testAtLeast && holds:
		d.first = max(d.first, t.want)
	case t.kind == testAtLeast:
		d.last = min(d.last, t.want-1)
	case holds:
		d.low0 = max(d.low0, t.want)
	default:
		d.low1 = min(d.low1, t.want-1)
	}
	if t.about(d.least) == holds {
		return true
	}
	return d.raise(work)
}

// fix adds bits that are known.
func (d *domain) fix(mask, want uint64, work *budget) bool {
	if both := d.known & mask; d.bits&both != want&both {
		return false
	}
	d.known |= mask
	d.bits |= want
	return d.least&mask == want || d.raise(work)
}

// raise moves least up to the next value that is allowed, and returns false
// where there is none. The number of its steps is bounded, and a variable for
// which that is not enough counts as having a value.
func (d *domain) raise(work *budget) bool {
	v := max(d.least, d.first)
	for steps := 4*len(d.not) + 64; steps > 0; steps-- {
		if !work.spend(1 + len(d.not)/32) {
			return true
		}
		next, ok := d.next(v)
		if !ok || next > d.last || next&highWord != v&highWord && d.anyHigh() {
			return false
		}
		if next == v {
			d.least = v
			return true
		}
		v = next
	}
	d.least = v
	return true
}

// anyHigh says that nothing is known of the high word, so that what the low one
// cannot be in one, it can be in none.
func (d *domain) anyHigh() bool {
	if d.first != 0 || d.last != ^uint64(0) || d.known&highWord != 0 {
		return false
	}
	for _, not := range d.not {
		if not.mask&highWord != 0 {
			return false
		}
	}
	return true
}

// next returns v where it is allowed, else a greater value below which none is.
func (d *domain) next(v uint64) (uint64, bool) {
	if w, ok := withBits(v, d.known, d.bits); w != v || !ok {
		return w, ok
	}
	switch low := v & lowWord; {
	case low < d.low0:
		return v&highWord | d.low0, true
	case low > d.low1:
		return v&highWord + 1<<32, v < highWord
	}
	for _, not := range d.not {
		if v&not.mask == not.want {
			// All values up to the next one that differs in the mask's
			// lowest bit that may differ are excluded alike.
			free := not.mask &^ d.known
			next := (v | (free&-free - 1)) + 1
			return next, next != 0
		}
	}
	return v, true
}

// withBits returns the smallest number not below v that has the known bits.
func withBits(v, known, bits uint64) (uint64, bool) {
	wrong := (v ^ bits) & known
	if wrong == 0 {
		return v, true
	}
	for wrong&(wrong-1) != 0 {
		wrong &= wrong - 1
	}
	// wrong is the highest known bit that v has otherwise.
	rise := wrong
	if v&wrong != 0 {
		free := ^known & ^v &^ (wrong | (wrong - 1))
		if free == 0 {
			return 0, false
		}
		rise = free & -free
	}
	above := ^(rise | (rise - 1))
	return v&above | rise | bits&(rise-1), true
}
