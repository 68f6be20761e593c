package checks

import (
	"strconv"

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
func directoryDescriptors(out *results, a *audited, pol *policy.Policy) {
	if !pol.Descriptors.NoneOutsideRoot {
		out.skip(descriptorsID)
		return
	}
	if a.Descriptors.State != posture.Known {
		f := addDescriptor(out, report.Unknown, "", "unknown", "which descriptors are open is not known: "+whyNot(&a.Descriptors.Origin, "descriptors"))
		f.Evidence = seen(&a.Descriptors.Origin)
		return
	}
	var by [report.Skipped][]*posture.Descriptor
	all := a.Descriptors.Value
	for i := range all {
		status := judgeDescriptor(&all[i])
		if status != report.Pass && !repeated(by[status], &all[i]) {
			by[status] = append(by[status], &all[i])
		}
	}
	if len(by[report.Gap])+len(by[report.Unknown]) == 0 {
		f := addDescriptor(out, report.Pass, "", "none", "no directory outside the root is among "+counted(len(all), "open descriptor"))
		f.Evidence = seen(&a.Descriptors.Origin)
	}
	addDescriptors(out, report.Gap, by[report.Gap])
	addDescriptors(out, report.Unknown, by[report.Unknown])
}

// repeated says whether a descriptor is among those that a finding is made for:
// where nobody can tell whether threads share one table, each shows it.
func repeated(ds []*posture.Descriptor, d *posture.Descriptor) bool {
	for _, other := range ds[:min(len(ds), maxDescriptors)] {
		if other.FD == d.FD && other.Path == d.Path {
			return true
		}
	}
	return false
}

// judgeDescriptor passes what is known to be no directory, or to lie within the
// root, and what audit.Open keeps.
func judgeDescriptor(d *posture.Descriptor) report.Status {
	isKnown, whereKnown := d.Directory.State == posture.Known, d.OutsideRoot.State == posture.Known
	switch {
	case d.Kept, isKnown && !d.Directory.Value, whereKnown && !d.OutsideRoot.Value:
		return report.Pass
	case !isKnown || !whereKnown:
		return report.Unknown
	default:
		return report.Gap
	}
}

// addDescriptors adds a finding for each of the first descriptors, and says of
// the others how many there are.
func addDescriptors(out *results, status report.Status, ds []*posture.Descriptor) {
	for _, d := range ds[:min(len(ds), maxDescriptors)] {
		path := quoted(d.Path)
		f := addDescriptor(out, status, "fd "+strconv.Itoa(d.FD), path, descriptorWords(d, path))
		f.Evidence = seen(&d.Directory.Origin, &d.OutsideRoot.Origin)
	}
	if left := len(ds) - maxDescriptors; left > 0 {
		words := counted(left, "more descriptor")
		f := addDescriptor(out, status, "more", words, "the same holds for "+words)
		f.Evidence = []report.Evidence{{Source: "…", Value: words}}
	}
}

func descriptorWords(d *posture.Descriptor, path string) string {
	words := "descriptor " + strconv.Itoa(d.FD)
	switch {
	case d.Directory.State != posture.Known:
		return "whether " + words + " (" + path + ") is a directory is not known: " + whyNot(&d.Directory.Origin, "its type")
	case d.OutsideRoot.State != posture.Known:
		return "whether " + words + ", of the directory " + path + ", leads out of the root is not known: " + whyNot(&d.OutsideRoot.Origin, "its place")
	default:
		return words + " is of the directory " + path + ", outside the root"
	}
}

func addDescriptor(out *results, status report.Status, subject, observed, message string) *report.Finding {
	f := out.add(descriptorsID, status, "none outside the root", observed, message)
	f.Subject = subject
	return f
}
