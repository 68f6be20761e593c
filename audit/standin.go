package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/replica"
	"github.com/selfaudit/selfaudit/probes"
)

// maxStandIns bounds the classes of threads, split by what they are in, in whose
// place attempts are made.
// Threads of real programs have one or two.
const maxStandIns = 8

// Attempts that descriptors may have made needless.
const (
	heldOpen = "process-vm-readv"
	heldRing = "io-uring-setup"
)

// standIns makes attempts in the place of another process's threads.
type standIns struct {
	*config
	p      *posture.Process
	target *replica.Target
	// parts are the classes of threads, split by the namespaces and the root
	// directory that they are in.
	parts []posture.Class
}

// standIn makes the policy's attempts in children that have taken on the posture
// of each class of the process's threads. The error says that the process is no
// longer the one that its facts are of.
func standIn(ctx context.Context, c *config, p *posture.Process, target *replica.Target) error {
	s := &standIns{config: c, p: p, target: target}
	for i := range p.Classes {
		s.parts = append(s.parts, target.Apart(&p.Classes[i])...)
	}
	for i := range s.parts {
		class := &s.parts[i]
		if i >= maxStandIns {
			s.leave(class, "only "+strconv.Itoa(maxStandIns)+" of the different classes of threads were stood in for")
			continue
		}
		s.class(ctx, class)
	}
	s.held()
	switch err := target.Still(); {
	case errors.Is(err, replica.ErrEnded):
		return fmt.Errorf("process %d: %w", p.PID, collect.ErrEnded)
	case err != nil:
		why := "the process is not known to be as it was when the children took its place: " + named(err).Error()
		s.doubt(0, why)
		s.doubtAccess(why)
	}
	return nil
}

// held adds what needs no attempt any more, where the policy asks for such.
func (s *standIns) held() {
	names := s.policy.Probes.Names()
	found, limit, err := heldMemory(s.p)
	if err != nil {
		why := "whether it holds the memory of others already is not known: " + named(err).Error()
		found = []posture.Attempt{{Name: "ptrace", Detail: why}, {Name: "process-vm-readv", Detail: why}}
	}
	if limit != "" {
		s.p.Limits = append(s.p.Limits, limit)
	}
	for _, a := range found {
		if slices.Contains(names, a.Name) {
			s.p.Attempts = append(s.p.Attempts, a)
		}
	}
}

// asksHeld says that a policy asks for what descriptors may hold already.
func asksHeld(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Probes.Names(), func(name string) bool {
		return name == heldOpen || name == heldRing || name == "fd-escape"
	})
}

// class makes the attempts of one class.
func (s *standIns) class(ctx context.Context, class *posture.Class) {
	if s.strict(class) {
		return
	}
	begin := len(s.p.Attempts)
	po, limits, err := s.target.Posture(class)
	for _, l := range limits {
		if !slices.Contains(s.p.Limits, l) {
			s.p.Limits = append(s.p.Limits, l)
		}
	}
	if err != nil {
		s.leave(class, "no child could take its place ("+named(cause(err)).Error()+")")
		return
	}
	if why := s.unsafe(class, &po); why != "" {
		s.leave(class, why)
		return
	}
	in := probes.Input{
		Names: within(s.policy), Process: s.p, CapsetExcept: s.granted([]posture.Thread{class.Thread}),
		Replica: &po, Thread: &class.Thread,
	}
	in.OwnPID, _, _ = s.target.Number(s.p.PID, class)
	peers, pids, errPeer := s.peers(class)
	if len(peers) > 0 {
		in.Peer = &peers[0]
	}
	s.access(ctx, class, &po)
	if len(attemptsOf(s.policy)) == 0 {
		return
	}
	s.execute(ctx, class, &in)
	s.run(ctx, class, in)
	on := make([]int, len(s.p.Attempts)-begin)
	for i := range on {
		on[i] = first(pids)
	}
	in.Names = slices.DeleteFunc(slices.Clone(in.Names), func(name string) bool { return !needsPeer(name) })
	for k := 1; k < len(peers) && len(in.Names) > 0; k++ {
		in.Peer = &peers[k]
		s.run(ctx, class, in)
		for len(on) < len(s.p.Attempts)-begin {
			on = append(on, pids[k])
		}
	}
	s.forget(begin, on)
	in.Peer = nil
	s.beyond(ctx, class, in)
	s.network(ctx, class, in)
	if errPeer == nil {
		return
	}
	for i := begin; i < len(s.p.Attempts); i++ {
		if a := &s.p.Attempts[i]; onPeer(*a) && a.Outcome != posture.Succeeded {
			a.Outcome, a.Detail = posture.Undecided, "looking for another user's process in its reach: "+named(errPeer).Error()
		}
	}
}

