package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	maskedID     = "filesystem.masked"
	readableID   = "filesystem.readable"
	writeID      = "filesystem.writable"
	executableID = "filesystem.executable"
	nodeID       = "filesystem.device"
	shellID      = "filesystem.shell"
	// maxAccess bounds the findings of one id.
	maxAccess = 32
)

// accessCheck is one id of what can be reached in the file system.
type accessCheck struct {
	id, expected, pass string
	uses               posture.Use
	asked              func(*policy.Filesystem) bool
	// judge says what a place is worth, in words that follow its name.
	judge func(*audited, *posture.Place) (report.Status, string)
}

// accessChecks are all of them.
var accessChecks = [...]accessCheck{
	{nodeID, "no device node that it may open", "no device node but OCI's default ones that it may open, where such take effect",
		posture.UseDevice, func(f *policy.Filesystem) bool { return f.NoDevices }, judgeNode},
	{executableID, "nothing executable that it writes, but below the paths named", "nothing that it can write to and then execute, but below the paths named",
		posture.UseExecute, func(f *policy.Filesystem) bool { return f.Executable != nil }, judgeExecutable},
	{maskedID, "masked, or on a read-only mount", "every path that is there is masked, or on a read-only mount",
		posture.UseMasked | posture.UseReadOnly, func(f *policy.Filesystem) bool { return len(f.MaskedPaths)+len(f.ReadonlyPaths) > 0 }, judgeNamed},
	{readableID, "nothing readable, but below the paths named", "nothing that it can read or list, but below the paths named",
		posture.UseRead, func(f *policy.Filesystem) bool { return f.Readable != nil }, judgeRead},
	{shellID, "no shell and no package manager", "no shell and no package manager that it may execute, at the paths where they usually are",
		posture.UseShell, func(f *policy.Filesystem) bool { return f.NoShell }, judgeShell},
	{writeID, "nothing writable, but below the paths named", "nothing that it can write to, but below the paths named",
		posture.UseWrite, func(f *policy.Filesystem) bool { return f.Writable != nil }, judgeWrite},
}

// access checks what of the file system can be read, written, executed, opened.
func access(out *results, a *audited, pol *policy.Policy) {
	for i := range accessChecks {
		c := &accessChecks[i]
		switch f := &a.Reach().Access; {
		case !c.asked(&pol.Filesystem):
			out.skip(c.id)
		case f.State != posture.Known:
			g := out.add(c.id, report.Unknown, c.expected, "unknown", "what of the file system is in reach is not known: "+whyNot(&f.Origin, "the file system"))
			g.Evidence = seen(&f.Origin)
		default:
			c.run(out, a, &f.Value)
		}
	}
}

// run judges all places of one id.
func (c *accessCheck) run(out *results, a *audited, w *posture.Access) {
	first := len(out.findings)
	var more [report.Skipped]int
	for _, status := range [...]report.Status{report.Gap, report.Unknown} {
		for i := range w.Places {
			p := &w.Places[i]
			if p.Use&c.uses == 0 {
				continue
			}
			is, words := c.judge(a, p)
			switch {
			case is != status:
			case len(out.findings)-first >= maxAccess:
				more[status]++
			default:
				f := out.add(c.id, status, c.expected, placeObserved(status, p), quoted(p.Path)+", "+placeWord(p)+words)
				f.Subject, f.Evidence, f.Threads = p.Path, placeEvidence(p), placeThreads(p)
			}
		}
	}
	c.rest(out, w, &more)
	if len(out.findings) == first {
		f := out.add(c.id, report.Pass, c.expected, c.pass, c.pass)
		f.Evidence = seen(&a.Reach().Access.Origin)
	}
}

