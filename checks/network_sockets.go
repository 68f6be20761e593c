package checks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// listening checks that the process listens on no other ports than the policy
// names, by the sockets that it holds.
func listening(out *results, a *audited, pol *policy.Policy) {
	if pol.Network.Listen == nil {
		out.skip(listenID)
		return
	}
	allowed := pol.Network.Listen
	expected := portWords(allowed)
	var found [report.Skipped][]subject
	reach := a.Reach()
	done := map[uint64]bool{}
	for i := range reach.OpenFiles.Seen {
		f := &reach.OpenFiles.Seen[i]
		inode, is := f.SocketInode()
		if is && done[inode] {
			continue
		}
		done[inode] = is
		if status, s := a.listens(f, allowed); status != report.Skipped {
			found[status] = append(found[status], s)
		}
	}
	whole, known := reach.OpenFiles.Whole.Get()
	switch {
	case !known || !whole:
		f := out.add(listenID, report.Unknown, expected, "unknown", "not all open descriptors were seen: "+whyNot(&reach.OpenFiles.Whole.Origin, "descriptors"))
		f.Subject, f.Evidence = "all", seen(&reach.OpenFiles.Whole.Origin)
	case len(found[report.Gap])+len(found[report.Unknown]) == 0:
		var words []string
		for _, s := range found[report.Pass] {
			words = append(words, s.name)
		}
		observed := "none"
		if len(words) > 0 {
			observed = few(words)
		}
		f := out.add(listenID, report.Pass, expected, observed, "it holds no socket that listens on another port, of "+strconv.Itoa(len(reach.OpenFiles.Seen))+" descriptors")
		f.Evidence = seen(&reach.OpenFiles.Whole.Origin, &reach.InetSockets.Origin)
	}
	for _, status := range []report.Status{report.Gap, report.Unknown} {
		addSubjects(out, listenID, expected, "sockets", status, found[status])
	}
}

// listens judges one descriptor: skipped is one that does not listen.
func (a *audited) listens(f *posture.OpenFile, allowed []uint16) (report.Status, subject) {
	name := "descriptor " + strconv.Itoa(f.FD)
	unknown := func(o *posture.Origin, why string) (report.Status, subject) {
		return report.Unknown, subject{"fd " + strconv.Itoa(f.FD), "unknown", "whether " + name + " (" + quoted(f.Path) + ") listens on a port is not known: " + why, []*posture.Origin{o}}
	}
	kind, known := f.Kind.Get()
	switch {
	case !known || kind == posture.FileNoKind:
		return unknown(&f.Kind.Origin, whyNot(&f.Kind.Origin, "its type"))
	case kind != posture.FileSocket:
		return report.Skipped, subject{}
	}
	protocol, known := f.Protocol.Get()
	tables := &a.Reach().InetSockets
	switch {
	case !known:
		return unknown(&f.Protocol.Origin, whyNot(&f.Protocol.Origin, "its protocol"))
	case slices.Contains(otherPorts[:], protocol):
		return unknown(&f.Protocol.Origin, "ports of "+protocol+" are not read")
	case !slices.Contains(ported[:], protocol) && (slices.Contains(plainProtocols[:], protocol) || slices.Contains(rawProtocols[:], protocol)):
		return report.Skipped, subject{}
	case !slices.Contains(ported[:], protocol):
		return unknown(&f.Protocol.Origin, "its protocol "+quoted(protocol)+" is none that is known here")
	case tables.State != posture.Known:
		return unknown(&tables.Origin, whyNot(&tables.Origin, "the sockets of its network namespaces"))
	}
	inode, is := f.SocketInode()
	one := a.inetSocket(inode)
	if !is || one == nil {
		return unknown(&tables.Origin, "no table of its network namespaces lists it, as one that is not bound, or of another namespace")
	}
	if !one.Listens {
		return report.Skipped, subject{}
	}
	s := subject{name: one.Protocol + " " + one.Local.String(), facts: []*posture.Origin{&f.Protocol.Origin, &tables.Origin}}
	s.observed = s.name
	if slices.Contains(allowed, one.Local.Port()) {
		return report.Pass, s
	}
	s.message = name + " listens on " + s.name + ", " + addressWords(one)
	return report.Gap, s
}

// addressWords say who reaches a socket.
func addressWords(one *posture.InetSocket) string {
	words := "on one address"
	switch addr := one.Local.Addr(); {
	case addr.IsUnspecified():
		words = "on all addresses"
	case addr.Unmap().IsLoopback():
		words = "for its network namespace alone"
	}
	if one.Foreign {
		words += ", in the network namespace of who audits"
	}
	return words
}

