package posture

// Namespace is one namespace that threads of a process are in: namespaces(7).
type Namespace struct {
	// Type is the name of its file in /proc/PID/ns: "net".
	Type string
	// Link is what that file leads to: "net:[4026531833]". Unreadable where it
	// takes ptrace access that the auditor lacks, absent where this kernel has
	// no such namespaces.
	Link Fact[string]
	// TIDs are the threads that are in it.
	TIDs []int
	// Initial is true where it is the machine's first one.
	Initial Fact[bool]
	// Shared is true where the auditor is in it too.
	Shared Fact[bool]
	// Owner is the user namespace that owns it, and of a user namespace the one
	// above it: ioctl_ns(2), Linux 4.9. It is not asked for the own process.
	Owner Fact[string]
}

// Limit is one resource limit of a process: getrlimit(2).
type Limit struct {
	// Name is the resource, "RLIMIT_NOFILE"; Unit what the kernel counts it in.
	Name, Unit string
	// Soft and Hard are its values; RlimInfinity is no limit.
	Soft, Hard uint64
}

// RlimInfinity is RLIM_INFINITY of getrlimit(2).
const RlimInfinity = ^uint64(0)
