package checks

import (
	"fmt"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// overflowID is what the kernel shows for an id without a mapping, unless
// /proc/sys/kernel/overflowuid or overflowgid say otherwise:
// user_namespaces(7).
const overflowID = 65534

// identity checks the four user ids and the four group ids.
func identity(a *audited, pol *policy.Policy) []report.Finding {
	user := pol.Process.User
	return []report.Finding{
		ids(a, "identity.uid", "user", user.UID, func(t *posture.Thread) posture.Fact[posture.IDs] { return t.UID }),
		ids(a, "identity.gid", "group", user.GID, func(t *posture.Thread) posture.Fact[posture.IDs] { return t.GID }),
	}
}

func ids(a *audited, id, kind string, want *policy.ID, of func(*posture.Thread) posture.Fact[posture.IDs]) report.Finding {
	if want == nil {
		return skipped(id)
	}
	return threadCheck{
		id:       id,
		expected: expectedID(*want),
		thing:    "the set of four " + kind + " ids",
		judge: func(t *posture.Thread) (report.Status, string) {
			got, known := of(t).Get()
			if !known {
				return report.Unknown, whyNot(of(t), kind+" ids")
			}
			return judgeIDs(got, kind, *want)
		},
		evidence: func(t *posture.Thread) []report.Evidence { return seen(of(t)) },
		gap: func(who, observed string) string {
			return fmt.Sprintf("%s: %s, where the policy allows %s", who, observed, expectedID(*want))
		},
	}.run(a)
}

func expectedID(want policy.ID) string {
	if want.Nonroot {
		return "any but 0"
	}
	return fmt.Sprint(want.Exact)
}

// judgeIDs judges all four ids; the worst decides.
func judgeIDs(got posture.IDs, kind string, want policy.ID) (report.Status, string) {
	var gaps, unknown []string
	for _, id := range []struct {
		which string
		posture.ID
	}{
		{"real", got.Real}, {"effective", got.Effective}, {"saved", got.Saved}, {"file system", got.FS},
	} {
		status, observed := judgeID(id.ID, want)
		words := fmt.Sprintf("%s %s id is %s", id.which, kind, observed)
		switch status {
		case report.Gap:
			gaps = append(gaps, words)
		case report.Pass:
		default:
			unknown = append(unknown, words)
		}
	}
	switch {
	case len(gaps) > 0:
		return report.Gap, strings.Join(gaps, ", ")
	case len(unknown) > 0:
		return report.Unknown, strings.Join(unknown, ", ")
	default:
		return report.Pass, fmt.Sprintf("%d %d %d %d", got.Real.Value, got.Effective.Value, got.Saved.Value, got.FS.Value)
	}
}

// judgeID judges one id as the target's own user namespace sees it.
//
// An id without a mapping there is shown as the overflow id, which says
// nothing of what it is. It is no root inside the namespace, but it owns the
// files of whatever id it is outside. So under nonroot:
//   - outside it is seen as 0: it owns root's files there, a gap;
//   - outside it is seen as the overflow id: the auditor's namespace has no
//     mapping either, as for an audit of self, and it may be anything;
//   - outside it is seen as another id: that is not root, neither inside nor
//     for the auditor.
//
// An exact id is expected inside, and an id that is not mapped there cannot be
// compared with it.
func judgeID(id posture.ID, want policy.ID) (report.Status, string) {
	if id.Unmapped {
		return judgeUnmapped(id, want.Nonroot)
	}
	allowed := id.Value == want.Exact
	if want.Nonroot {
		allowed = id.Value != 0
	}
	if !allowed {
		return report.Gap, fmt.Sprint(id.Value)
	}
	return report.Pass, fmt.Sprint(id.Value)
}

func judgeUnmapped(id posture.ID, nonroot bool) (report.Status, string) {
	switch {
	case !nonroot:
		return report.Unknown, "not mapped in its user namespace"
	case id.Outside == 0:
		return report.Gap, "not mapped in its user namespace and 0 outside"
	case id.Outside == overflowID:
		return report.Unknown, "not mapped in its user namespace, and what it is outside cannot be seen"
	default:
		return report.Pass, fmt.Sprintf("not mapped in its user namespace and %d outside", id.Outside)
	}
}