// rest adds what was not judged one by one.
func (c *accessCheck) rest(out *results, w *posture.Access, more *[report.Skipped]int) {
	for _, status := range [...]report.Status{report.Gap, report.Unknown} {
		if n := more[status]; n > 0 {
			words := strconv.Itoa(n) + " more places"
			f := out.add(c.id, status, c.expected, words, "the same holds for "+words)
			f.Subject, f.Evidence = "more", []report.Evidence{{Source: "…", Value: words}}
		}
	}
	var left []posture.Left
	for i := range w.Unseen {
		if u := &w.Unseen[i]; u.Uses&c.uses != 0 {
			left = append(left, u.Left)
		}
	}
	if w.More&c.uses != 0 {
		left = append(left, posture.Left{Place: "/", Why: "there are more places than are listed, and no more were looked for"})
	}
	if len(left) > 0 {
		f := out.add(c.id, report.Unknown, c.expected, "unknown", "whether there is more is not known: "+leftWords(left))
		f.Subject, f.Evidence = "unseen", unseenEvidence(&posture.ProgramWalk{Unseen: left})
	}
}

func placeWord(p *posture.Place) string {
	var words []string
	switch p.Kind {
	case posture.KindDirectory:
		words = append(words, "a directory")
	case posture.KindRegular:
		words = append(words, "a file")
	case posture.KindCharacter, posture.KindBlock:
		kind := "a character device "
		if p.Kind == posture.KindBlock {
			kind = "a block device "
		}
		words = append(words, kind+decimal(p.Major)+":"+decimal(p.Minor))
	}
	if p.There.State != posture.Known || len(words) == 0 {
		return ""
	}
	return words[0] + ", "
}

func placeObserved(status report.Status, p *posture.Place) string {
	switch {
	case status == report.Unknown:
		return "unknown"
	case len(p.Tries) > 0:
		return p.Tries[0].Detail
	case p.ReadOnly:
		return "on a read-only mount"
	default:
		return "on a mount that is not read-only"
	}
}

func placeEvidence(p *posture.Place) []report.Evidence {
	var out []report.Evidence
	if p.There.State == posture.Known {
		value := "mode 0" + strconv.FormatUint(uint64(p.Mode), 8) + " on " + quoted(p.Type)
		if p.ReadOnly {
			value += ", read-only"
		}
		out = append(out, report.Evidence{Source: p.There.Source, Value: value})
	} else {
		out = append(out, seen(&p.There)...)
	}
	for i := range p.Tries[:min(len(p.Tries), maxEvidence)] {
		source, value, cut := strings.Cut(p.Tries[i].Detail, ": ")
		if !cut {
			source, value = "a child", p.Tries[i].Detail
		}
		out = append(out, report.Evidence{Source: source, Value: value})
	}
	if len(out) == 0 {
		out = append(out, report.Evidence{Source: "openat2(2)", Value: "not looked at"})
	}
	return out
}

// placeThreads are those that reached the place, where not all did.
func placeThreads(p *posture.Place) []int {
	var tids []int
	for i := range p.Tries {
		if p.Tries[i].Outcome == posture.Succeeded {
			tids = append(tids, p.Tries[i].TIDs...)
		}
	}
	return distinct(tids)
}

// tried says what the tries of a place come to: the worst of them.
func tried(a *audited, p *posture.Place, of func(*posture.Try) posture.Outcome) (posture.Outcome, string) {
	if p.There.State != posture.Known {
		return posture.Undecided, "could not be looked at: " + whyNot(&p.There, "it")
	}
	if len(p.Tries) == 0 {
		why := a.NotProbed
		if why == "" {
			why = "no child could"
		}
		return posture.Undecided, "was not tried: " + why
	}
	worst, detail := posture.Stopped, p.Tries[0].Detail
	for i := range p.Tries {
		switch t := &p.Tries[i]; of(t) {
		case posture.Succeeded:
			return posture.Succeeded, t.Detail
		case posture.Stopped:
		default:
			worst, detail = posture.Undecided, "was tried, and that decides nothing: "+t.Detail
		}
	}
	if worst == posture.Stopped && !p.Barred && a.Self && a.othersUnlike() != "" {
		return posture.Undecided, "is refused to the thread that audits (" + detail + "), and may not be to others: " + a.othersUnlike()
	}
	return worst, detail
}

