package posture

import "net/netip"

// Network is a network namespace that threads are in: network_namespaces(7).
type Network struct {
	// Link is what /proc/PID/ns/net says: "net:[4026531840]".
	Link string
	// TIDs are the threads that are in it.
	TIDs []int
	// Interfaces are all of them, the loopback one too.
	Interfaces []Interface
}

// Interface is a network interface: netdevice(7).
type Interface struct {
	// Name holds bytes that whoever made it chose.
	Name string
	// Loopback is true for the one that leads back to the network namespace.
	Loopback bool
	// Up is true where it is up. It is unreadable where the kernel lists none
	// of what is up.
	Up Fact[bool]
	// Routes are some of the destinations that the routing tables have for it,
	// the widest first: "0.0.0.0/0 via 192.0.2.1".
	Routes []string
}

// InetSocket is a TCP, UDP or UDP-Lite socket that the process holds, as a network
// namespace lists it: proc_pid_net(5).
type InetSocket struct {
	// Inode is its number in the links of descriptors: "socket:[123]".
	Inode uint64
	// Protocol is "tcp", "tcp6", "udp", "udp6", "udplite" or "udplite6".
	Protocol      string
	Local, Remote netip.AddrPort
	// Listens is true where it takes connections, or datagrams of anybody.
	Listens bool
	// Foreign is true where the namespace is the auditor's, and none that a
	// thread of the process is in.
	Foreign bool
}
