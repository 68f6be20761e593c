package seccomp

// store is what the answers along one path say together.
type store struct {
	tests   []test
	domains []domain
	// relations are tests that compare two terms, of which nothing is known
	// but the answer.
	relations []literal
	undo      []change
	work      *budget
}

// change is what to put back: a domain, or where before is its zero value, no
// domain at all.
type change struct {
	index  int
	before domain
	made   bool
}

// mark names a state to go back to.
type mark struct{ undo, relations int }

func (s *store) mark() mark { return mark{len(s.undo), len(s.relations)} }

func (s *store) back(to mark) {
	for len(s.undo) > to.undo {
		c := s.undo[len(s.undo)-1]
		s.undo = s.undo[:len(s.undo)-1]
		if c.made {
			s.domains = s.domains[:c.index]
		} else {
			s.domains[c.index] = c.before
		}
	}
	s.relations = s.relations[:to.relations]
}

// add supposes that a literal holds, and returns false where that cannot be.
func (s *store) add(l literal) bool {
	t := &s.tests[l.test()]
	s.work.spend(1 + len(s.domains)/8)
	if t.kind == testEqual || t.kind == testNotLess {
		return s.relate(l)
	}
	i := s.domain(t.of)
	return s.domains[i].restrict(t, l.holds(), s.work)
}

func (s *store) relate(l literal) bool {
	for _, known := range s.relations {
		if known == l.not() {
			return false
		}
	}
	s.relations = append(s.relations, l)
	return true
}

// domain returns the index of a variable's domain, which may be changed after.
func (s *store) domain(of variable) int {
	for i := range s.domains {
		if s.domains[i].of == of {
			s.undo = append(s.undo, change{index: i, before: s.domains[i]})
			return i
		}
	}
	s.domains = append(s.domains, newDomain(of))
	s.undo = append(s.undo, change{index: len(s.domains) - 1, made: true})
	return len(s.domains) - 1
}

// addAll supposes that all literals hold.
func (s *store) addAll(all cube) bool {
	for _, l := range all {
		if !s.add(l) {
			return false
		}
	}
	return true
}

// within supposes that the number is one of a range.
func (s *store) within(sp span) {
	i := s.domain(variable{index: variableNR})
	d := &s.domains[i]
	d.first, d.last, d.least = uint64(sp.first), uint64(sp.last), uint64(sp.first)
}
