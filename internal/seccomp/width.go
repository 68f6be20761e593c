package seccomp

import (
	"math/bits"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/names"
)

// widths are how many bits of each argument the kernel reads, 0 where that is
// not known.
type widths [6]int

// workNotes bounds what is done to find notes on one node, for each of the ways
// in which the kernel may read the arguments.
const workNotes = 1 << 17

// unnoted stands for the notes that the bound leaves out.
const unnoted = "not all comparisons were held against how many bits the kernel reads"

// noted returns the verdict's ways with notes on how wide the kernel reads the
// arguments of one call, or nil where there is nothing to note.
func (e *evaluator) noted(v *verdict, nr uint32) []Way {
	name, ok := names.SyscallName(e.abi.Arch, nr)
	if !ok {
		return nil
	}
	var read widths
	for arg := range read {
		if v.arguments>>arg&1 == 1 {
			read[arg] = names.ArgBits(e.abi.Arch, name, arg)
		}
	}
	out, ok := v.noted[read]
	if !ok {
		e.wording.limited(workNotes, func() bool {
			out = v.note(read)
			return true
		})
		if v.noted == nil {
			v.noted = make(map[widths][]Way)
		}
		v.noted[read] = out
	}
	return out
}

// note is noted for all calls of which the kernel reads the same bits.
func (v *verdict) note(read widths) []Way {
	var out []Way
	for i := range v.ways {
		notes := v.widthNotes(i, read)
		if len(notes) == 0 {
			continue
		}
		if out == nil {
			out = slices.Clone(v.ways)
		}
		out[i].Notes = notes
	}
	return out
}

// widthNotes compares what a way's condition looks at with what the kernel
// reads, for each argument.
func (v *verdict) widthNotes(at int, read widths) []string {
	var notes []string
	for arg, bits := range read {
		of := variable{index: uint8(arg)}
		for _, all := range v.ways[at].Condition.any {
			note := ""
			switch {
			case bits == 0:
			case v.work.left < 0:
				note = unnoted
			case bits == 64:
				note = v.forgetsHigh(at, all, of)
			default:
				note = v.heedsHigh(at, all, of, bits)
			}
			if note != "" {
				notes = append(notes, note)
				break
			}
		}
	}
	return notes
}

// forgetsHigh notes that a comparison with a value looks at the low word of an
// argument alone, so that other values are taken for it. A test of some bits,
// as those of flags are, forgets nothing.
func (v *verdict) forgetsHigh(at int, all conjunction, of variable) string {
	low, others := all.lowOnly(of)
	if low == nil {
		return ""
	}
	value, other := low.want, low.want^low.mask&-low.mask
	switch {
	case low.kind == testLow && low.not:
		value, other = low.want-1, low.want
	case low.kind == testLow:
		other = low.want - 1
	}
	// With a high word that is not 0, does the low one still decide?
	for i := range v.ways {
		if i != at && v.open(i, append(others, of.is(other|1<<32))) {
			return "only the low 32 bits of " + of.text(false) + " are compared, and the kernel reads 64: " +
				hex64(value|1<<32) + " is taken for " + hex64(value)
		}
	}
	return ""
}

// lowOnly returns the test that compares a variable's low word, where nothing
// looks at the high one, and the tests of other variables.
func (all conjunction) lowOnly(of variable) (low *clause, others conjunction) {
	for i := range all {
		c := &all[i]
		switch {
		case c.kind > testLow || c.of != of:
			others = append(others, *c)
		case c.kind == testAtLeast || c.mask&highWord != 0:
			return nil, nil
		case c.kind == testLow, !c.not && c.mask>>31 == 1 && bits.OnesCount64(c.mask) >= 16:
			low = c
		}
	}
	return low, others
}

// is returns the test that a variable has one value.
func (v variable) is(value uint64) clause {
	return clause{test: test{kind: testMask, of: v, mask: ^uint64(0), want: value}}
}

// open says that a way can be gone by a call that passes the tests.
func (v *verdict) open(way int, tests conjunction) bool {
	for _, all := range v.ways[way].Condition.any {
		if compatible(tests, all, v.work) {
			return true
		}
	}
	return false
}

// heedsHigh notes that a denial compares bits of an argument that the kernel
// does not read, so that another value gets through and means the same.
func (v *verdict) heedsHigh(at int, all conjunction, of variable, read int) string {
	if v.ways[at].Undecided != "" || v.ways[at].lets() {
		return ""
	}
	var others conjunction
	d, high := newDomain(of), false
	for _, c := range all {
		if c.kind > testLow || c.of != of {
			others = append(others, c)
			continue
		}
		high = high || c.kind == testAtLeast || c.kind == testLow && read < 32 || c.mask>>read != 0
		if !d.restrict(&c.test, !c.not, v.work) {
			return ""
		}
	}
	if !high {
		return ""
	}
	value := d.least ^ 1<<read
	others = append(others, of.is(value))
	for i := range v.ways {
		if v.ways[i].Undecided == "" && v.ways[i].lets() && v.open(i, others) {
			return "more bits of " + of.text(false) + " are compared than the " + strconv.Itoa(read) +
				" that the kernel reads: " + hex64(value) + " gets through, and means " + hex64(value&(1<<read-1))
		}
	}
	return ""
}

// lets says that the kernel makes the call.
func (w *Way) lets() bool {
	a := ActionOf(w.Ret)
	return a == RetAllow || a == RetLog
}

// compatible says that one call can pass both. Where the budget ends, none can.
func compatible(a, b conjunction, work *budget) bool {
	s := store{work: work}
	for _, c := range slices.Concat(a, b) {
		s.tests = append(s.tests, c.test)
		l := literal((len(s.tests) - 1) << 1)
		if c.not {
			l = l.not()
		}
		if !work.spend(1) || !s.add(l) {
			return false
		}
	}
	return true
}
