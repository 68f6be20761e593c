package child

import (
	"context"
	"fmt"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Survey finds out in a child for which calls a seccomp filter on the calling
// thread kills, and returns those with the reason. The calling process must
// not make them. An error means that nothing was found out.
func Survey(ctx context.Context, calls []kernel.AuditCall) (map[string]string, error) {
	p, err := New()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	steps := make([]Step, len(calls))
	for i, c := range calls {
		steps[i] = p.rawCall(c.NR, c.Args)
	}
	if err := p.Run(ctx, Options{Filtered: true}); err != nil {
		return nil, err
	}
	deny := map[string]string{}
	for i, c := range calls {
		o := p.Outcome(steps[i])
		switch {
		case o.Signal != 0 && o.Repeated:
			deny[c.Name] = fmt.Sprintf("the seccomp filter kills for it (signal %d)", o.Signal)
		case o.Signal != 0, p.Unsteady(steps[i]):
			deny[c.Name] = "children that tried it fared differently: something killed one"
		case !o.Made:
			deny[c.Name] = "no child could try it"
		}
	}
	return deny, nil
}

// rawCall appends a unit of one call whose arguments are numbers.
func (p *Program) rawCall(nr uintptr, args [6]uintptr) Step {
	list := make([]Arg, len(args))
	for i, a := range args {
		list[i] = Arg{value: a}
	}
	s := p.Call(Call{NR: uint32(nr), Args: list})
	p.End()
	return s
}
