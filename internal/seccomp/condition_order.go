package seccomp

import (
	"cmp"
	"slices"
)

// maxListed is how many values are listed rather than given as a range.
const maxListed = 4

// enumerate lists the values of a variable where a range leaves but a few:
// "38 or 40" says more than "at least 38, below 41, and not 39".
func (s *simplifier) enumerate(list []cube) []cube {
	for i := 0; i < len(list); i++ {
		if parts := s.listed(list[i]); parts != nil {
			list = slices.Replace(list, i, i+1, parts...)
		}
	}
	return list
}

// listed returns a cube for each value of the first variable of which few are
// left, or nil where there is none.
func (s *simplifier) listed(c cube) []cube {
	for _, l := range c {
		t := &s.g.tests[l.test()]
		if t.kind != testAtLeast && t.kind != testLow {
			continue
		}
		d, rest := newDomain(t.of), cube(nil)
		low := true
		for _, l := range c {
			own := &s.g.tests[l.test()]
			if own.kind > testLow || own.of != t.of {
				rest = append(rest, l)
				continue
			}
			low = low && (own.kind == testLow || own.kind == testMask && own.mask&highWord == 0)
			if !d.restrict(own, l.holds(), s.work) {
				return nil
			}
		}
		if values, mask := d.few(low); values != nil {
			return s.oneEach(rest, t.of, values, mask)
		}
	}
	return nil
}

func (s *simplifier) oneEach(rest cube, of variable, values []uint64, mask uint64) []cube {
	var out []cube
	for _, v := range values {
		own := s.literal(test{kind: testMask, of: of, mask: mask, want: v})
		out = append(out, append(cube{own}, rest...))
	}
	return out
}

// few returns the values of a domain, or of its low word where nothing else is
// restricted, if they are few.
func (d *domain) few(low bool) (values []uint64, mask uint64) {
	first, last, mask := d.first, d.last, ^uint64(0)
	if d.of.index >= variableNR {
		mask = lowWord
	}
	if low && d.of.index < variableNR {
		first, last, mask = d.low0, d.low1, lowWord
	}
	if last-first >= 2*maxListed {
		return nil, 0
	}
	for v := first; ; v++ {
		if d.has(v) {
			values = append(values, v)
		}
		if v == last {
			break
		}
	}
	if len(values) > maxListed {
		return nil, 0
	}
	return values, mask
}

// has says whether a value within the ranges is allowed by the rest.
func (d *domain) has(v uint64) bool {
	if v&d.known != d.bits {
		return false
	}
	for _, not := range d.not {
		if v&not.mask == not.want {
			return false
		}
	}
	return true
}

// order sorts tests by variable and value, and alternatives by their tests, so
// that a condition does not depend on how the filter came to it.
func (s *simplifier) order(list []cube) []cube {
	for _, c := range list {
		slices.SortFunc(c, s.compare)
	}
	slices.SortFunc(list, func(a, b cube) int { return slices.CompareFunc(a, b, s.compare) })
	return list
}

func (s *simplifier) compare(a, b literal) int {
	x, y := &s.g.tests[a.test()], &s.g.tests[b.test()]
	return cmp.Or(
		cmp.Compare(x.of.index, y.of.index),
		cmp.Compare(x.kind, y.kind),
		cmp.Compare(y.mask, x.mask),
		polarity(x.kind, a, b),
		cmp.Compare(x.want, y.want),
		cmp.Compare(a, b),
	)
}

// polarity puts "not" before "is", and "at least" before "below".
func polarity(kind testKind, a, b literal) int {
	if kind == testMask {
		a, b = b, a
	}
	return cmp.Compare(a&1, b&1)
}
