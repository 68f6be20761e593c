package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// exec checks what an execve(2) would grant, as the thread stands. What it
// could change before, by setresuid(2) to a saved id of 0 or by raising an
// ambient capability, is for identity.uid and the attempts to say.
func exec(out *results, a *audited, pol *policy.Policy) { execBy(out, a, pol, leavePrograms) }

// execOfPrograms is exec where the programs on the mounts may be known.
func execOfPrograms(out *results, a *audited, pol *policy.Policy) {
	execBy(out, a, pol, whatPrograms)
}

// programs says what programs that are not plain give a thread with credentials c
// beyond what is allowed.
type programs func(a *audited, c *Credentials, t *posture.Thread, allowed posture.CapSet) (report.Status, string)

func execBy(out *results, a *audited, pol *policy.Policy, by programs) {
	const id = "capabilities.exec"
	bound := pol.Process.Capabilities.Exec
	if bound == nil {
		out.skip(id)
		return
	}
	allowed := posture.CapSet(*bound)
	check := threadCheck{
		id:       id,
		expected: atMost(allowed),
		thing:    "what execve(2) grants to the programs",
		judge:    func(t *posture.Thread) (report.Status, string) { return judgeExec(a, t, allowed, by) },
		facts:    execFacts,
		gap:      [...]string{"a program started by ", " gets ", ""},
		brief:    true,
	}
	if f := check.run(out, a); f.Status == report.Unknown {
		fix := weigh("privilege.no_new_privs").fix
		f.Remedy = "set no_new_privs on every thread, then no program can grant more than the thread has: " + fix
	}
}

// judgeExec computes the outcome with and without noroot where securebits are
// not known. That decides only for a root user id, and there only where the
// two outcomes differ.
func judgeExec(a *audited, t *posture.Thread, allowed posture.CapSet, by programs) (report.Status, string) {
	var c Credentials
	if why := c.read(t); why != "" {
		return report.Unknown, why
	}
	c.Securebits = t.Securebits.Value
	status, observed := c.judge(a, t, allowed, by)
	if t.Securebits.State == posture.Known {
		return status, observed
	}
	c.Securebits = names.SecbitNoroot
	if locked, words := c.judge(a, t, allowed, by); locked != status {
		return report.Unknown, "it depends on whether noroot is set among the securebits, and those are not known (" +
			whyNot(&t.Securebits.Origin, "securebits") + "): without noroot, " + short(observed) + "; with it, " + short(words)
	} else if status == report.Gap {
		return status, words
	}
	return status, observed
}

// judge judges a plain program first. A set-user-ID-root program, or one with
// file capabilities, would grant up to the bounding and inheritable sets, with
// noroot too, unless no_new_privs keeps it from that.
func (c *Credentials) judge(a *audited, t *posture.Thread, allowed posture.CapSet, by programs) (report.Status, string) {
	plain := c.execve().Permitted
	if surplus := plain &^ allowed; surplus != 0 {
		return report.Gap, caps(surplus)
	}
	if !c.NoNewPrivs && (c.Caps.Bounding|c.Caps.Inheritable)&^allowed != 0 {
		return by(a, c, t, allowed)
	}
	return report.Pass, caps(plain)
}

// leavePrograms is for audits that do not look for programs.
func leavePrograms(_ *audited, c *Credentials, _ *posture.Thread, allowed posture.CapSet) (report.Status, string) {
	return report.Unknown, withoutPrograms(c, allowed) + "it was not looked for"
}

func withoutPrograms(c *Credentials, allowed posture.CapSet) string {
	return "a plain program gets no more than allowed, but no_new_privs is not set, and a set-user-ID-root program or one with file capabilities would get " +
		fewCaps((c.Caps.Bounding|c.Caps.Inheritable)&^allowed) + "; whether one is in reach is not known: "
}
