package checks

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	setuidID       = "filesystem.setuid"
	setuidExpected = "none that gives what the process does not have"
	// maxPrograms bounds the findings: what is in an image is the target's choice.
	maxPrograms = 64
)

// NeedsPrograms says whether a finding that the policy asks for depends on which
// programs there are that are set-user-ID, set-group-ID or have file
// capabilities. With no_new_privs on every thread none does.
func NeedsPrograms(p *posture.Process, pol *policy.Policy) bool {
	a := view(p)
	if pol.Filesystem.NoSetuidFiles && !a.withoutNewPrivs() {
		return true
	}
	return pol.Process.Capabilities.Exec != nil && a.mayGainByPrograms(posture.CapSet(*pol.Process.Capabilities.Exec))
}

// withoutNewPrivs says that every thread is known to have no_new_privs.
func (a *audited) withoutNewPrivs() bool {
	for i := range a.views {
		if nnp := &a.views[i].NoNewPrivs; nnp.State != posture.Known || !nnp.Value {
			return false
		}
	}
	return a.incomplete == ""
}

// mayGainByPrograms says that some thread could be given more than allowed by a
// program that is not plain, and is not known to be given that by a plain one.
func (a *audited) mayGainByPrograms(allowed posture.CapSet) bool {
	for i := range a.views {
		var c Credentials
		if c.read(a.views[i].Thread) != "" {
			continue // unknown already
		}
		c.Securebits = a.views[i].Securebits.Value
		if a.views[i].Securebits.State == posture.Known && c.execve().Permitted&^allowed != 0 {
			return false // a gap already
		}
		if !c.NoNewPrivs && (c.Caps.Bounding|c.Caps.Inheritable)&^allowed != 0 {
			return true
		}
	}
	return false
}

// setuidPrograms checks that no program in reach gives what the thread that
// executes it does not have: by its set-ID bits or its file capabilities. Nothing
// is executed; what each would give is computed.
func setuidPrograms(out *results, a *audited, pol *policy.Policy) {
	switch {
	case !pol.Filesystem.NoSetuidFiles:
		out.skip(setuidID)
	case a.withoutNewPrivs():
		f := addSetuid(out, report.Pass, "", "no_new_privs on every thread",
			"no_new_privs is set on every thread, so that no program gives what the thread does not have; which programs there are was not looked for")
		f.Evidence = seenOf([]fact{factNoNewPrivs}, a.views[0].Thread)
	case a.Reach().Programs.State != posture.Known:
		f := addSetuid(out, report.Unknown, "", "unknown", "which programs give privileges is not known: "+whyNot(&a.Reach().Programs.Origin, "the programs on its mounts"))
		f.Evidence = seen(&a.Reach().Programs.Origin)
	default:
		judgePrograms(out, a, &a.Reach().Programs.Value)
	}
}

func addSetuid(out *results, status report.Status, subject, observed, message string) *report.Finding {
	f := out.add(setuidID, status, setuidExpected, observed, message)
	f.Subject = subject
	return f
}

// judgePrograms adds a finding for each program that gives something or may, up
// to a bound, one for what was not looked at, and one that says pass where
// there is neither.
func judgePrograms(out *results, a *audited, w *posture.ProgramWalk) {
	first := len(out.findings)
	var more [report.Skipped]int
	for i := range w.Programs {
		status := judgeProgram(out, a, w, &w.Programs[i])
		added := len(out.findings) - first
		if drop := &out.findings[len(out.findings)-1]; status == report.Pass || added > maxPrograms {
			more[status]++
			*drop = report.Finding{}
			out.findings = out.findings[:len(out.findings)-1]
		}
	}
	for _, status := range [...]report.Status{report.Gap, report.Unknown} {
		if n := more[status]; n > 0 {
			words := strconv.Itoa(n) + " more programs"
			f := addSetuid(out, status, "more", words, "the same holds for "+words)
			f.Evidence = []report.Evidence{{Source: "…", Value: words}}
		}
	}
	if len(w.Unseen) > 0 {
		f := addSetuid(out, report.Unknown, "unseen", "unknown", "whether there are more programs that give privileges is not known: "+leftWords(w.Unseen))
		f.Evidence = unseenEvidence(w)
	}
	if len(out.findings) == first {
		words := strconv.Itoa(len(w.Programs)) + " set-user-ID or set-group-ID programs or with file capabilities"
		if len(w.Programs) == 0 {
			words = "no set-user-ID or set-group-ID program and none with file capabilities"
		} else {
			words += ", none of which gives what the process does not have or could not take"
		}
		f := addSetuid(out, report.Pass, "", words, words+", where such take effect"+idleWords(w))
		f.Evidence = seen(&a.Reach().Programs.Origin)
	}
}

