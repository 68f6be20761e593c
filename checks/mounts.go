package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	mountID       = "filesystem.mount"
	propagationID = "filesystem.propagation"
	// maxMounts bounds the findings of one id: who may mount makes as many as
	// it likes.
	maxMounts = 32
)

// mounts checks the options of mounts that must be there.
func mounts(out *results, a *audited, pol *policy.Policy) {
	if len(pol.Filesystem.Mounts) == 0 {
		out.skip(mountID)
	}
	for i := range pol.Filesystem.Mounts {
		out.mount(a, &pol.Filesystem.Mounts[i])
	}
}

// mount judges one place. The worst of what the threads see there decides.
func (r *results) mount(a *audited, want *policy.Mount) {
	tables := a.Reach().MountTables
	expected := "a mount"
	if len(want.Options) > 0 {
		expected += " with " + strings.Join(want.Options, ", ")
	}
	all := worst{status: report.Pass}
	var of [report.Skipped][]int
	var messages [report.Skipped]string
	var evidence [report.Skipped]evidenceGroups
	for i := range tables {
		status, observed, message, m := judgeMount(&tables[i], want)
		all.add(status, observed)
		if messages[status] == "" {
			messages[status] = message
		}
		of[status] = append(of[status], tables[i].TID)
		evidence[status].add(a.mountEvidence(&tables[i], m))
	}
	if len(tables) == 0 {
		r.add(mountID, report.Unknown, expected, "unknown", quoted(want.Destination)+": its mounts were not looked at").Subject = want.Destination
		return
	}
	f := r.add(mountID, all.status, expected, few(all.words), quoted(want.Destination)+messages[all.status])
	f.Subject = want.Destination
	f.Evidence = evidence[all.status].bounded()
	if len(tables) > 1 {
		f.Threads = distinct(of[all.status])
	}
}

// judgeMount judges what lies at a place in one table. The message follows the
// name of the place.
func judgeMount(t *posture.MountTable, want *policy.Mount) (status report.Status, observed, message string, m *posture.Mount) {
	if t.Mounts.State != posture.Known {
		return report.Unknown, "unknown", ": " + whyNot(&t.Mounts.Origin, "its mounts"), nil
	}
	m, why := mountedAt(t, want.Destination)
	switch {
	case why != "":
		return report.Unknown, "unknown", ": which mount lies there is not known: " + why, m
	case m == nil:
		return report.Gap, "no mount", " is no mount point of its own, so that it has the options of what it lies on", nil
	}
	status, words := report.Pass, " is a mount"
	var lacks []string
	for _, option := range want.Options {
		has, known := hasOption(m, option)
		switch {
		case !known:
			return report.Unknown, "unknown", ": there is no mount option " + quoted(option) + " to be seen", m
		case !has:
			lacks = append(lacks, option)
		}
	}
	if len(lacks) > 0 {
		status, words = report.Gap, " is mounted without "+strings.Join(lacks, ", ")
	} else if len(want.Options) > 0 {
		words = " is mounted with " + strings.Join(want.Options, ", ")
	}
	return status, quoted(m.Options), words, m
}

// mountedAt returns the mount that a path leads to, nil where there is none of
// its own, and why that is not known. What is mounted on the root directory
// itself covers nothing: paths begin below it.
func mountedAt(t *posture.MountTable, path string) (found *posture.Mount, why string) {
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	for i := range t.Mounts.Value {
		m := &t.Mounts.Value[i]
		if m.Point != path {
			continue
		}
		reachable, known := m.Reachable.Get()
		switch top, rootKnown := t.Root.Get(); {
		case !known:
			why = whyNot(&m.Reachable.Origin, "what covers it")
		case path == "/" && rootKnown && m.ID != top:
		case reachable && found != nil:
			why = "two mounts are found there"
		case reachable:
			found = m
		}
	}
	return found, why
}

