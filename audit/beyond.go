package audit

import (
	"context"
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// mostSearches is how often an attempt is made again because a process that it
// was made on has ended.
const mostSearches = 3

// isBeyond says that an attempt is made on what lies outside the process.
func isBeyond(attempt string) bool {
	return slices.ContainsFunc(names.AttemptsBeyond(), func(a names.Attempt) bool { return a.Name == attempt })
}

// beyondOf returns those that a policy asks for.
func beyondOf(p *policy.Policy) []string {
	return slices.DeleteFunc(p.Probes.Names(), func(name string) bool { return !isBeyond(name) })
}

// within returns the others.
func within(p *policy.Policy) []string { return slices.DeleteFunc(p.Probes.Names(), isBeyond) }

// beyond makes the attempts of one class at what lies outside, each in children
// of its own: what it is made on takes room.
func (s *standIns) beyond(ctx context.Context, class *posture.Class, in probes.Input) {
	f := &finder{ctx: ctx, p: s.p, thread: &class.Thread, number: func(pid int) (int, bool, error) { return s.target.Number(pid, class) }}
	for _, name := range beyondOf(s.policy) {
		begin := len(s.p.Attempts)
		for try := 1; ; try++ {
			on, pids, keep := f.find(name)
			po := *in.Replica
			po.Keep = keep
			one := in
			one.Names, one.Peer, one.Beyond, one.Replica = []string{name}, nil, on, &po
			s.run(ctx, class, one)
			f.close()
			if !slices.ContainsFunc(pids, gone) || succeededFrom(s.p.Attempts[begin:]) {
				break
			}
			if try == mostSearches {
				s.doubt(begin, endedMeanwhile)
				break
			}
			s.p.Attempts = s.p.Attempts[:begin]
		}
	}
}

const endedMeanwhile = "processes that it was tried on have ended meanwhile"

func succeededFrom(list []posture.Attempt) bool {
	return slices.ContainsFunc(list, func(a posture.Attempt) bool { return a.Outcome == posture.Succeeded })
}

// beyondSelf makes those of the own process.
func beyondSelf(ctx context.Context, c *config, p *posture.Process, deny map[string]string) {
	networkSelf(ctx, c, p)
	asked := beyondOf(c.policy)
	if len(asked) == 0 {
		return
	}
	f := &finder{ctx: ctx, p: p, kept: c.kept, deny: deny}
	for _, name := range asked {
		var made []posture.Attempt
		for try := 1; ; try++ {
			on, pids, _ := f.find(name)
			var err error
			made, err = probes.Run(ctx, probes.Input{Names: []string{name}, Process: p, Beyond: on})
			f.close()
			if err != nil {
				made = []posture.Attempt{{Name: name, Detail: named(err).Error()}}
			}
			if err != nil || !slices.ContainsFunc(pids, gone) || succeededFrom(made) {
				break
			}
			if try == mostSearches {
				for i := range made {
					takeBack(&made[i], endedMeanwhile)
				}
				break
			}
		}
		p.Attempts = append(p.Attempts, made...)
	}
}
