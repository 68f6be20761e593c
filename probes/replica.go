package probes

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// RunIn makes the attempts as Run does, in children that take on the posture of
// in.Replica first. taken says how that went: where it failed the error is a
// *child.NotTakenError, and no attempt was made in the child that it failed in.
// It takes what child.NewReplica takes.
func RunIn(ctx context.Context, in Input) (attempts []posture.Attempt, taken child.Taken, err error) {
	if in.Replica == nil || in.Thread == nil {
		return nil, taken, errors.New("probes: a replica takes a posture and the facts of a thread")
	}
	program, err := child.NewReplica(*in.Replica)
	if err != nil {
		return nil, taken, err
	}
	program.Enter(false)
	in.moreUses = bindIn
	p := newPlan(in, program, nil, (*builder).inReplica)
	p.Run(ctx)
	attempts, err = p.Attempts(in)
	for i := range attempts {
		if x, done := in.Executed.(*Executed); done && attempts[i].Name == "exec-gain" && x.After.State == posture.Known {
			attempts[i].Evidence = append(attempts[i].Evidence, posture.Evidence{Source: x.After.Source, Value: x.After.Raw})
		}
	}
	taken = program.Replica()
	return attempts, taken, errors.Join(err, p.Close())
}

// dependent are the attempts whose success depends on what nobody outside can
// read, and with what: securebits may forbid them to the process itself.
var dependent = [...]struct{ attempt, on, do string }{
	{"ambient-raise", "SECBIT_NO_CAP_AMBIENT_RAISE", ", or empty its permitted set, which stops this in any case"},
	{"keep-caps", "SECBIT_KEEP_CAPS_LOCKED", ""},
}

// inReplica takes back what a replica cannot know of the process that it stands
// for: what depends on securebits, which nobody outside can read, what a
// supervisor or a tracer answers, who is not there for a replica, and deaths
// that the evaluated filters do not explain: whoever may signal the process may
// signal its replica.
func (b *builder) inReplica(read func() verdict) func() verdict {
	supervised := b.supervised()
	return func() verdict {
		v := read()
		switch {
		case v.outcome == posture.NoObject || v.outcome == posture.Undecided:
		case supervised != "":
			return undecided("a seccomp filter leaves "+supervised+"(2) to another process, which a replica does not have", v.seen...)
		case b.unexplained(v) != "":
			return undecided("a child was killed in "+b.unexplained(v)+"(2), which its seccomp filters do not do: a process of the same user may have", v.seen...)
		case v.outcome == posture.Succeeded:
			for _, d := range dependent {
				if d.attempt == b.entry.name {
					return undecided("it succeeds unless the securebit "+d.on+" is set, which only the process itself can read: audit it from inside"+d.do, v.seen...)
				}
			}
		}
		return v
	}
}

// supervised returns a call of the entry that the filters leave to another
// process, or whose outcome they do not show, or nothing.
func (b *builder) supervised() string {
	for _, nr := range b.made {
		if b.may(nr, posture.ActionNotify, posture.ActionTrace) {
			name, _ := names.SyscallName(runtime.GOARCH, nr)
			return name
		}
	}
	return ""
}

// unexplained returns a native call in which a child was killed, and that the
// filters kill for under no arguments, or nothing.
func (b *builder) unexplained(v verdict) string {
	for _, a := range v.seen {
		if !a.ok || a.Signal == 0 || a.name != "" {
			continue
		}
		nr, _ := number(a.call)
		if !b.may(nr, posture.ActionKillProcess, posture.ActionKillThread, posture.ActionTrap, posture.ActionUndecided) {
			return a.call
		}
	}
	return ""
}

// may says that the filters do one of these with a native call, under some
// arguments. Filters that are not known do nothing.
func (b *builder) may(nr uint32, actions ...posture.Action) bool {
	t := b.env.in.Thread
	if t == nil {
		return false
	}
	f, known := t.Filters.Get()
	if !known || len(f.ABIs) == 0 {
		return false
	}
	one := func(w posture.Way) bool { return slices.Contains(actions, w.Action) }
	for _, c := range f.ABIs[0].Calls {
		if nr >= c.First && nr <= c.Last && slices.ContainsFunc(c.Ways, one) {
			return true
		}
	}
	return false
}
