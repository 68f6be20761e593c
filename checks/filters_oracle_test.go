package checks_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// plainCalls have one name and one number in each ABI of x86-64, and no call of
// i386 does their work.
var plainCalls = []string{"mount", "ptrace", "bpf", "execve", "reboot", "read", "write", "openat", "io_uring_setup"}

// generator makes processes with filters, and policies, from a seed.
type generator struct{ *rand.Rand }

func (g generator) one(of []string) string { return of[g.IntN(len(of))] }

func (g generator) ways() []posture.Way {
	if g.IntN(40) == 0 {
		return nil
	}
	if g.IntN(2) == 0 {
		return ways(posture.ActionErrno)
	}
	actions := []posture.Action{posture.ActionAllow, posture.ActionErrno, posture.ActionKillProcess, posture.ActionTrap,
		posture.ActionLog, posture.ActionTrace, posture.ActionNotify, posture.ActionUndecided, 99}
	var out []posture.Way
	for range 1 + g.IntN(3) {
		a := actions[min(g.IntN(len(actions)), g.IntN(len(actions)))]
		out = append(out, way(a, []string{"", "arg0 == 1"}[g.IntN(2)]))
	}
	return out
}

// calls cuts an ABI's numbers at some calls and in a few other places.
func (g generator) calls(b names.ABI) []posture.FilteredCalls {
	var cuts []uint32
	for range g.IntN(6) {
		nr, _ := names.Syscall(b.Arch, g.one(plainCalls))
		cuts = append(cuts, nr, nr+1)
	}
	for range g.IntN(3) {
		cuts = append(cuts, g.Uint32N(600)|b.NumberBit, g.Uint32())
	}
	var out []posture.FilteredCalls
	for _, part := range parts(b) {
		inside := []uint32{part[0]}
		for _, cut := range cuts {
			if cut > part[0] && cut <= part[1] {
				inside = append(inside, cut)
			}
		}
		slices.Sort(inside)
		inside = slices.Compact(inside)
		for i, first := range inside {
			last := part[1]
			if i+1 < len(inside) {
				last = inside[i+1] - 1
			}
			out = append(out, posture.FilteredCalls{First: first, Last: last, Ways: g.ways()})
		}
	}
	return out
}

// spoil makes verdicts that nobody should believe. It says whether it did.
func (g generator) spoil(f *posture.Filters) bool {
	a := &f.ABIs[g.IntN(len(f.ABIs))]
	switch g.IntN(30) {
	case 0:
		f.ABIs = nil
	case 1:
		a.Calls = nil
	case 2:
		a.Calls = append(a.Calls, posture.FilteredCalls{First: 0, Last: ^uint32(0), Ways: allowed})
	case 3:
		a.Calls = slices.Delete(slices.Clone(a.Calls), 0, 1)
	case 4:
		f.ABIs = append(f.ABIs, *a)
	case 5:
		a.ABI = "i386"
	default:
		return false
	}
	return true
}

func (g generator) thread(tid int) posture.Thread {
	t := thread(tid, status(tid))
	f := posture.Filters{Digest: fmt.Sprint(g.Uint64()), Programs: [][]byte{loadsArch}}
	for _, b := range names.ABIs("amd64") {
		f.ABIs = append(f.ABIs, posture.FilteredABI{ABI: b.Name, Calls: g.calls(b)})
	}
	g.spoil(&f)
	t.Filters = posture.Of(f, ptraceSource, "1 filter")
	switch g.IntN(12) {
	case 0:
		noFilter(&t)
	case 1:
		noFilter(&t)
		t.SeccompMode.Value = 1
	case 2:
		t.Filters = unreadable[posture.Filters]()
	case 3:
		t.SeccompMode = unreadable[int]()
	case 4:
		t.SeccompFilters.Value = g.IntN(3)
	case 5:
		t.SeccompMode.Value = g.IntN(4)
	}
	return t
}

