package cli

import (
	"slices"

	"github.com/selfaudit/selfaudit/internal/render"
)

// choose leaves in d what the flags ask for, and says in it that something was
// left out.
func (run *seccompRun) choose(d *render.Seccomp) {
	if run.syscalls == nil && run.abis == nil && !run.allowed {
		return
	}
	d.Selection = &render.SeccompSelection{Syscalls: run.syscalls, ABIs: run.abis, Allowed: run.allowed}
	for i := range d.Classes {
		c := &d.Classes[i]
		c.ABIs = slices.DeleteFunc(c.ABIs, func(a render.SeccompABI) bool { return !run.wantsABI(a.ABI) })
		c.Notes = slices.DeleteFunc(c.Notes, func(n render.SeccompNote) bool { return !run.wantsNote(&n) })
		for j := range c.ABIs {
			c.ABIs[j].Calls = run.chooseCalls(c.ABIs[j].Calls)
		}
	}
	d.Scan = slices.DeleteFunc(d.Scan, func(s render.SeccompScan) bool { return !run.wantsABI(s.ABI) })
	for i := range d.Scan {
		d.Scan[i].Calls = slices.DeleteFunc(d.Scan[i].Calls, func(c render.SeccompScanned) bool {
			return run.allowed && c.Answer == deniedAnswer || !run.wantsCall(c.Name)
		})
	}
	for i := range d.Used {
		u := &d.Used[i]
		for _, list := range []*[]render.SeccompUse{&u.Unused, &u.Denied, &u.Undecided} {
			*list = slices.DeleteFunc(*list, func(c render.SeccompUse) bool { return !run.wantsCall(c.Name) })
		}
	}
	d.Used = slices.DeleteFunc(d.Used, func(u render.SeccompUsed) bool { return !run.wantsABI(u.ABI) })
	run.chooseChanges(d.Diff)
}

func (run *seccompRun) wantsABI(name string) bool {
	return run.abis == nil || slices.Contains(run.abis, name)
}

func (run *seccompRun) wantsCall(name string) bool {
	return run.syscalls == nil || slices.Contains(run.syscalls, name)
}

// wantsNote keeps what is about all calls, and what is about one that is wanted.
func (run *seccompRun) wantsNote(n *render.SeccompNote) bool {
	if n.ABI != "" && !run.wantsABI(n.ABI) {
		return false
	}
	return len(n.Syscalls) == 0 || slices.ContainsFunc(n.Syscalls, run.wantsCall)
}

// chooseCalls returns the ranges that are wanted. A call that is asked for by
// name is a range of its own.
func (run *seccompRun) chooseCalls(all []render.SeccompCalls) []render.SeccompCalls {
	chosen := make([]render.SeccompCalls, 0, len(all))
	for _, r := range all {
		if run.allowed && r.Verdict == render.VerdictDenied {
			continue
		}
		if run.syscalls == nil {
			chosen = append(chosen, r)
			continue
		}
		for _, call := range r.Calls {
			if run.wantsCall(call.Name) {
				one := r
				one.First, one.Last, one.Calls = call.Number, call.Number, []render.SeccompCall{call}
				chosen = append(chosen, one)
			}
		}
	}
	return chosen
}

// chooseChanges leaves the differences that are wanted. Only what one of the
// two lets through is wanted with --allowed.
func (run *seccompRun) chooseChanges(d *render.SeccompDiff) {
	if d == nil {
		return
	}
	for i := range d.Pairs {
		var chosen []render.SeccompChange
		for _, c := range d.Pairs[i].Changes {
			if !run.wantsABI(c.ABI) || run.allowed && c.Kind == render.ChangeAction {
				continue
			}
			if run.syscalls == nil {
				chosen = append(chosen, c)
				continue
			}
			for _, call := range c.Calls {
				if run.wantsCall(call.Name) {
					one := c
					one.First, one.Last, one.Calls = call.Number, call.Number, []render.SeccompCall{call}
					chosen = append(chosen, one)
				}
			}
		}
		d.Pairs[i].Changes = append([]render.SeccompChange{}, chosen...)
	}
}
