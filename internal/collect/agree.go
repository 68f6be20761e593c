package collect

import (
	"reflect"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// agrees says whether two sources of one fact say the same, or one says nothing.
func agrees[T any](a, b posture.Fact[T]) bool {
	if a.State != posture.Known || b.State != posture.Known {
		return true
	}
	return reflect.DeepEqual(a.Value, b.Value)
}

// agree says whether the kernel's answers are those of /proc.
func agree(p *posture.Process) bool {
	class := map[int]*posture.Thread{}
	for i := range p.Classes {
		for _, tid := range p.Classes[i].TIDs {
			class[tid] = &p.Classes[i].Thread
		}
	}
	for i := range p.Kernel {
		k := &p.Kernel[i]
		if t := class[k.TID]; t != nil && !agreeThread(t, k) {
			return false
		}
	}
	return true
}

func agreeThread(a, b *posture.Thread) bool {
	return agrees(a.Caps.Effective, b.Caps.Effective) && agrees(a.Caps.Permitted, b.Caps.Permitted) &&
		agrees(a.Caps.Inheritable, b.Caps.Inheritable) && agrees(a.Caps.Bounding, b.Caps.Bounding) &&
		agrees(a.Caps.Ambient, b.Caps.Ambient) && agrees(a.UID, b.UID) && agrees(a.GID, b.GID) &&
		agrees(a.Groups, b.Groups) && agrees(a.NoNewPrivs, b.NoNewPrivs) && agrees(a.SeccompMode, b.SeccompMode)
}