func (g generator) process() *posture.Process {
	p := &posture.Process{PID: 10, ABIs: abisAMD64()}
	n := 1 + g.IntN(3)
	p.Threads = fact(n, "/proc/10/task", "threads")
	for i := range n {
		p.Classes = append(p.Classes, posture.Class{Thread: g.thread(10 + i), TIDs: []int{10 + i}})
	}
	for i := 1; i < len(p.ABIs); i++ {
		switch g.IntN(4) {
		case 0:
			p.ABIs[i].Present = unreadable[bool]()
		case 1:
			p.ABIs[i].Present = fact(g.IntN(2) == 0, "a child", "present")
		}
	}
	switch g.IntN(20) {
	case 0:
		p.ABIs = p.ABIs[:g.IntN(3)]
	case 1:
		p.Threads.Value++
	}
	return p
}

func (g generator) policy() *policy.Policy {
	pol := &policy.Policy{}
	for range g.IntN(3) {
		pol.Seccomp.Deny = append(pol.Seccomp.Deny, g.one(plainCalls))
	}
	if g.IntN(2) == 0 {
		list := []string{g.one(plainCalls), g.one(plainCalls), "@basic-io"}
		pol.Seccomp.Allow = &list
	}
	if g.IntN(3) == 0 {
		pol.Seccomp.Architectures = []string{g.one([]string{"x86-64", "i386", "x32"})}
	}
	pol.Seccomp.Enforcing = g.IntN(2) == 0
	return pol
}

// The oracle: every number for itself, every range looked at, nothing sorted.

type oracle struct {
	*posture.Process
	want policy.Seccomp
}

func worstOf(all ...report.Status) report.Status {
	out := report.Pass
	for _, s := range all {
		if s == report.Gap || s == report.Unknown && out == report.Pass {
			out = s
		}
	}
	return out
}

// state is what is known of a thread: "none", "strict", "filters" or "".
func (o oracle) state(t *posture.Thread) string {
	mode, known := t.SeccompMode.Get()
	count, counted := t.SeccompFilters.Get()
	n, read := len(t.Filters.Value.Programs), t.Filters.State == posture.Known
	switch {
	case known && mode > 2,
		read && known && (mode == 2) != (n > 0),
		read && counted && count != n:
		return ""
	case known && mode == 0:
		return "none"
	case known && mode == 1:
		return "strict"
	case read && n > 0:
		return "filters"
	}
	return ""
}

// trusted says that there is one list for the ABI, in order.
func trusted(f *posture.Filters, abi string) (list []posture.FilteredCalls, ok bool) {
	n := 0
	for _, a := range f.ABIs {
		if a.ABI == abi {
			n++
			list = a.Calls
		}
	}
	for i, c := range list {
		for _, other := range list[:i] {
			if c.First <= other.Last {
				return nil, false
			}
		}
	}
	return list, n == 1
}

func (o oracle) outcomes(t *posture.Thread, abi string, nr uint32) []posture.Way {
	list, ok := trusted(&t.Filters.Value, abi)
	if !ok {
		return nil
	}
	for _, c := range list {
		if c.First <= nr && nr <= c.Last {
			return c.Ways
		}
	}
	return nil
}

func (o oracle) number(t *posture.Thread, b names.ABI, nr uint32) report.Status {
	switch o.state(t) {
	case "none":
		return report.Gap
	case "strict":
		name, _ := names.SyscallName(b.Arch, nr)
		return map[bool]report.Status{true: report.Gap, false: report.Pass}[b.Name != "x32" && slices.Contains(
			[]string{"read", "write", "exit", map[string]string{"x86-64": "rt_sigreturn", "i386": "sigreturn"}[b.Name]}, name)]
	case "":
		return report.Unknown
	}
	outcomes := o.outcomes(t, b.Name, nr)
	all := []report.Status{}
	for _, w := range outcomes {
		switch w.Action {
		case posture.ActionAllow, posture.ActionLog:
			all = append(all, report.Gap)
		case posture.ActionErrno, posture.ActionTrap, posture.ActionKillProcess, posture.ActionKillThread:
		default:
			all = append(all, report.Unknown)
		}
	}
	if len(outcomes) == 0 {
		return report.Unknown
	}
	return worstOf(all...)
}

