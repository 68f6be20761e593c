package checks

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// comparedFact is one fact of a thread in a form in which facts of different
// threads and from different sources can be compared.
type comparedFact struct {
	name  string
	state func(*posture.Thread) posture.State
	// equal is asked of known facts only.
	equal func(a, b *posture.Thread) bool
	words func(*posture.Thread) string
	why   func(*posture.Thread) string
	seen  func(*posture.Thread) []report.Evidence
}

// comparedTable is made when it is first asked for: importing the package
// does no work.
var comparedTable struct {
	sync.Once
	facts []*comparedFact
}

// compared returns the facts that make up a thread's credentials and filters,
// each by the name that status gives it: those that every thread of a uniform
// process shares, and that two sources are compared in.
func compared() []*comparedFact {
	comparedTable.Do(func() {
		comparedTable.facts = []*comparedFact{
			comparing("Uid", func(t *posture.Thread) *posture.Fact[posture.IDs] { return &t.UID }, sameInside, idsWords),
			comparing("Gid", func(t *posture.Thread) *posture.Fact[posture.IDs] { return &t.GID }, sameInside, idsWords),
			comparing("Groups", func(t *posture.Thread) *posture.Fact[[]posture.ID] { return &t.Groups }, sameGroups, groupsWords),
			comparing("CapInh", func(t *posture.Thread) *posture.Fact[posture.CapSet] { return &t.Caps.Inheritable }, same, fewCaps),
			comparing("CapPrm", func(t *posture.Thread) *posture.Fact[posture.CapSet] { return &t.Caps.Permitted }, same, fewCaps),
			comparing("CapEff", func(t *posture.Thread) *posture.Fact[posture.CapSet] { return &t.Caps.Effective }, same, fewCaps),
			comparing("CapBnd", func(t *posture.Thread) *posture.Fact[posture.CapSet] { return &t.Caps.Bounding }, same, fewCaps),
			comparing("CapAmb", func(t *posture.Thread) *posture.Fact[posture.CapSet] { return &t.Caps.Ambient }, same, fewCaps),
			comparing("NoNewPrivs", func(t *posture.Thread) *posture.Fact[bool] { return &t.NoNewPrivs }, same, onOff),
			comparing("Seccomp", func(t *posture.Thread) *posture.Fact[int] { return &t.SeccompMode }, same, names.SeccompModeName),
			comparing(filterCount, func(t *posture.Thread) *posture.Fact[int] { return &t.SeccompFilters }, same, strconv.Itoa),
		}
	})
	return comparedTable.facts
}

const filterCount = "Seccomp_filters"

func comparing[T any](name string, of func(*posture.Thread) *posture.Fact[T], equal func(a, b T) bool, words func(T) string) *comparedFact {
	return &comparedFact{
		name:  name,
		state: func(t *posture.Thread) posture.State { return of(t).State },
		equal: func(a, b *posture.Thread) bool { return equal(of(a).Value, of(b).Value) },
		words: func(t *posture.Thread) string { return words(of(t).Value) },
		why:   func(t *posture.Thread) string { return whyNot(*of(t), name) },
		seen:  func(t *posture.Thread) []report.Evidence { return seen(*of(t)) },
	}
}

func (f *comparedFact) known(t *posture.Thread) bool { return f.state(t) == posture.Known }

// source names where the fact comes from.
func (f *comparedFact) source(t *posture.Thread) string { return f.seen(t)[0].Source }

// withoutFilters says that no filter is there. Kernels before Linux 5.9 show no
// count, but where the mode is known to be disabled none can be.
func withoutFilters(t *posture.Thread) bool {
	mode, known := t.SeccompMode.Get()
	return known && mode == seccompDisabled && (t.SeccompFilters.State != posture.Known || t.SeccompFilters.Value == 0)
}

func same[T comparable](a, b T) bool { return a == b }

// sameInside compares what a system call would return: the ids as the thread's
// own user namespace sees them. How they look outside depends on who looks.
func sameInside(a, b posture.IDs) bool {
	return a.Real.Value == b.Real.Value && a.Effective.Value == b.Effective.Value &&
		a.Saved.Value == b.Saved.Value && a.FS.Value == b.FS.Value
}

func idsWords(ids posture.IDs) string {
	return fmt.Sprintf("%d %d %d %d", ids.Real.Value, ids.Effective.Value, ids.Saved.Value, ids.FS.Value)
}

func sameGroups(a, b []posture.ID) bool {
	return sameSet(a, b, func(id posture.ID) uint32 { return id.Value })
}

// sameSet compares groups as sets: their order and their repetition mean
// nothing to the kernel.
func sameSet(a, b []posture.ID, number func(posture.ID) uint32) bool {
	if slices.EqualFunc(a, b, func(x, y posture.ID) bool { return number(x) == number(y) }) {
		return true
	}
	set := func(groups []posture.ID) []uint32 {
		out := make([]uint32, len(groups))
		for i, g := range groups {
			out[i] = number(g)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return slices.Equal(set(a), set(b))
}

func groupsWords(groups []posture.ID) string {
	if len(groups) == 0 {
		return "none"
	}
	words := make([]string, len(groups))
	for i, g := range groups {
		words[i] = strconv.FormatUint(uint64(g.Value), 10)
	}
	return listed(words, ", ")
}

func onOff(set bool) string {
	if set {
		return "set"
	}
	return "not set"
}
