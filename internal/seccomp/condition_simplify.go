package seccomp

import "slices"

// simplifier makes the paths to an outcome shorter, where that lets no call in
// that goes another way.
type simplifier struct {
	g     *graph
	store *store
	work  *budget
	// pairs says that 64-bit comparisons are made of two of 32.
	pairs bool
}

// simplify returns alternatives that hold for all calls of the paths on, and
// for none of off, the paths to other outcomes. Where the budget ends it stops
// early, with what is right but long.
func (s *simplifier) simplify(on, off []cube) []cube {
	out := make([]cube, len(on))
	for i, c := range on {
		c = slices.Clone(c)
		if s.pairs {
			c = s.widen(s.merge(s.pair(c, off), true), off)
		}
		out[i] = s.merge(s.drop(c, off), false)
	}
	return s.order(s.enumerate(s.absorb(out)))
}

// apart says that no call is both in c and in one of the others.
func (s *simplifier) apart(c cube, others []cube) bool {
	if s.work.left < 0 {
		return false
	}
	start := s.store.mark()
	defer s.store.back(start)
	if !s.store.addAll(c) {
		return true
	}
	inner := s.store.mark()
	for _, o := range others {
		if s.work.left < 0 || s.store.addAll(o) {
			return false
		}
		s.store.back(inner)
	}
	return true
}

// drop leaves out what the other paths do not need to hear.
func (s *simplifier) drop(c cube, off []cube) cube {
	for i := 0; i < len(c); {
		// The calls that leaving it out adds are those that fail just here.
		c[i] = c[i].not()
		added := s.apart(c, off)
		c[i] = c[i].not()
		if added {
			c = slices.Delete(c, i, i+1)
		} else {
			i++
		}
	}
	return c
}

// pair puts a test of an argument's one half together with those of its other
// half that it stands before: "high word 0 and low word not 5" is one of the
// two paths to "not 5".
func (s *simplifier) pair(c cube, off []cube) cube {
	for i := 0; i < len(c) && s.work.spend(1+len(c)/8); {
		joined, ok := s.joinHalves(c, i)
		if ok && s.apart(joined, off) {
			c, i = joined, 0
			continue
		}
		i++
	}
	return c
}

// joinHalves returns the cube without literal i, which is then part of the
// tests that it was a condition of.
func (s *simplifier) joinHalves(c cube, i int) (cube, bool) {
	high := s.g.tests[c[i].test()]
	if high.kind != testMask || !c[i].holds() {
		return nil, false
	}
	out := make(cube, 0, len(c))
	changed := false
	for j, l := range c {
		if j == i {
			continue
		}
		t := s.g.tests[l.test()]
		if t.of == high.of {
			if both, ok := joinTests(high, t, l.holds()); ok {
				holds := l.holds()
				if l = s.literal(both); !holds {
					l = l.not()
				}
				changed = true
			}
		}
		out = append(out, l)
	}
	return out, changed
}

// joinTests returns the 64-bit test that t is where high holds.
func joinTests(high, t test, holds bool) (test, bool) {
	switch {
	case t.kind == testMask && !holds && t.mask&high.mask == 0:
		return test{kind: testMask, of: t.of, mask: t.mask | high.mask, want: t.want | high.want}, true
	case t.kind == testLow && high.mask == highWord:
		return test{kind: testAtLeast, of: t.of, want: high.want | t.want}, true
	}
	return test{}, false
}

// widen makes a range of a high word's one value, where the values above it or
// below it are among the paths too: a comparison with 0x200000000 asks whether
// the high word is 2, or more.
func (s *simplifier) widen(c cube, off []cube) cube {
	for i, l := range c {
		t := s.g.tests[l.test()]
		if t.kind != testMask || t.mask != highWord || t.want == 0 || !l.holds() {
			continue
		}
		ranges := [...]literal{
			s.literal(test{kind: testAtLeast, of: t.of, want: t.want}),
			s.literal(test{kind: testAtLeast, of: t.of, want: t.want + 1<<32}).not(),
		}
		for _, wide := range ranges[:1+min(1, highWord-t.want)] {
			if c[i] = wide; s.apart(c, off) {
				break
			}
			c[i] = l
		}
	}
	return c
}

// literal is for tests that no filter makes itself.
func (s *simplifier) literal(t test) literal {
	l := s.g.literal(t)
	s.store.tests = s.g.tests
	return l
}

// merge makes one test of those that each fix some bits of a variable: first
// of those that fix bits of either half, later of all.
func (s *simplifier) merge(c cube, halves bool) cube {
	for i := 0; i < len(c) && s.work.spend(1+len(c)/8); i++ {
		for j := i + 1; j < len(c); {
			if l, ok := s.mergeTwo(c[i], c[j], halves); ok {
				c[i] = l
				c = slices.Delete(c, j, j+1)
			} else {
				j++
			}
		}
	}
	return c
}

func (s *simplifier) mergeTwo(a, b literal, halves bool) (literal, bool) {
	x, ok := s.fixed(a)
	y, also := s.fixed(b)
	if !ok || !also || x.of != y.of || x.mask&y.mask != 0 {
		return 0, false
	}
	mask := x.mask | y.mask
	across := mask&lowWord != 0 && mask&highWord != 0
	if across && !s.pairs || halves && (!across || x.mask&lowWord != 0 && x.mask&highWord != 0) {
		return 0, false
	}
	x.mask |= y.mask
	x.want |= y.want
	return s.literal(x), true
}

// fixed returns the test that says which bits a literal fixes.
func (s *simplifier) fixed(l literal) (test, bool) {
	t := s.g.tests[l.test()]
	if t.kind == testMask && !l.holds() && t.mask&(t.mask-1) == 0 {
		t.want ^= t.mask
		return t, true
	}
	return t, t.kind == testMask && l.holds()
}

// absorb leaves out alternatives that others include.
func (s *simplifier) absorb(list []cube) []cube {
	var out []cube
	for i, c := range list {
		included := false
		for j, other := range list {
			if i != j && s.work.spend(1) && s.includes(other, c) && (j < i || !s.includes(c, other)) {
				included = true
				break
			}
		}
		if !included {
			out = append(out, c)
		}
	}
	return out
}

// includes says that every call in the inner cube is in the outer one.
func (s *simplifier) includes(outer, inner cube) bool {
	start := s.store.mark()
	defer s.store.back(start)
	if !s.store.addAll(inner) {
		return true
	}
	deep := s.store.mark()
	for _, l := range outer {
		// That is so where supposing otherwise is a contradiction.
		if s.work.left < 0 || s.store.add(l.not()) {
			return false
		}
		s.store.back(deep)
	}
	return true
}
