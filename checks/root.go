package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// rootDirectory checks the root directory: whose it is, and whether it can be
// written. The subject says which of the three was asked.
func rootDirectory(a *audited, pol *policy.Policy) []report.Finding {
	const id = "filesystem.root"
	want, root := pol.Filesystem.Root, a.Root
	var out []report.Finding
	if want.NotHost {
		out = append(out, aspect{"host", "another than the machine's", "the machine's own", "another than the machine's",
			"the root directory is the machine's own"}.judge(root.Host, true))
	}
	if want.NotChroot {
		f := aspect{"chroot", "the root of its mount namespace", "a directory below the root of its mount namespace", "the root of its mount namespace",
			"the root directory is a mere chroot(2), which can be left"}.judge(root.Chroot, true)
		if !want.NotHost {
			f = ownRoot(f, root.Host)
		}
		out = append(out, f)
	}
	if want.ReadOnly {
		out = append(out, aspect{"readonly", "read-only", "writable", "read-only",
			"the mount that the root directory lies on can be written"}.judge(root.ReadOnly, false))
	}
	if len(out) == 0 {
		out = append(out, skipped(id))
	}
	return out
}

// aspect is one thing that can be asked of the root directory, and the words
// for it.
type aspect struct{ subject, expected, bad, good, message string }

func (s aspect) judge(f posture.Fact[bool], badValue bool) report.Finding {
	value, known := f.Get()
	status, observed, message := report.Pass, s.good, "the root directory is "+s.good
	switch {
	case !known:
		status, observed, message = report.Unknown, "unknown", "the root directory is not known well enough: "+whyNot(f, s.subject)
	case value == badValue:
		status, observed, message = report.Gap, s.bad, s.message
	}
	out := blank("filesystem.root", status)
	out.Subject, out.Expected, out.Observed, out.Message = s.subject, s.expected, observed, message
	out.Evidence = seen(f)
	return out
}

// ownRoot adds to what was found of a chroot that a root of one's own is not
// the machine's either: the machine's is no chroot and would pass.
func ownRoot(chroot report.Finding, host posture.Fact[bool]) report.Finding {
	own := aspect{chroot.Subject, chroot.Expected, "the machine's own", chroot.Observed,
		"the root directory is the machine's own"}.judge(host, true)
	own.Evidence = append(chroot.Evidence, own.Evidence...)
	if chroot.Status == report.Gap || own.Status == report.Pass {
		return chroot
	}
	return own
}
