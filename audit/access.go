package audit

import (
	"context"
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// accessAsked is what a policy asks of the file system.
func accessAsked(f *policy.Filesystem) collect.AccessAsked {
	asked := collect.AccessAsked{Masked: f.MaskedPaths, ReadOnly: f.ReadonlyPaths, Bounds: map[posture.Use][]string{}}
	for use, bound := range map[posture.Use]*[]string{posture.UseRead: f.Readable, posture.UseWrite: f.Writable, posture.UseExecute: f.Executable} {
		if bound != nil {
			asked.Bounds[use] = *bound
		}
	}
	if f.NoDevices {
		asked.Bounds[posture.UseDevice] = nil
	}
	if f.NoShell {
		asked.Shells = names.ShellPaths()
	}
	return asked
}

// worthTrying are the places that facts alone do not decide, by their indexes.
func worthTrying(p *posture.Process) (at []int, places []posture.Place) {
	a, known := p.Reach().Access.Get()
	if !known {
		return nil, nil
	}
	for i := range a.Places {
		one := &a.Places[i]
		switch {
		case one.There.State != posture.Known, one.Use&posture.UseMasked != 0 && one.IsNull():
		case one.Use&posture.UseReadOnly != 0 && !one.ReadOnly:
		default:
			at, places = append(at, i), append(places, *one)
		}
	}
	return at, places
}

// tryAccess tries them from the calling thread, or in the place of a class of
// another process's threads.
func tryAccess(ctx context.Context, p *posture.Process, filtered bool, replica *child.Posture, tids []int) child.Taken {
	at, places := worthTrying(p)
	if len(at) == 0 {
		return child.Taken{}
	}
	tried, taken, err := probes.Access(ctx, places, filtered, replica)
	all := p.MakeReach().Access.Value.Places
	for k, i := range at {
		if err != nil && tried[k].Outcome == posture.Undecided {
			tried[k].Detail += ": " + named(err).Error()
		}
		tried[k].TIDs = tids
		all[i].Tries = append(all[i].Tries, tried[k])
	}
	return taken
}

// access tries the places in the place of a class.
func (s *standIns) access(ctx context.Context, class *posture.Class, po *child.Posture) {
	if !s.policy.Filesystem.AsksAccess() {
		return
	}
	own := *po
	own.Program = child.NewReplica
	taken := tryAccess(ctx, s.p, len(po.Filters) > 0, &own, slices.Clone(s.tids(class)))
	if differs := s.target.Differs(taken, class); differs != "" {
		s.leaveAccess("the child that was to stand in for it differs from it: "+differs, s.tids(class))
	}
}

// leaveAccess takes back what was tried for some threads, or says why nothing was.
func (s *standIns) leaveAccess(why string, tids []int) {
	at, _ := worthTrying(s.p)
	all := s.p.MakeReach().Access.Value.Places
	for _, i := range at {
		same := func(t posture.Try) bool { return slices.Equal(t.TIDs, tids) }
		all[i].Tries = append(slices.DeleteFunc(all[i].Tries, same), posture.Try{Detail: why, TIDs: tids})
	}
}

// doubtAccess takes back all that was tried.
func (s *standIns) doubtAccess(why string) {
	all := s.p.MakeReach().Access.Value.Places
	for i := range all {
		for k := range all[i].Tries {
			all[i].Tries[k] = posture.Try{Detail: why, TIDs: all[i].Tries[k].TIDs}
		}
	}
}
