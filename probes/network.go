package probes

import (
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// NewNetwork returns what makes the attempts that the network's keys of a policy
// ask for, instead of those of names.AttemptsBeyond.
func NewNetwork() *Beyond {
	table := []entry{{names.EgressAttempt, noCap, "connect(2)", egress{}}}
	for _, name := range append(names.RawAttempts(), names.PastFilters()...) {
		for i := range catalog {
			if names.NetworkAttempt(catalog[i].name) == name {
				one := catalog[i]
				one.name = name
				table = append(table, one)
			}
		}
	}
	return &Beyond{table: table}
}

// egress makes sockets to other machines, and connects one of UDP, which asks for
// a route and sends nothing. Of IPv6 none is connected: the kernel may look
// whether a router is still there.
type egress struct{}

// outside is of TEST-NET-3, which documents use and no network has: RFC 5737.
const outside = "203.0.113.1"

// outsideAddress is a struct sockaddr_in of it, and the port of the service that
// discards what it is sent.
const outsideAddress = "\x02\x00\x00\x09\xcb\x00\x71\x01\x00\x00\x00\x00\x00\x00\x00\x00"

// sends are calls that need no connect(2) to send.
var sends = [...]string{"sendto", "sendmsg", "sendmmsg"}

type egressTry struct {
	*builder
	reach, connectReach, connect, last *made
	made                               []*made
	closed                             []*made
	sends                              []*made
}

func (egress) build(b *builder) func() verdict {
	all := words{{n: -1}, {n: -1}, {n: -1}}
	t := &egressTry{builder: b, reach: b.unit("socket", all, 0)}
	for _, family := range [...]word{c("AF_INET", syscall.AF_INET), c("AF_INET6", syscall.AF_INET6)} {
		for _, kind := range [...]word{c("SOCK_DGRAM", syscall.SOCK_DGRAM), c("SOCK_STREAM", syscall.SOCK_STREAM)} {
			t.open(family, kind)
			b.End()
		}
	}
	t.connectReach = b.unit("connect", args(i(-1), i(0), i(0)), 0)
	for _, call := range sends {
		t.sends = append(t.sends, b.unit(call, args(i(-1), i(0), i(0), i(0), i(0), i(0)), 0))
	}
	t.last = b.do("socket", args(c("AF_INET", syscall.AF_INET), c("SOCK_DGRAM", syscall.SOCK_DGRAM), i(0)), child.Need)
	t.connect = b.do("connect", args(result(t.last), word{kind: blob, s: outsideAddress}, i(len(outsideAddress))), 0)
	b.do("close", args(result(t.last)), 0)
	b.End()
	return t.judge
}

func (t *egressTry) open(family, kind word) {
	act := t.do("socket", args(family, kind, i(0)), child.Need)
	t.made = append(t.made, act)
	t.closed = append(t.closed, t.do("close", args(result(act)), 0))
}

func (t *egressTry) judge() verdict {
	p := plain{call: "socket", want: einval, opens: true, means: noFamily}
	var stop, unclear *verdict
	for k := range t.made {
		v := p.judge(t.builder, t.read(t.reach), t.read(t.made[k]), t.read(t.closed[k]))
		switch {
		case v.outcome == succeededOutcome:
			return t.connected(v)
		case v.outcome != stoppedOutcome:
			unclear = &v
		case stop == nil || v.by == filterStopped:
			stop = &v
		}
	}
	if unclear != nil {
		return *unclear
	}
	stop.detail = "no socket of IPv4 or IPv6 can be made: " + stop.detail
	return *stop
}

// unreachable are answers of a kernel that knows no way to an address.
var unreachable = [...]syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL, syscall.EINVAL}

// connected judges what came of connect(2), where a socket can be made.
func (t *egressTry) connected(opened verdict) verdict {
	reach, act := t.read(t.connectReach), t.read(t.connect)
	seen := []*answer{opened.seen[1], reach, act}
	if !t.read(t.last).OK() {
		return noObject("sockets can be made, but not of UDP over IPv4, to ask by for a route", opened.seen...)
	}
	genuine := reach.Made && reach.Errno == ebadf
	if act.Made && genuine && slices.Contains(unreachable[:], act.Errno) {
		return noObject("sockets can be made, and there is no route of IPv4 to "+outside+": "+names.ErrnoName(int(act.Errno)), seen...)
	}
	v := t.env.judge(&reading{want: ebadf, capability: noCap}, reach, act)
	switch {
	case v.outcome == succeededOutcome:
		return succeeded("a UDP socket could be connected to "+outside+", which takes a route and sends nothing", seen...)
	case v.outcome == stoppedOutcome && v.by == filterStopped:
		return t.sent(v, seen)
	case v.outcome == stoppedOutcome:
		return undecided("sockets can be made, and connect(2) to "+outside+" is refused, which says nothing of other addresses: "+v.detail, seen...)
	}
	v.seen = seen
	return v
}

// sent looks whether datagrams could be sent without connect(2), where a filter
// denies that.
func (t *egressTry) sent(v verdict, seen []*answer) verdict {
	v.seen = seen
	v.detail = "no socket can be connected, and nothing sent without that: " + v.detail
	for k, m := range t.sends {
		a := t.read(m)
		v.seen = append(v.seen, a)
		if a.ok && !(a.Made && (a.Errno == syscall.EPERM || a.Errno == syscall.EACCES || a.Errno == syscall.ENOSYS) || a.Signal == syscall.SIGSYS && a.Repeated) {
			return undecided("a seccomp filter denies connect(2), and "+sends[k]+"(2), which does without, ended otherwise: "+a.words(false)+" (of "+strconv.Itoa(len(sends))+" such calls)", v.seen...)
		}
	}
	return v
}
