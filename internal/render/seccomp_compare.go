package render

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// answerReachable is what a call reads that the kernel itself answered.
const answerReachable = "reachable"

// scanAnswers are the answers of a live scan in the order in which they are
// printed.
var scanAnswers = []struct {
	answer, title string
	tone          tone
}{
	{"unknown", "unknown", doubtful},
	{answerReachable, "reachable", noTone},
	{"denied by filter", "denied by a filter", noTone},
	{"no such call in this kernel", "no such call in this kernel", noTone},
}

// scan writes what was met from inside, an ABI.
func (t *seccompText) scan(s *SeccompScan) {
	var words []string
	for _, a := range scanAnswers {
		n := 0
		for _, c := range s.Calls {
			if c.Answer == a.answer {
				n++
			}
		}
		if n > 0 {
			words = append(words, strconv.Itoa(n)+" "+a.title)
		}
	}
	title := abiTitle(s.ABI, s.Present)
	if len(words) > 0 {
		title += ": " + strings.Join(words, ", ")
	}
	t.section(title)
	if s.Why != "" {
		t.item(2, "Not all were tried:", doubtful, 22, Sentence(s.Why))
	}
	if !s.Native && !t.listed && len(s.Calls) > 0 && !slices.ContainsFunc(s.Calls, func(c SeccompScanned) bool { return c.Answer == answerReachable }) {
		t.para(2, "Not listed, for no call was seen to be reachable: --abi "+s.ABI+" lists them.")
		return
	}
	for _, a := range scanAnswers {
		named, nameless := scanRows(s.Calls, a.answer)
		t.rows(s.ABI+": "+a.title, named)
		t.rows(s.ABI+": "+a.title+", numbers without a name", nameless)
	}
}

// scanRows returns a row for each call with that answer. Numbers without a name
// that came out alike and follow each other are one row.
func scanRows(calls []SeccompScanned, answer string) (named, nameless []row) {
	for i := 0; i < len(calls); {
		c := &calls[i]
		j := i + 1
		if c.Answer != answer {
			i = j
			continue
		}
		words := scanWords(c)
		for c.Name == "" && j < len(calls) && calls[j].Name == "" && calls[j].Answer == answer &&
			calls[j].Number == calls[j-1].Number+1 && scanWords(&calls[j]) == words {
			j++
		}
		r := row{c.Name, numberWord(c.Number), words}
		if j > i+1 {
			r.number += " to " + numberWord(calls[j-1].Number)
		}
		if c.Name == "" {
			nameless = append(nameless, r)
		} else {
			named = append(named, r)
		}
		i = j
	}
	return named, nameless
}

// scanWords says what came back.
func scanWords(c *SeccompScanned) string {
	words := c.Answer
	if c.By != "" {
		words += ": " + c.By
	}
	switch {
	case c.Signal != "":
		words += ", the child died of " + c.Signal
	case c.Returned && c.Errno != "" && !strings.HasPrefix(c.Detail, c.Errno+":"):
		words += ", " + c.Errno
	case c.Returned && c.Errno == "":
		words += ", success"
	}
	if c.Detail != "" {
		words += ": " + Sentence(c.Detail)
	}
	return words
}

func (t *seccompText) comparison(c *SeccompComparison) {
	t.section("The evaluated filters against a live scan under them")
	for _, a := range c.ABIs {
		line := fmt.Sprintf("%s: %d agree, %s, %d could not be compared", digestName(a.Digest), a.Agreed,
			number(a.Disagree, "disagreement", "disagreements"), len(a.Open))
		if a.Why != "" {
			line += "; not all were tried: " + Sentence(a.Why)
		}
		t.item(2, a.ABI, noTone, factColumn, line)
	}
	for _, a := range c.ABIs {
		var differ, open []row
		for _, d := range c.Disagreements {
			if d.ABI == a.ABI && d.Digest == a.Digest {
				differ = append(differ, row{d.Name, numberWord(d.Number), "evaluated: " + Sentence(d.Evaluated) + "; seen: " + Sentence(d.Seen)})
			}
		}
		for _, o := range a.Open {
			words := Sentence(o.Why)
			if o.Evaluated != "" {
				words = "evaluated: " + Sentence(o.Evaluated) + "; " + words
			}
			open = append(open, row{o.Name, numberWord(o.Number), words})
		}
		t.rows(a.ABI+": disagreements", differ)
		t.rows(a.ABI+": could not be compared", open)
	}
}

