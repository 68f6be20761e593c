package audit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/auditopt"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// Seccomp modes as prctl(2) PR_GET_SECCOMP numbers them.
const (
	seccompDisabled = 0
	seccompStrict   = 1
)

const (
	notProbedOff   = "probes are off, so nothing was tried"
	notProbedOther = "it is another process: attempts in its place are not part of this version, so nothing was tried"
)

// blind is a limit of an audit whose process can have no children.
const blind = "a seccomp filter is loaded, and no child could be made to find out which system calls it kills for; facts that need such calls were not asked for. " +
	"Without probes they are asked for directly, and a filter that kills for one of them kills the process"

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
	deny, limits, err := c.denied(ctx)
	if err != nil {
		return nil, err
	}
	p, err := c.collect(ctx, deny)
	if err != nil {
		return nil, err
	}
	p.Limits = append(p.Limits, limits...)
	if c.pid != 0 {
		p.NotProbed = notProbedOther
	} else {
		c.try(ctx, p, deny)
	}
	return p, nil
}

func (c *config) collect(ctx context.Context, deny map[string]string) (*posture.Process, error) {
	o := collect.Options{
		Kept:        c.kept,
		Deny:        deny,
		Descriptors: c.policy.Descriptors != policy.Descriptors{},
		Root:        c.policy.Filesystem.Root != policy.Root{},
	}
	if c.pid != 0 {
		return collect.PID(ctx, c.pid, o)
	}
	return collect.Self(ctx, o)
}

// denied returns the calls that must not be made in this process because a
// filter kills for them, and sentences on what that costs. A child finds that
// out, so without probes it is not.
func (c *config) denied(ctx context.Context) (deny map[string]string, limits []string, err error) {
	mode, known := collect.OwnSeccomp()
	switch {
	case known && mode == seccompStrict:
		return nil, nil, errStrict
	case known && mode == seccompDisabled, !c.probes:
		return nil, nil, nil
	}
	calls := kernel.AuditCalls()
	deny, err = child.Survey(ctx, calls)
	if err == nil {
		return deny, nil, nil
	}
	// No child went first, so any of the calls may be one that kills.
	deny = make(map[string]string, len(calls))
	for _, call := range calls {
		deny[call.Name] = fmt.Sprintf("not made: a filter is loaded and no child could try it first: %v", named(err))
	}
	return deny, []string{blind}, nil
}

// try makes the attempts that the policy asks for.
func (c *config) try(ctx context.Context, p *posture.Process, deny map[string]string) {
	if !c.probes {
		p.NotProbed = notProbedOff
		return
	}
	if err := c.attempt(ctx, p, deny); err != nil {
		p.NotProbed = err.Error()
	}
	c.speakForAll(p)
	if child := auditopt.From(ctx).ExecChild; child != nil {
		p.AfterExec = child(ctx)
	}
}

// attempt makes all attempts once, and those on another process for each that
// was found. The error says why some were not made.
func (c *config) attempt(ctx context.Context, p *posture.Process, deny map[string]string) error {
	in := probes.Input{Names: c.policy.Probes.Names(), Process: p, CapsetExcept: c.granted(p)}
	var onPeers []string
	for _, name := range in.Names {
		if needsPeer(name) {
			onPeers = append(onPeers, name)
		}
	}
	var peers []probes.Peer
	var errPeer error
	if len(onPeers) > 0 {
		if peers, errPeer = findPeers(deny, p); errPeer != nil {
			errPeer = fmt.Errorf("looking for another user's process: %w", errPeer)
			in.Names = slices.DeleteFunc(in.Names, needsPeer)
		}
	}
	if len(in.Names) == 0 {
		return errPeer
	}
	if len(peers) > 0 {
		in.Peer, peers = &peers[0], peers[1:]
	}
	var err error
	p.Attempts, err = probes.Run(ctx, in)
	for i := range peers {
		if err != nil {
			break
		}
		in.Names, in.Peer = onPeers, &peers[i]
		var more []posture.Attempt
		more, err = probes.Run(ctx, in)
		p.Attempts = append(p.Attempts, more...)
	}
	return errors.Join(errPeer, named(err))
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
	for _, f := range checks.Run(p, &policy.Policy{Process: policy.Process{UniformThreads: true}}) {
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

// named adds the errno's name, which a person looks for in a manual page.
func named(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	return fmt.Errorf("%w (%s)", err, names.ErrnoName(int(errno)))
}

// needsPeer says whether an attempt is made on another process.
func needsPeer(attempt string) bool {
	return attempt == "ptrace" || attempt == "process-vm-readv"
}

// granted are the capabilities that the attempt to regain some leaves out:
// what the calling thread has in effect already is another check's finding,
// and what the policy allows is none.
func (c *config) granted(p *posture.Process) posture.CapSet {
	var set posture.CapSet
	if allowed := c.policy.Process.Capabilities.Effective; allowed != nil {
		set = posture.CapSet(*allowed)
	}
	if len(p.Kernel) > 0 {
		if effective, known := p.Kernel[0].Caps.Effective.Get(); known {
			set |= effective
		}
	}
	return set
}

// judge holds the posture against the policy.
func (c *config) judge(p *posture.Process, started time.Time) *report.Report {
	r := &report.Report{
		Schema:    report.Schema,
		Target:    target(p),
		Policy:    report.Policy{Name: c.policy.Name, Source: c.policy.Source, SHA256: c.policy.Digest()},
		StartedAt: started.UTC().Round(0),
		Findings:  checks.Run(p, c.policy),
		Limits:    p.Limits,
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
