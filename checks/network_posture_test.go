package checks_test

import (
	"net/netip"
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// askNetwork adds the network's further keys.
func askNetwork(n *policy.Network) {
	n.NoEgress, n.NoRaw, n.NoControl, n.Listen = true, true, true, []uint16{443}
}

const netSource = "/proc/10/task/10/net"

// confineNetwork gives a process no interface but the loopback one, one socket
// that listens where it may, and attempts that were stopped.
func confineNetwork(p *posture.Process) {
	r := p.MakeReach()
	r.Networks = posture.Of([]posture.Network{{Link: "net:[4026532000]", TIDs: threadsOf(p), Interfaces: []posture.Interface{
		{Name: "lo", Loopback: true, Up: fact(true, netSource, "igmp")}, {Name: "tunl0", Up: fact(false, netSource, "igmp")},
	}}}, netSource, "lo tunl0")
	r.InetSockets = fact([]posture.InetSocket{
		{Inode: 17, Protocol: "tcp", Local: netip.MustParseAddrPort("127.0.0.1:4000"), Remote: netip.MustParseAddrPort("127.0.0.1:80")},
		{Inode: 18, Protocol: "tcp6", Local: netip.MustParseAddrPort("[::]:443"), Listens: true},
	}, netSource, "2 of 2")
	r.OpenFiles.Seen = append(r.OpenFiles.Seen, inetFile(6, 18, "TCPv6"))
	r.ControlSockets = fact(posture.ControlSockets{Looked: 70}, "/proc/10/root", "0 of 70")
	for _, name := range slices.Concat([]string{names.EgressAttempt}, names.RawAttempts(), names.PastFilters()) {
		p.Attempts = append(p.Attempts, posture.Attempt{
			Name: name, Outcome: posture.Stopped, By: posture.StoppedByCapability, Detail: "it lacks CAP_NET_RAW",
			Evidence: []posture.Evidence{{Source: "socket(2) in a child", Value: "socket() = EPERM"}},
		})
	}
}

// ofRoot is that of something of root's.
func ofRoot(mode uint32) posture.Permission {
	return posture.Permission{UID: fact(mapped(0), "statx(2)", ""), GID: fact(mapped(0), "statx(2)", ""), Mode: mode, ACL: fact(false, "acl", "")}
}

// control is a socket of that mode, in a directory of another where that is not 0.
func control(path string, mode, directory uint32) posture.Control {
	c := posture.Control{Path: path, What: "Docker", Permission: ofRoot(mode)}
	if directory != 0 {
		c.Through = []posture.Permission{ofRoot(directory)}
	}
	return c
}

// inetFile is a descriptor of a socket.
func inetFile(fd int, inode uint32, protocol string) posture.OpenFile {
	path := "socket:[" + itoa(inode) + "]"
	return openFile(fd, path, posture.FileSocket, func(f *posture.OpenFile) { f.Protocol = fact(protocol, openedSource, protocol) })
}

// attemptAt returns the attempt of that name.
func attemptAt(p *posture.Process, name string) *posture.Attempt {
	i := slices.IndexFunc(p.Attempts, func(one posture.Attempt) bool { return one.Name == name })
	return &p.Attempts[i]
}

// routed puts an interface with a route into the process's network.
func routed(p *posture.Process) {
	n := &p.MakeReach().Networks.Value[0]
	n.Interfaces = append(n.Interfaces, posture.Interface{Name: "eth0\x1b[2J", Up: fact(true, netSource, "igmp"), Routes: []string{"0.0.0.0/0 via 192.0.2.1"}})
}

func holdOpen(p *posture.Process, f posture.OpenFile) {
	p.MakeReach().OpenFiles.Seen = append(p.MakeReach().OpenFiles.Seen, f)
}

// end makes an attempt end in some way.
func end(p *posture.Process, name string, o posture.Outcome, by posture.Stopper) {
	one := attemptAt(p, name)
	one.Outcome, one.By, one.Detail = o, by, "so it ended"
}

// noSockets takes all sockets with ports from a process.
func noSockets(p *posture.Process) {
	r := p.MakeReach()
	r.OpenFiles.Seen = slices.DeleteFunc(r.OpenFiles.Seen, func(f posture.OpenFile) bool { return f.Kind.Value == posture.FileSocket })
}

var past = names.PastFilters()

func onlyEgress(pol *policy.Policy) { *pol = policy.Policy{Network: policy.Network{NoEgress: true}} }

var socketHoles = []hole{
	{name: "a route out", change: func(p *posture.Process) {
		routed(p)
		end(p, names.EgressAttempt, posture.Succeeded, 0)
	}, want: want{"network.egress": gap}, says: "a route out exists: 0.0.0.0/0 via 192.0.2.1 by \"eth0\\x1b[2J\""},
	{name: "an interface that is up, without a route", change: func(p *posture.Process) {
		routed(p)
		p.MakeReach().Networks.Value[0].Interfaces[2].Routes = nil
		end(p, names.EgressAttempt, posture.NoObject, 0)
	}, want: want{"network.egress": gap}, says: "is up"},
	{name: "an interface that is down, and who may set it up", change: one(func(t *posture.Thread) { t.Caps.Permitted.Value |= 1 << 12 }),
		want: want{"network.egress": unknown}, ask: onlyEgress, says: "may be set up with CAP_NET_ADMIN"},
	{name: "an interface of which nobody knows whether it is up", change: func(p *posture.Process) {
		p.MakeReach().Networks.Value[0].Interfaces[1].Up = posture.Failed[bool](netSource, "no such file")
		end(p, names.EgressAttempt, posture.NoObject, 0)
	}, want: want{"network.egress": unknown}, says: "no such file"},
	{name: "a route out, and no attempt", change: func(p *posture.Process) {
		routed(p)
		attemptAt(p, names.EgressAttempt).Name = "another"
		p.NotProbed = "probes are off"
	}, want: want{"network.egress": unknown}, says: "probes are off"},
	{name: "a route out, and a filter with sockets open", change: func(p *posture.Process) {
		routed(p)
		end(p, names.EgressAttempt, posture.Stopped, posture.StoppedByFilter)
	}, want: want{"network.egress": unknown}, says: "open already"},
	{name: "a route out, and a filter with a way past", change: func(p *posture.Process) {
		noSockets(p)
		routed(p)
		end(p, names.EgressAttempt, posture.Stopped, posture.StoppedByFilter)
		end(p, past[2], posture.Succeeded, 0)
	}, want: want{"network.egress": unknown}, says: "io-uring"},
	{name: "a route out, a filter, and an ABI not tried", change: func(p *posture.Process) {
		noSockets(p)
		routed(p)
		end(p, names.EgressAttempt, posture.Stopped, posture.StoppedByFilter)
		attemptAt(p, past[0]).Name = "another"
	}, want: want{"network.egress": unknown}, says: "a way past"},
	{name: "a socket of another network", change: func(p *posture.Process) { holdOpen(p, inetFile(7, 99, "UDP")) },
		want: want{"network.egress": unknown, "network.listen fd 7": unknown}, says: "no table of its network namespaces"},
	{name: "a socket of the auditor's network that listens", change: func(p *posture.Process) {
		holdOpen(p, inetFile(7, 99, "TCP"))
		r := p.MakeReach()
		r.InetSockets.Value = append(r.InetSockets.Value, posture.InetSocket{Inode: 99, Protocol: "tcp", Local: netip.MustParseAddrPort("0.0.0.0:22"), Listens: true, Foreign: true})
	}, want: want{"network.egress": unknown, "network.listen tcp 0.0.0.0:22": gap}, says: ""},
	{name: "networks not known, and connected", change: func(p *posture.Process) {
		p.MakeReach().Networks.Fail(netSource, "EACCES")
		end(p, names.EgressAttempt, posture.Succeeded, 0)
	}, want: want{"network.egress": gap}, says: "could be connected"},
	{name: "networks not known, and not connected", change: func(p *posture.Process) {
		p.MakeReach().Networks.Fail(netSource, "EACCES")
		end(p, names.EgressAttempt, posture.NoObject, 0)
	}, want: want{"network.egress": unknown}, says: "EACCES"},
	{name: "no network was seen", change: func(p *posture.Process) {
		p.MakeReach().Networks.Value = nil
		end(p, names.EgressAttempt, posture.NoObject, 0)
	}, want: want{"network.egress": unknown}, says: "no network namespace"},
	{name: "another port", change: func(p *posture.Process) {
		p.MakeReach().InetSockets.Value[1].Local = netip.MustParseAddrPort("127.0.0.1:6060")
	}, want: want{"network.listen tcp6 127.0.0.1:6060": gap}, says: "listens on tcp6 127.0.0.1:6060"},
	{name: "no port allowed", ask: func(pol *policy.Policy) { pol.Network.Listen = []uint16{} },
		want: want{"network.listen tcp6 [::]:443": gap}, says: "all addresses"},
	{name: "sockets not listed", change: func(p *posture.Process) { p.MakeReach().InetSockets.Fail(netSource, "ENOENT") },
		want: want{"network.listen fd 2": unknown, "network.listen fd 6": unknown, "network.egress": unknown}, says: ""},
	{name: "a socket of SCTP", change: func(p *posture.Process) { holdOpen(p, inetFile(7, 99, "SCTP")) },
		want: want{"network.egress": unknown, "network.listen fd 7": unknown}, says: ""},
	{name: "raw sockets", change: func(p *posture.Process) { end(p, names.RawAttempts()[0], posture.Succeeded, 0) },
		want: want{"network.raw raw sockets": gap}, says: "it can make raw sockets"},
	{name: "packet sockets of one thread", change: func(p *posture.Process) {
		one := *attemptAt(p, names.RawAttempts()[1])
		one.Outcome, one.TIDs = posture.Succeeded, []int{10}
		p.Attempts = append(p.Attempts, one)
	}, want: want{"network.raw packet sockets": gap}, says: "it can make packet sockets"},
	{name: "packet sockets not decided for one thread", change: func(p *posture.Process) {
		one := *attemptAt(p, names.RawAttempts()[1])
		one.Outcome, one.TIDs = posture.Undecided, []int{10}
		p.Attempts = append(p.Attempts, one)
	}, want: want{"network.raw packet sockets": unknown}, says: "whether it can make packet sockets"},
	{name: "raw sockets by what is permitted", ask: func(pol *policy.Policy) { pol.Process.Capabilities = policy.Capabilities{} }, change: func(p *posture.Process) {
		p.Classes[0].Caps.Permitted.Value, p.Kernel = 1<<13, nil
	}, want: want{"network.raw raw sockets": gap, "network.raw packet sockets": gap, "capabilities.securebits": unknown}, says: ""},
	{name: "raw sockets stopped by a filter with a way past", change: func(p *posture.Process) {
		end(p, names.RawAttempts()[0], posture.Stopped, posture.StoppedByFilter)
		end(p, past[0], posture.Undecided, 0)
	}, want: want{"network.raw raw sockets": unknown}, says: "int80"},
}

// controls puts what root alone may use into a process's root, and returns it.
func controls(p *posture.Process) []posture.Control {
	v := &p.MakeReach().ControlSockets.Value
	v.Found = []posture.Control{
		control("/run/docker.sock", 0o660, 0), control("/var/run/dbus/system_bus_socket", 0o666, 0o700),
		{Path: "/run/secrets/token", What: "an account", Secret: true, Permission: ofRoot(0o600)},
	}
	return v.Found
}

var controlHoles = []hole{
	{name: "sockets and tokens of root alone", change: func(p *posture.Process) { controls(p) }, want: want{}},
	{name: "a runtime's socket for all", change: func(p *posture.Process) { controls(p)[0].Mode = 0o666 },
		want: want{"network.control-socket /run/docker.sock": gap}, says: "a socket of Docker, mode 0666 of user 0 and group 0, may be connected to"},
	{name: "a runtime's socket for its user", change: func(p *posture.Process) {
		controls(p)[0].UID = fact(p.Classes[0].UID.Value.Effective, "statx(2)", "")
	}, want: want{"network.control-socket /run/docker.sock": gap}, says: "connected to"},
	{name: "a runtime's socket for its group", change: func(p *posture.Process) {
		controls(p)[0].GID = fact(p.Classes[0].GID.Value.FS, "statx(2)", "")
	}, want: want{"network.control-socket /run/docker.sock": gap}, says: "connected to"},
	{name: "a socket in a directory that is open now", change: func(p *posture.Process) { controls(p)[1].Through[0].Mode = 0o711 },
		want: want{"network.control-socket /var/run/dbus/system_bus_socket": gap}, says: "connected to"},
	{name: "a token for all", change: func(p *posture.Process) { controls(p)[2].Mode = 0o644 },
		want: want{"network.control-socket /run/secrets/token": gap}, says: "may be read"},
	{name: "a token that can be written only", change: func(p *posture.Process) { controls(p)[2].Mode = 0o622 }, want: want{}},
	{name: "a socket with an access control list", change: func(p *posture.Process) { controls(p)[0].ACL.Value = true },
		want: want{"network.control-socket /run/docker.sock": unknown}, says: "access control list"},
	{name: "a socket of nobody knows whom", change: func(p *posture.Process) { controls(p)[0].UID = posture.Failed[posture.ID]("statx(2)", "EACCES") },
		want: want{"network.control-socket /run/docker.sock": unknown}, says: "EACCES"},
	{name: "CAP_DAC_OVERRIDE", ask: func(pol *policy.Policy) {
		pol.Process.Capabilities, pol.Filesystem = policy.Capabilities{}, policy.Filesystem{}
	}, change: func(p *posture.Process) {
		controls(p)
		p.Classes[0].Caps.Permitted.Value, p.Kernel = 1<<1, nil
	}, want: want{"network.control-socket /run/docker.sock": gap, "network.control-socket /run/secrets/token": gap,
		"network.control-socket /var/run/dbus/system_bus_socket": gap, "capabilities.securebits": unknown}},
	{name: "paths not looked at to their end", change: func(p *posture.Process) {
		p.MakeReach().ControlSockets.Value.Unseen = []posture.Left{{Place: "/run\x1b", Why: "on a file system of type fuse"}}
	}, want: want{"network.control-socket unseen": unknown}, says: "fuse"},
	{name: "paths not looked at", change: func(p *posture.Process) { p.MakeReach().ControlSockets.Fail("/proc/10/root", "EACCES") },
		want: want{"network.control-socket": unknown}, says: "EACCES"},
}

func itoa(n uint32) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func noRaw(pol *policy.Policy) { pol.Network.NoRaw, pol.Network.NoEgress = false, false }

// withoutNetwork asks nothing of the network, since what one descriptor is of is
// asked there too.
func withoutNetwork(list []hole) []hole {
	out := slices.Clone(list)
	for i := range out {
		before := out[i].ask
		out[i].ask = func(pol *policy.Policy) {
			pol.Network = policy.Network{}
			if before != nil {
				before(pol)
			}
		}
	}
	return out
}
