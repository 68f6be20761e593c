package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// groups checks the supplementary groups against an upper bound.
func groups(out *results, a *audited, pol *policy.Policy) {
	const id = "identity.groups"
	user := &pol.Process.User
	want := user.AdditionalGIDs
	if want == nil {
		out.skip(id)
		return
	}
	check := threadCheck{
		id:       id,
		expected: expectedGroups(want),
		thing:    "the list of supplementary groups",
		judge:    func(t *posture.Thread) (report.Status, string) { return judgeGroups(t, want, user.GID) },
		facts:    []fact{factGroups, factGID},
		gap:      [...]string{"supplementary groups of ", " that the policy does not allow: ", ""},
	}
	if want.Nonroot && a.already("gid-root", nil) != "" {
		check.gap[2] = ", which stays among them when the group id alone is changed"
	}
	check.run(out, a)
}

func expectedGroups(want *policy.Groups) string {
	if want.Nonroot {
		return "any but 0"
	}
	if len(want.Allowed) == 0 {
		return "none but the primary group"
	}
	words := make([]string, len(want.Allowed))
	for i, g := range want.Allowed {
		words[i] = decimal(g)
	}
	return "at most " + listed(words, ", ") + " and the primary group"
}

func judgeGroups(t *posture.Thread, want *policy.Groups, gid *policy.ID) (report.Status, string) {
	if t.Groups.State != posture.Known {
		return report.Unknown, whyNot(&t.Groups.Origin, "supplementary groups")
	}
	got := t.Groups.Value
	if len(got) == 0 {
		return report.Pass, "none"
	}
	all := worst{status: report.Pass}
	for i := range got {
		status, words := judgeGroup(&got[i], want, t, gid)
		if status == report.Unknown {
			words = "group " + words
		}
		all.add(status, words)
	}
	return all.status, listed(all.words, ", ")
}

// judgeGroup judges one group. Under nonroot group 0 is a gap even where it is
// the primary group: that one is the gap of identity.gid, and this one stays
// when the primary group is changed.
func judgeGroup(g *posture.ID, want *policy.Groups, t *posture.Thread, gid *policy.ID) (report.Status, string) {
	switch {
	case g.Unmapped:
		return judgeUnmapped(g, want.Nonroot)
	case want.Nonroot && g.Value == 0:
		return report.Gap, "0"
	case want.Nonroot, slices.Contains(want.Allowed, g.Value):
		return report.Pass, decimal(g.Value)
	default:
		return judgePrimary(g, t, gid)
	}
}

// judgePrimary allows a group that is not on the list where it is the thread's
// primary group: its real or effective group id. A group id that the policy
// itself forbids as a group id excuses nothing.
func judgePrimary(g *posture.ID, t *posture.Thread, gid *policy.ID) (report.Status, string) {
	words := decimal(g.Value)
	if gid != nil {
		if status, _ := judgeID(g, gid); status == report.Gap {
			return report.Gap, words
		}
	}
	if t.GID.State != posture.Known {
		return report.Unknown, words + ", may be the primary group, " + whyNot(&t.GID.Origin, "group ids")
	}
	for _, id := range [...]*posture.ID{&t.GID.Value.Real, &t.GID.Value.Effective} {
		if !id.Unmapped && id.Value == g.Value {
			return report.Pass, words
		}
	}
	return report.Gap, words
}
