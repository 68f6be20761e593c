package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Bounds on the words for one call: a filter may have thousands of ways.
const (
	maxWays   = 3
	maxClause = 120
)

// clip bounds a clause; conditions are as long as a filter makes them.
func clip(s string) string {
	if len(s) <= maxClause {
		return s
	}
	return strings.ToValidUTF8(s[:maxClause], "") + "…"
}

// someFilters counts filters: "1 filter", "2 filters".
func someFilters(n int) string {
	return counted(n, "filter")
}

// actionWords say what a filter does, for a sentence about a call.
func actionWords(w *posture.Way) string {
	switch w.Action {
	case posture.ActionAllow:
		return "allowed"
	case posture.ActionLog:
		return "only logged"
	case posture.ActionTrace:
		return "left to a tracer (TRACE; ENOSYS where there is none)"
	case posture.ActionNotify:
		return "left to a supervisor (USER_NOTIF; without one it answers ENOSYS)"
	case posture.ActionErrno:
		return "denied: " + errnoWords(w.Value)
	}
	if w.Action.Denies() {
		return "denied: " + w.Action.String()
	}
	return "not decided" + because(w.Why)
}

func errnoWords(value uint16) string {
	if value == 0 {
		return "ERRNO 0 (it seems to succeed, and is not made)"
	}
	return "ERRNO " + names.ErrnoName(int(value))
}

// wayWords add the condition and what a comparison forgets.
func wayWords(w *posture.Way) string {
	words := actionWords(w)
	if w.When != "" {
		words += " if " + clip(w.When)
	}
	if len(w.Notes) > 0 {
		words += " (" + clip(strings.Join(w.Notes, "; ")) + ")"
	}
	return words
}

// words say what was decided. Of denials the conditions do not matter.
func (d *decision) words() string {
	switch {
	case d.why != "":
		return d.why
	case d.tried != nil:
		return triedWords(d.tried)
	}
	var all []string
	for i := range d.ways {
		words := actionWords(&d.ways[i])
		if d.status != report.Pass {
			words = wayWords(&d.ways[i])
		}
		if i >= maxWays {
			all = append(all, strconv.Itoa(len(d.ways)-i)+" more ways")
			break
		}
		all = append(all, words)
	}
	return listed(all, "; ")
}

func triedWords(one *posture.Scanned) string {
	if one.Answer == posture.AnswerNoCall {
		return "no filter stands before it, though this kernel has no such call"
	}
	return "reachable as it was tried: " + seenWords(one)
}

// seenWords say what came back.
func seenWords(one *posture.Scanned) string {
	switch {
	case one.Signal != 0:
		return names.SignalName(one.Signal)
	case !one.Returned:
		return "it did not come back"
	case one.Errno == 0:
		return "success"
	default:
		return names.ErrnoName(one.Errno)
	}
}

// evidence of a decision: the instructions that decide, what was tried, or the
// facts that say why nothing tells.
func (g *guarded) evidence(b *abi, nr uint32, d *decision) []report.Evidence {
	switch {
	case len(d.ways) > 0:
		return g.instructions(d.ways)
	case d.tried != nil:
		return []report.Evidence{{Source: orNone(g.source), Value: b.callName(nr) + ": " + d.tried.Answer.String() + ", " + seenWords(d.tried)}}
	case g.guard == guardUnknown, g.guard == guardTried:
		return seen(&g.SeccompMode.Origin, &g.Filters.Origin)
	default:
		return g.passEvidence()
	}
}

// passEvidence is where it was seen that nothing is let through.
func (g *guarded) passEvidence() []report.Evidence {
	if g.guard == guardFilters {
		return seen(&g.Filters.Origin)
	}
	return seen(&g.SeccompMode.Origin)
}

func orNone(source string) string {
	if source == "" {
		return "none"
	}
	return source
}

// instructions names those that return what was decided.
func (g *guarded) instructions(ways []posture.Way) []report.Evidence {
	source := orNone(g.Filters.Source)
	var out []report.Evidence
	for i := range ways {
		if i == maxWays {
			return append(out, more(len(ways)-i, " ways"))
		}
		w := &ways[i]
		out = append(out, report.Evidence{Source: source, Value: "filter " + strconv.Itoa(w.Filter) +
			", instruction " + strconv.Itoa(w.Offset) + ": " + wayWords(w)})
	}
	return out
}

// callName names a number for evidence: "x86-64 41 (socket)".
func (b *abi) callName(nr uint32) string {
	words := b.Name + " " + decimal(nr)
	if name, found := names.SyscallName(b.Arch, nr); found {
		words += " (" + name + ")"
	}
	return words
}
