package seccomp

import (
	"math/bits"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/names"
)

// noted returns the verdict's ways with notes on how wide the kernel reads the
// arguments of one call, or nil where there is nothing to note.
func (e *evaluator) noted(v *verdict, nr uint32) []Way {
	name, ok := names.SyscallName(e.abi.Arch, nr)
	if !ok {
		return nil
	}
	var out []Way
	for i := range v.ways {
		notes := e.widthNotes(v.ways, i, name)
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
func (e *evaluator) widthNotes(ways []Way, at int, name string) []string {
	var notes []string
	for arg := uint8(0); arg < 6; arg++ {
		for _, all := range ways[at].Condition.any {
			note := ""
			switch read := names.ArgBits(e.abi.Arch, name, int(arg)); read {
			case 0:
			case 64:
				note = all.forgetsHigh(arg)
			default:
				note = heedsHigh(ways, at, all, variable{index: arg}, read)
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
func (all conjunction) forgetsHigh(arg uint8) string {
	var low *clause
	for i := range all {
		c := &all[i]
		switch {
		case c.kind > testLow || c.of.index != arg:
		case c.kind == testAtLeast || c.mask&highWord != 0:
			return ""
		case c.kind == testLow, !c.not && c.mask>>31 == 1 && bits.OnesCount64(c.mask) >= 16:
			low = c
		}
	}
	if low == nil {
		return ""
	}
	value := low.want
	if low.kind == testLow && low.not {
		value--
	}
	of := low.of.text(false)
	return "only the low 32 bits of " + of + " are compared, and the kernel reads 64: " +
		hex64(value|1<<32) + " is taken for " + hex64(value)
}

// heedsHigh notes that a denial compares bits of an argument that the kernel
// does not read, so that another value gets through and means the same.
func heedsHigh(ways []Way, at int, all conjunction, of variable, read int) string {
	if ways[at].Undecided != "" || ways[at].lets() {
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
		if !d.restrict(&c.test, !c.not, &budget{workSingle}) {
			return ""
		}
	}
	if !high {
		return ""
	}
	value := d.least ^ 1<<read
	others = append(others, clause{test: test{kind: testMask, of: d.of, mask: ^uint64(0), want: value}})
	for i := range ways {
		if ways[i].Undecided != "" || !ways[i].lets() {
			continue
		}
		for _, open := range ways[i].Condition.any {
			if compatible(others, open) {
				return "more bits of " + of.text(false) + " are compared than the " + strconv.Itoa(read) +
					" that the kernel reads: " + hex64(value) + " gets through, and means " + hex64(value&(1<<read-1))
			}
		}
	}
	return ""
}

func hex64(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }

// lets says that the kernel makes the call.
func (w *Way) lets() bool {
	a := ActionOf(w.Ret)
	return a == RetAllow || a == RetLog
}

// compatible says that one call can pass both.
func compatible(a, b conjunction) bool {
	s := store{work: &budget{workSingle}}
	for _, c := range slices.Concat(a, b) {
		s.tests = append(s.tests, c.test)
		l := literal((len(s.tests) - 1) << 1)
		if c.not {
			l = l.not()
		}
		if !s.add(l) {
			return false
		}
	}
	return true
}
