package checks

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const rlimitID = "limit.rlimit"

// rlimits checks resource limits against upper bounds.
func rlimits(out *results, a *audited, pol *policy.Policy) {
	if len(pol.Process.Rlimits) == 0 {
		out.skip(rlimitID)
	}
	for i := range pol.Process.Rlimits {
		out.rlimit(a, &pol.Process.Rlimits[i])
	}
}

func (r *results) rlimit(a *audited, want *policy.Rlimit) {
	status, observed, message := judgeRlimit(a, want)
	f := r.add(rlimitID, status, wantedRlimit(want), observed, message)
	f.Subject = want.Type
	f.Evidence = seen(&a.Reach().Rlimits.Origin)
	if a.Reach().Rlimits.State == posture.Known {
		f.Evidence[0].Value = observed
	}
}

// wantedRlimit says what is allowed: "soft at most 1024, hard at most 2048".
func wantedRlimit(want *policy.Rlimit) string {
	var words []string
	if want.Soft != nil {
		words = append(words, "soft at most "+limitValue(*want.Soft))
	}
	if want.Hard != nil {
		words = append(words, "hard at most "+limitValue(*want.Hard))
	}
	return listed(words, ", ")
}

func limitValue(n uint64) string {
	if n == posture.RlimInfinity {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// judgeRlimit judges one limit. The hard value is what the process may raise
// the soft one to without a privilege.
func judgeRlimit(a *audited, want *policy.Rlimit) (status report.Status, observed, message string) {
	limits, known := a.Reach().Rlimits.Get()
	if !known {
		return report.Unknown, "unknown", "its " + want.Type + " could not be read: " + whyNot(&a.Reach().Rlimits.Origin, "resource limits")
	}
	if want.Soft == nil && want.Hard == nil {
		return report.Unknown, "unknown", "the policy names neither a soft nor a hard value for " + quoted(want.Type)
	}
	for i := range limits {
		l := &limits[i]
		if l.Name != want.Type {
			continue
		}
		observed = "soft " + limitValue(l.Soft) + ", hard " + limitValue(l.Hard)
		switch {
		case want.Soft != nil && l.Soft > *want.Soft:
			return report.Gap, observed, "its soft " + l.Name + " is " + limitValue(l.Soft) + ", and at most " + limitValue(*want.Soft) + " is allowed"
		case want.Hard != nil && l.Hard > *want.Hard:
			return report.Gap, observed, "its hard " + l.Name + " is " + limitValue(l.Hard) + ", which it may raise the soft one to, and at most " + limitValue(*want.Hard) + " is allowed"
		case a.mayRaiseLimits():
			return report.Gap, observed, "its " + l.Name + " is " + observed + ", and it has CAP_SYS_RESOURCE, with which it may raise both"
		}
		return report.Pass, observed, "its " + l.Name + " is " + observed
	}
	return report.Unknown, "unknown", "there is no resource limit named " + quoted(want.Type)
}

// mayRaiseLimits says whether a thread may have CAP_SYS_RESOURCE over the
// machine: in a user namespace that maps only some ids it has none.
func (a *audited) mayRaiseLimits() bool {
	const capSysResource = 24
	maps := &a.UserNamespace
	if maps.UIDMap.State == posture.Known && !wholeMap(&maps.UIDMap) {
		return false
	}
	for i := range a.views {
		if set := &a.views[i].Caps.Permitted; set.State == posture.Known && set.Value.Has(capSysResource) {
			return true
		}
	}
	return false
}