func portWords(ports []uint16) string {
	if len(ports) == 0 {
		return "none"
	}
	words := make([]string, 0, min(len(ports), maxListed))
	for _, p := range ports[:min(len(ports), maxListed)] {
		words = append(words, strconv.Itoa(int(p)))
	}
	return "only " + andMore(words, len(ports)-len(words))
}

// rawSockets checks that raw and packet sockets cannot be made, and that none is
// open.
func rawSockets(out *results, a *audited, pol *policy.Policy) {
	if !pol.Network.NoRaw {
		out.skip(rawID)
		return
	}
	const expected = "none can be made"
	for _, name := range names.RawAttempts() {
		what := strings.TrimSuffix(strings.TrimPrefix(name, names.NetworkAttempt("")), "-socket") + " sockets"
		made := a.attemptsOf(name)
		status, words := a.rawVerdict(name, made)
		message := "it cannot make " + what + ": " + words
		switch status {
		case report.Gap:
			message = "it can make " + what + ": " + words
		case report.Unknown:
			message = "whether it can make " + what + " is not known: " + words
		}
		f := out.add(rawID, status, expected, worstOutcome(made), message)
		f.Subject, f.Evidence = what, madeEvidence(made)
	}
	a.openRaw(out, expected)
}

func worstOutcome(made []*posture.Attempt) string {
	if len(made) == 0 {
		return "not tried"
	}
	worst := made[0]
	for _, one := range made[1:] {
		if severity(one.Outcome) > severity(worst.Outcome) {
			worst = one
		}
	}
	return outcomeWords(worst.Outcome, worst)
}

// rawVerdict judges what was tried, in the place of all threads.
func (a *audited) rawVerdict(name string, made []*posture.Attempt) (report.Status, string) {
	if len(made) == 0 {
		return report.Unknown, "that was not tried: " + a.notTried()
	}
	status, words, filter := report.Pass, "", false
	for _, one := range made {
		switch {
		case one.Outcome == posture.Succeeded:
			return report.Gap, one.Detail
		case one.Outcome != posture.Stopped && one.Outcome != posture.NoObject:
			status, words = report.Unknown, one.Detail
		case status == report.Pass:
			words = one.Detail
		}
		filter = filter || byFilterAlone(one)
	}
	if status != report.Pass {
		return status, words
	}
	if a.incomplete != "" {
		return report.Unknown, a.incomplete
	}
	raise, why := a.mayRaise()
	switch {
	case why != "":
		return report.Unknown, why
	case raise:
		filter = true
		if !slices.ContainsFunc(made, func(one *posture.Attempt) bool { return one.By != posture.StoppedByCapability }) {
			return report.Gap, "CAP_NET_RAW is in its permitted set, to be put in force by capset(2), and nothing else stops it"
		}
	}
	if filter {
		if why := a.closed(); why != "" {
			return report.Unknown, why
		}
	}
	return report.Pass, words
}

// mayRaise says that a thread has CAP_NET_RAW permitted and not in force; why says
// why that is not known.
func (a *audited) mayRaise() (may bool, why string) {
	const capNetRaw = 13
	for i := range a.views {
		caps := &a.views[i].Caps
		permitted, known := caps.Permitted.Get()
		effective, also := caps.Effective.Get()
		switch {
		case !known || !also:
			why = whyNot(firstUnknown(&caps.Permitted.Origin, &caps.Effective.Origin), "the capabilities of a thread")
		case permitted.Has(capNetRaw) && !effective.Has(capNetRaw):
			return true, ""
		}
	}
	return false, why
}

// openRaw adds findings on those that are open.
func (a *audited) openRaw(out *results, expected string) {
	reach := a.Reach()
	var found [report.Skipped][]subject
	for i := range reach.OpenFiles.Seen {
		f := &reach.OpenFiles.Seen[i]
		v := judgeSocket(f)
		if v.status == report.Pass {
			continue
		}
		message := "descriptor " + strconv.Itoa(f.FD) + " is " + v.words
		if v.status == report.Unknown {
			message = "whether " + message
		}
		found[v.status] = append(found[v.status], subject{"fd " + strconv.Itoa(f.FD), quoted(f.Path), message, v.facts})
	}
	if whole, known := reach.OpenFiles.Whole.Get(); !known || !whole {
		f := out.add(rawID, report.Unknown, expected, "unknown", "whether one is open is not known: "+whyNot(&reach.OpenFiles.Whole.Origin, "descriptors"))
		f.Subject, f.Evidence = "open", seen(&reach.OpenFiles.Whole.Origin)
	}
	for _, status := range []report.Status{report.Gap, report.Unknown} {
		addSubjects(out, rawID, expected, "descriptors", status, found[status])
	}
}