// idleWords say where they take none.
func idleWords(w *posture.ProgramWalk) string {
	if len(w.Idle) == 0 {
		return ""
	}
	return "; left out as nosuid or noexec: " + placeWords(w.Idle)
}

func leftWords(left []posture.Left) string {
	words := quoted(left[0].Place) + ": " + left[0].Why
	if len(left) > 1 {
		words += "; and " + strconv.Itoa(len(left)-1) + " more places"
	}
	return words
}

func placeWords(left []posture.Left) string {
	words := make([]string, min(len(left), maxListed))
	for i := range words {
		words[i] = quoted(left[i].Place)
	}
	return andMore(words, len(left)-len(words))
}

func unseenEvidence(w *posture.ProgramWalk) []report.Evidence {
	out := make([]report.Evidence, 0, maxEvidence+1)
	for i := range w.Unseen[:min(len(w.Unseen), maxEvidence)] {
		out = append(out, report.Evidence{Source: quoted(w.Unseen[i].Place), Value: w.Unseen[i].Why})
	}
	if n := len(w.Unseen) - len(out); n > 0 {
		out = append(out, more(n, " places"))
	}
	return out
}

// judgeProgram adds a finding on one program.
func judgeProgram(out *results, a *audited, w *posture.ProgramWalk, p *posture.Program) report.Status {
	path, kind := quoted(p.Path), programWords(p)
	check := threadCheck{
		id:       setuidID,
		expected: setuidExpected,
		judge: func(t *posture.Thread) (report.Status, string) {
			g := gains{w: w, program: p}
			return g.judge(t)
		},
		say: func(status report.Status, who, observed string) string {
			if status == report.Gap {
				return path + ", " + kind + ", gives " + who + " " + observed
			}
			return "what " + path + ", " + kind + ", gives " + who + " is not known: " + observed
		},
		show: func(t *posture.Thread) []report.Evidence {
			return append([]report.Evidence{{Source: path, Value: kind}}, seenOf([]fact{factUID, factNoNewPrivs, factBounding}, t)...)
		},
	}
	f := check.run(out, a)
	f.Subject = p.Path
	return f.Status
}

// programWords say what makes a program one that may give privileges.
func programWords(p *posture.Program) string {
	var words []string
	if p.Mode&posture.SetUID != 0 {
		words = append(words, "set-user-ID of "+ownerWords("user ", &p.UID))
	}
	if p.Mode&posture.SetGID != 0 && p.Mode&groupExecute != 0 {
		words = append(words, "set-group-ID of "+ownerWords("group ", &p.GID))
	}
	switch c := &p.Capabilities; {
	case c.State == posture.Known:
		words = append(words, "with file capabilities "+fewCaps(c.Value.Permitted|c.Value.Inheritable))
	case c.State == posture.Unreadable:
		words = append(words, "with file capabilities that could not be read")
	}
	return listed(words, " and ")
}

func ownerWords(kind string, f *posture.Fact[posture.ID]) string {
	switch {
	case f.State != posture.Known:
		return "an unknown " + kind + "id"
	case f.Value.Unmapped:
		return "a " + kind + "id that its user namespace does not map"
	default:
		return kind + decimal(f.Value.Value)
	}
}