// changeTitles are the headings of the kinds of change, in their order.
var changeTitles = []struct{ kind, title string }{
	{ChangeUnknown, "not known"},
	{ChangeHereOnly, "let through here, denied there"},
	{ChangeOtherOnly, "denied here, let through there"},
	{ChangeCondition, "not denied by either, but otherwise"},
	{ChangeAction, "denied by both, but otherwise"},
}

func (t *seccompText) diff(d *SeccompDiff) {
	for i := range d.Pairs {
		p := &d.Pairs[i]
		t.section("Here (" + digestName(p.Digest) + ") against " + Sentence(d.Other) + " (" + digestName(p.OtherDigest) + ")")
		if len(p.Changes) == 0 {
			t.para(2, "No difference: both decide alike on every number.")
			continue
		}
		for _, abi := range changedABIs(p.Changes) {
			t.changes(abi, slices.DeleteFunc(slices.Clone(p.Changes), func(c SeccompChange) bool { return c.ABI != abi }))
		}
	}
}

// changes writes those of one ABI, by their kinds.
func (t *seccompText) changes(abi string, all []SeccompChange) {
	for _, kind := range changeTitles {
		title := abi + ": " + kind.title
		if all[0].Kind == kind.kind && everywhere(all) {
			t.section(title)
			t.item(2, "every number", noTone, 16, changeWords(&all[0]))
			return
		}
		var named, nameless []row
		for i := range all {
			if c := &all[i]; c.Kind == kind.kind {
				words := changeWords(c)
				for _, call := range c.Calls {
					named = append(named, row{call.Name, numberWord(call.Number), words})
				}
				nameless = append(nameless, namelessRows([]SeccompCalls{{First: c.First, Last: c.Last, Calls: c.Calls, Summary: words}})...)
			}
		}
		t.rows(title, named)
		t.rows(title+", numbers without a name", nameless)
	}
}

// everywhere says whether the changes are one and the same for all numbers.
func everywhere(all []SeccompChange) bool {
	first := &all[0]
	for i := range all {
		if all[i].Kind != first.Kind || changeWords(&all[i]) != changeWords(first) || i > 0 && !Follows(all[i-1].Last, all[i].First) {
			return false
		}
	}
	return first.First&^bit30 == 0 && all[len(all)-1].Last|bit30 == math.MaxUint32
}

func changeWords(c *SeccompChange) string {
	return "here: " + Sentence(c.Here) + "; there: " + Sentence(c.Other)
}

// changedABIs are the ABIs in the order of the changes.
func changedABIs(changes []SeccompChange) []string {
	var abis []string
	for _, c := range changes {
		if !slices.Contains(abis, c.ABI) {
			abis = append(abis, c.ABI)
		}
	}
	return abis
}

func (t *seccompText) used(u *SeccompUsed) {
	t.section(fmt.Sprintf("%s, %s, against %s in %s", u.ABI, digestName(u.Digest), number(u.Calls, "call", "calls"), Sentence(u.Source)))
	if len(u.Unused)+len(u.Denied)+len(u.Undecided) == 0 {
		t.para(2, "No difference: just the calls that are used are let through.")
	}
	t.rows(u.ABI+": used and denied", useRows(u.Denied))
	t.rows(u.ABI+": not decided", useRows(u.Undecided))
	t.rows(u.ABI+": let through and never used", useRows(u.Unused))
}

func useRows(uses []SeccompUse) []row {
	rows := make([]row, 0, len(uses))
	for _, u := range uses {
		rows = append(rows, row{u.Name, numberWord(u.Number), Sentence(u.Summary)})
	}
	return rows
}
