package probes

// Beyond is what lies outside the process, for the attempts that
// names.AttemptsBeyond has. NewBeyond makes it: a program that never calls that
// links none of them.
type Beyond struct {
	table []entry

	// Processes are those to try, by the numbers by which whoever tries knows
	// them. Named is how many it can name in all, beside itself. NotTried says
	// why there may be others of another kind, and is empty where there are not.
	Processes []OtherProcess
	Named     int
	NotTried  string

	// Directories are those that the process has open, and NotOpened says why
	// there may be others.
	Directories []Directory
	NotOpened   string

	// Procs are the procfs mounts within its root, and NotSeen says why there may
	// be others. Roots are processes whose root is not known to be that of the
	// process, and NoRoots says why there may be others.
	Procs   []ProcMount
	NotSeen string
	Roots   []OtherRoot
	NoRoots string
}

// OtherProcess is one that the process did not start.
type OtherProcess struct {
	PID int
	// What says what it is: "process 1, of user 0".
	What string
	// OtherUser says that none of its user ids is one of the process's own.
	OtherUser bool
	// Traced says that it is traced already, so that nobody else can.
	Traced bool
}

// Directory is one that the process has open.
type Directory struct {
	// FD is its descriptor; WorkingDirectory stands for what it stands for.
	FD int
	// What says what it is: "descriptor 5".
	What string
	// Outside says that it is known to lie outside the root, Inside that it is
	// known to lie within.
	Outside, Inside bool
}

// WorkingDirectory is AT_FDCWD.
const WorkingDirectory = atFDCWD

// ProcMount is a procfs within the root.
type ProcMount struct {
	Path string
	// Ours says that it is the very one by which the auditor numbers processes.
	Ours bool
}

// OtherRoot is a process that may have another root.
type OtherRoot struct {
	// PID is its number where the process is, or 0; Ours is the auditor's.
	PID, Ours int
	What      string
}

// NewBeyond returns one that knows of nothing yet, and so proves nothing.
func NewBeyond() *Beyond {
	const why = "nobody looked for any"
	return &Beyond{table: catalogBeyond[:], NotTried: why, NotOpened: why, NotSeen: why, NoRoots: why}
}

// catalogBeyond goes on where catalog ends: see there.
var catalogBeyond = [...]entry{
	{"kill-other-users", capKill, "kill(2)", signalOthers{users: true}},
	{"kill-processes", capKill, "kill(2)", signalOthers{}},
	{"ptrace-processes", capSysPtrace, "ptrace(2)", traceOthers{}},
	{"process-vm-readv-processes", capSysPtrace, "process_vm_readv(2)", readOthers{}},
	{"fd-escape", noCap, "openat(2)", openDirectories{}},
	{"proc-root", capSysPtrace, "proc_pid_root(5)", otherRoots{}},
}

// entries are those of catalog, and of what lies beyond where that is given.
func entries(in *Input) []entry {
	if in.Beyond == nil {
		return catalog[:]
	}
	return in.Beyond.table
}
