package seccomp

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/names"
)

// summaryTests is how many tests of a condition a summary has room for.
const summaryTests = 12

// summarise puts ways in one line. Of two, the shorter condition is said; of
// more, all but the longest.
func summarise(ways []Way) string {
	switch len(ways) {
	case 1:
		return ways[0].phrase()
	case 2:
		first, second := &ways[0], &ways[1]
		if second.Condition.weight()+len("unless")-len("if") < first.Condition.weight() {
			return first.phrase() + " unless " + second.Condition.short() + " (else " + second.brief() + ")"
		}
		return first.phrase() + " if " + first.Condition.short() + " (else " + second.brief() + ")"
	}
	longest := len(ways) - 1
	for i := range ways {
		if ways[i].Condition.weight() > ways[longest].Condition.weight() {
			longest = i
		}
	}
	var parts []string
	for i := range ways {
		if i != longest {
			parts = append(parts, ways[i].phrase()+" if "+ways[i].Condition.short())
		}
	}
	return strings.Join(append(parts, "else "+ways[longest].phrase()), "; ")
}

// short returns as much of the condition as a summary has room for.
func (c Condition) short() string {
	text, left := c.text(summaryTests)
	if left > 0 {
		text += " … (" + strconv.Itoa(left) + " more)"
	}
	return text
}

// phrase says what happens, as the first words of a summary.
func (w *Way) phrase() string {
	if w.Undecided != "" {
		return "undecided: " + w.Undecided
	}
	switch ActionOf(w.Ret) {
	case RetAllow:
		return "allowed"
	case RetLog:
		return "logged"
	case RetTrace:
		return "left to a tracer"
	case RetUserNotif:
		return "left to a supervisor"
	}
	return "denied (" + w.brief() + ")"
}

// brief says what happens where a denial need not be called one.
func (w *Way) brief() string {
	if w.Undecided != "" {
		return "undecided"
	}
	switch a := ActionOf(w.Ret); a {
	case RetErrno:
		return "ERRNO " + strings.TrimPrefix(names.ErrnoName(ErrnoOf(w.Ret)), "errno ")
	case RetKillProcess, RetKillThread, RetTrap:
		return a.String()
	}
	return w.phrase()
}