// othersUnlike says why what is refused to the calling thread may be let to others,
// or nothing.
func (a *audited) othersUnlike() string {
	n, counted := a.Threads.Get()
	domains, known := a.Reach().Landlock.Get()
	switch {
	case counted && n == 1:
		return ""
	case a.incomplete != "":
		return a.incomplete
	case len(a.Classes) != 1:
		return "their ids, capabilities or filters differ"
	case a.Reach().Landlock.State == posture.Absent:
		return ""
	case !known:
		return "whether it is in a Landlock domain is not known"
	case domains > 0:
		return "it is in a Landlock domain, and nobody can tell that of the other threads"
	}
	return ""
}

func outcomeOf(t *posture.Try) posture.Outcome { return t.Outcome }

// reachable judges a place that mode bits let it reach.
func reachable(a *audited, p *posture.Place, of func(*posture.Try) posture.Outcome, can string) (report.Status, string) {
	switch outcome, detail := tried(a, p, of); {
	case outcome == posture.Succeeded:
		return report.Gap, can + ": " + detail
	case outcome != posture.Stopped:
		return report.Unknown, detail
	case p.Taking:
		return report.Unknown, "is refused as it stands, and mode bits let it with an id or a capability that it may put in force, or once it has changed them as the owner: " + detail
	case p.Kind == posture.KindDirectory:
		return report.Unknown, "is refused though its mode bits let it, and what lies below was not looked at: " + detail
	default:
		return report.Pass, detail
	}
}

func judgeWrite(a *audited, p *posture.Place) (report.Status, string) {
	return reachable(a, p, outcomeOf, "can be written to")
}

func judgeRead(a *audited, p *posture.Place) (report.Status, string) {
	return reachable(a, p, outcomeOf, "can be read")
}

func judgeExecutable(a *audited, p *posture.Place) (report.Status, string) {
	outcome, detail := tried(a, p, func(t *posture.Try) posture.Outcome { return t.Executable })
	if outcome == posture.Stopped && len(p.Tries) > 0 && p.Tries[0].Outcome == posture.Succeeded {
		return report.Pass, detail
	}
	return reachable(a, p, func(t *posture.Try) posture.Outcome { return t.Executable }, "can be written to, and that can be executed")
}

func judgeShell(a *audited, p *posture.Place) (report.Status, string) {
	switch outcome, detail := tried(a, p, outcomeOf); outcome {
	case posture.Succeeded:
		return report.Gap, "may be executed: " + detail
	case posture.Stopped:
		return report.Pass, detail
	default:
		return report.Unknown, detail
	}
}

func judgeNode(a *audited, p *posture.Place) (report.Status, string) {
	switch outcome, detail := tried(a, p, outcomeOf); {
	case outcome == posture.Succeeded:
		return report.Gap, "may be opened: " + detail
	case outcome == posture.Stopped && !p.Taking:
		return report.Pass, detail
	case outcome == posture.Stopped:
		return report.Unknown, "is refused as it stands, and mode bits let it with an id or a capability that it may put in force, or once it has changed them as the owner: " + detail
	default:
		return report.Unknown, detail
	}
}

// judgeNamed judges a path that is to be masked, or read-only.
func judgeNamed(a *audited, p *posture.Place) (report.Status, string) {
	switch masked := p.Use&posture.UseMasked != 0; {
	case p.There.State == posture.Absent, masked && p.IsNull() && p.There.State == posture.Known:
		return report.Pass, ""
	case masked:
		switch outcome, detail := tried(a, p, outcomeOf); outcome {
		case posture.Succeeded:
			return report.Gap, "is not masked: " + detail
		case posture.Stopped:
			return report.Pass, detail
		default:
			return report.Unknown, detail
		}
	case p.There.State != posture.Known:
		return report.Unknown, "could not be looked at: " + whyNot(&p.There, "it")
	case !p.ReadOnly:
		return report.Gap, "lies on a mount that is not read-only"
	}
	for i := range p.Tries {
		if p.Tries[i].Outcome == posture.Succeeded {
			return report.Gap, "lies on a read-only mount, and was opened for writing: " + p.Tries[i].Detail
		}
	}
	return report.Pass, ""
}
