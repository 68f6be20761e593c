package probes

import (
	"runtime"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// builder writes one entry's calls into a program.
type builder struct {
	*child.Program
	env   *env
	entry *entry
	// call and nr remember the last number that was looked up.
	call  string
	nr    uint32
	known bool
	// made are the numbers of all calls that were written for the entry.
	made []uint32
}

// number returns the native number of a system call.
func number(call string) (uint32, bool) { return names.Syscall(runtime.GOARCH, call) }

func (b *builder) number(call string) (uint32, bool) {
	if call != b.call {
		b.call = call
		b.nr, b.known = number(call)
	}
	return b.nr, b.known
}

// made is a call in the program, or the reason why there is none.
type made struct {
	step child.Step
	ok   bool
	call string
	name string // what the evidence calls it, where that is not call
	args words
	// before: the kernel answers it before it looks at permissions.
	before bool
}

// do appends a call by name. On an architecture without it nothing is appended.
func (b *builder) do(call string, args words, f child.Flags) *made {
	nr, ok := b.number(call)
	if !ok {
		return &made{call: call}
	}
	var room [6]child.Arg
	list := room[:0]
	for _, w := range args {
		list = append(list, w.arg(b))
	}
	b.made = append(b.made, nr)
	return &made{step: b.Call(nr, f, list...), ok: true, call: call, args: args}
}

// unit appends a call that is a unit by itself, and that the kernel answers
// before it looks at permissions.
func (b *builder) unit(call string, args words, f child.Flags) *made {
	m := b.do(call, args, f)
	m.before = true
	b.End()
	return m
}

// answer is what the kernel, or a filter, said to a call.
type answer struct {
	*made
	child.Outcome
	unsteady bool
}

// unasked is the answer to a call that the plan does not have.
var unasked = &answer{made: &made{}}

// read returns the answer to a call once the program has run.
func (b *builder) read(m *made) *answer {
	if m == nil {
		return unasked
	}
	if !m.ok {
		return &answer{made: m}
	}
	return &answer{made: m, Outcome: b.Outcome(m.step), unsteady: b.Unsteady(m.step)}
}

// returns says what calls return whose results differ from one audit to the
// next, so that two reports on one unchanged process do not.
func returns(call string) string {
	switch call {
	case "bpf", "fanotify_init", "fsopen", "io_uring_setup", "memfd_create", "open_tree", "openat", "perf_event_open", "pidfd_open", "socket", "userfaultfd":
		return "a descriptor"
	case "clone", "clone3", "getpid", "getppid":
		return "a process id"
	case "mmap", "mmap2":
		return "an address"
	default:
		return ""
	}
}

// words put the answer as strace(1) would. Where the attempt is known to have
// succeeded, 0 of a call that returns a descriptor is one.
func (a *answer) words(done bool) string {
	if !a.ok {
		return a.call + ": not a call of linux/" + runtime.GOARCH
	}
	what := a.name
	if what == "" {
		what = a.call + "(" + describe(a.args) + ")"
	}
	switch {
	case a.Signal != 0:
		return what + ": killed by " + names.SignalName(int(a.Signal))
	case !a.Made:
		return what + ": not made"
	case a.Errno != 0:
		return what + " = " + names.ErrnoName(int(a.Errno))
	}
	if kind := returns(a.call); kind != "" && (a.Ret != 0 || done) {
		return what + " = " + kind
	}
	return what + " = " + strconv.Itoa(int(a.Ret))
}
