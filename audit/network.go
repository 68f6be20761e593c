package audit

import (
	"context"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// networkOf returns the attempts that the network's keys ask for.
func networkOf(p *policy.Policy) (list []string) {
	if p.Network.NoEgress {
		list = append(list, names.EgressAttempt)
	}
	if p.Network.NoRaw {
		list = append(list, names.RawAttempts()...)
	}
	if len(list) > 0 {
		list = append(list, names.PastFilters()...)
	}
	return list
}

// attemptsOf returns all attempts that a policy asks for.
func attemptsOf(p *policy.Policy) []string { return append(p.Probes.Names(), networkOf(p)...) }

// networkSelf makes those of the network's keys in the own process.
func networkSelf(ctx context.Context, c *config, p *posture.Process) {
	list := networkOf(c.policy)
	if len(list) == 0 {
		return
	}
	made, err := probes.Run(ctx, probes.Input{Names: list, Process: p, Beyond: probes.NewNetwork()})
	p.Attempts = append(p.Attempts, made...)
	if err != nil && p.NotProbed == "" {
		p.NotProbed = named(err).Error()
	}
}

// network makes them in the place of a class.
func (s *standIns) network(ctx context.Context, class *posture.Class, in probes.Input) {
	if in.Names = networkOf(s.policy); len(in.Names) == 0 {
		return
	}
	in.Peer, in.Beyond = nil, probes.NewNetwork()
	s.run(ctx, class, in)
}
