package seccomp

import "slices"

// span is a range of numbers, both ends in it.
type span struct{ first, last uint32 }

// numbers is a set of system call numbers: spans in ascending order that do not
// touch.
type numbers []span

// single returns the one number of a set that has no other.
func (s numbers) single() (uint32, bool) {
	if len(s) == 1 && s[0].first == s[0].last {
		return s[0].first, true
	}
	return 0, false
}

// search returns the first span that ends at nr or after it.
func (s numbers) search(nr uint32) int {
	i, _ := slices.BinarySearchFunc(s, nr, func(sp span, nr uint32) int {
		if sp.last < nr {
			return -1
		}
		return 1
	})
	return i
}

// remove takes a number out of the set, which it changes, and says whether it
// was there.
func (s numbers) remove(nr uint32) (numbers, bool) {
	i := s.search(nr)
	if i == len(s) || s[i].first > nr {
		return s, false
	}
	switch at := &s[i]; {
	case at.first == at.last:
		s = slices.Delete(s, i, i+1)
	case at.first == nr:
		at.first++
	case at.last == nr:
		at.last--
	default:
		tail := span{nr + 1, at.last}
		at.last = nr - 1
		s = slices.Insert(s, i+1, tail)
	}
	return s, true
}

// cut returns the numbers below at and the others. Both are new where a span is
// cut, and never share what remove may change.
func (s numbers) cut(at uint32) (below, rest numbers) {
	i := s.search(at)
	if i == len(s) {
		return s, nil
	}
	if s[i].first >= at {
		return slices.Clip(s[:i]), s[i:]
	}
	below = append(slices.Clone(s[:i]), span{s[i].first, at - 1})
	s[i].first = at
	return below, s[i:]
}

// maxGranules bounds into how many pieces a mask may cut a set.
const maxGranules = 64

// masked returns the numbers that have a bit of the mask and those that have
// none. It is false where that would be too many pieces.
func (s numbers) masked(mask uint32) (with, without numbers, ok bool) {
	if mask == 0 {
		return nil, s, true
	}
	size := mask & -mask
	pieces := uint64(0)
	for _, sp := range s {
		if pieces += uint64(sp.last/size-sp.first/size) + 1; pieces > maxGranules {
			return nil, nil, false
		}
	}
	for _, sp := range s {
		for first := sp.first; ; {
			last := min(sp.last, first|(size-1))
			if first&mask != 0 {
				with = with.add(first, last)
			} else {
				without = without.add(first, last)
			}
			if last == sp.last {
				break
			}
			first = last + 1
		}
	}
	return with, without, true
}

// add appends a span above all others.
func (s numbers) add(first, last uint32) numbers {
	if n := len(s); n > 0 && s[n-1].last+1 == first {
		s[n-1].last = last
		return s
	}
	return append(s, span{first, last})
}