// interesting are enough numbers of an ABI to see each range and each hole.
func (o oracle) interesting(t *posture.Thread, b names.ABI) []uint32 {
	out := []uint32{}
	for _, part := range parts(b) {
		out = append(out, part[0], part[1])
	}
	for nr := range uint32(600) {
		out = append(out, nr|b.NumberBit)
	}
	for _, a := range t.Filters.Value.ABIs {
		for _, c := range a.Calls {
			for _, nr := range []uint32{c.First - 1, c.First, c.Last, c.Last + 1} {
				for _, part := range parts(b) {
					if part[0] <= nr && nr <= part[1] {
						out = append(out, nr)
					}
				}
			}
		}
	}
	return out
}

func (o oracle) forbids(b names.ABI, nr uint32) bool {
	name, found := names.SyscallName(b.Arch, nr)
	if found && slices.Contains(o.want.Deny, name) {
		return true
	}
	return o.want.Allow != nil && !(found && slices.Contains(names.ExpandSyscalls(*o.want.Allow), name))
}

// all judges every thread, and that all of them were seen.
func (o oracle) all(judge func(*posture.Thread) report.Status) report.Status {
	out := report.Pass
	for i := range o.Classes {
		out = worstOf(out, judge(&o.Classes[i].Thread))
	}
	if o.Threads.Value != len(o.Classes) {
		out = worstOf(out, report.Unknown)
	}
	return out
}

func (o oracle) surplus(b names.ABI) report.Status {
	return o.all(func(t *posture.Thread) report.Status {
		out := report.Pass
		for nr := range uint32(600) {
			if name, found := names.SyscallName(b.Arch, nr); found && !slices.Contains(names.ExpandSyscalls(*o.want.Allow), name) {
				out = worstOf(out, o.number(t, b, nr))
			}
		}
		return out
	})
}

func (o oracle) abi(b names.ABI) report.Status {
	present := posture.Fact[bool]{}
	for _, a := range o.ABIs {
		if a.Name == b.Name {
			present = a.Present
		}
	}
	if here, known := present.Get(); known && !here {
		return report.Pass
	}
	listed := len(o.want.Architectures) == 0 || slices.Contains(o.want.Architectures, b.Name)
	if listed && len(o.want.Deny) == 0 && o.want.Allow == nil {
		return report.Pass
	}
	return o.all(func(t *posture.Thread) report.Status {
		out := report.Pass
		for _, nr := range o.interesting(t, b) {
			if !listed || o.forbids(b, nr) {
				out = worstOf(out, o.number(t, b, nr))
			}
		}
		if out == report.Gap && present.State != posture.Known {
			out = report.Unknown
		}
		return out
	})
}

func (o oracle) enforcing(b names.ABI) report.Status {
	return o.all(func(t *posture.Thread) report.Status {
		switch o.state(t) {
		case "none":
			return report.Gap
		case "strict":
			return report.Pass
		case "":
			return report.Unknown
		}
		if _, ok := trusted(&t.Filters.Value, b.Name); !ok {
			return report.Unknown
		}
		out, denies, lets := report.Pass, false, true
		for _, nr := range o.interesting(t, b) {
			outcomes := o.outcomes(t, b.Name, nr)
			_, named := names.SyscallName(b.Arch, nr)
			if len(outcomes) == 0 {
				lets = false
				outcomes = []posture.Way{{}}
				if list, _ := trusted(&t.Filters.Value, b.Name); !slices.ContainsFunc(list, func(c posture.FilteredCalls) bool { return c.First <= nr && nr <= c.Last }) {
					out = worstOf(out, report.Unknown)
				}
			}
			for _, w := range outcomes {
				denies, lets = denies || w.Action.Denies(), lets && w.Action.Lets()
				out = worstOf(out, o.effect(w.Action, named, o.forbids(b, nr)))
			}
		}
		switch {
		case denies:
		case lets:
			out = report.Gap
		default:
			out = worstOf(out, report.Unknown)
		}
		return out
	})
}

