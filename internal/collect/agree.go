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
func classOfThread(p *posture.Process, tid int) *posture.Thread {
	for i := range p.Classes {
		if _, found := slices.BinarySearch(p.Classes[i].TIDs, tid); found {
			return &p.Classes[i].Thread
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
