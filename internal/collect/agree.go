package collect

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// bothKnown says whether two sources of one fact both say something.
func bothKnown(a, b *posture.Origin) bool {
	return a.State == posture.Known && b.State == posture.Known
}

// agrees says whether two sources of one fact say the same, or one says nothing.
func agrees[T comparable](a, b *posture.Fact[T]) bool {
	return a.Value == b.Value || !bothKnown(&a.Origin, &b.Origin)
}

func groupsAgree(a, b *posture.Fact[[]posture.ID]) bool {
	return !bothKnown(&a.Origin, &b.Origin) || slices.Equal(a.Value, b.Value)
}

// agree says whether the kernel's answers are those of /proc.
func agree(p *posture.Process) bool {
	for i := range p.Kernel {
		k := &p.Kernel[i]
		if t := classOfThread(p, k.TID); t != nil && !agreeThread(t, k) {
			return false
		}
	}
	return true
}

// classOfThread finds a thread's class; the threads of a class are in order.
func classOfThread(p *posture.Process, tid int) *posture.Thread { return threadOf(p.Classes, tid) }

func threadOf(classes []posture.Class, tid int) *posture.Thread {
	for i := range classes {
		if _, found := slices.BinarySearch(classes[i].TIDs, tid); found {
			return &classes[i].Thread
		}
	}
	return nil
}

func agreeThread(a, b *posture.Thread) bool {
	return agrees(&a.Caps.Effective, &b.Caps.Effective) && agrees(&a.Caps.Permitted, &b.Caps.Permitted) &&
		agrees(&a.Caps.Inheritable, &b.Caps.Inheritable) && agrees(&a.Caps.Bounding, &b.Caps.Bounding) &&
		agrees(&a.Caps.Ambient, &b.Caps.Ambient) && agrees(&a.UID, &b.UID) && agrees(&a.GID, &b.GID) &&
		groupsAgree(&a.Groups, &b.Groups) && agrees(&a.NoNewPrivs, &b.NoNewPrivs) && agrees(&a.SeccompMode, &b.SeccompMode)
}

// readings are what /proc showed of the threads in earlier readings of one
// audit, each of which the kernel's answers disagreed with.
type readings [][]posture.Class

// keep keeps the classes of the reading before the next.
func (r *readings) keep(p *posture.Process) {
	if len(p.Classes) > 0 {
		*r = append(*r, p.Classes)
	}
}

// unsettle leaves unknown what the kernel answered, where /proc says something
// else and did not say the same in every reading: what keeps changing is no
// contradiction.
func (r readings) unsettle(p *posture.Process) {
	for i := range p.Kernel {
		kernel := &p.Kernel[i]
		last := classOfThread(p, kernel.TID)
		if last == nil || agreeThread(last, kernel) {
			continue
		}
		for _, classes := range r {
			if was := threadOf(classes, kernel.TID); was != nil {
				unsettleThread(was, last, kernel)
			}
		}
	}
}

func unsettleThread(was, last, kernel *posture.Thread) {
	unsettle(&was.Caps.Effective, &last.Caps.Effective, &kernel.Caps.Effective)
	unsettle(&was.Caps.Permitted, &last.Caps.Permitted, &kernel.Caps.Permitted)
	unsettle(&was.Caps.Inheritable, &last.Caps.Inheritable, &kernel.Caps.Inheritable)
	unsettle(&was.Caps.Bounding, &last.Caps.Bounding, &kernel.Caps.Bounding)
	unsettle(&was.Caps.Ambient, &last.Caps.Ambient, &kernel.Caps.Ambient)
	unsettle(&was.UID, &last.UID, &kernel.UID)
	unsettle(&was.GID, &last.GID, &kernel.GID)
	if !groupsAgree(&was.Groups, &last.Groups) && !groupsAgree(&last.Groups, &kernel.Groups) {
		changed(&kernel.Groups.Origin)
	}
	unsettle(&was.NoNewPrivs, &last.NoNewPrivs, &kernel.NoNewPrivs)
	unsettle(&was.SeccompMode, &last.SeccompMode, &kernel.SeccompMode)
}

func unsettle[T comparable](was, last, kernel *posture.Fact[T]) {
	if !agrees(was, last) && !agrees(last, kernel) {
		changed(&kernel.Origin)
	}
}

func changed(fact *posture.Origin) {
	fact.Fail(fact.Source, fact.Source+": changed while it was read")
}
