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

const (
	egressID = "network.egress"
	listenID = "network.listen"
	rawID    = "network.raw"
)

// subject is one of several things that a finding of its own says something of.
type subject struct {
	name, observed, message string
	facts                   []*posture.Origin
}

// addSubjects adds a finding for each of the first, and says of the others how
// many there are.
func addSubjects(out *results, id, expected, things string, status report.Status, all []subject) {
	for _, s := range all[:min(len(all), maxOpened)] {
		f := out.add(id, status, expected, s.observed, s.message)
		f.Subject, f.Evidence = s.name, seen(s.facts...)
	}
	if left := len(all) - maxOpened; left > 0 {
		words := strconv.Itoa(left) + " more " + things
		f := out.add(id, status, expected, words, "the same holds for "+words)
		f.Subject, f.Evidence = "more", []report.Evidence{{Source: "…", Value: words}}
	}
}

// attemptsOf returns all that were made under a name, one a class of threads.
func (a *audited) attemptsOf(name string) (all []*posture.Attempt) {
	for i := range a.Attempts {
		if a.Attempts[i].Name == name {
			all = append(all, &a.Attempts[i])
		}
	}
	return all
}

// madeEvidence is what attempts saw.
func madeEvidence(all []*posture.Attempt) (out []report.Evidence) {
	for _, one := range all {
		for _, e := range one.Evidence {
			if len(out) == maxEvidence {
				return out
			}
			out = append(out, report.Evidence(e))
		}
	}
	return out
}

// closed says why a filter that denies calls of the native ABI does not stop what
// they do, or nothing: it may be done by another ABI, or by a ring.
func (a *audited) closed() (why string) {
	for _, name := range names.PastFilters() {
		all := a.attemptsOf(name)
		if len(all) == 0 {
			return "whether there is a way past the filter was not tried: " + a.notTried()
		}
		for _, one := range all {
			if one.Outcome != posture.Stopped && one.Outcome != posture.NoObject {
				return "a filter denies the call, and whether there is a way past it by " + strings.TrimPrefix(name, names.NetworkAttempt("")) + " (" + one.Outcome.String() + ") is not known: " + one.Detail
			}
		}
	}
	return ""
}

// byFilterAlone says that nothing else is known to stop an attempt.
func byFilterAlone(one *posture.Attempt) bool {
	return one.By == posture.StoppedByFilter && one.Also == posture.StoppedUnknown || one.By == posture.StoppedUnknown
}

// ported are the protocols, as the kernel names them, whose sockets tables of
// net/ list; otherPorts those that have ports and are in none of them.
var (
	ported     = [...]string{"TCP", "TCPv6", "MPTCP", "MPTCPv6", "UDP", "UDPv6", "UDP-Lite", "UDPLITEv6"}
	otherPorts = [...]string{"SCTP", "SCTPv6", "DCCP", "DCCPv6", "SMC", "SMC6", "RXRPC"}
	// local are sockets that lead to no other machine.
	local = [...]string{"UNIX", "UNIX-STREAM", "NETLINK", "ALG", "KEY"}
)

// egress checks that no route leads out of the network namespaces of the process,
// or that it cannot make a socket to go there by.
func egress(out *results, a *audited, pol *policy.Policy) {
	if !pol.Network.NoEgress {
		out.skip(egressID)
		return
	}
	const expected = "no route out"
	ways, unclear := a.waysOut()
	stop, stopped, reached := a.socketsStopped()
	evidence := append(seen(&a.Reach().Networks.Origin), madeEvidence(a.attemptsOf(names.EgressAttempt))...)
	networksKnown := a.Reach().Networks.State == posture.Known
	var f *report.Finding
	switch words := listed(ways, ", "); {
	case stopped && (len(ways) > 0 || unclear != ""):
		f = out.add(egressID, report.Pass, expected, stop, "it can make no socket by which to go out: "+stop)
	case len(ways) > 0 && (reached || a.unfiltered()):
		f = out.add(egressID, report.Gap, expected, words, "a route out exists: "+words+"; a packet filter may drop what is sent, which cannot be seen without privileges")
	case len(ways) > 0:
		f = out.add(egressID, report.Unknown, expected, words, "a route out exists ("+words+"), and whether the process can use it is not known: "+stop)
	case !networksKnown && a.connected():
		f = out.add(egressID, report.Gap, expected, "connected", "a route out exists: a UDP socket could be connected to an address that no network has for its own")
	case unclear != "":
		f = out.add(egressID, report.Unknown, expected, "unknown", "whether a route out exists is not known: "+unclear)
	default:
		f = out.add(egressID, report.Pass, expected, "loopback only", "no interface but the loopback one is up in its network namespace")
	}
	f.Evidence = evidence
}

// capNetAdmin sets interfaces up, and gives them addresses and routes.
const capNetAdmin = 1 << 12

