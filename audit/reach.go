package audit

import (
	"context"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/auditopt"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/probes"
)

// reachFacts are what is collected of what a process can reach, each where the
// policy asks for it.
var reachFacts = [...]struct {
	asked   func(*policy.Policy) bool
	collect func(*collect.Site)
}{
	{func(p *policy.Policy) bool {
		d := p.Descriptors
		d.NoneOutsideRoot = false
		n := &p.Network
		return d != policy.Descriptors{} || n.NoEgress || n.NoRaw || n.Listen != nil || p.Resources != policy.Resources{}
	}, (*collect.Site).OpenFiles},
	{func(p *policy.Policy) bool { return p.Network.NoEgress || p.Network.Listen != nil }, func(s *collect.Site) {
		s.Networks()
		s.InetSockets()
	}},
	{func(p *policy.Policy) bool {
		return len(p.Namespaces.Private) > 0 || p.Namespaces.IDMap != policy.IDMap{}
	}, (*collect.Site).Namespaces},
	{func(p *policy.Policy) bool { return len(p.Process.Rlimits) > 0 }, (*collect.Site).Rlimits},
	{func(p *policy.Policy) bool { return p.Resources != policy.Resources{} }, (*collect.Site).CgroupLimits},
	{func(p *policy.Policy) bool { return p.Process.AppArmorProfile != "" || p.Process.SELinuxLabel != "" }, (*collect.Site).Labels},
	{func(p *policy.Policy) bool { return p.Landlock }, func(s *collect.Site) {
		s.Process.MakeReach().Landlock.Fail("", "nobody outside can read the Landlock domains of a process")
	}},
	{func(p *policy.Policy) bool { return p.Network.NoControl }, (*collect.Site).ControlSockets},
	{func(p *policy.Policy) bool { return p.Network.NoAbstract }, (*collect.Site).AbstractSockets},
	{func(p *policy.Policy) bool {
		return len(p.Filesystem.Mounts) > 0 || p.Filesystem.Propagation != ""
	}, (*collect.Site).MountTables},
	{func(p *policy.Policy) bool { return p.Memory.ASLR || p.Memory.NoExecutableStack }, (*collect.Site).Layout},
	{func(p *policy.Policy) bool { return p.Memory.NoWriteExecute || p.Memory.NoExecutableStack }, (*collect.Site).Mappings},
	{func(p *policy.Policy) bool { return p.Memory.NotDumpable || p.Memory.NoCore }, (*collect.Site).Dumps},
	{func(p *policy.Policy) bool { return p.Process.NoTerminal }, (*collect.Site).Terminals},
	{func(p *policy.Policy) bool { return p.Process.NoPreload }, (*collect.Site).Environment},
	{func(p *policy.Policy) bool {
		return p.Process.SafeExecutable || p.Memory.ASLR || p.Memory.NoExecutableStack
	}, (*collect.Site).Executable},
}

// observeReach collects them, while the process is held.
func observeReach(s *collect.Site, pol *policy.Policy) {
	s.ShowProgress(auditopt.From(s.Ctx).Progress)
	for _, f := range reachFacts {
		if f.asked(pol) {
			f.collect(s)
		}
	}
	if pol.Filesystem.AsksAccess() {
		s.Access(accessAsked(&pol.Filesystem))
	}
	// What takes longest comes last, and only where it decides something.
	if checks.NeedsPrograms(s.Process, pol) {
		s.Programs()
	}
}

// tryReach tries what of it only children of the calling thread can tell.
func tryReach(ctx context.Context, c *config, p *posture.Process, filtered bool) {
	askNamespaces(ctx, c, p, filtered)
	access := c.policy.Filesystem.AsksAccess() && c.probes
	if access {
		tryAccess(ctx, p, filtered, nil, nil)
	}
	// What a domain of the calling thread denies is not denied to others.
	if !c.policy.Landlock && !(access && p.Threads.Value != 1) {
		return
	}
	if !c.probes {
		p.MakeReach().Landlock.Fail("", notProbedOff)
		return
	}
	p.MakeReach().Landlock = probes.Landlock(ctx, filtered)
}

// askNamespaces decides what no number told by itself: whether a network or mount
// namespace is the machine's first one. Where this kernel fixes their numbers,
// one of another number is not: those of that number are decided already.
func askNamespaces(ctx context.Context, c *config, p *posture.Process, filtered bool) {
	var undecided []*posture.Namespace
	for i := range p.Reach().Namespaces {
		if ns := &p.Reach().Namespaces[i]; ns.Link.State == posture.Known && ns.Initial.State == posture.Unreadable {
			undecided = append(undecided, ns)
		}
	}
	if len(undecided) == 0 || !c.probes || len(c.policy.Namespaces.Private) == 0 {
		return
	}
	fixed := probes.FixedNamespaces(ctx, filtered)
	for _, ns := range undecided {
		switch yes, known := fixed.Get(); {
		case known && yes:
			ns.Initial = posture.Of(false, fixed.Source, ns.Link.Value+", where the kernel fixes the number of the machine's")
		case !known:
			ns.Initial.Err += "; " + fixed.Why()
		}
	}
}
