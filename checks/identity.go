package checks

import (
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// overflowID stands for an id without a mapping, whatever number
// /proc/sys/kernel/overflowuid and overflowgid tell the kernel to show for one:
// user_namespaces(7).
const overflowID = 65534

// identity checks the four user ids and the four group ids.
func identity(out *results, a *audited, pol *policy.Policy) {
	ids(out, a, "identity.uid", "user", pol.Process.User.UID, factUID)
	ids(out, a, "identity.gid", "group", pol.Process.User.GID, factGID)
}

func ids(out *results, a *audited, id, kind string, want *policy.ID, which fact) {
	if want == nil {
		out.skip(id)
		return
	}
	expected := expectedID(want)
	check := threadCheck{
		id:       id,
		expected: expected,
		thing:    "the set of the real, effective, saved and file system " + kind + " id",
		judge: func(t *posture.Thread) (report.Status, string) {
			got := which.ids(t)
			if got.State != posture.Known {
				return report.Unknown, whyNot(&got.Origin, kind+" ids")
			}
			return judgeIDs(&got.Value, kind, want)
		},
		facts: []fact{which},
		gap:   [...]string{"", ": ", ", where the policy allows " + expected},
	}
	check.run(out, a)
}

func expectedID(want *policy.ID) string {
	if want.Nonroot {
		return "any but 0"
	}
	return decimal(want.Exact)
}

// judgeIDs judges all four ids; the worst decides.
func judgeIDs(got *posture.IDs, kind string, want *policy.ID) (report.Status, string) {
	all := worst{status: report.Pass}
	which := [...]string{"real ", "effective ", "saved ", "file system "}
	for i, id := range [...]*posture.ID{&got.Real, &got.Effective, &got.Saved, &got.FS} {
		status, observed := judgeID(id, want)
		all.add(status, which[i]+kind+" id is "+observed)
	}
	if all.status == report.Pass {
		return report.Pass, idsWords(got)
	}
	return all.status, strings.Join(all.words, ", ")
}

// judgeID judges one id as the target's own user namespace sees it.
//
// An id without a mapping there is shown as the overflow id, which says
// nothing of what it is. It is no root inside the namespace, but it owns the
// files of whatever id it is outside. So under nonroot:
//   - outside it is seen as 0: it owns root's files there, a gap;
//   - outside it is the overflow id: the auditor has no mapping either, and it
//     may be anything. For an audit of self, where both namespaces are one, an
//     unmapped id is always this;
//   - outside it is seen as another id: that is not root, neither inside nor
//     for the auditor.
//
// An exact id is expected inside, and an id that is not mapped there cannot be
// compared with it.
func judgeID(id *posture.ID, want *policy.ID) (report.Status, string) {
	if id.Unmapped {
		return judgeUnmapped(id, want.Nonroot)
	}
	allowed := id.Value == want.Exact
	if want.Nonroot {
		allowed = id.Value != 0
	}
	if !allowed {
		return report.Gap, decimal(id.Value)
	}
	return report.Pass, decimal(id.Value)
}

// judgeUnmapped never passes the overflow id: in a user namespace that does not
// map all ids, one that is mapped to that number looks the same as any that is
// not mapped at all.
func judgeUnmapped(id *posture.ID, nonroot bool) (report.Status, string) {
	switch {
	case hidden(id):
		return report.Unknown, "maybe not mapped in its user namespace, and what it is outside cannot be seen"
	case !nonroot:
		return report.Unknown, "not mapped in its user namespace"
	case id.Outside == 0:
		return report.Gap, "not mapped in its user namespace and 0 outside"
	default:
		return report.Pass, "not mapped in its user namespace and " + decimal(id.Outside) + " outside"
	}
}

// hidden says that an id may be any of those that neither the target's user
// namespace nor the auditor's maps.
func hidden(id *posture.ID) bool { return id.Unmapped && id.Outside == overflowID }
