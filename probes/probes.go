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
	"errors"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
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
	// Peer is a process of another user; nil where there is none in reach. A
	// replica is given the number by which it knows that process.
	Peer *Peer
	// Beyond, where it is not nil, is what the attempts of names.AttemptsBeyond
	// are made on. No other attempts are made then.
	Beyond *Beyond

	// Replica is the posture of another process in which RunIn makes the
	// attempts; Run makes them in the calling thread's own.
	Replica *child.Posture
	// Thread holds the facts of the thread that the replica stands for.
	Thread *posture.Thread
	// Executed is what Execute found out of that thread, for the attempt to gain
	// by an execve(2); nil where it was not asked.
	Executed Grant
	// OwnPID is the number by which the replica knows the process that it
	// stands for; 0 means that it knows none.
	OwnPID int

	// moreUses is a further try at a user namespace, linked only with RunIn.
	moreUses func(userns, *builder, *made) func() verdict
}

// Run makes the attempts from the calling thread, which the caller has locked,
// and returns them in the catalogue's order. The error says why children could
// not be made or did not finish; attempts that were finished come all the same.
//
// It needs clone(2) and wait4(2) or waitid(2), no privilege, and leaves
// nothing behind. Every child has the context's deadline.
func Run(ctx context.Context, in Input) ([]posture.Attempt, error) {
	p, err := NewPlan(in, nil)
	if err != nil {
		return nil, err
	}
	p.Run(ctx)
	attempts, err := p.Attempts(in)
	return attempts, errors.Join(err, p.Close())
}

// Plan is attempts that were written down and not made yet. It lets one child
// first try the calls that the audit itself needs, and then the attempts: what
// is known by then is less, and has to be compared with what is known later.
type Plan struct {
	program *child.Program
	env     *env
	judges  []judge
	survey  child.Survey
	err     error
}

// judge reads the answers to one attempt.
type judge struct {
	name string
	read func() verdict
}

// NewPlan writes down the attempts, with calls to be tried before them. It
// must be closed.
func NewPlan(in Input, calls []kernel.AuditCall) (*Plan, error) {
	program, err := child.New()
	if err != nil {
		return nil, err
	}
	return newPlan(in, program, calls, nil), nil
}

// newPlan writes the attempts into a program. What reads their answers is passed
// through careful, where that is not nil.
func newPlan(in Input, program *child.Program, calls []kernel.AuditCall, careful func(*builder, func() verdict) func() verdict) *Plan {
	p := &Plan{program: program, env: newEnv(in), survey: program.Survey(calls)}
	wanted := make(map[string]bool, len(in.Names))
	for _, n := range in.Names {
		wanted[n] = true
	}
	all := entries(&in)
	for k := range all {
		entry := &all[k]
		if !wanted[entry.name] {
			continue
		}
		b := &builder{Program: program, env: p.env, entry: entry}
		read := entry.plan.build(b)
		if careful != nil {
			read = careful(b, read)
		}
		p.judges = append(p.judges, judge{entry.name, read})
		program.End()
	}
	return p
}

// Close gives the plan's memory back.
func (p *Plan) Close() error { return p.program.Close() }

// Run makes the attempts from the calling thread, which the caller has locked.
func (p *Plan) Run(ctx context.Context) {
	// The filters of a replica never act on this thread.
	p.err = p.program.Run(ctx, child.Options{Filtered: p.env.filtered && p.env.in.Replica == nil})
}

// Deny returns the calls, of those that were to be tried first, that must not
// be made in this process, with the reason. An error means that no child could
// try them.
func (p *Plan) Deny() (map[string]string, error) {
	if p.err != nil && !p.survey.Complete() {
		return nil, p.err
	}
	return p.survey.Deny(), nil
}

// Fits says that the attempts that were written down are those that in asks
// for, with arguments by its facts.
func (p *Plan) Fits(in Input) bool {
	have, want := p.env, newEnv(in)
	return have.sameArguments(want) && have.in.CapsetExcept == in.CapsetExcept
}

// Attempts reads the attempts that were made, by the facts of in. The peer is
// the one that they were made on; in may say more of it.
func (p *Plan) Attempts(in Input) ([]posture.Attempt, error) {
	peer := p.env.in.Peer
	*p.env = *newEnv(in)
	if in.Peer == nil || peer == nil || in.Peer.PID != peer.PID {
		p.env.in.Peer = peer
	}
	attempts := make([]posture.Attempt, 0, len(p.judges))
	for _, j := range p.judges {
		v := j.read()
		if p.err != nil && v.outcome == posture.Undecided {
			continue // it was not made: the error says why
		}
		attempts = append(attempts, v.attempt(j.name, p.env.filtered))
	}
	return attempts, p.err
}
