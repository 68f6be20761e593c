package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// filterCase is what the checks of filters share.
type filterCase struct {
	*audited
	want *policy.Seccomp
	// abis are those that the architecture can have, the native one first.
	abis []abi
	// deny and allow are the calls that the policy names, sorted.
	deny, allow []string
	// unknown are words of deny that name no call and no group.
	unknown []string
	guards  map[*posture.Thread]*guarded
}

// filters checks what the seccomp filters do: seccomp(2). Of another process
// the filters themselves can be read; of the own process a scan tells what was
// denied as it was tried, and that is never enough for a pass.
func filters(out *results, a *audited, pol *policy.Policy) {
	want := &pol.Seccomp
	var c *filterCase
	if want.AsksFilter() {
		c = newFilterCase(a, want)
	}
	run := [...]func(*filterCase, *results){(*filterCase).enforcing, (*filterCase).otherABIs, (*filterCase).denied, (*filterCase).surplus}
	for i, asked := range filtersAsked(want) {
		if asked {
			run[i](c, out)
		} else {
			out.skip(filterIDs[i])
		}
	}
}

const (
	filterID  = "seccomp.filter"
	abiID     = "seccomp.abi"
	syscallID = "seccomp.syscall"
	surplusID = "seccomp.surplus"
)

var filterIDs = [...]string{filterID, abiID, syscallID, surplusID}

// filtersAsked says which of filterIDs a policy asks for.
func filtersAsked(want *policy.Seccomp) [len(filterIDs)]bool {
	forbids := len(want.Deny) > 0 || want.Allow != nil
	return [...]bool{want.Enforcing || forbids, len(want.Architectures) > 0 || forbids, len(want.Deny) > 0, want.Allow != nil}
}

// leaveFilters stands in for filters where those checks are left out.
func leaveFilters(out *results, _ *audited, pol *policy.Policy) {
	for i, asked := range filtersAsked(&pol.Seccomp) {
		if asked {
			out.add(filterIDs[i], report.Unknown, "checked", "unknown", leftOut)
		} else {
			out.skip(filterIDs[i])
		}
	}
}

func newFilterCase(a *audited, want *policy.Seccomp) *filterCase {
	c := &filterCase{audited: a, want: want, abis: abisOf(a.ABIs), guards: map[*posture.Thread]*guarded{}}
	for _, word := range want.Deny {
		if _, group := names.SyscallGroup(word); !group && !names.IsSyscall(word) {
			c.unknown = append(c.unknown, word)
		} else {
			c.deny = append(c.deny, word)
		}
	}
	c.deny = names.ExpandSyscalls(c.deny)
	if want.Allow != nil {
		c.allow = names.ExpandSyscalls(*want.Allow)
	}
	for i := range a.views {
		c.guards[a.views[i].Thread] = guardOf(a.views[i].Thread, c.abis)
	}
	if v := a.caller(); v != nil && a.Self {
		c.giveScan(c.guards[v.Thread], false)
		if class := a.class[v.tids[0]]; class != nil && class != v.Thread {
			c.giveScan(c.guards[class], len(a.all) > 1)
		}
	}
	return c
}

// caller is the view of the calling thread of an audit of self, which is the
// one whose securebits are known; without one, the first view.
func (a *audited) caller() *threads {
	for i := range a.views {
		if v := &a.views[i]; v.kernel && v.Securebits.State == posture.Known {
			return v
		}
	}
	if len(a.views) == 0 {
		return nil
	}
	return &a.views[0]
}

// giveScan lets what was tried speak for a thread whose filters are not known.
func (c *filterCase) giveScan(g *guarded, shared bool) {
	if g.guard != guardUnknown || c.Scan.State != posture.Known || g.Filters.State == posture.Known {
		return
	}
	g.guard, g.source, g.shared = guardTried, c.Scan.Source, shared
	g.tried = make([]*posture.Scan, len(c.abis))
	for i := range c.abis {
		for k := range c.Scan.Value {
			if s := &c.Scan.Value[k]; s.ABI == c.abis[i].Name {
				g.tried[i] = s
			}
		}
	}
}

// native is the first of the ABIs.
const native = 0

// forbids says whether the policy forbids the call: named by deny, or not on
// the allow-list.
func (c *filterCase) forbids(name string) bool {
	if c.want.Allow != nil {
		if _, listed := slices.BinarySearch(c.allow, name); !listed {
			return true
		}
	}
	_, listed := slices.BinarySearch(c.deny, name)
	return listed
}

// judged is the worst decision on calls that come to one, and on which of them.
type judged struct {
	decision
	call
}

// judge decides on the calls of one ABI for one posture.
func (c *filterCase) judge(t *posture.Thread, which int, calls []call) judged {
	g := c.guards[t]
	if len(calls) == 0 {
		return judged{decision: g.decide(c.abis, which, 0)}
	}
	worst := judged{g.decide(c.abis, which, calls[0].nr), calls[0]}
	for _, one := range calls[1:] {
		if d := g.decide(c.abis, which, one.nr); worse(d.status, worst.status) {
			worst = judged{d, one}
		}
	}
	return worst
}

// wordsFor says what was decided, and on which call where it is not the named one.
func (j *judged) wordsFor(name string) string {
	if j.name == "" || j.name == name {
		return j.words()
	}
	return j.name + " is " + j.words()
}

func worse(a, b report.Status) bool {
	return a == report.Gap && b != report.Gap || a == report.Unknown && b == report.Pass
}

// few joins the first of a list of names.
func few(words []string) string {
	n := min(len(words), maxListed)
	return andMore(words[:n:n], len(words)-n)
}
