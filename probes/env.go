package probes

import (
	"github.com/selfaudit/selfaudit/checks/posture"
)

// env is what is known of the thread that makes the attempts.
type env struct {
	in Input
	// filtered is false only where the thread is known to have no filter.
	filtered bool
	caps     posture.CapFacts
	uid, gid posture.Fact[posture.IDs]
	bits     posture.Fact[uint32]
	lastCap  int
	// needsBits: an attempt was written down by the securebits.
	needsBits bool
}

// mostCaps is how many capabilities a set has room for: capget(2).
const mostCaps = 64

func newEnv(in Input) *env {
	e := &env{in: in, filtered: true, lastCap: mostCaps - 1}
	if in.Process == nil {
		return e
	}
	if last, ok := in.Process.LastCapability.Get(); ok && last >= 0 && last < mostCaps {
		e.lastCap = last
	}
	said, filters := false, false
	threads := callingThread(in.Process)
	if in.Thread != nil {
		threads = []posture.Thread{*in.Thread}
	}
	for _, t := range threads {
		if mode, ok := t.SeccompMode.Get(); ok {
			// One source that names a filter outweighs one that does not:
			// a filter can answer prctl(PR_GET_SECCOMP) with 0 itself.
			said, filters = true, filters || mode != 0
		}
		prefer(&e.caps.Effective, t.Caps.Effective)
		prefer(&e.caps.Permitted, t.Caps.Permitted)
		prefer(&e.caps.Inheritable, t.Caps.Inheritable)
		prefer(&e.uid, t.UID)
		prefer(&e.gid, t.GID)
		prefer(&e.bits, t.Securebits)
	}
	e.filtered = !said || filters
	return e
}

// callingThread returns what is known of the calling thread, from the status
// file first and then from system calls.
func callingThread(p *posture.Process) []posture.Thread {
	tid := threadID()
	var out []posture.Thread
	for _, c := range p.Classes {
		for _, t := range c.TIDs {
			if t == tid {
				out = append(out, c.Thread)
			}
		}
	}
	for _, t := range p.Kernel {
		if t.TID == tid {
			out = append(out, t)
		}
	}
	return out
}

func prefer[T any](have *posture.Fact[T], f posture.Fact[T]) {
	if f.State == posture.Known {
		*have = f
	}
}

// lacks says that the thread is known not to have the capability. No
// capability, -1, is never lacking.
func (e *env) lacks(capability int) bool {
	set, ok := e.caps.Effective.Get()
	return ok && capability >= 0 && !set.Has(capability)
}

// sameArguments says that attempts written by these facts and by those have
// the same arguments.
func (e *env) sameArguments(o *env) bool {
	same := func(a, b posture.Fact[posture.CapSet]) bool {
		return a.State == posture.Known && b.State == posture.Known && a.Value == b.Value
	}
	root := func(e *env) bool { id, ok := e.uid.Get(); return ok && id.Effective.Value == 0 }
	return e.filtered == o.filtered && e.lastCap == o.lastCap && root(e) == root(o) &&
		(!e.needsBits || e.bits.State == o.bits.State && e.bits.Value == o.bits.Value) &&
		same(e.caps.Effective, o.caps.Effective) && same(e.caps.Permitted, o.caps.Permitted) && same(e.caps.Inheritable, o.caps.Inheritable)
}
