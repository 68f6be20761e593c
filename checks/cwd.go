package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	cwdID      = "filesystem.cwd"
	cwdWithin  = "within the root directory"
	cwdOutside = "outside the root directory"
)

// workingDirectory checks that no working directory leads out of the root:
// chroot(2) leaves it where it was. It is asked wherever another root is asked
// for, and wherever no descriptor may lead outside, since it serves as one.
func workingDirectory(out *results, a *audited, pol *policy.Policy) {
	root := &pol.Filesystem.Root
	if !root.NotHost && !root.NotChroot && !pol.Descriptors.NoneOutsideRoot {
		out.skip(cwdID)
		return
	}
	fact := &a.Root.CwdOutside
	status, observed, message := report.Pass, cwdWithin, "the working directory lies "+cwdWithin
	switch {
	case fact.State != posture.Known:
		status, observed = report.Unknown, "unknown"
		message = "whether the working directory leads out of the root directory is not known: " + whyNot(&fact.Origin, "its place")
	case fact.Value:
		status, observed = report.Gap, cwdOutside
		message = "the working directory leads out of the root directory: chdir(\"..\") and openat(2) reach every file above it"
	}
	f := out.add(cwdID, status, cwdWithin, observed, message)
	f.Evidence = seen(&fact.Origin)
}
