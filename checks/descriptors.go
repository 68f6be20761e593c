package checks

import (
	"fmt"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	descriptorsID = "fds.directory"
	// maxDescriptors bounds the findings: a process may have a million
	// descriptors open.
	maxDescriptors = 64
)

// directoryDescriptors checks that no descriptor of a directory leads out of
// the root: with openat(2) or fchdir(2) it undoes every chroot(2).
func directoryDescriptors(a *audited, pol *policy.Policy) []report.Finding {
	if !pol.Descriptors.NoneOutsideRoot {
		return []report.Finding{skipped(descriptorsID)}
	}
	all, known := a.Descriptors.Get()
	if !known {
		f := descriptorFinding(report.Unknown, "", "unknown", "which descriptors are open is not known: "+whyNot(a.Descriptors, "descriptors"))
		f.Evidence = seen(a.Descriptors)
		return []report.Finding{f}
	}
	var gaps, unknown []report.Finding
	for _, d := range all {
		switch f := judgeDescriptor(d); f.Status {
		case report.Gap:
			gaps = append(gaps, f)
		case report.Pass:
		default:
			unknown = append(unknown, f)
		}
	}
	if len(gaps)+len(unknown) == 0 {
		f := descriptorFinding(report.Pass, "", "none", fmt.Sprintf("none of %d open descriptors is a directory outside the root", len(all)))
		f.Evidence = seen(a.Descriptors)
		return []report.Finding{f}
	}
	return append(cut(gaps), cut(unknown)...)
}

func descriptorFinding(status report.Status, subject, observed, message string) report.Finding {
	f := blank(descriptorsID, status)
	f.Subject, f.Expected, f.Observed, f.Message = subject, "none outside the root", observed, message
	return f
}

// judgeDescriptor passes what is known to be no directory, or to lie within the
// root, and what audit.Open keeps.
func judgeDescriptor(d posture.Descriptor) report.Finding {
	directory, isKnown := d.Directory.Get()
	outside, whereKnown := d.OutsideRoot.Get()
	subject := fmt.Sprintf("fd %d", d.FD)
	path := quoted(d.Path)
	var f report.Finding
	switch {
	case d.Kept, isKnown && !directory, whereKnown && !outside:
		return descriptorFinding(report.Pass, subject, "", "")
	case !isKnown:
		f = descriptorFinding(report.Unknown, subject, path,
			fmt.Sprintf("whether descriptor %d (%s) is a directory is not known: %s", d.FD, path, whyNot(d.Directory, "its type")))
	case !whereKnown:
		f = descriptorFinding(report.Unknown, subject, path,
			fmt.Sprintf("whether descriptor %d, of the directory %s, leads out of the root is not known: %s", d.FD, path, whyNot(d.OutsideRoot, "its place")))
	default:
		f = descriptorFinding(report.Gap, subject, path,
			fmt.Sprintf("descriptor %d is of the directory %s, outside the root", d.FD, path))
	}
	f.Evidence = append(seen(d.Directory), seen(d.OutsideRoot)...)
	return f
}

// cut keeps the first findings and says of the others how many there are.
func cut(fs []report.Finding) []report.Finding {
	if len(fs) <= maxDescriptors {
		return fs
	}
	more := len(fs) - maxDescriptors
	words := fmt.Sprintf("%d more descriptors", more)
	last := descriptorFinding(fs[0].Status, "more", words, "the same holds for "+words)
	last.Evidence = []report.Evidence{{Source: "…", Value: words}}
	return append(fs[:maxDescriptors:maxDescriptors], last)
}
