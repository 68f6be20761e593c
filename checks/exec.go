package checks

import (
	"fmt"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// exec checks what an execve(2) would grant, as the thread stands. What it
// could change before, by setresuid(2) to a saved id of 0 or by raising an
// ambient capability, is for identity.uid and the attempts to say.
func exec(a *audited, pol *policy.Policy) []report.Finding {
	const id = "capabilities.exec"
	bound := pol.Process.Capabilities.Exec
	if bound == nil {
		return []report.Finding{skipped(id)}
	}
	allowed := posture.CapSet(*bound)
	f := threadCheck{
		id:       id,
		expected: atMost(allowed),
		thing:    "what execve(2) grants to the programs",
		judge:    func(t *posture.Thread) (report.Status, string) { return judgeExec(t, allowed) },
		evidence: execEvidence,
		gap: func(who, observed string) string {
			return fmt.Sprintf("a program started by %s gets %s", who, short(observed))
		},
	}.run(a)
	if f.Status == report.Unknown {
		f.Remedy = "set no_new_privs on every thread, then no program can grant more than the thread has: " + metaOf("privilege.no_new_privs").Fix
	}
	return []report.Finding{f}
}

// judgeExec computes the outcome with and without noroot where securebits are
// not known. That decides only for a root user id, and there only where the
// two outcomes differ.
func judgeExec(t *posture.Thread, allowed posture.CapSet) (report.Status, string) {
	c, why := credentials(t)
	if why != "" {
		return report.Unknown, why
	}
	bits, known := t.Securebits.Get()
	c.Securebits = bits
	status, observed := judgePrograms(c, allowed)
	if known {
		return status, observed
	}
	c.Securebits = names.SecbitNoroot
	if locked, words := judgePrograms(c, allowed); locked != status {
		return report.Unknown, fmt.Sprintf("it depends on whether noroot is set among the securebits, and those are not known (%s): without noroot, %s; with it, %s",
			whyNot(t.Securebits, "securebits"), short(observed), short(words))
	} else if status == report.Gap {
		return status, words
	}
	return status, observed
}

// judgePrograms judges a plain program first. A set-user-ID-root program, or
// one with file capabilities, would grant up to the bounding and inheritable
// sets, with noroot too, unless no_new_privs keeps it from that. Whether such a
// program is in reach is not looked for, so then the answer is not known.
func judgePrograms(c Credentials, allowed posture.CapSet) (report.Status, string) {
	plain := Execve(c).Permitted
	if surplus := plain &^ allowed; surplus != 0 {
		return report.Gap, caps(surplus)
	}
	reach := (c.Caps.Bounding | c.Caps.Inheritable) &^ allowed
	if !c.NoNewPrivs && reach != 0 {
		return report.Unknown, fmt.Sprintf("a plain program gets no more than allowed, but no_new_privs is not set, and a set-user-ID-root program or one with file capabilities would get %s; whether one is in reach was not examined",
			fewCaps(reach))
	}
	return report.Pass, caps(plain)
}

func execEvidence(t *posture.Thread) []report.Evidence {
	var out []report.Evidence
	for _, one := range [][]report.Evidence{
		seen(t.UID), seen(t.NoNewPrivs), seen(t.Securebits),
		seen(t.Caps.Inheritable), seen(t.Caps.Permitted), seen(t.Caps.Bounding), seen(t.Caps.Ambient),
	} {
		out = append(out, one...)
	}
	return out
}

// setsWords puts five sets into one line, as the evidence of a comparison.
func setsWords(s posture.CapSets) string {
	words := make([]string, 0, 5)
	for _, set := range []struct {
		name string
		posture.CapSet
	}{
		{"CapInh", s.Inheritable}, {"CapPrm", s.Permitted}, {"CapEff", s.Effective}, {"CapBnd", s.Bounding}, {"CapAmb", s.Ambient},
	} {
		words = append(words, fmt.Sprintf("%s: %016x", set.name, uint64(set.CapSet)))
	}
	return strings.Join(words, ", ")
}
