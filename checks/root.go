package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const rootID = "filesystem.root"

// rootDirectory checks the root directory: whose it is, and whether it can be
// written. The subject says which of the three was asked.
func rootDirectory(out *results, a *audited, pol *policy.Policy) {
	want, root := &pol.Filesystem.Root, &a.Root
	if want.NotHost {
		out.root(&rootHost, &root.Host, root.Of.Host, seen(&root.Host.Origin))
	}
	if want.NotChroot {
		asked, answer, tid, evidence := &rootChroot, &root.Chroot, root.Of.Chroot, seen(&root.Chroot.Origin)
		// A root of one's own is not the machine's either: that is no chroot
		// and would pass.
		if !want.NotHost && asked.judge(answer) != report.Gap && rootOwn.judge(&root.Host) != report.Pass {
			asked, answer, tid, evidence = &rootOwn, &root.Host, root.Of.Host, append(evidence, seen(&root.Host.Origin)...)
		}
		out.root(asked, answer, tid, evidence)
	}
	if want.ReadOnly {
		out.root(&rootReadOnly, &root.ReadOnly, root.Of.ReadOnly, seen(&root.ReadOnly.Origin))
	}
	if !want.NotHost && !want.NotChroot && !want.ReadOnly {
		out.skip(rootID)
	}
}

// aspect is one thing that can be asked of the root directory, and the words
// for it.
type aspect struct {
	subject, expected string
	// gap is the fact's value where it is a gap, bad what is observed then.
	gap          bool
	bad, message string
}

const (
	notHost     = "another than the machine's"
	isHost      = "the machine's own"
	isHostWords = "the root directory is the machine's own"
	ownRoot     = "the root of its mount namespace"
)

var (
	rootHost   = aspect{"host", notHost, true, isHost, isHostWords}
	rootChroot = aspect{"chroot", ownRoot, true, "a directory below " + ownRoot,
		"the root directory is a mere chroot(2), which can be left"}
	// rootOwn is asked of the fact that rootHost is asked of.
	rootOwn      = aspect{"chroot", ownRoot, true, isHost, isHostWords}
	rootReadOnly = aspect{"readonly", "read-only", false, "writable", "the mount that the root directory lies on can be written"}
)

func (s *aspect) judge(f *posture.Fact[bool]) report.Status {
	switch {
	case f.State != posture.Known:
		return report.Unknown
	case f.Value == s.gap:
		return report.Gap
	default:
		return report.Pass
	}
}

// root adds the finding on one aspect. tid is the thread that it is of.
func (r *results) root(s *aspect, f *posture.Fact[bool], tid int, evidence []report.Evidence) {
	status, observed, message := s.judge(f), s.expected, "the root directory is "+s.expected
	tids, who := of(tid)
	switch status {
	case report.Unknown:
		observed, message = "unknown", "the root directory is not known well enough: "+whyNot(&f.Origin, s.subject)
	case report.Gap:
		observed, message = s.bad, s.message
	}
	added := r.add(rootID, status, s.expected, observed, who+message)
	added.Subject, added.Threads, added.Evidence = s.subject, tids, evidence
}
