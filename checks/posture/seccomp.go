package posture

// Action is what a seccomp filter does with a system call: seccomp(2). The zero
// value is not decided. The others come in the kernel's order of precedence,
// the one that wins first.
type Action uint8

const (
	// ActionUndecided: the evaluation came to its bound.
	ActionUndecided Action = iota
	// ActionKillProcess ends the process with SIGSYS. Linux 4.14.
	ActionKillProcess
	// ActionKillThread ends the thread with SIGSYS.
	ActionKillThread
	// ActionTrap sends SIGSYS, which the process may handle.
	ActionTrap
	// ActionErrno returns an error, or 0, without making the call.
	ActionErrno
	// ActionNotify leaves it to a supervisor; ENOSYS where there is none. Linux 5.0.
	ActionNotify
	// ActionTrace leaves it to a tracer; ENOSYS where there is none.
	ActionTrace
	// ActionLog makes the call, and notes it in the audit log. Linux 4.14.
	ActionLog
	// ActionAllow makes the call.
	ActionAllow
)

var actionNames = [...]string{
	ActionUndecided: "undecided", ActionKillProcess: "KILL_PROCESS", ActionKillThread: "KILL_THREAD", ActionTrap: "TRAP",
	ActionErrno: "ERRNO", ActionNotify: "USER_NOTIF", ActionTrace: "TRACE", ActionLog: "LOG", ActionAllow: "ALLOW",
}

// String returns the name that seccomp(2) gives it, without SECCOMP_RET_.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "undecided"
}

// Lets says that the kernel makes the call: allowed, or merely logged.
func (a Action) Lets() bool { return a == ActionAllow || a == ActionLog }

// Denies says that the call is not made, whatever other processes do.
func (a Action) Denies() bool { return a >= ActionKillProcess && a <= ActionErrno }

// Filters is what the seccomp filters of a thread decide together. None at all
// is a known value with no Programs.
type Filters struct {
	// Digest tells one list of filters from another: the SHA-256 of their
	// lengths and instructions in hexadecimal, empty for no filter.
	Digest string
	// Programs are the filters as the kernel gave them, struct sock_filter in
	// host byte order, in the order of their installation.
	Programs [][]byte
	// ABIs are the verdicts for each ABI of this architecture, the native
	// one first.
	ABIs []FilteredABI
}

// FilteredABI is what the filters decide for each number of one ABI.
type FilteredABI struct {
	// ABI is one of names.ABIs: "x86-64", "x32", "i386", "arm64", "arm".
	ABI string
	// Calls cover every number of the ABI, in ascending order, without gaps.
	Calls []FilteredCalls
}

// FilteredCalls is a range of numbers that the filters treat alike.
type FilteredCalls struct {
	First, Last uint32
	// Summary is the verdict in words: "allowed unless arg0 & 0x7e020000".
	Summary string
	// Ways are all outcomes that are possible, at least one.
	Ways []Way
}

// Way is one outcome and when it comes about.
type Way struct {
	Action Action
	// Value is the errno of ActionErrno, or the data of another action.
	Value uint16
	// When is the condition on the arguments; empty where there is none. One
	// that could not be decided is in Why instead.
	When string
	// Filter is the filter that decides, counted from 0 in the order of
	// installation, and Offset the instruction that returns.
	Filter, Offset int
	// Notes say what a comparison forgets: the high word of an argument that
	// the kernel reads as 64 bits, say.
	Notes []string
	// Why says why ActionUndecided.
	Why string
}

// Answer is what a live attempt at a system call told. The zero value is that
// it told nothing.
type Answer uint8

const (
	// AnswerUnknown: not made, or what came back does not tell.
	AnswerUnknown Answer = iota
	// AnswerReachable: the kernel itself answered.
	AnswerReachable
	// AnswerDenied: a filter answered.
	AnswerDenied
	// AnswerNoCall: this kernel has no such call, and no filter is before it.
	AnswerNoCall
)

// String returns the answer in words.
func (a Answer) String() string {
	switch a {
	case AnswerReachable:
		return "reachable"
	case AnswerDenied:
		return "denied by filter"
	case AnswerNoCall:
		return "no such call in this kernel"
	default:
		return "unknown"
	}
}

// Scan is every number of one ABI, tried by children of the calling thread.
type Scan struct {
	ABI string
	// Digest is that of the Filters that the children loaded; empty where they
	// had those of the calling thread.
	Digest string
	// Calls are in ascending order.
	Calls []Scanned
	// Why says why numbers are missing; empty where all were tried.
	Why string
}

// Scanned is one number that was tried, with arguments that the kernel rejects
// before anything happens.
type Scanned struct {
	Number uint32
	Args   [6]uint64
	Answer Answer
	// By is how a filter denied it: errno, trap, or a kill, of which
	// ActionKillThread and ActionKillProcess look alike from outside.
	By Action
	// Errno is what came back, the filter's or the kernel's; 0 for success
	// and for a call that did not come back.
	Errno int
	// Returned says that the call came back at all.
	Returned bool
	// Signal is what a child died of in it, or 0.
	Signal int
	// Detail says in words what was seen, or why it was not made.
	Detail string
	// Filtered is what the evaluated filters do with just these arguments.
	// It is unreadable where no filter could be read.
	Filtered Fact[Way]
}

// ABI is a way into the kernel, and whether this kernel has it.
type ABI struct {
	Name    string
	Present Fact[bool]
}
