// Package probes tries what a policy says cannot be done.
//
// Every attempt is made by a child that was forked from the calling thread
// and has its credentials, its filter and its root. An attempt has up to two
// points. Reach is answered by the kernel before it looks at permissions, so
// another answer than the kernel's is a filter's. Act gets as far as the
// permission check, and changes nothing that outlives the child if it passes.
package probes

import (
	"context"
	"fmt"
	"runtime"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Peer is another process, to try to trace and to read.
type Peer struct {
	PID int
	// Why says what it is to this process: "process 1, of user 0".
	Why string
}

// Input says what to try, and what is known of the thread that tries it.
type Input struct {
	// Names are the attempts to make, as names.Attempts calls them.
	Names []string
	// Process holds the facts of the own process.
	Process *posture.Process
	// CapsetExcept are the capabilities that the attempt `capset` leaves
	// out: those that are effective or that the policy lets be so.
	CapsetExcept posture.CapSet
	// Peer is a process of another user; nil where there is none in reach.
	Peer *Peer
}

// Run makes the attempts from the calling thread, which the caller has locked,
// and returns them in the catalogue's order. The error says why children could
// not be made or did not finish; attempts that were finished come all the same.
//
// It needs clone(2) and wait4(2) or waitid(2), no privilege, and leaves
// nothing behind. Every child has the context's deadline.
func Run(ctx context.Context, in Input) ([]posture.Attempt, error) {
	p, err := child.New()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	e := newEnv(in)
	wanted := make(map[string]bool, len(in.Names))
	for _, n := range in.Names {
		wanted[n] = true
	}
	type planned struct {
		name  string
		judge func() verdict
	}
	var plan []planned
	entries := catalog()
	for i := range entries {
		entry := &entries[i]
		if wanted[entry.name] {
			b := &builder{Program: p, env: e, entry: entry}
			plan = append(plan, planned{entry.name, entry.plan.build(b)})
			p.End()
		}
	}
	err = p.Run(ctx, child.Options{Filtered: e.filtered})
	var attempts []posture.Attempt
	for _, pl := range plan {
		v := pl.judge()
		if err != nil && v.outcome == posture.Undecided {
			continue // it was not made: the error says why
		}
		attempts = append(attempts, v.attempt(pl.name))
	}
	return attempts, err
}

// builder writes one entry's calls into a program.
type builder struct {
	*child.Program
	env   *env
	entry *entry
}

// number returns the native number of a system call.
func number(call string) (uint32, bool) { return names.Syscall(runtime.GOARCH, call) }

// made is a call in the program, or the reason why there is none.
type made struct {
	step child.Step
	ok   bool
	call string
	what string // the arguments, for the evidence
}

// do appends a call by name. On an architecture without it nothing is appended.
func (b *builder) do(call string, args []word, c child.Call) made {
	nr, ok := number(call)
	if !ok {
		return made{call: call}
	}
	c.NR = nr
	for _, w := range args {
		c.Args = append(c.Args, w.arg(b))
	}
	return made{step: b.Call(c), ok: true, call: call, what: call + "(" + describe(args) + ")"}
}

// unit appends a call that is a unit by itself.
func (b *builder) unit(call string, args []word, c child.Call) made {
	m := b.do(call, args, c)
	b.End()
	return m
}

// answer is what the kernel, or a filter, said to a call.
type answer struct {
	made
	child.Outcome
	unsteady bool
}

// read returns the answer to a call once the program has run.
func (b *builder) read(m made) answer {
	if !m.ok {
		return answer{made: m}
	}
	return answer{made: m, Outcome: b.Outcome(m.step), unsteady: b.Unsteady(m.step)}
}

// returns says what calls return whose results differ from one audit to the
// next, so that two reports on one unchanged process do not.
var returns = map[string]string{
	"bpf": "a descriptor", "fanotify_init": "a descriptor", "fsopen": "a descriptor", "io_uring_setup": "a descriptor",
	"memfd_create": "a descriptor", "open_tree": "a descriptor", "openat": "a descriptor", "perf_event_open": "a descriptor",
	"pidfd_open": "a descriptor", "socket": "a descriptor", "userfaultfd": "a descriptor",
	"clone": "a process id", "clone3": "a process id", "getpid": "a process id", "getppid": "a process id",
	"mmap": "an address", "mmap2": "an address",
}

// String puts the answer as strace(1) would.
func (a answer) String() string {
	switch {
	case !a.ok:
		return fmt.Sprintf("%s: not a call of linux/%s", a.call, runtime.GOARCH)
	case a.Signal != 0:
		return fmt.Sprintf("%s: killed by %s", a.what, names.SignalName(int(a.Signal)))
	case !a.Made:
		return a.what + ": not made"
	case a.Errno != 0:
		return a.what + " = " + names.ErrnoName(int(a.Errno))
	}
	if what, ok := returns[a.call]; ok && a.Ret != 0 {
		return a.what + " = " + what
	}
	return fmt.Sprintf("%s = %d", a.what, int(a.Ret))
}