// forget drops attempts, from one on, that tell nothing since the process that
// they were made on has ended, where there is another of that name. on are those
// processes, as we number them.
func (s *standIns) forget(begin int, on []int) {
	over := map[int]bool{}
	for _, pid := range on {
		if _, asked := over[pid]; !asked {
			over[pid] = pid != 0 && gone(pid)
		}
	}
	all := slices.Clone(s.p.Attempts[begin:])
	tells := func(i int) bool { return !onPeer(all[i]) || all[i].Outcome != posture.Undecided || !over[on[i]] }
	kept := s.p.Attempts[:begin]
	for i := range all {
		another := false
		for k := range all {
			another = another || k != i && all[k].Name == all[i].Name && (tells(k) || k < i)
		}
		if tells(i) || !another {
			kept = append(kept, all[i])
		}
	}
	s.p.Attempts = kept
}

// first is the first of some numbers, or 0.
func first(pids []int) int {
	if len(pids) == 0 {
		return 0
	}
	return pids[0]
}

// unsafe says why no child may take the place of a class, or would prove nothing
// there, or nothing.
func (s *standIns) unsafe(class *posture.Class, po *child.Posture) string {
	if readsIP(class.Filters.Value.Programs) {
		return "its filters look at the instruction pointer, which is another one in a child of this program"
	}
	if !po.NewPID || !po.LowersLate() {
		return ""
	}
	// What it loads its filters with it has from its birth in that namespace on.
	sees := func(pid int) bool { return s.target.Sees(pid, class) }
	if who := tracer(sees); who != "" {
		return "none was made: " + who + " could trace a child in its pid namespace, which needs privileges there to load its filters"
	}
	return ""
}

// readsIP says whether a filter loads seccomp_data.instruction_pointer.
func readsIP(programs [][]byte) bool {
	const loadWord, size, low, high = 0x20, 8, 8, 12
	for _, raw := range programs {
		for ; len(raw) >= size; raw = raw[size:] {
			k := binary.NativeEndian.Uint32(raw[4:])
			if binary.NativeEndian.Uint16(raw) == loadWord && (k == low || k == high) {
				return true
			}
		}
	}
	return false
}

// run makes attempts once and says what is wrong with them.
func (s *standIns) run(ctx context.Context, class *posture.Class, in probes.Input) {
	begin := len(s.p.Attempts)
	attempts, taken, err := probes.RunIn(ctx, in)
	for i := range attempts {
		attempts[i].TIDs = s.tids(class)
		if why := s.target.Doubt(class, &attempts[i]); why != "" {
			takeBack(&attempts[i], why)
		}
	}
	s.p.Attempts = append(s.p.Attempts, attempts...)
	if differs := s.target.Differs(taken, class); differs != "" {
		s.doubt(begin, "the child that was to stand in for it differs from it: "+differs)
	}
	why := "not made"
	if err != nil {
		why = named(err).Error()
	}
	for _, name := range in.Names {
		if !slices.ContainsFunc(attempts, func(a posture.Attempt) bool { return a.Name == name }) {
			s.add(class, name, why)
		}
	}
}

// execute makes a child execute a plain program in the place of a class, where
// the policy asks what that would have.
func (s *standIns) execute(ctx context.Context, class *posture.Class, in *probes.Input) {
	if !slices.Contains(in.Names, "exec-gain") {
		return
	}
	done := probes.Execute(ctx, *in, s.target.Examine)
	in.Executed = done
	s.p.MakeReach().Executed = append(s.p.MakeReach().Executed, posture.Execution{TIDs: s.tids(class), After: done.After})
}

// leave says of every attempt why it was not made for a class.
func (s *standIns) leave(class *posture.Class, why string) {
	for _, name := range attemptsOf(s.policy) {
		s.add(class, name, why)
	}
	if s.policy.Filesystem.AsksAccess() {
		s.leaveAccess(why, slices.Clone(s.tids(class)))
	}
}

func (s *standIns) add(class *posture.Class, name, why string) {
	s.p.Attempts = append(s.p.Attempts, posture.Attempt{Name: name, TIDs: s.tids(class), Detail: why})
}

// doubt takes back what attempts from one on seemed to show.
func (s *standIns) doubt(from int, why string) {
	for i := from; i < len(s.p.Attempts); i++ {
		if a := &s.p.Attempts[i]; a.Outcome != posture.Undecided {
			takeBack(a, why)
		}
	}
}

func takeBack(a *posture.Attempt, why string) {
	a.Detail = why + "; there: " + a.Outcome.String()
	a.Outcome = posture.Undecided
}

// tids are the threads that attempts speak for: none where they are all alike.
func (s *standIns) tids(class *posture.Class) []int {
	if len(s.parts) == 1 {
		return nil
	}
	return class.TIDs
}

// peers are processes of other users that the class can name.
func (s *standIns) peers(class *posture.Class) ([]probes.Peer, []int, error) {
	if !slices.ContainsFunc(s.policy.Probes.Names(), needsPeer) {
		return nil, nil, nil
	}
	number := func(pid int) (int, bool, error) { return s.target.Number(pid, class) }
	return peersOf(s.p.PID, class, number)
}
