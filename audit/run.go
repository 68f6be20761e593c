package audit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/auditopt"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/probes"
)

// Seccomp modes as prctl(2) PR_GET_SECCOMP numbers them.
const (
	seccompDisabled = 0
	seccompStrict   = 1
)

const (
	notProbedOff = "probes are off, so nothing was tried"
)

// oneFilter is a limit of every audit of self with threads under a filter.
const oneFilter = "attempts speak for the seccomp filters of the thread that audits: that every other thread has the same ones, and not just as many, cannot be seen from inside"

var errStrict = errors.New("the calling thread is in seccomp strict mode, which leaves it no call that an audit needs: seccomp(2)")

// run audits once, bounded by the context and the configured timeout.
func (c *config) run(ctx context.Context) (*report.Report, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	release, err := auditTurns.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: waiting for its turn: %w", err)
	}
	defer release()
	// Credentials, securebits and filters belong to a thread, and a forked
	// child has those of the thread that forks it. All that is asked and
	// tried must be asked and tried of one and the same thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := c.observe(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return c.judge(p, started), nil
}

// observe collects and, for the own process, tries.
func (c *config) observe(ctx context.Context) (*posture.Process, error) {
	s, err := c.scout(ctx, c.pid == 0)
	if err != nil {
		return nil, err
	}
	defer s.close()
	p, err := c.collect(ctx, s.deny)
	if err != nil {
		return nil, err
	}
	p.Limits = append(p.Limits, s.limits...)
	switch {
	case c.pid != 0:
	case !c.probes:
		p.NotProbed = notProbedOff
	default:
		c.try(ctx, p, s)
	}
	if c.pid == 0 && c.scan != nil {
		c.scan(ctx, c, p, s.filtered)
	}
	tried := len(p.Attempts) > 0 || p.Scan.State == posture.Known
	if n, known := p.Threads.Get(); c.pid == 0 && s.filtered && tried && (!known || n > 1) {
		p.Limits = append(p.Limits, oneFilter)
	}
	if err := s.close(); err != nil {
		p.Limits = append(p.Limits, "a child of the audit is left: "+err.Error())
	}
	return p, nil
}

func (c *config) collect(ctx context.Context, deny map[string]string) (*posture.Process, error) {
	o := collect.Options{
		Kept:        c.kept,
		Deny:        deny,
		Descriptors: c.descriptors || c.policy.Descriptors.NoneOutsideRoot,
		Filters:     c.policy.Seccomp.AsksFilter() || c.policy.Probes.MinimumDepth > 0,
	}
	if c.reach != nil {
		o.Reach = func(s *collect.Site) { c.reach(s, c.policy) }
	}
	if c.policy.Filesystem.Root != (policy.Root{}) {
		o.Root = c.root
	}
	if c.pid != 0 {
		return c.other(ctx, c, o)
	}
	return collect.Self(ctx, o)
}

// try makes the attempts that the policy asks for.
func (c *config) try(ctx context.Context, p *posture.Process, s *scout) {
	child := auditopt.From(ctx).ExecChild
	switch {
	case child == nil:
	case len(s.deny) > 0:
		p.AfterExec = posture.Failed[posture.CapSets]("execve(2)", "a seccomp filter kills for calls, and starting a program takes more of them than were tried")
	default:
		p.AfterExec = child(ctx)
	}
	t := attempts{config: c, p: p, in: probes.Input{Names: c.policy.Probes.Names(), Process: p, CapsetExcept: c.granted(p.Kernel)}}
	if err := t.make(ctx, s); err != nil {
		p.NotProbed = err.Error()
	}
	if c.beyond != nil {
		c.beyond(ctx, c, p, s.deny)
	}
	c.speakForAll(p)
}

// speakForAll takes back what an attempt says of the process where it was made
// for the calling thread alone: threads with another posture may be let do what
// this one was not. Where the policy asks for uniform threads that is a finding
// already, which keeps the verdict from being confined.
func (c *config) speakForAll(p *posture.Process) {
	const uniform = "threads.uniform"
	if c.policy.Process.UniformThreads || len(p.Attempts) == 0 {
		return
	}
	why := "not judged"
	for _, f := range c.check(p, &policy.Policy{Process: policy.Process{UniformThreads: true}}) {
		if f.ID != uniform {
			continue
		}
		if f.Status == report.Pass {
			return
		}
		why = f.Message
	}
	for i := range p.Attempts {
		if a := &p.Attempts[i]; a.Outcome != posture.Succeeded {
			a.Detail = fmt.Sprintf("the calling thread: %s; other threads were not tried, and are not known to be like it: %s", a.Outcome, why)
			a.Outcome = posture.Undecided
		}
	}
}

// judge holds the posture against the policy.
func (c *config) judge(p *posture.Process, started time.Time) *report.Report {
	r := &report.Report{
		Schema:    report.Schema,
		Target:    target(p),
		Policy:    report.Policy{Name: c.policy.Name, Source: c.policy.Source, SHA256: c.policy.Digest()},
		StartedAt: started.UTC().Round(0),
		Findings:  c.check(p, c.policy),
		Limits:    p.Limits,
	}
	if c.depth != nil {
		r.Depth = c.depth(p)
	}
	r.Host.Kernel, r.Host.Arch = collect.Host()
	r.Counts, r.Verdict = report.Decide(r.Findings)
	r.DurationNs = time.Since(started).Nanoseconds()
	return r
}

func target(p *posture.Process) report.Target {
	t := report.Target{PID: p.PID, Comm: p.Comm.Value, Exe: p.Exe.Value, Self: p.Self}
	if start, known := p.StartTime.Get(); known {
		t.StartTime = start
	}
	n, known := p.Threads.Get()
	if !known {
		for _, class := range p.Classes {
			n += len(class.TIDs)
		}
	}
	t.Threads = n
	return t
}