// waysOut are interfaces that are up, but for the loopback one, with their routes.
// Each is a way out also without a route: a socket can be bound to it. unclear
// says why there may be more.
func (a *audited) waysOut() (ways []string, unclear string) {
	networks, known := a.Reach().Networks.Get()
	if !known {
		return nil, whyNot(&a.Reach().Networks.Origin, "its network namespaces")
	}
	more := 0
	for i := range networks {
		for k := range networks[i].Interfaces {
			one := &networks[i].Interfaces[k]
			switch {
			case one.Loopback:
			case one.Up.State != posture.Known:
				unclear = quoted(one.Name) + ": " + whyNot(&one.Up.Origin, "whether it is up")
			case !one.Up.Value && a.mayHave(capNetAdmin):
				unclear = "interface " + quoted(one.Name) + " is down, and may be set up with CAP_NET_ADMIN"
			case !one.Up.Value:
			case len(ways) == maxListed:
				more++
			default:
				ways = append(ways, interfaceWords(one))
			}
		}
	}
	if more > 0 {
		ways = append(ways, "… and "+strconv.Itoa(more)+" more interfaces")
	}
	if len(networks) == 0 {
		unclear = "no network namespace was seen"
	}
	if unclear == "" {
		unclear = a.incomplete
	}
	if unclear == "" {
		unclear = a.foreignSocket()
	}
	return ways, unclear
}

func interfaceWords(one *posture.Interface) string {
	if len(one.Routes) == 0 {
		return "interface " + quoted(one.Name) + " is up"
	}
	return one.Routes[0] + " by " + quoted(one.Name)
}

// foreignSocket says why an open socket may lead out by another network namespace
// than those of the process, or nothing.
func (a *audited) foreignSocket() string {
	reach := a.Reach()
	if whole, known := reach.OpenFiles.Whole.Get(); !known || !whole {
		return "a descriptor may be of a socket of another network namespace, and " + whyNot(&reach.OpenFiles.Whole.Origin, "all descriptors")
	}
	for i := range reach.OpenFiles.Seen {
		f := &reach.OpenFiles.Seen[i]
		name := "descriptor " + strconv.Itoa(f.FD)
		leads, why := leadsOut(f)
		switch {
		case why != "":
			return "whether " + name + " is of a socket that leads out is not known: " + why
		case leads && !a.ownSocket(f):
			return name + " is of a socket (" + quoted(f.Protocol.Value) + ") that no table of its network namespaces lists, so that it may be of another one"
		}
	}
	return ""
}

// leadsOut says whether a descriptor is of a socket to other machines; why says
// why that is not known.
func leadsOut(f *posture.OpenFile) (leads bool, why string) {
	kind, known := f.Kind.Get()
	switch {
	case !known || kind == posture.FileNoKind:
		return false, whyNot(&f.Kind.Origin, "its type")
	case kind != posture.FileSocket:
		return false, ""
	}
	protocol, known := f.Protocol.Get()
	if !known {
		return false, whyNot(&f.Protocol.Origin, "its protocol")
	}
	return !slices.Contains(local[:], protocol), ""
}

// ownSocket says that a namespace of the process lists a socket.
func (a *audited) ownSocket(f *posture.OpenFile) bool {
	inode, is := f.SocketInode()
	s := a.inetSocket(inode)
	return is && s != nil && !s.Foreign
}

func (a *audited) inetSocket(inode uint64) *posture.InetSocket {
	all, known := a.Reach().InetSockets.Get()
	for i := range all {
		if known && all[i].Inode == inode {
			return &all[i]
		}
	}
	return nil
}

// connected says that a socket could be connected.
func (a *audited) connected() bool {
	return slices.ContainsFunc(a.attemptsOf(names.EgressAttempt), func(one *posture.Attempt) bool { return one.Outcome == posture.Succeeded })
}

// socketsStopped says whether the process can make no socket that leads out, and
// holds none: how says by what, or why that is not known. reached says that it
// can make one.
func (a *audited) socketsStopped() (how string, stopped, reached bool) {
	all := a.attemptsOf(names.EgressAttempt)
	if len(all) == 0 {
		return "that was not tried: " + a.notTried(), false, false
	}
	filter, undecided := false, ""
	for _, one := range all {
		switch one.Outcome {
		case posture.Succeeded, posture.NoObject:
			return "", false, true
		case posture.Stopped:
			filter = filter || byFilterAlone(one)
			how = one.Detail
		default:
			undecided = one.Detail
		}
	}
	if undecided != "" {
		return undecided, false, false
	}
	if filter {
		if why := a.closed(); why != "" {
			return why, false, false
		}
	}
	if a.incomplete != "" {
		return a.incomplete, false, false
	}
	if why := a.holdsSocket(); why != "" {
		return how + "; but " + why, false, false
	}
	return how, true, false
}

// holdsSocket says that a descriptor is of a socket that leads out, or may be, or
// nothing.
func (a *audited) holdsSocket() string {
	reach := a.Reach()
	if whole, known := reach.OpenFiles.Whole.Get(); !known || !whole {
		return "it may have one open: " + whyNot(&reach.OpenFiles.Whole.Origin, "all descriptors")
	}
	for i := range reach.OpenFiles.Seen {
		f := &reach.OpenFiles.Seen[i]
		if leads, why := leadsOut(f); leads || why != "" {
			return "descriptor " + strconv.Itoa(f.FD) + " is of one that is open already, or may be"
		}
	}
	return ""
}

// unfiltered says that no thread is under a seccomp filter.
func (a *audited) unfiltered() bool {
	for i := range a.views {
		if mode, known := a.views[i].SeccompMode.Get(); !known || mode != 0 {
			return false
		}
	}
	return len(a.views) > 0 && a.incomplete == ""
}
