package checks

import (
	"fmt"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// noNewPrivs checks PR_SET_NO_NEW_PRIVS of prctl(2), Linux 3.5.
func noNewPrivs(a *audited, pol *policy.Policy) []report.Finding {
	const id = "privilege.no_new_privs"
	if !pol.Process.NoNewPrivileges {
		return []report.Finding{skipped(id)}
	}
	return []report.Finding{threadCheck{
		id:       id,
		expected: "set",
		thing:    "no_new_privs",
		judge: func(t *posture.Thread) (report.Status, string) {
			set, known := t.NoNewPrivs.Get()
			switch {
			case !known:
				return report.Unknown, whyNot(t.NoNewPrivs, "NoNewPrivs")
			case set:
				return report.Pass, "set"
			default:
				return report.Gap, "not set"
			}
		},
		evidence: func(t *posture.Thread) []report.Evidence { return seen(t.NoNewPrivs) },
		gap: func(who, _ string) string {
			return who + " can gain privileges by executing set-user-ID programs and programs with file capabilities: no_new_privs is not set"
		},
	}.run(a)}
}

// Modes of seccomp(2) as status and PR_GET_SECCOMP number them.
const (
	seccompDisabled = 0
	seccompStrict   = 1
	seccompFilter   = 2
)

// seccompRank orders the modes by strength, whatever their numbers. A mode that
// is not listed, such as that of a thread that is being killed, has no rank.
var seccompRank = [...]int{seccompDisabled: 0, seccompFilter: 1, seccompStrict: 2}

// seccompMode checks that every thread is under seccomp(2), at least as
// strongly as asked.
func seccompMode(a *audited, pol *policy.Policy) []report.Finding {
	const id = "seccomp.mode"
	want := seccompFilter
	switch pol.Seccomp.Mode {
	case policy.ModeAny:
		return []report.Finding{skipped(id)}
	case policy.ModeFilter:
	default:
		want = seccompStrict
	}
	return []report.Finding{threadCheck{
		id:       id,
		expected: names.SeccompModeName(want),
		thing:    "the seccomp mode",
		judge: func(t *posture.Thread) (report.Status, string) {
			mode, known := t.SeccompMode.Get()
			if !known {
				return report.Unknown, whyNot(t.SeccompMode, "the seccomp mode")
			}
			switch {
			case mode < 0 || mode >= len(seccompRank):
				return report.Unknown, fmt.Sprintf("seccomp mode %d is not one that seccomp(2) describes", mode)
			case seccompRank[mode] < seccompRank[want]:
				return report.Gap, names.SeccompModeName(mode)
			default:
				return report.Pass, names.SeccompModeName(mode)
			}
		},
		evidence: func(t *posture.Thread) []report.Evidence { return seen(t.SeccompMode) },
		gap: func(who, observed string) string {
			return fmt.Sprintf("%s: seccomp mode %s, which is weaker than %s", who, observed, names.SeccompModeName(want))
		},
	}.run(a)}
}