// hasOption says whether an option holds, by the words of mount(8). A file system
// that is read-only as a whole counts as read-only.
func hasOption(m *posture.Mount, option string) (has, known bool) {
	switch option {
	case "ro":
		return m.ReadOnly(), true
	case "rw":
		return !m.ReadOnly(), true
	case "suid", "dev", "exec", "atime":
		return !m.Has("no" + option), true
	case "strictatime":
		return !m.Has("noatime") && !m.Has("relatime"), true
	case "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow":
		return m.Has(option), true
	}
	return false, false
}

// mountEvidence shows a mount, or the table where there is none.
func (a *audited) mountEvidence(t *posture.MountTable, m *posture.Mount) []report.Evidence {
	if t.Mounts.State != posture.Known || m == nil {
		return seen(&t.Mounts.Origin)
	}
	out := []report.Evidence{{Source: sourceOf(&t.Mounts.Origin), Value: mountWords(m)}, {Source: "capabilities(7)", Value: a.mayRemount(t)}}
	if t.Disagree.State == posture.Known {
		out = append(out, seen(&t.Disagree.Origin)...)
	}
	return out
}

// mountWords say what a mount is. That a file system was mounted whole does not
// tell whether it is bound from elsewhere.
func mountWords(m *posture.Mount) string {
	words := quoted(m.Point) + ": " + quoted(m.Type) + " of " + quoted(m.Source) + ", " + quoted(m.Options) + ", its file system " + quoted(m.SuperOptions) + ", " + m.Propagation.String()
	if m.Root != "/" {
		words += ", a bind mount of " + quoted(m.Root) + " in it"
	}
	if kind, _, _ := strings.Cut(m.Type, "."); kind == "fuse" || kind == "fuseblk" {
		words += ", which another process answers for"
	}
	if m.Has("idmapped") {
		words += ", with an id map of its own"
	}
	return words
}

// mayRemount says whether the process may change its mounts.
func (a *audited) mayRemount(t *posture.MountTable) string {
	const capSysAdmin = 21
	has, unknown := false, a.incomplete != "" || len(a.views) == 0
	for i := range a.views {
		set := &a.views[i].Caps.Permitted
		unknown = unknown || set.State != posture.Known
		has = has || set.State == posture.Known && set.Value.Has(capSysAdmin)
	}
	owned, known := t.Owned.Get()
	switch {
	case !has && unknown:
		return "whether a thread has CAP_SYS_ADMIN, which it takes to change a mount, is not known"
	case !has:
		return "no thread has CAP_SYS_ADMIN, which it takes to change a mount"
	case !known:
		return "it has CAP_SYS_ADMIN, and may change its mounts where its user namespace owns the mount namespace: " + whyNot(&t.Owned.Origin, "that")
	case owned:
		return "it has CAP_SYS_ADMIN over its mount namespace, and may change its mounts but those that are locked: mount_namespaces(7)"
	default:
		return "it has CAP_SYS_ADMIN, and its user namespace does not own the mount namespace, so that it cannot change its mounts"
	}
}

// propagation checks that no mount is looser than allowed.
func propagation(out *results, a *audited, pol *policy.Policy) {
	allowed := pol.Filesystem.Propagation
	switch {
	case allowed == "":
		out.skip(propagationID)
		return
	case allowed != private && allowed != "slave":
		out.add(propagationID, report.Unknown, quoted(allowed), "unknown", "there is no propagation named "+quoted(allowed))
		return
	}
	p := spreading{expected: "no mount that is looser than " + allowed}
	tables := a.Reach().MountTables
	for i := range tables {
		p.table(a, &tables[i], allowed, len(tables) > 1)
	}
	if len(tables) == 0 {
		p.found[report.Unknown] = append(p.found[report.Unknown], report.Finding{Observed: "unknown", Message: "its mounts were not looked at"})
	}
	p.report(out)
}

// spreading is what the check of propagation comes to.
type spreading struct {
	expected string
	found    [report.Skipped][]report.Finding
	mounts   int
	evidence []report.Evidence
}