// effect is what one outcome of a number says of the filter.
func (o oracle) effect(a posture.Action, named, forbidden bool) report.Status {
	left := a == posture.ActionTrace || a == posture.ActionNotify
	switch {
	case a.Denies(), named && !forbidden:
		return report.Pass
	case a == posture.ActionLog:
		return report.Gap
	case a == posture.ActionAllow && !named && o.want.Allow != nil:
		return report.Gap
	case a == posture.ActionAllow, !named && left && o.want.Allow == nil:
		return report.Pass
	default:
		return report.Unknown
	}
}

// TestFiltersAgainstOracle: thousands of processes and policies.
func TestFiltersAgainstOracle(t *testing.T) {
	seen := map[string]map[report.Status]int{}
	for seed := range uint64(1000) {
		againstOracle(t, seed, seen)
		if t.Failed() {
			return
		}
	}
	for id, by := range seen {
		for _, s := range []report.Status{report.Pass, report.Gap, report.Unknown} {
			if by[s] < 10 {
				t.Errorf("%s is %s only %d times", id, s, by[s])
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d ids", len(seen))
	}
}

func FuzzFilters(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { againstOracle(t, seed, map[string]map[report.Status]int{}) })
}

func againstOracle(t *testing.T, seed uint64, seen map[string]map[report.Status]int) {
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	p, pol := g.process(), g.policy()
	o := oracle{p, pol.Seccomp}
	got := map[string]report.Status{}
	whole := map[string]report.Status{}
	for _, f := range checks.Run(p, pol) {
		if _, twice := got[f.ID+" "+f.Subject]; twice {
			t.Errorf("seed %d: two findings %s %s", seed, f.ID, f.Subject)
		}
		got[f.ID+" "+f.Subject] = f.Status
		if f.Status != report.Skipped {
			before, some := whole[f.ID]
			if !some {
				before = report.Pass
			}
			whole[f.ID] = worstOf(before, f.Status)
		}
	}
	check := func(id, key string, want report.Status) {
		if seen[id] == nil {
			seen[id] = map[report.Status]int{}
		}
		seen[id][want]++
		status, some := got[id+" "+key]
		if key == "*" {
			status, some = whole[id]
		}
		if !some || status != want {
			t.Errorf("seed %d: %s %s is %s (there: %v), the oracle says %s", seed, id, key, status, some, want)
		}
	}
	if len(p.ABIs) == 0 {
		for id, status := range whole {
			if status == report.Pass && id != "contradiction" {
				t.Errorf("seed %d: %s passes without an ABI", seed, id)
			}
		}
		return
	}
	abis := names.ABIs("amd64")
	forbids := len(pol.Seccomp.Deny) > 0 || pol.Seccomp.Allow != nil
	for _, name := range pol.Seccomp.Deny {
		nr, _ := names.Syscall("amd64", name)
		check("seccomp.syscall", name, o.all(func(t *posture.Thread) report.Status { return o.number(t, abis[0], nr) }))
	}
	if pol.Seccomp.Allow != nil {
		check("seccomp.surplus", "*", o.surplus(abis[0]))
	}
	if forbids || pol.Seccomp.Enforcing {
		check("seccomp.filter", "", o.enforcing(abis[0]))
	}
	if forbids || len(pol.Seccomp.Architectures) > 0 {
		for i, b := range abis {
			if i > 0 || len(pol.Seccomp.Architectures) > 0 && !slices.Contains(pol.Seccomp.Architectures, b.Name) {
				check("seccomp.abi", b.Name, o.abi(b))
			}
		}
	}
}
