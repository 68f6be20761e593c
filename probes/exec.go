package probes

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// execGain executes a plain program, which is given by execve(2) what
// capabilities(7) says. In a replica that is really done: see Execute.
//
// It is not done in the place of the own process: execve(2) makes a child send
// SIGCHLD, and be seen by whoever waits for any child, which no attempt does to
// a service. All that the kernel goes by is known there. Where that leaves
// nothing to be gained there is nothing to try; where it does not, auditctl
// executes itself, and any other program says that it was not tried.
type execGain struct{}

func (execGain) build(b *builder) func() verdict {
	// A filter cannot look at the path, so what it lets through here it lets
	// through with another one.
	at := b.unit("execveat", args(bad, bad, i(0), i(0), c("AT_EMPTY_PATH", 0x1000)), 0)
	plain := b.unit("execve", args(bad, i(0), i(0)), 0)
	return func() verdict {
		v := verdict{seen: []*answer{b.read(at), b.read(plain)}}
		switch e := b.env; {
		case e.in.Replica == nil:
			e.judgeExec(&v)
		case e.in.Executed == nil:
			v.detail = "no program was executed in its place"
		default:
			e.in.Executed.judge(e, &v)
		}
		return v
	}
}

// Grant is what execve(2) grants to a plain program, as Execute found it out. A
// program that never calls that links nothing of it.
type Grant interface{ judge(*env, *verdict) }

// deniesExec says that filters let neither call through.
func (e *env) deniesExec(v *verdict) bool {
	for _, a := range v.seen {
		if a.unsteady || !e.filtered || a.Made && a.Errno == efault || !a.Made && !a.Repeated {
			return false
		}
	}
	v.outcome, v.by, v.detail = stoppedOutcome, filterStopped, "a seccomp filter refuses execve(2) and execveat(2)"
	return true
}

// gained are the capabilities of a program that the thread does not have, and
// that it is not allowed either.
func (e *env) gained(after *posture.CapSets) posture.CapSet {
	return (after.Effective&^e.caps.Effective.Value | after.Permitted&^e.caps.Permitted.Value) &^ e.in.CapsetExcept
}

// judgeExec judges by what is known of the own thread.
func (e *env) judgeExec(v *verdict) {
	_, _, _, known := e.sets()
	switch p := e.in.Process; {
	case e.deniesExec(v):
	case !known || p == nil || e.uid.State != posture.Known:
		v.detail = "its capability sets or user ids are not known"
	case p.AfterExec.State == posture.Known:
		v.outcome, v.by, v.detail = stoppedOutcome, capabilityStopped, "a program that was executed had no more than the process"
		if gain := e.gained(&p.AfterExec.Value); gain != 0 {
			v.outcome, v.detail = succeededOutcome, "a program that was executed had "+someCaps(gain)
		}
	default:
		v.outcome, v.detail = posture.NoObject, "by the rules of execve(2) there is nothing to be gained"
		if gain := e.mayGain(); gain != 0 {
			v.outcome, v.detail = undecidedOutcome, "no program was executed, which the process could notice; by the rules one would gain "+someCaps(gain)
		}
	}
}

// mayGain are the capabilities that a plain program may be given and the thread
// has not, by the rules of capabilities(7). Without a user id of 0 it is given
// the ambient set; with one the bounding and the inheritable set too, of which
// no_new_privs leaves what is permitted. What is not known counts as full.
func (e *env) mayGain() posture.CapSet {
	given, ambient, privs := ^posture.CapSet(0), e.caps.Permitted.Value, false
	threads := callingThread(e.in.Process)
	for k := range threads {
		t := &threads[k]
		if t.Caps.Bounding.State == posture.Known && t.Caps.Ambient.State == posture.Known {
			given, ambient = t.Caps.Bounding.Value|e.caps.Inheritable.Value, t.Caps.Ambient.Value
			privs = t.NoNewPrivs.Value
		}
	}
	ids, isRoot := &e.uid.Value, func(id *posture.ID) bool { return id.Value == 0 && !id.Unmapped }
	switch {
	case e.bits.Value&names.SecbitNoroot != 0, !isRoot(&ids.Real) && !isRoot(&ids.Effective):
		given = 0
	case privs:
		given &= e.caps.Permitted.Value
	}
	given |= ambient
	return e.gained(&posture.CapSets{Effective: given, Permitted: given})
}

// someCaps names capabilities in a sentence: one, and how many more.
func someCaps(set posture.CapSet) string {
	first, n := "", 0
	for k := range mostCaps {
		if set.Has(k) {
			if n++; n == 1 {
				first = capName(k)
			}
		}
	}
	if n <= 1 {
		return first
	}
	return first + " and " + strconv.Itoa(n-1) + " more capabilities"
}
