package names

import "strings"

// networkPrefix begins the names of attempts that a policy asks for by the keys
// of its network, and not under probes.
const networkPrefix = "network."

// NetworkAttempt returns the name of an attempt that such a key asks for.
func NetworkAttempt(name string) string { return networkPrefix + name }

// IsNetworkAttempt says whether a key of the network asks for an attempt.
func IsNetworkAttempt(name string) bool { return strings.HasPrefix(name, networkPrefix) }

// EgressAttempt connects a UDP socket, which sends nothing.
const EgressAttempt = networkPrefix + "egress"

// RawAttempts make raw and packet sockets.
func RawAttempts() []string {
	return []string{NetworkAttempt("raw-socket"), NetworkAttempt("packet-socket")}
}

// PastFilters are attempts at ways past a filter that denies socket(2) of the
// native ABI: other ABIs, and a ring, whose requests no filter sees.
func PastFilters() []string {
	return []string{NetworkAttempt("int80"), NetworkAttempt("x32"), NetworkAttempt("io-uring-setup")}
}
