package checks

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// noNewPrivs checks PR_SET_NO_NEW_PRIVS of prctl(2), Linux 3.5.
func noNewPrivs(out *results, a *audited, pol *policy.Policy) {
	const id = "privilege.no_new_privs"
	if !pol.Process.NoNewPrivileges {
		out.skip(id)
		return
	}
	check := threadCheck{
		id:       id,
		expected: "set",
		thing:    "no_new_privs",
		judge: func(t *posture.Thread) (report.Status, string) {
			switch {
			case t.NoNewPrivs.State != posture.Known:
				return report.Unknown, whyNot(&t.NoNewPrivs.Origin, "NoNewPrivs")
			case t.NoNewPrivs.Value:
				return report.Pass, "set"
			default:
				return report.Gap, "not set"
			}
		},
		facts: []fact{factNoNewPrivs},
		gap:   [...]string{"", " can gain privileges by executing set-user-ID programs and programs with file capabilities: no_new_privs is ", ""},
	}
	check.run(out, a)
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
func seccompMode(out *results, a *audited, pol *policy.Policy) {
	const id = "seccomp.mode"
	want := seccompFilter
	switch pol.Seccomp.Mode {
	case policy.ModeAny:
		out.skip(id)
		return
	case policy.ModeFilter:
	default:
		want = seccompStrict
	}
	check := threadCheck{
		id:       id,
		expected: names.SeccompModeName(want),
		thing:    "the seccomp mode",
		judge:    func(t *posture.Thread) (report.Status, string) { return judgeMode(&t.SeccompMode, want) },
		facts:    []fact{factSeccompMode},
		gap:      [...]string{"seccomp does not guard ", " as asked: its mode is ", ", which is weaker than " + names.SeccompModeName(want)},
	}
	check.run(out, a)
}

func judgeMode(f *posture.Fact[int], want int) (report.Status, string) {
	mode := f.Value
	switch {
	case f.State != posture.Known:
		return report.Unknown, whyNot(&f.Origin, "the seccomp mode")
	case mode < 0 || mode >= len(seccompRank):
		return report.Unknown, "seccomp mode " + strconv.Itoa(mode) + " is not one that seccomp(2) describes"
	case seccompRank[mode] < seccompRank[want]:
		return report.Gap, names.SeccompModeName(mode)
	default:
		return report.Pass, names.SeccompModeName(mode)
	}
}
