package checks

import (
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// barState says whether a layer stops an attack by itself. The zero value is
// not known.
type barState uint8

const (
	barUnknown barState = iota
	barOpen
	barStands
)

// barrier is one layer before one attack.
type barrier struct {
	layer string
	state barState
	why   string
}

func (b *barrier) note() string { return b.layer + ": " + b.why }

// The layers by their names in a report.
const (
	layerFilter     = "filter"
	layerCapability = "capability"
	layerNamespace  = "namespace"
	layerPermission = "permission"
	layerKernel     = "kernel"
)

// depthCase is what the attacks on one process share.
type depthCase struct {
	*audited
	abis   []abi
	guards map[*posture.Thread]*guarded
	// speaks are the threads of each attempt; nil for the whole process.
	speaks []map[int]bool
}

func newDepthCase(a *audited) *depthCase {
	c := &depthCase{audited: a, abis: abisNamed(a.depthABIs()), guards: map[*posture.Thread]*guarded{}, speaks: make([]map[int]bool, len(a.Attempts))}
	for i := range a.views {
		c.guards[a.views[i].Thread] = guardOf(a.views[i].Thread, c.abis)
	}
	for i := range a.Attempts {
		for _, tid := range a.Attempts[i].TIDs {
			if c.speaks[i] == nil {
				c.speaks[i] = map[int]bool{}
			}
			c.speaks[i][tid] = true
		}
	}
	return c
}

// depthABIs are those of the process. Where nobody asked which there are, those
// for which filters were evaluated may be there.
func (a *audited) depthABIs() []posture.ABI {
	if len(a.ABIs) > 0 {
		return a.ABIs
	}
	for i := range a.views {
		if f, known := a.views[i].Filters.Get(); known && len(f.ABIs) > 0 {
			return []posture.ABI{{Name: f.ABIs[0].ABI}}
		}
	}
	return nil
}

// before returns the layers before an attack that was stopped. What the attempt says
// of who stopped it counts for the layer that answered; what stands behind is
// taken from facts alone.
func (c *depthCase) before(need *names.Need, v *threads, one *posture.Attempt) []barrier {
	filter, proven := c.filter(need, v, one)
	// A filter that denies the call whatever its arguments answered in place of
	// whoever the attempt took for the one that did.
	said := func(by posture.Stopper) bool {
		return one.By == by && !proven || one.Also == by
	}
	direct := one.By == posture.StoppedByCapability && !proven
	out := []barrier{filter}
	checked := false // the permission check of the kernel has its name
	if b, asked := c.capability(need, v, direct, said(posture.StoppedByPermission)); asked {
		out = append(out, b)
		checked = b.state == barStands
	}
	if b, asked := c.namespace(need); asked {
		out = append(out, b)
		checked = checked || b.state == barStands
	}
	if said(posture.StoppedByPermission) && !checked {
		out = append(out, barrier{layerPermission, barStands, "ids, modes, a setting or a security module refused it"})
	}
	if said(posture.StoppedByKernel) {
		out = append(out, barrier{layerKernel, barStands, "this kernel does not have it"})
	}
	return out
}

// filter says whether the filters stop the attack, and whether that is proven
// for whatever arguments, in every ABI that there may be.
func (c *depthCase) filter(need *names.Need, v *threads, one *posture.Attempt) (b barrier, proven bool) {
	e := evaluation{why: "what stands before its calls is not known"}
	switch g := c.guards[v.Thread]; {
	case g == nil || need.Call == "":
	case g.guard == guardUnknown:
		e.why = g.why
	case g.guard == guardNone:
		e.state, e.why = barOpen, "no filter is loaded"
	default:
		e = c.evaluated(g, need)
		if e.state == barStands {
			e = c.pastRing(g, need, v, e)
		}
	}
	b = barrier{layerFilter, e.state, e.why}
	if one.By == posture.StoppedByFilter || one.Also == posture.StoppedByFilter {
		switch {
		case e.state == barUnknown:
			b.state, b.why = barStands, "a filter answered the attempt"
		case e.native:
			b.state, b.why = barUnknown, "two sources disagree: a filter answered the attempt, and "+e.why
		}
	}
	return b, e.state == barStands
}

// evaluation is what filters do with the call that an attack needs.
type evaluation struct {
	state barState
	why   string
	// native says that they let it through natively whatever its arguments.
	native bool
}

// evaluated looks at the call in every ABI that there may be. It stands where
// all of them deny it, whatever its arguments; it is open where one lets it
// through, and not known where that depends on arguments.
func (c *depthCase) evaluated(g *guarded, need *names.Need) evaluation {
	out := evaluation{why: "there is no such call in any ABI that was evaluated"}
	denied, doubt := false, false
	for i := range c.abis {
		b := &c.abis[i]
		if need.ABI != "" && b.Name != need.ABI || need.ABI == "" && b.absent() && i != native {
			continue
		}
		forms := b.ways(need.Call)
		if need.Other != "" {
			forms = append(slices.Clone(forms), b.ways(need.Other)...)
		}
		for _, form := range forms {
			d := g.decide(c.abis, i, form.nr)
			words := b.callName(form.nr) + " is " + d.words()
			state := stateOf(&d)
			switch some := g.guard == guardFilters && g.verdicts[i].denySome(form.nr); {
			case state == barStands:
				denied = true
				continue
			case state == barOpen && !some && (i == native || need.ABI != "" || b.present.State == posture.Known):
				return evaluation{barOpen, words, i == native}
			case state == barOpen && !some:
				words += ", and whether this kernel has " + b.Name + " is not known"
			case state == barOpen:
				words += "; with other arguments it is denied"
			}
			if !doubt {
				doubt, out.why = true, words
			}
		}
	}
	if denied && !doubt {
		out.state, out.why = barStands, need.Call+" is denied whatever its arguments"
	}
	return out
}

// pastRing looks for an operation of io_uring that does the call's work where
// no filter sees it.
func (c *depthCase) pastRing(g *guarded, need *names.Need, v *threads, denied evaluation) evaluation {
	op, found := names.IOUring(need.Call)
	ring := c.abis[native].forms("io_uring_setup")
	if !found || len(ring) == 0 {
		return denied
	}
	d := g.decide(c.abis, native, ring[0].nr)
	outcome := c.outcomeOf("io-uring-setup", v)
	if stateOf(&d) == barStands || outcome == posture.Stopped {
		return denied
	}
	past := evaluation{why: "io_uring_setup is " + d.words() + ", and " + op.Name + " does the work of " + need.Call + " where no filter sees it"}
	if outcome == posture.Succeeded {
		past.state = barOpen
	}
	return past
}

// ways are the calls of the ABI that do what the named one does.
func (b *abi) ways(name string) []call {
	out := b.forms(name)
	if by, _, found := names.Multiplexer(b.Arch, name); found {
		if nr, has := names.Syscall(b.Arch, by); has {
			out = append(out, call{nr, by})
		}
	}
	return out
}

// denySome says that the filters deny the call under some arguments.
func (v *verdicts) denySome(nr uint32) bool {
	if calls := v.of(nr); calls != nil {
		for i := range calls.Ways {
			if calls.Ways[i].Action.Denies() {
				return true
			}
		}
	}
	return false
}

// outcomeOf is how the attempts of that name ended for the threads: Stopped
// where all failed, Undecided where none speaks for them.
func (c *depthCase) outcomeOf(name string, v *threads) posture.Outcome {
	out, found := posture.Stopped, false
	for i := range c.Attempts {
		one := &c.Attempts[i]
		if one.Name != name || !c.speaksFor(i, v.tids) {
			continue
		}
		found = true
		switch one.Outcome {
		case posture.Succeeded:
			return posture.Succeeded
		case posture.Stopped:
		default:
			out = posture.Undecided
		}
	}
	if !found {
		return posture.Undecided
	}
	return out
}

// namespace says whether what the attack takes has no meaning in the process's
// user namespace: user_namespaces(7).
func (c *depthCase) namespace(need *names.Need) (barrier, bool) {
	b := barrier{layer: layerNamespace}
	ns := &c.UserNamespace
	switch {
	case need.RootUID:
		return b.unmapped(&ns.UIDMap, "user")
	case need.RootGID:
		return b.unmapped(&ns.GIDMap, "group")
	case need.Asked != names.AskedAlways || need.Nested:
		return b, false
	}
	switch maps, known := ns.UIDMap.Get(); {
	case !known:
		b.why = whyNot(&ns.UIDMap.Origin, "the user namespace")
	case len(maps) == 1 && maps[0].Inside == 0 && maps[0].Size == ^uint32(0):
		b.state, b.why = barOpen, "its user namespace may be the machine's initial one"
	default:
		b.state, b.why = barStands, "no capability counts here: its user namespace is not the machine's initial one"
	}
	return b, true
}

func (b barrier) unmapped(f *posture.Fact[[]posture.MapEntry], kind string) (barrier, bool) {
	maps, known := f.Get()
	if !known {
		b.why = whyNot(&f.Origin, "the ids of its user namespace")
		return b, true
	}
	for _, m := range maps {
		if m.Inside == 0 && m.Size > 0 {
			b.state, b.why = barOpen, kind+" id 0 is mapped in its user namespace"
			return b, true
		}
	}
	b.state, b.why = barStands, "its user namespace has no "+kind+" id 0"
	return b, true
}

// capNames joins names for a sentence: "CAP_BPF or CAP_SYS_ADMIN".
func capNames(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = names.CapabilityName(n)
	}
	return strings.Join(words, " or ")
}
