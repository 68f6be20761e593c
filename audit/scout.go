package audit

import (
	"context"
	"errors"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/probes"
)

// blind is a limit of an audit whose children cannot be waited for.
const blind = "a seccomp filter is loaded that kills for calls, and no child could be made that finds out for which; facts that need such calls were not asked for"

// unscouted is a limit of an audit whose process can have no children now.
const unscouted = "a seccomp filter is loaded, and no child could be made to find out which system calls it kills for: they were made all the same"

// scout is a child that goes first under a seccomp filter: it tries every call
// that the audit makes, since the filter may kill for one. To save a second
// fork it goes on to the attempts, which are written down from a first look at
// the own status. That look proves nothing: where the facts turn out to be
// other ones, the attempts are made again.
type scout struct {
	*config
	hint *posture.Thread
	init *posture.Fact[posture.IDs]
	// filtered is false only where the thread says that it has no filter.
	filtered bool
	// plan is nil where no scout was needed.
	plan *probes.Plan

	deny   map[string]string
	limits []string
}

// scout sends one where a filter may be loaded and probes are on; tries says
// that it is to make the attempts too. It must be closed.
func (c *config) scout(ctx context.Context, tries bool) (*scout, error) {
	hint, init := collect.Hint()
	mode, known := hint.SeccompMode.Get()
	s := &scout{config: c, hint: hint, init: init, filtered: !known || mode != seccompDisabled}
	switch {
	case known && mode == seccompStrict:
		return nil, errStrict
	case known && mode == seccompDisabled, !c.probes:
		return s, nil
	}
	if err := s.run(ctx, tries); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close waits for the scout to be gone. The error says that it is not.
func (s *scout) close() error {
	if s.plan == nil {
		return nil
	}
	return s.plan.Close()
}

// run sends the child and fills deny and limits.
func (s *scout) run(ctx context.Context, tries bool) error {
	p := new(posture.Process)
	p.Kernel = append(p.Kernel, *s.hint)
	p.LastCapability.Value = lastCapability
	p.LastCapability.Know("", "")
	in := probes.Input{Process: p, CapsetExcept: s.granted(p.Kernel), Peer: s.peer()}
	if tries {
		in.Names = s.policy.Probes.Names()
	}
	calls := kernel.AuditCalls()
	var err error
	if s.plan, err = probes.NewPlan(in, calls); err != nil {
		return err
	}
	// One attempt that hangs, on a supervisor that does not answer say, must
	// leave time for the facts.
	if end, ok := ctx.Deadline(); ok {
		half := time.Now().Add(time.Until(end) / 2)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, half)
		defer cancel()
	}
	s.plan.Run(ctx)
	s.deny, err = s.plan.Deny()
	switch {
	case err == nil:
	case errors.Is(err, child.ErrNoChild):
		// Process limits are a passing state that many a service meets, and
		// the facts shall come all the same.
		s.limits = append(s.limits, unscouted)
	default:
		// No child went first, so any of the calls may be one that kills.
		s.limits = append(s.limits, blind)
		s.deny = make(map[string]string, len(calls))
		why := "not made: a filter is loaded and no child could try it first: " + named(err).Error()
		for i := range calls {
			s.deny[calls[i].Name] = why
		}
	}
	return nil
}

// lastCapability is that of Linux 5.9 and later, for a first guess.
const lastCapability = 40

// peer is process 1 where a first look says that it is another user's.
func (s *scout) peer() *probes.Peer {
	theirs, own := s.init, &s.hint.UID
	if theirs.State != posture.Known || own.State != posture.Known || shareID(&theirs.Value, &own.Value) {
		return nil
	}
	return &probes.Peer{PID: 1, Why: "process 1"}
}

// shareID says whether the first three of another process's ids are among the
// own. As ids of one user namespace they are compared by what we see.
func shareID(theirs, own *posture.IDs) bool {
	for _, a := range [...]uint32{theirs.Real.Outside, theirs.Effective.Outside, theirs.Saved.Outside} {
		if a == own.Real.Outside || a == own.Effective.Outside || a == own.Saved.Outside || a == own.FS.Outside {
			return true
		}
	}
	return false
}
