// Package auditopt hands to an audit what only programs of this module may
// hand to it. It travels in the context, so that the package audit shows
// nothing of it:
//
//	ctx = auditopt.With(ctx, auditopt.Options{ExecChild: child})
//	rep, err := audit.Check(ctx)
package auditopt

import (
	"context"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// Options are the parts of an audit that the caller brings along.
type Options struct {
	// ExecChild starts a plain program by fork(2) and execve(2) from the
	// calling thread, whose OS thread is locked, and returns the capability
	// sets that the program found itself with. It honours the context's
	// deadline. It is called only for the own process and with probes on.
	ExecChild func(context.Context) posture.Fact[posture.CapSets]
	// Filters asks for the seccomp filters of another process also where the
	// policy does not need them.
	Filters bool
	// JoinCgroup has the children that stand in for another process join its
	// cgroups, whose limits they are charged to then.
	JoinCgroup bool
	// Progress, where it is not nil, is told how many files a walk has looked at,
	// now and then, perhaps by another goroutine and after the audit.
	Progress func(files int)
}

type key struct{}

// With returns a context that carries o.
func With(ctx context.Context, o Options) context.Context {
	return context.WithValue(ctx, key{}, o)
}

// From returns what With put into the context, or the zero Options.
func From(ctx context.Context) Options {
	o, _ := ctx.Value(key{}).(Options)
	return o
}
