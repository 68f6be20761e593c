package posture

// ProgramWalk is what a walk over the mounts found.
type ProgramWalk struct {
	// Programs are in the order in which they were found.
	Programs []Program
	// Files is how many directory entries were looked at.
	Files int
	// Idle are mounts where such programs take no effect, so that they were left out.
	Idle []Left
	// Unseen is what could not be looked at. The walk is complete where it is empty.
	Unseen []Left
	// Counts is true where set-ID bits and file capabilities on the mounts
	// count for the process: where its user namespace owns its mount namespace
	// or is below the owner. It is never known to be false, since mounts that
	// come from further up count all the same.
	Counts Fact[bool]
}

// Left is a place that was left out, and why.
type Left struct {
	// Place is a path from the root directory of the process. It may hold bytes
	// that the target chose.
	Place string
	Why   string
}

// Program is a regular file that is executable and set-user-ID, set-group-ID or
// has file capabilities, on a mount where those take effect.
type Program struct {
	// Path is from the root directory of the process. It may hold bytes that
	// the target chose.
	Path string
	Permission
	// Capabilities are Absent where it has none.
	Capabilities Fact[FileCapabilities]
	// Through are the directories on the way to it that not everyone may search.
	Through []Permission
}

// Mode bits of inode(7).
const (
	SetUID = 0o4000
	SetGID = 0o2000
)

// Permission is what the kernel goes by to let a process execute a file or
// search a directory: path_resolution(7).
type Permission struct {
	UID, GID Fact[ID]
	// Mode has the bits of inode(7) without the type.
	Mode uint32
	// ACL is true where an access control list adds to them, and unreadable
	// where nobody asked or could: acl(5).
	ACL Fact[bool]
}

// FileCapabilities is a security.capability attribute: capabilities(7).
type FileCapabilities struct {
	Permitted, Inheritable CapSet
	// Effective is the one bit that puts all of them in force.
	Effective bool
	// Version is 1, 2 or 3.
	Version int
	// RootID is the user id, as the auditor sees it, for whose user namespaces
	// they count; 0 in versions 1 and 2.
	RootID uint32
	// Counts is true where they count in the target's user namespace.
	Counts Fact[bool]
}