// table judges all mounts that a thread sees.
func (p *spreading) table(a *audited, t *posture.MountTable, allowed string, several bool) {
	var tids []int
	if several {
		tids = []int{t.TID}
	}
	unknown := func(why string, evidence *posture.Origin) {
		p.found[report.Unknown] = append(p.found[report.Unknown], report.Finding{Observed: "unknown", Message: why, Evidence: seen(evidence), Threads: tids})
	}
	if t.Mounts.State != posture.Known {
		unknown("how its mounts spread is not known: "+whyNot(&t.Mounts.Origin, "its mounts"), &t.Mounts.Origin)
		return
	}
	root := false
	for i := range t.Mounts.Value {
		m := &t.Mounts.Value[i]
		root = root || t.Root.State == posture.Known && m.ID == t.Root.Value || t.Root.State == posture.Absent && m.Point == "/"
		if m.Propagation.Shared == 0 && (m.Propagation.Master == 0 || allowed == "slave") {
			continue
		}
		words := m.Propagation.String()
		p.found[report.Gap] = append(p.found[report.Gap], report.Finding{
			Subject: m.Point, Observed: words, Message: quoted(m.Point) + " is " + words + spreadWords(m), Evidence: a.mountEvidence(t, m), Threads: tids,
		})
	}
	if p.mounts += len(t.Mounts.Value); !root {
		unknown("the mount that its root directory lies on is not among those that it is shown, as after chroot(2), so that its propagation is not known", &t.Root.Origin)
	}
	p.evidence = append(p.evidence, seen(&t.Mounts.Origin)...)
}

// spreadWords say what that means.
func spreadWords(m *posture.Mount) string {
	if m.Propagation.Shared != 0 {
		return ": what is mounted or unmounted below appears on the others of peer group " + decimal(m.Propagation.Shared) + ", and theirs here"
	}
	return ": what is mounted or unmounted below those of peer group " + decimal(m.Propagation.Master) + " appears here"
}

// report adds the findings, up to a bound.
func (p *spreading) report(out *results) {
	for _, status := range [...]report.Status{report.Gap, report.Unknown} {
		list := p.found[status]
		for i := range list[:min(len(list), maxMounts)] {
			one := &list[i]
			f := out.add(propagationID, status, p.expected, one.Observed, one.Message)
			f.Subject, f.Evidence, f.Threads = one.Subject, one.Evidence, one.Threads
		}
		if n := len(list) - maxMounts; n > 0 {
			words := strconv.Itoa(n) + " more mounts"
			f := out.add(propagationID, status, p.expected, words, "the same holds for "+words)
			f.Subject, f.Evidence = "more", []report.Evidence{{Source: "…", Value: words}}
		}
	}
	if len(p.found[report.Gap])+len(p.found[report.Unknown]) == 0 {
		words := counted(p.mounts, "mount") + ", none of which is looser"
		out.add(propagationID, report.Pass, p.expected, words, words).Evidence = p.evidence
	}
}

// compareMounts compares what two sources say of mounts.
func compareMounts(out *results, a *audited) {
	first := len(out.findings)
	left := 0
	tables := a.Reach().MountTables
	for i := range tables {
		t := &tables[i]
		found, _ := t.Disagree.Get()
		for k := range found {
			if len(out.findings)-first >= maxMounts {
				left++
				continue
			}
			d := &found[k]
			f := out.add(contradictionID, report.Gap, "two sources that agree", quoted(d.Shown)+" against "+quoted(d.Asked),
				"of the mount at "+quoted(d.Point)+", as thread "+strconv.Itoa(t.TID)+" sees it, "+d.What+" is "+quoted(d.Shown)+" in "+sourceOf(&t.Mounts.Origin)+", and "+quoted(d.Asked)+" by "+sourceOf(&t.Disagree.Origin))
			f.Subject = "mount " + d.Point
			f.Evidence = seen(&t.Mounts.Origin, &t.Disagree.Origin)
			f.Threads = []int{t.TID}
		}
	}
	if left > 0 {
		words := strconv.Itoa(left) + " more"
		f := out.add(contradictionID, report.Gap, "two sources that agree", words, "the same holds for "+words+" things")
		f.Subject, f.Evidence = "mount more", []report.Evidence{{Source: "…", Value: words}}
	}
}
