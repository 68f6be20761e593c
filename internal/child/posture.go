package child

import "syscall"

// Posture is what the children of a replica take on before they make the calls
// of their program: that of another process. A child that cannot take all of it
// on makes none of them.
type Posture struct {
	// Program is NewReplica, where scans of package probes are to make replicas:
	// a program that never sets it links none of that.
	Program func(Posture) (*Program, error)

	// Cgroups are joined first of all. The child that a pid namespace takes is
	// born in them.
	Cgroups []Cgroup
	// Join are namespaces, joined in this order before the ids change, by
	// descriptors that stay the caller's: setns(2).
	Join []Namespace
	// Late are joined after the ids have changed: the user namespace, where the
	// caller has privileges of its own. Ids are those outside it then.
	Late []Namespace
	// NewPID says that a pid namespace is among Join, which a process enters by
	// being made in it: a second fork follows.
	NewPID bool
	// Root and Cwd are descriptors of the directories to change to, or -1.
	Root, Cwd int

	// Keep are descriptors that stay open in the children, under their numbers,
	// and stay the caller's. All others are closed. In a pid namespace that was
	// joined whoever may trace there has them too: only what the process that is
	// stood in for has open itself may be among them, or what it can open.
	Keep []int

	// SetUID, SetGID and SetGroups say which ids to change at all.
	SetUID, SetGID, SetGroups bool
	// UID and GID are real, effective, saved and file system id, in the user
	// namespace that the child is in when it changes them.
	UID, GID [4]uint32
	Groups   []uint32

	// Held is what the child has permitted once its ids have changed, and
	// HeldInheritable what inheritable: it lowers its sets from there.
	Held, HeldInheritable uint64
	// The five sets, one bit a capability: capabilities(7).
	Inheritable, Permitted, Effective, Bounding, Ambient uint64
	// Drop are the capabilities to take out of the bounding set.
	Drop uint64

	// Label is the LSM label to take on, or nil: the caller's.
	Label *Label

	NoNewPrivs bool
	Umask      uint32
	Rlimits    []Rlimit
	// Filters are seccomp filters, struct sock_filter[] in host byte order,
	// oldest first.
	Filters [][]byte
	// Unfiltered says that the process has filters, and that they are left out.
	Unfiltered bool

	// Admit is asked about each child once it has taken all of this on, filters
	// included, and before it makes a call of its program. It answers with how
	// the child differs from what it stands for, or nothing. It may be nil.
	Admit func(Candidate) string
}

// LowersLate says that the filters need CAP_SYS_ADMIN to be loaded, which the
// process does not have: the child holds all that it was given until then.
func (po *Posture) LowersLate() bool {
	const sysAdmin = 1 << 21
	return len(po.Filters) > 0 && !po.NoNewPrivs && po.Effective&sysAdmin == 0
}

// Candidate is a child that waits to be admitted.
type Candidate struct {
	// PID is its id in the caller's pid namespace.
	PID int
	// Scans says that it loaded filters of the program's own too, and has
	// no_new_privs for that.
	Scans bool
	// Unfiltered is that of the posture.
	Unfiltered bool
	// Proof is what it was told by system calls, before the filters.
	Proof Proof
}

// Namespace is one to join.
type Namespace struct {
	FD int
	// Type is CLONE_NEW* as setns(2) takes it.
	Type uintptr
	// Name is that of its file: "mnt", "pid".
	Name string
}

// Cgroup is one to join: cgroups(7).
type Cgroup struct {
	// FD is its file cgroup.procs, open for writing.
	FD int
	// Name tells its hierarchy: the controllers of version 1, or "unified".
	Name string
}

// Label is an LSM label, as a task takes one on: by writing to a file of its own.
type Label struct {
	// Proc is a descriptor of a /proc directory, and File is in there.
	Proc int
	File string
	Text string
}

// Rlimit is a resource limit: getrlimit(2).
type Rlimit struct {
	Resource   int
	Name       string
	Soft, Hard uint64
}

// Proof is what a child of a replica was told of itself by system calls.
type Proof struct {
	// UID and GID are real, effective, saved and file system id, as its own
	// user namespace sees them.
	UID, GID                          [4]uint32
	Groups                            []uint32
	Effective, Permitted, Inheritable uint64
	NoNewPrivs                        bool
	Securebits                        uint32
	// SeccompMode is that from before the filters, so 0.
	SeccompMode uint32
}

// Taken is how the taking on of a posture went, for the last child that tried.
type Taken struct {
	// Steps are the calls of it that were made, in order.
	Steps []TakenStep
	// Admitted says that the child went on to its program.
	Admitted bool
	Proof    Proof
	// Differs is what Admit answered, or which step failed.
	Differs string
}

// TakenStep is one call of the taking on, and what it answered.
type TakenStep struct {
	Name  string
	Errno syscall.Errno
}

// NotTakenError says that a child could not take its posture on, so that no
// call of the program was made in it.
type NotTakenError struct {
	// Step is the call that failed; empty where Why says it all.
	Step  string
	Errno syscall.Errno
	// Why is how the child differed from what it stands for.
	Why string
}

// Error names the step and its errno, or the difference.
func (e *NotTakenError) Error() string {
	if e.Step == "" {
		return "replica: " + e.Why
	}
	if e.Errno == 0 {
		return "replica: " + e.Step + ": did not do what was asked"
	}
	return "replica: " + e.Step + ": " + e.Errno.Error()
}

// Unwrap returns the errno, so that errors.Is works, or nil.
func (e *NotTakenError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}
