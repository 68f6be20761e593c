package child

import (
	"context"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Survey is calls that are tried in a child, so that the calling process never
// makes one that a seccomp filter kills for.
type Survey struct {
	p     *Program
	calls []kernel.AuditCall
	first Step
}

// Survey appends the calls, each as a unit of its own.
func (p *Program) Survey(calls []kernel.AuditCall) Survey {
	p.End()
	s := Survey{p, calls, p.Next()}
	for _, c := range calls {
		var args [6]Arg
		for k, a := range c.Args {
			args[k] = Arg{value: a}
		}
		p.Call(uint32(c.NR), 0, args[:]...)
		p.End()
	}
	return s
}

// Complete says that every call was tried.
func (s Survey) Complete() bool {
	for k := range s.calls {
		if o := s.p.Outcome(s.first + Step(k)); !o.Made && o.Signal == 0 {
			return false
		}
	}
	return true
}

// Deny returns the calls that must not be made in this process, with the
// reason, once the program has run.
func (s Survey) Deny() map[string]string {
	deny := map[string]string{}
	for k, c := range s.calls {
		step := s.first + Step(k)
		switch o := s.p.Outcome(step); {
		case o.Signal != 0 && o.Repeated:
			deny[c.Name] = "the seccomp filter kills for it (signal " + strconv.Itoa(int(o.Signal)) + ")"
		case o.Signal != 0, s.p.Unsteady(step):
			deny[c.Name] = "children that tried it fared differently: something killed one"
		case !o.Made:
			deny[c.Name] = "no child could try it"
		}
	}
	return deny
}

// Deny finds out in a child for which calls a seccomp filter on the calling
// thread kills. An error means that nothing was found out.
func Deny(ctx context.Context, calls []kernel.AuditCall) (map[string]string, error) {
	p, err := New()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	s := p.Survey(calls)
	if err := p.Run(ctx, Options{Filtered: true}); err != nil {
		return nil, err
	}
	return s.Deny(), nil
}
