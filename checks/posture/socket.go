package posture

// AbstractSockets are UNIX domain sockets with abstract names in the network
// namespaces of the process, that can be connected or sent to: unix(7).
type AbstractSockets struct {
	// Others are those that the process does not hold itself, Own how many it
	// does.
	Others []AbstractSocket
	Own    int
}

// AbstractSocket is one of them.
type AbstractSocket struct {
	// Name holds bytes that whoever bound it chose, without the leading NUL.
	Name string
	// Kind is "stream", "datagram" or "seqpacket".
	Kind  string
	Inode uint64
}
