package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

const (
	namespaceID = "namespace"
	idmapID     = "idmap"
)

// namespaces checks which namespaces are the machine's first ones.
func namespaces(out *results, a *audited, pol *policy.Policy) {
	asked := slices.Compact(slices.Sorted(slices.Values(pol.Namespaces.Private)))
	if len(asked) == 0 {
		out.skip(namespaceID)
	}
	for _, name := range asked {
		out.namespace(a, name)
	}
	idmap(out, a, &pol.Namespaces.IDMap)
}

const private = "private"

// namespace judges one type; the worst thread decides.
func (r *results) namespace(a *audited, name string) {
	var gap, unknown, pass []*posture.Namespace
	for i := range a.Reach().Namespaces {
		ns := &a.Reach().Namespaces[i]
		initial, known := ns.Initial.Get()
		switch {
		case ns.Type != name:
		case !known:
			unknown = append(unknown, ns)
		case initial:
			gap = append(gap, ns)
		default:
			pass = append(pass, ns)
		}
	}
	var f *report.Finding
	var of []*posture.Namespace
	switch {
	case len(gap) > 0:
		of = gap
		f = r.add(namespaceID, report.Gap, private, "the machine's, "+quoted(gap[0].Link.Value), "its "+namespaceWord(name)+" namespace is the machine's own")
	case len(unknown) > 0:
		of = unknown
		f = r.add(namespaceID, report.Unknown, private, "unknown", "whether its "+namespaceWord(name)+" namespace is the machine's: "+whyNot(&unknown[0].Initial.Origin, name+" namespaces"))
	case len(pass) > 0:
		of = pass
		f = r.add(namespaceID, report.Pass, private, quoted(pass[0].Link.Value), "its "+namespaceWord(name)+" namespace is not the machine's")
	default:
		why := "it was not looked at"
		if _, ok := names.NamespaceNamed(name); !ok {
			why = "there is no such type of namespaces"
		}
		r.add(namespaceID, report.Unknown, private, "unknown", quoted(name)+": "+why).Subject = name
		return
	}
	f.Subject = name
	f.Evidence = namespaceEvidence(of)
	if len(gap)+len(unknown)+len(pass) > 1 {
		f.Threads = namespaceThreads(of)
	}
}

// namespaceWord is how a sentence calls a type.
func namespaceWord(name string) string {
	if ns, ok := names.NamespaceNamed(name); ok && ns.OCI != "" {
		return ns.OCI
	}
	return name
}

func namespaceThreads(of []*posture.Namespace) []int {
	var tids []int
	for _, ns := range of {
		tids = append(tids, ns.TIDs...)
	}
	return distinct(tids)
}

func namespaceEvidence(of []*posture.Namespace) []report.Evidence {
	var all evidenceGroups
	for _, ns := range of {
		group := seen(&ns.Link.Origin)
		if ns.Initial.Source != ns.Link.Source || ns.Initial.Raw != ns.Link.Raw {
			group = append(group, seen(&ns.Initial.Origin)...)
		}
		if owner, known := ns.Owner.Get(); known {
			group = append(group, report.Evidence{Source: ns.Owner.Source, Value: "owned by " + owner})
		}
		if shared, known := ns.Shared.Get(); known && shared && ns.Shared.Raw != "" {
			group = append(group, report.Evidence{Source: ns.Shared.Source, Value: "the auditor is in it too"})
		}
		all.add(group)
	}
	return all.bounded()
}

// idmap checks how many ids the user namespace maps, and to what.
func idmap(out *results, a *audited, want *policy.IDMap) {
	if *want == (policy.IDMap{}) {
		out.skip(idmapID)
		return
	}
	ns := &a.UserNamespace
	maps := [...]struct {
		subject string
		fact    *posture.Fact[[]posture.MapEntry]
	}{{"uid_map", &ns.UIDMap}, {"gid_map", &ns.GIDMap}}
	for _, m := range maps {
		status, observed, message := judgeMap(a, m.fact, want)
		f := out.add(idmapID, status, wantedMap(want), observed, message)
		f.Subject = m.subject
		f.Evidence = seen(&m.fact.Origin)
		if m.fact.State == posture.Known {
			f.Evidence[0].Value = mapWords(m.fact.Value)
		}
	}
}

// mapWords writes a map as the kernel does, a line after the other.
func mapWords(entries []posture.MapEntry) string {
	lines := make([]string, min(len(entries), maxListed))
	for i := range lines {
		lines[i] = decimal(entries[i].Inside) + " " + decimal(entries[i].Outside) + " " + decimal(entries[i].Size)
	}
	if len(lines) == 0 {
		return "no line"
	}
	return andMore(lines, len(entries)-len(lines))
}

func wantedMap(want *policy.IDMap) string {
	var words []string
	if want.Size > 0 {
		words = append(words, "at most "+decimal(want.Size)+plural(want.Size, " id", " ids"))
	}
	if want.NotHostRoot {
		words = append(words, "not the machine's id 0")
	}
	return listed(words, ", ")
}

func plural(n uint32, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// judgeMap judges one map.
func judgeMap(a *audited, fact *posture.Fact[[]posture.MapEntry], want *policy.IDMap) (status report.Status, observed, message string) {
	entries, known := fact.Get()
	if !known {
		return report.Unknown, "unknown", "the id map could not be read: " + whyNot(&fact.Origin, "id maps")
	}
	var size uint64
	hostRoot := ""
	for _, e := range entries {
		size += uint64(e.Size)
		if e.Outside == 0 {
			hostRoot = decimal(e.Inside)
		}
	}
	observed = decimal(uint32(min(size, 1<<32-1))) + plural(uint32(min(size, 2)), " id", " ids")
	if want.Size > 0 && size > uint64(want.Size) {
		return report.Gap, observed, "it maps " + observed + ", and at most " + decimal(want.Size) + plural(want.Size, " is", " are") + " allowed"
	}
	if !want.NotHostRoot {
		return report.Pass, observed, "it maps " + observed
	}
	switch outermost, why := a.outermostMaps(); {
	case !outermost:
		return report.Unknown, observed, "whether it maps the machine's id 0: " + why
	case hostRoot != "":
		return report.Gap, observed + ", the machine's 0 as " + hostRoot, "its id " + hostRoot + " is the machine's id 0"
	default:
		return report.Pass, observed + ", without the machine's 0", "it maps " + observed + ", and the machine's id 0 is none of them"
	}
}

// outermostMaps says whether the ids outside that a map shows are the machine's:
// the kernel shows those of the user namespace of whoever reads, or of the one
// above where that is the same.
func (a *audited) outermostMaps() (yes bool, why string) {
	ns := &a.UserNamespace
	if wholeMap(&ns.UIDMap) && wholeMap(&ns.GIDMap) {
		return true, ""
	}
	outer, known := ns.Outermost.Get()
	switch {
	case !known:
		return false, whyNot(&ns.Outermost.Origin, "user namespaces")
	case !outer:
		return false, "the ids outside it are those of a user namespace that is not the machine's first"
	}
	return true, ""
}

// wholeMap says that every id is mapped to itself, which no user namespace
// can do below one in which that is not so.
func wholeMap(f *posture.Fact[[]posture.MapEntry]) bool {
	return f.State == posture.Known && len(f.Value) == 1 && f.Value[0] == (posture.MapEntry{Size: 1<<32 - 1})
}
