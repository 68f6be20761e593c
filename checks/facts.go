package checks

import (
	"fmt"
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// reading is one fact of a thread in a form in which facts of different threads
// and from different sources can be compared.
type reading struct {
	state posture.State
	value any
	words string
	why   string
	seen  []report.Evidence
}

// compared are the facts that make up a thread's credentials and filters, each
// by the name that status gives it: those that every thread of a uniform
// process shares, and that two sources are compared in.
var compared = []struct {
	name string
	of   func(*posture.Thread) reading
}{
	{"Uid", func(t *posture.Thread) reading { return read(t.UID, "Uid", insideIDs, idsWords) }},
	{"Gid", func(t *posture.Thread) reading { return read(t.GID, "Gid", insideIDs, idsWords) }},
	{"Groups", func(t *posture.Thread) reading { return read(t.Groups, "Groups", insideGroups, groupsWords) }},
	{"CapInh", func(t *posture.Thread) reading { return readCaps(t.Caps.Inheritable, "CapInh") }},
	{"CapPrm", func(t *posture.Thread) reading { return readCaps(t.Caps.Permitted, "CapPrm") }},
	{"CapEff", func(t *posture.Thread) reading { return readCaps(t.Caps.Effective, "CapEff") }},
	{"CapBnd", func(t *posture.Thread) reading { return readCaps(t.Caps.Bounding, "CapBnd") }},
	{"CapAmb", func(t *posture.Thread) reading { return readCaps(t.Caps.Ambient, "CapAmb") }},
	{"NoNewPrivs", func(t *posture.Thread) reading { return read(t.NoNewPrivs, "NoNewPrivs", same[bool], onOff) }},
	{"Seccomp", func(t *posture.Thread) reading {
		return read(t.SeccompMode, "Seccomp", same[int], names.SeccompModeName)
	}},
	{"Seccomp_filters", func(t *posture.Thread) reading {
		return read(t.SeccompFilters, "Seccomp_filters", same[int], func(n int) string { return fmt.Sprint(n) })
	}},
}

func read[T any](f posture.Fact[T], name string, key func(T) any, words func(T) string) reading {
	r := reading{state: f.State, seen: seen(f)}
	if v, known := f.Get(); known {
		r.value, r.words = key(v), words(v)
	} else {
		r.why = whyNot(f, name)
	}
	return r
}

func readCaps(f posture.Fact[posture.CapSet], name string) reading {
	return read(f, name, same[posture.CapSet], fewCaps)
}

// noFilters answers for a count that is not shown, where the mode is known to
// be disabled: no filter can be there. Kernels before Linux 5.9 show no count.
func noFilters(t *posture.Thread, r reading) reading {
	mode, known := t.SeccompMode.Get()
	if r.state == posture.Known || !known || mode != seccompDisabled {
		return r
	}
	return reading{state: posture.Known, value: 0, words: "0", seen: seen(t.SeccompMode)}
}

func same[T any](v T) any { return v }

// insideIDs keeps what a system call would return: the ids as the thread's own
// user namespace sees them. How they look outside depends on who looks.
func insideIDs(ids posture.IDs) any {
	return [4]uint32{ids.Real.Value, ids.Effective.Value, ids.Saved.Value, ids.FS.Value}
}

func idsWords(ids posture.IDs) string {
	return fmt.Sprintf("%d %d %d %d", ids.Real.Value, ids.Effective.Value, ids.Saved.Value, ids.FS.Value)
}

func inside(id posture.ID) uint32  { return id.Value }
func outside(id posture.ID) uint32 { return id.Outside }

func insideGroups(groups []posture.ID) any { return groupsKey(groups, inside) }

// groupsKey makes groups comparable: their order and their repetition mean
// nothing to the kernel.
func groupsKey(groups []posture.ID, seenFrom func(posture.ID) uint32) string {
	values := make([]uint32, len(groups))
	for i, g := range groups {
		values[i] = seenFrom(g)
	}
	slices.Sort(values)
	return fmt.Sprint(slices.Compact(values))
}

func groupsWords(groups []posture.ID) string {
	words := make([]string, 0, len(groups))
	for _, g := range groups {
		words = append(words, fmt.Sprint(g.Value))
	}
	if len(words) == 0 {
		return "none"
	}
	return listed(words, ", ")
}

func onOff(set bool) string {
	if set {
		return "set"
	}
	return "not set"
}
