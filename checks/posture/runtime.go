package posture

// Terminal is the controlling terminal of a process: tty(4).
type Terminal struct {
	// Major and Minor are its device number; both are 0 where there is none.
	Major, Minor uint32
}

// Terminals are those that a process has a hold on.
type Terminals struct {
	Controlling Fact[Terminal]
	// LegacyTIOCSTI is true where the kernel lets a process put input into its
	// controlling terminal: dev.tty.legacy_tiocsti. Before Linux 6.2 there is no
	// such sysctl, and it always does.
	LegacyTIOCSTI Fact[bool]
	// Open is how many of its descriptors are of terminals.
	Open Fact[int]
}

// ProgramFile is the file that a process executes: /proc/PID/exe.
type ProgramFile struct {
	// Path is what the kernel prints for it. The target chose its bytes.
	Path Fact[string]
	// Deleted is true where it has no name any more, and Replaced where its path
	// leads to another file now.
	Deleted, Replaced Fact[bool]
	// File is who may write it.
	File Guard
	// Directories are those on the way to it, the nearest first: who may write one
	// may put something else in its place. Whole is true where these are all.
	Directories []Guard
	Whole       Fact[bool]
	// Hardening is how the program was built.
	Hardening Fact[Hardening]
}

// Guard is what stands before writing a file or directory.
type Guard struct {
	// Path is from the root directory of the process, or empty.
	Path string
	Permission
	// ReadOnly is true where nothing is written through its mount.
	ReadOnly Fact[bool]
}

// Fail marks all of it as what could not be read.
func (p *ProgramFile) Fail(source, why string) {
	for _, o := range []*Origin{&p.Path.Origin, &p.Deleted.Origin, &p.Replaced.Origin, &p.Whole.Origin, &p.Hardening.Origin} {
		o.Fail(source, why)
	}
}

// Sticky is the bit of inode(7) that lets only owners remove files from a
// directory.
const Sticky = 0o1000

// Hardening is how a program was built: elf(5).
type Hardening struct {
	// PIE is true where it can be loaded anywhere, Static where it needs no
	// loader.
	PIE, Static bool
	// ExecutableStack is true where it asks for that, or does not say that it
	// needs none.
	ExecutableStack bool
	// RELRO is "none", "partial" or "full": what is made read-only once addresses
	// are filled in.
	RELRO string
	// Canary is true where functions check a canary on the stack. It is told by
	// a symbol that static programs need not have.
	Canary bool
	// Go is the version of Go that built it, or empty.
	Go string
}
