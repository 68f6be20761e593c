package posture

// Use is what a place in the file system is looked at for: one bit each.
type Use uint8

const (
	// UseMasked and UseReadOnly are paths that the policy names.
	UseMasked Use = 1 << iota
	UseReadOnly
	// UseWrite: it may be written to, or files made in it.
	UseWrite
	// UseExecute: and what is written may be executed.
	UseExecute
	// UseRead: it may be read or listed.
	UseRead
	// UseDevice: a device node on a mount without nodev.
	UseDevice
	// UseShell: a shell or a package manager.
	UseShell
)

// Access is what a process may reach in its file system, as far as a policy asks.
type Access struct {
	// Places are the paths that the policy names, and what mode bits let some
	// thread reach: of a tree that can be reached as a whole its top.
	Places []Place
	// Unseen is what could not be looked at, for which uses.
	Unseen []Unseen
	// More are uses for which there may be more places than Places has.
	More Use
}

// Unseen is a place that was left out.
type Unseen struct {
	Left
	Uses Use
}

// PlaceKind is the type of a file: inode(7).
type PlaceKind uint8

const (
	// KindOther are sockets, named pipes and all that is not known.
	KindOther PlaceKind = iota
	KindDirectory
	KindRegular
	KindCharacter
	KindBlock
)

// Place is one file or directory.
type Place struct {
	// Path is from the root directory of the process. It may hold bytes that
	// the target chose.
	Path string
	Use  Use
	// There says whether anything lies there. Absent: nothing does.
	There Origin
	Kind  PlaceKind
	// Mode has the bits of inode(7) without the type.
	Mode uint32
	// Major and Minor tell which device a node is for.
	Major, Minor uint32
	// Type is that of the file system.
	Type string
	// ReadOnly and NoExec are those of its mount or its file system.
	ReadOnly, NoExec bool
	// Taking says that mode bits let it only with an id or a capability that no
	// thread has in force, but may put in force, or once its owner has changed them.
	Taking bool
	// Barred says of a path that the policy names that mode bits keep every
	// thread from what it is looked at for.
	Barred bool
	// Untried says why it is not to be tried.
	Untried string
	// Tries are what became of trying it.
	Tries []Try
}

// Try is what became of trying one place.
type Try struct {
	Outcome Outcome
	// Executable says of a place that was written to whether what is written may
	// be executed.
	Executable Outcome
	// Detail says in words what was answered.
	Detail string
	// TIDs are the threads that it speaks for: none where all are alike.
	TIDs []int
}

// IsNull says that it is the null device, by which the OCI runtime masks files.
func (p *Place) IsNull() bool { return p.Kind == KindCharacter && p.Major == 1 && p.Minor == 3 }
