package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const lsmID = "lsm"

// idleModes are those in which nothing is denied. A label of several profiles is
// "mixed" where they differ, which may be either.
var idleModes = []string{"complain", "unconfined", "permissive"}

// modules checks what security modules confine the process with.
func modules(out *results, a *audited, pol *policy.Policy) {
	profile, label := pol.Process.AppArmorProfile, pol.Process.SELinuxLabel
	if profile == "" && label == "" && !pol.Landlock {
		out.skip(lsmID)
		return
	}
	if profile != "" {
		out.label(a, "apparmor", "AppArmor profile", profile, []string{"enforce", "kill"})
	}
	if label != "" {
		out.label(a, "selinux", "SELinux label", label, []string{"enforcing"})
	}
	if pol.Landlock {
		out.landlock(a)
	}
}

// label judges the labels of one module; the worst thread decides.
func (r *results) label(a *audited, module, thing, want string, holds []string) {
	all := worst{status: report.Pass}
	var evidence evidenceGroups
	var tids [report.Skipped + 1][]int
	seenAny := false
	for i := range a.Reach().Labels {
		l := &a.Reach().Labels[i]
		if l.Module != module {
			continue
		}
		seenAny = true
		status, words := judgeLabel(l, thing, want, holds)
		all.add(status, words)
		tids[status] = append(tids[status], l.TIDs...)
		evidence.add(seen(&l.Text.Origin))
	}
	if !seenAny {
		all.add(report.Unknown, "its "+thing+" was not looked at")
	}
	f := r.add(lsmID, all.status, quoted(want)+", "+holds[0], listed(all.words, "; "), listed(all.words, "; "))
	f.Subject, f.Evidence = module, evidence.bounded()
	if len(f.Evidence) == 0 {
		f.Evidence = []report.Evidence{}
	}
	if threads := distinct(tids[all.status]); len(threads) > 0 && len(threads) < len(threadsOf(a)) {
		f.Threads = threads
	}
}

// threadsOf are all threads of the process.
func threadsOf(a *audited) []int {
	var tids []int
	for i := range a.Classes {
		tids = append(tids, a.Classes[i].TIDs...)
	}
	return distinct(tids)
}

func judgeLabel(l *posture.Label, thing, want string, holds []string) (report.Status, string) {
	got, known := l.Text.Get()
	switch {
	case !known:
		return report.Unknown, "its " + thing + " could not be read: " + whyNot(&l.Text.Origin, thing+"s")
	case got != want:
		return report.Gap, "its " + thing + " is " + quoted(got) + ", not " + quoted(want)
	case l.Mode == "":
		return report.Unknown, "whether " + quoted(got) + " is enforced: " + l.ModeWhy
	case !slices.Contains(holds, l.Mode) && !slices.Contains(idleModes, l.Mode):
		return report.Unknown, "whether " + quoted(got) + " is enforced: its mode is " + quoted(l.Mode)
	case !slices.Contains(holds, l.Mode):
		return report.Gap, "its " + thing + " is " + quoted(got) + ", which denies nothing: it is in mode " + quoted(l.Mode)
	default:
		return report.Pass, "its " + thing + " is " + quoted(got) + ", in mode " + l.Mode
	}
}

// landlock judges whether the process is in a Landlock domain.
func (r *results) landlock(a *audited) {
	status, observed, message := report.Unknown, "unknown", "whether it is in a Landlock domain: "+whyNot(&a.Reach().Landlock.Origin, "Landlock")
	n, known := a.Reach().Landlock.Get()
	threads, counted := a.Threads.Get()
	switch domains := decimal(uint32(n)) + plural(uint32(n), " domain", " domains"); {
	case !known:
	case n == 0:
		status, observed, message = report.Gap, "no domain", "it is in no Landlock domain"
	case !counted || threads != 1:
		observed = domains
		message = "the thread that audits is in " + domains + " of Landlock, and nobody can tell that of the other threads"
	default:
		status, observed, message = report.Pass, domains, "it is in "+domains+" of Landlock; what they deny is not told"
	}
	f := r.add(lsmID, status, "a domain", observed, message)
	f.Subject, f.Evidence = "landlock", seen(&a.Reach().Landlock.Origin)
}
