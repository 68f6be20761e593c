package posture

import "time"

// Process is everything that was observed of one process.
type Process struct {
	// PID is the process id in the auditor's pid namespace.
	PID int
	// Self is true where the auditor audits its own process.
	Self      bool
	StartTime Fact[time.Time]
	Comm      Fact[string]
	Exe       Fact[string]

	// Threads is the number of threads in a thread set that stood still
	// while it was read. It is unreadable where the set kept changing, or
	// where only the calling thread could be seen.
	Threads Fact[int]
	// Classes are the threads, grouped by equal posture. The class of the
	// thread group leader comes first, where the leader could be read.
	Classes []Class
	// Kernel holds the same facts asked by system calls: all of them for
	// the calling thread of an audit of self, the capability sets for any
	// other thread. What was not asked there is the zero Fact.
	Kernel []Thread

	UserNamespace UserNamespace
	Root          Root
	// Descriptors are the open descriptors. Unreadable unless a policy asks.
	Descriptors Fact[[]Descriptor]
	// LastCapability is the highest capability number this kernel has.
	LastCapability Fact[int]

	// Attempts are the probes that were made, in catalogue order.
	Attempts []Attempt
	// NotProbed says why probes that are not among Attempts were not made.
	NotProbed string
	// AfterExec is what a child really had after an execve(2) of a plain
	// program. Unreadable where no such child was run.
	AfterExec Fact[CapSets]

	// ABIs are those of this architecture, the native one first. Empty unless
	// a policy asks about filters.
	ABIs []ABI
	// Scan is every system call, tried. Unreadable unless a policy asks.
	Scan Fact[[]Scan]

	// reach holds a *Reach, or nothing. Its type is not named here: a program
	// whose policy asks nothing of that kind would link all the types in it.
	reach any

	// Limits names, in sentences, what this audit could not see or do.
	Limits []string
}

// Class is a group of threads with equal posture.
type Class struct {
	// Thread is the posture that all of TIDs share; its TID is the lowest
	// of them, or the leader's.
	Thread
	// TIDs are the threads of the class, in ascending order, as numbered in
	// the auditor's pid namespace.
	TIDs []int
}

// Thread is what the kernel records of one thread: credentials(7),
// capabilities(7), seccomp(2).
type Thread struct {
	TID    int
	UID    Fact[IDs]
	GID    Fact[IDs]
	Groups Fact[[]ID]
	Caps   CapFacts

	NoNewPrivs     Fact[bool]
	SeccompMode    Fact[int] // 0 disabled, 1 strict, 2 filter
	SeccompFilters Fact[int] // Linux 5.9
	// Filters are the seccomp filters themselves. Unreadable unless asked for
	// and let: CAP_SYS_ADMIN in the initial user namespace, Linux 4.4.
	Filters Fact[Filters]

	// Securebits can be asked for the calling thread only: PR_GET_SECUREBITS.
	Securebits Fact[uint32]
	// Dumpable can be asked for the own process only: PR_GET_DUMPABLE.
	Dumpable Fact[int]

	NSpid          Fact[[]int]
	TracerPID      Fact[int]
	Umask          Fact[uint32]
	CoreDumping    Fact[bool]
	StoreBypass    Fact[string] // Speculation_Store_Bypass
	IndirectBranch Fact[string] // SpeculationIndirectBranch
}

// ID is a user or group id.
type ID struct {
	// Value is the id as the target's own user namespace sees it. An id
	// that is not mapped there is seen as the overflow id.
	Value uint32
	// Outside is the id as the auditor's user namespace sees it.
	Outside uint32
	// Unmapped is true where the target's user namespace has no id for it.
	Unmapped bool
}

// IDs are the four user or group ids of a thread: credentials(7).
type IDs struct {
	Real, Effective, Saved, FS ID
}

// CapSet is a set of capabilities, one bit each: capabilities(7).
type CapSet uint64

// Has says whether capability number n is in the set.
func (s CapSet) Has(n int) bool { return n >= 0 && n < 64 && s&(1<<n) != 0 }

// CapSets are the five capability sets of a thread.
type CapSets struct {
	Inheritable, Permitted, Effective, Bounding, Ambient CapSet
}

// CapFacts are the five sets as observed, each by itself.
type CapFacts struct {
	Inheritable, Permitted, Effective, Bounding, Ambient Fact[CapSet]
}

// UserNamespace is the target's user namespace: user_namespaces(7).
type UserNamespace struct {
	// Same is true where it is the auditor's own.
	Same   Fact[bool]
	UIDMap Fact[[]MapEntry]
	GIDMap Fact[[]MapEntry]
	// Outermost is true where the ids outside, as the maps show them, are those
	// of the machine's first user namespace.
	Outermost Fact[bool]
}

// MapEntry is one line of uid_map or gid_map.
type MapEntry struct {
	Inside, Outside, Size uint32
}

// Root is the root directory of the process.
type Root struct {
	// Host is true where it is the machine's own root directory, in
	// whatever mount namespace.
	Host Fact[bool]
	// Chroot is true where it is not the root of the mount namespace.
	Chroot Fact[bool]
	// ReadOnly is true where nothing can be written through the mount that
	// the root lies on.
	ReadOnly Fact[bool]
	// CwdOutside is true where the working directory of a thread leads out
	// of the root directory: a chroot(2) without chdir(2).
	CwdOutside Fact[bool]
	// RootOutside is true where the root directory of a thread leads out of
	// that of the thread group leader: an unshare(2) of CLONE_FS on that thread
	// before a chroot(2) on the others.
	RootOutside Fact[bool]
	// Of says of which thread each of these facts is. They are the worst of all
	// threads'.
	Of RootThreads
}

// RootThreads are the first threads that have what Root says, each by itself. 0
// stands for the thread group leader and all that share with it.
type RootThreads struct {
	Host, Chroot, ReadOnly, CwdOutside, RootOutside int
}

// Descriptor is one open file descriptor.
type Descriptor struct {
	FD int
	// TID is a thread in whose table it is.
	TID int
	// Path is what the kernel prints for it; the target chose its bytes.
	Path string
	// Directory is true for a directory, opened in whatever way.
	Directory Fact[bool]
	// OutsideRoot is true where it leads out of the root directory.
	OutsideRoot Fact[bool]
	// Kept is true for the detached /proc/self/task that audit.Open keeps.
	Kept bool
}
