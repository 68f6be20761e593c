package render

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// hexFrom is the least number that is printed in hexadecimal: the bit of x32
// and the private numbers of ARM read better so.
const hexFrom = 1 << 16

// row is one line of the table.
type row struct {
	name, number, verdict string
}

// block is the rows of one kind of verdict.
type block struct {
	verdict, title string
	tone           tone
	rows           []row
}

// blocks are the kinds in the order in which they are printed: what takes
// reading first, and long lists last.
func blocks() []block {
	return []block{
		{verdict: VerdictUndecided, title: "could not be decided", tone: doubtful},
		{verdict: VerdictConditional, title: "depend on arguments", tone: doubtful},
		{verdict: VerdictDelegated, title: "left to a tracer or a supervisor", tone: doubtful},
		{verdict: VerdictAllowed, title: "let through"},
		{verdict: VerdictDenied, title: "denied"},
	}
}

// abi writes the table of one ABI.
func (t *seccompText) abi(a *SeccompABI) {
	if len(a.Calls) == 0 {
		return
	}
	t.section(abiTitle(a.ABI, a.Present) + ": " + counts(a.Calls))
	if one, ok := uniform(a.Calls); ok {
		t.item(2, "every number", noTone, 16, Sentence(one))
		return
	}
	if a.Present == PresentNo && !t.listed {
		t.para(2, "Not listed, for this kernel does not have it: --abi "+a.ABI+" lists them.")
		return
	}
	all := blocks()
	for i := range a.Calls {
		c := &a.Calls[i]
		at := slices.IndexFunc(all, func(b block) bool { return b.verdict == c.Verdict })
		for _, call := range c.Calls {
			all[max(at, 0)].rows = append(all[max(at, 0)].rows, row{call.Name, numberWord(call.Number), verdictWords(c)})
		}
	}
	for _, b := range all {
		t.rows(fmt.Sprintf("%s: %s", a.ABI, b.title), b.rows)
	}
	t.rows(a.ABI+": numbers without a name", namelessRows(a.Calls))
}

func abiTitle(abi, present string) string {
	switch present {
	case PresentNo:
		return abi + ", which this kernel does not have"
	case PresentUnknown:
		return abi + ", which this kernel may have"
	default:
		return abi
	}
}

// counts says how many named calls there are of each kind.
func counts(calls []SeccompCalls) string {
	var words []string
	for _, b := range blocks() {
		n := 0
		for _, c := range calls {
			if c.Verdict == b.verdict {
				n += len(c.Calls)
			}
		}
		if n > 0 {
			words = append(words, strconv.Itoa(n)+" "+b.title)
		}
	}
	if len(words) == 0 {
		return "no call with a name"
	}
	return strings.Join(words, ", ")
}

// uniform returns the verdict that holds for every number.
func uniform(calls []SeccompCalls) (string, bool) {
	if len(calls) < 1 || calls[0].First == calls[0].Last {
		return "", false
	}
	for _, c := range calls[1:] {
		if c.Verdict != calls[0].Verdict || verdictWords(&c) != verdictWords(&calls[0]) {
			return "", false
		}
	}
	return verdictWords(&calls[0]), true
}

// verdictWords is the summary, with what makes it doubtful.
func verdictWords(c *SeccompCalls) string {
	words := Sentence(c.Summary)
	for _, w := range c.Ways {
		if w.Why != "" && !strings.Contains(c.Summary, w.Why) {
			words += ": " + Sentence(w.Why)
			break
		}
	}
	return words
}

func numberWord(n uint32) string {
	if n >= hexFrom {
		return "0x" + strconv.FormatUint(uint64(n), 16)
	}
	return strconv.FormatUint(uint64(n), 10)
}

// namelessRows returns the numbers that no call has, as ranges. Ranges that
// follow each other with one verdict are one row: between them the ABI has no
// number, or none without a name.
func namelessRows(calls []SeccompCalls) []row {
	type gap struct {
		first, last uint32
		verdict     string
	}
	var gaps []gap
	for i := range calls {
		c := &calls[i]
		verdict, next := verdictWords(c), uint64(c.First)
		for _, call := range c.Calls {
			if uint64(call.Number) > next {
				gaps = append(gaps, gap{uint32(next), call.Number - 1, verdict})
			}
			next = uint64(call.Number) + 1
		}
		if next <= uint64(c.Last) {
			gaps = append(gaps, gap{uint32(next), c.Last, verdict})
		}
	}
	var rows []row
	for i := 0; i < len(gaps); {
		j := i + 1
		for j < len(gaps) && gaps[j].verdict == gaps[i].verdict && Follows(gaps[j-1].last, gaps[j].first) {
			j++
		}
		rows = append(rows, row{"", numbers(gaps[i].first, gaps[j-1].last), gaps[i].verdict})
		i = j
	}
	return rows
}

// bit30 tells x32 from x86-64: one has no number with it, the other none
// without.
const bit30 = 1 << 30

// Follows says whether an ABI has no number between the two, of which last is
// the lower.
func Follows(last, first uint32) bool {
	return first == last+1 || first == (last|bit30)+1 || first == (last+1)|bit30
}

// numbers names a range. The last number of an ABI is not worth a name.
func numbers(first, last uint32) string {
	switch {
	case last|bit30 == math.MaxUint32:
		return numberWord(first) + " and above"
	case first == last:
		return numberWord(first)
	default:
		return numberWord(first) + " to " + numberWord(last)
	}
}

// rows writes a block of the table under a heading of its own.
func (t *seccompText) rows(title string, rows []row) {
	if len(rows) == 0 {
		return
	}
	head := row{"NAME", "NUMBER", "VERDICT"}
	name, num := 0, len(head.number)
	for _, r := range rows {
		name, num = max(name, columns(r.name)), max(num, columns(r.number))
	}
	if name > 0 {
		name = max(name, len(head.name)) + 2
	}
	t.section(title + " (" + strconv.Itoa(len(rows)) + ")")
	hang := 2 + name + num + 2
	for _, r := range append([]row{head}, rows...) {
		label := strings.Repeat(" ", num-columns(r.number)) + r.number
		if name > 0 {
			label = r.name + strings.Repeat(" ", name-columns(r.name)) + label
		}
		if name == 0 && r == head {
			label = strings.TrimLeft(label, " ") + strings.Repeat(" ", num-len(head.number))
		}
		t.item(2, label, noTone, hang, r.verdict)
	}
}
