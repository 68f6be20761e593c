package checks

import (
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// fact is one of the facts that are recorded of a thread. It makes facts whose
// values are of different types comparable between threads and sources.
type fact uint8

// The facts in the order of status. All before factSecurebits make up a
// thread's credentials and filters: every thread of a uniform process shares
// them, and two sources are compared in them. Securebits have one source only.
const (
	factUID fact = iota
	factGID
	factGroups
	factInheritable
	factPermitted
	factEffective
	factBounding
	factAmbient
	factNoNewPrivs
	factSeccompMode
	factFilterCount
	factSecurebits

	comparedFacts = factSecurebits
)

// factNames are the names that status gives them: proc_pid_status(5).
var factNames = [...]string{
	factUID:         "Uid",
	factGID:         "Gid",
	factGroups:      "Groups",
	factInheritable: "CapInh",
	factPermitted:   "CapPrm",
	factEffective:   "CapEff",
	factBounding:    "CapBnd",
	factAmbient:     "CapAmb",
	factNoNewPrivs:  "NoNewPrivs",
	factSeccompMode: "Seccomp",
	factFilterCount: "Seccomp_filters",
	factSecurebits:  "Securebits",
}

func (f fact) name() string { return factNames[f] }

// of returns what is said of the fact besides its value.
func (f fact) of(t *posture.Thread) *posture.Origin {
	switch f {
	case factUID, factGID:
		return &f.ids(t).Origin
	case factGroups:
		return &t.Groups.Origin
	case factNoNewPrivs:
		return &t.NoNewPrivs.Origin
	case factSeccompMode, factFilterCount:
		return &f.seccomp(t).Origin
	case factSecurebits:
		return &t.Securebits.Origin
	default:
		return &f.caps(&t.Caps).Origin
	}
}

func (f fact) known(t *posture.Thread) bool { return f.of(t).State == posture.Known }

func (f fact) ids(t *posture.Thread) *posture.Fact[posture.IDs] {
	if f == factUID {
		return &t.UID
	}
	return &t.GID
}

func (f fact) seccomp(t *posture.Thread) *posture.Fact[int] {
	if f == factSeccompMode {
		return &t.SeccompMode
	}
	return &t.SeccompFilters
}

func (f fact) caps(c *posture.CapFacts) *posture.Fact[posture.CapSet] {
	switch f {
	case factInheritable:
		return &c.Inheritable
	case factPermitted:
		return &c.Permitted
	case factEffective:
		return &c.Effective
	case factBounding:
		return &c.Bounding
	default:
		return &c.Ambient
	}
}

// equal is asked of two known facts that are compared.
func (f fact) equal(a, b *posture.Thread) bool {
	switch f {
	case factUID, factGID:
		return sameInside(&f.ids(a).Value, &f.ids(b).Value)
	case factGroups:
		return sameSet(a.Groups.Value, b.Groups.Value, inside)
	case factNoNewPrivs:
		return a.NoNewPrivs.Value == b.NoNewPrivs.Value
	case factSeccompMode, factFilterCount:
		return f.seccomp(a).Value == f.seccomp(b).Value
	default:
		return f.caps(&a.Caps).Value == f.caps(&b.Caps).Value
	}
}

// equalOutside compares ids as they are outside too: two that are not mapped
// in the target's user namespace look alike inside it.
func (f fact) equalOutside(a, b *posture.Thread) bool {
	switch f {
	case factUID, factGID:
		return f.ids(a).Value == f.ids(b).Value
	case factGroups:
		return sameSet(a.Groups.Value, b.Groups.Value, outside)
	default:
		return true
	}
}

// hides says that a known fact has an id that cannot be told from others: two
// that look the same need not be.
func (f fact) hides(t *posture.Thread) bool {
	switch f {
	case factUID, factGID:
		ids := &f.ids(t).Value
		return hidden(&ids.Real) || hidden(&ids.Effective) || hidden(&ids.Saved) || hidden(&ids.FS)
	case factGroups:
		for i := range t.Groups.Value {
			if hidden(&t.Groups.Value[i]) {
				return true
			}
		}
	}
	return false
}

// words puts the value of a known fact that is compared into words.
func (f fact) words(t *posture.Thread) string {
	switch f {
	case factUID, factGID:
		return idsWords(&f.ids(t).Value)
	case factGroups:
		return groupsWords(t.Groups.Value)
	case factNoNewPrivs:
		if t.NoNewPrivs.Value {
			return "set"
		}
		return "not set"
	case factSeccompMode:
		return names.SeccompModeName(t.SeccompMode.Value)
	case factFilterCount:
		return strconv.Itoa(t.SeccompFilters.Value)
	default:
		return fewCaps(f.caps(&t.Caps).Value)
	}
}

// lay puts the fact of the thread from into the thread to.
func (f fact) lay(to, from *posture.Thread) {
	switch f {
	case factUID, factGID:
		*f.ids(to) = *f.ids(from)
	case factGroups:
		to.Groups = from.Groups
	case factNoNewPrivs:
		to.NoNewPrivs = from.NoNewPrivs
	case factSeccompMode, factFilterCount:
		*f.seccomp(to) = *f.seccomp(from)
	case factSecurebits:
		to.Securebits = from.Securebits
	default:
		*f.caps(&to.Caps) = *f.caps(&from.Caps)
	}
}

// withoutFilters says that no filter is there. Kernels before Linux 5.9 show no
// count, but where the mode is known to be disabled none can be.
func withoutFilters(t *posture.Thread) bool {
	return t.SeccompMode.State == posture.Known && t.SeccompMode.Value == seccompDisabled &&
		(t.SeccompFilters.State != posture.Known || t.SeccompFilters.Value == 0)
}

// sameInside compares what a system call would return: the ids as the thread's
// own user namespace sees them. How they look outside depends on who looks.
func sameInside(a, b *posture.IDs) bool {
	return a.Real.Value == b.Real.Value && a.Effective.Value == b.Effective.Value &&
		a.Saved.Value == b.Saved.Value && a.FS.Value == b.FS.Value
}

func idsWords(ids *posture.IDs) string {
	return decimal(ids.Real.Value) + " " + decimal(ids.Effective.Value) + " " +
		decimal(ids.Saved.Value) + " " + decimal(ids.FS.Value)
}

func inside(id *posture.ID) uint32  { return id.Value }
func outside(id *posture.ID) uint32 { return id.Outside }

// sameSet compares groups as sets: their order and their repetition mean
// nothing to the kernel.
func sameSet(a, b []posture.ID, number func(*posture.ID) uint32) bool {
	if len(a) == len(b) {
		same := true
		for i := range a {
			same = same && number(&a[i]) == number(&b[i])
		}
		if same {
			return true
		}
	}
	return slices.Equal(set(a, number), set(b, number))
}

func set(groups []posture.ID, number func(*posture.ID) uint32) []int {
	out := make([]int, len(groups))
	for i := range groups {
		out[i] = int(number(&groups[i]))
	}
	return distinct(out)
}

func groupsWords(groups []posture.ID) string {
	if len(groups) == 0 {
		return "none"
	}
	words := make([]string, len(groups))
	for i := range groups {
		words[i] = decimal(groups[i].Value)
	}
	return listed(words, ", ")
}
