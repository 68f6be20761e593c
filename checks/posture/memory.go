package posture

// Memory is the address space of a process, which all its threads share, and
// what the kernel writes of it into a core dump.
type Memory struct {
	// Randomized is true where the kernel laid the address space out at random
	// when the program was executed: PF_RANDOMIZE of proc_pid_stat(5).
	Randomized Fact[bool]
	// RandomizeVASpace is what it does for programs from now on:
	// kernel.randomize_va_space, 0 nothing, 1 all but the heap, 2 all.
	RandomizeVASpace Fact[int]
	// Personalities are the execution domains of the threads: personality(2).
	Personalities []Personality

	// Mappings are what is mapped where: proc_pid_maps(5).
	Mappings Fact[Mappings]
	// Stacks are where the threads' stack pointers are. Empty where nothing is
	// mapped writable and executable, so that no stack can be.
	Stacks []Stack

	// Dumpable is 0, 1 or 2 as for PR_SET_DUMPABLE, told by who owns the files of
	// the process in /proc. A process that is not dumpable is 0 there, also where
	// it is 2.
	Dumpable Fact[int]
	// SuidDumpable is what a change of ids makes of it: fs.suid_dumpable.
	SuidDumpable Fact[int]
	// CoreLimit is RLIMIT_CORE.
	CoreLimit Fact[Limit]
	// CorePattern is where core dumps go, and CoreUsesPID whether the process id
	// is added to that: core(5).
	CorePattern Fact[string]
	CoreUsesPID Fact[int]
}

// Flags of personality(2).
const (
	AddrNoRandomize  = 0x0040000
	ReadImpliesExec  = 0x0400000
	VASpaceNone      = 0
	VASpaceSaveHeap  = 1
	DumpableNot      = 0
	DumpableUser     = 1
	DumpableRootOnly = 2
)

// Personality is the execution domain that some threads share.
type Personality struct {
	Flags Fact[uint32]
	TIDs  []int
}

// Stack is where a thread's stack pointer was.
type Stack struct {
	TID int
	// Pointer is an address. The kernel shows that of a thread that waits.
	Pointer Fact[uint64]
}

// Mappings are the mappings of an address space, as far as they matter.
type Mappings struct {
	// Count is how many there are.
	Count int
	// WriteExecute are those both writable and executable, the lowest addresses
	// first, and More is how many others there are.
	WriteExecute []Mapping
	More         int
	// Twice are executable mappings of files that are mapped shared and writable
	// elsewhere: what is written there is executed here.
	Twice     []Mapping
	MoreTwice int
	// Unwatched is how many mappings there were too many to find that out of.
	Unwatched int
	// Stack is the first thread's, as the kernel names it. Nil where it has none.
	Stack *Mapping
}

// Mapping is one mapping of an address space.
type Mapping struct {
	Start, End uint64
	// Permissions are as the kernel shows them: "rwxp".
	Permissions string
	// Name is the file's, or the kernel's for memory of a special kind, or empty.
	// It may hold bytes that the target chose, and is cut where it is long.
	Name string
}
