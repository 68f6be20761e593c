package probes

import (
	"slices"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// verdict is how an attempt ended, before it has a name.
type verdict struct {
	outcome posture.Outcome
	by      posture.Stopper
	also    posture.Stopper
	detail  string
	seen    []*answer
}

// attempt gives the verdict a name, and as evidence what its answers show. Of a
// success without a filter that is not what the kernel answered before it looked
// at permissions: there is nobody else who could have answered.
func (v verdict) attempt(name string, filtered bool) posture.Attempt {
	a := posture.Attempt{Name: name, Outcome: v.outcome, By: v.by, Also: v.also, Detail: v.detail}
	done := v.outcome == posture.Succeeded
	for _, s := range v.seen {
		if s.call != "" && !(s.before && done && !filtered) {
			a.Evidence = append(a.Evidence, posture.Evidence{Source: s.call + "(2) in a child", Value: s.words(done)})
		}
	}
	return a
}

func succeeded(detail string, seen ...*answer) verdict {
	return verdict{outcome: posture.Succeeded, detail: detail, seen: seen}
}

func undecided(detail string, seen ...*answer) verdict {
	return verdict{outcome: posture.Undecided, detail: detail, seen: seen}
}

func noObject(detail string, seen ...*answer) verdict {
	return verdict{outcome: posture.NoObject, detail: detail, seen: seen}
}

func stopped(by posture.Stopper, detail string, seen ...*answer) verdict {
	return verdict{outcome: posture.Stopped, by: by, detail: detail, seen: seen}
}

// reading says how to read the answers to one attempt.
type reading struct {
	// want is the kernel's own answer to reach.
	want syscall.Errno
	// late: reach is answered only after the permission check.
	late bool
	// past are errors of act that the kernel gives after its permission check.
	past []syscall.Errno
	// fails: no kernel answers success to act, so one is a filter's.
	fails bool
	// means says what other errors of act mean, beside EPERM and EACCES.
	means []meaning
	// capability is what the kernel asks for, or -1.
	capability int
}

// meaning is what an errno says about who stopped a call, in words too where
// they are not "the kernel answers" and its name.
type meaning struct {
	errno syscall.Errno
	by    posture.Stopper
	why   string
}

// genuine says that the kernel itself answered reach.
func (r *reading) genuine(reach *answer) bool { return reach.Made && reach.Errno == r.want }

// passed says that act got past the permission check.
func (r *reading) passed(act *answer) bool {
	return act.Made && (act.Errno == 0 || slices.Contains(r.past, act.Errno))
}

// judge reads reach and act together. It does not know whether a success had
// an effect: who can read that back does so before.
func (e *env) judge(r *reading, reach, act *answer) verdict {
	v := e.decide(r, reach, act)
	v.seen = []*answer{reach, act}
	return v
}

func (e *env) decide(r *reading, reach, act *answer) verdict {
	switch {
	case !act.ok:
		return stopped(posture.StoppedByKernel, "this architecture has no such call")
	case act.unsteady || reach.unsteady:
		return undecided("a child was killed and the next one was not, so something other than the call may have killed it")
	case act.Signal != 0:
		return e.killed(act)
	case !act.Made:
		return undecided("the call was not made")
	case r.passed(act):
		return e.through(r, reach, act)
	default:
		return e.refused(r, reach, act)
	}
}

// killed reads a death in act.
func (e *env) killed(act *answer) verdict {
	if act.Signal == syscall.SIGSYS && act.Repeated && e.filtered {
		return stopped(posture.StoppedByFilter, "a seccomp filter kills whoever calls it")
	}
	return undecided("the child died in it, and no filter explains that")
}

// through reads an act that looks as if it got past the permission check. A
// filter may answer with any errno, and with success without making the call.
func (e *env) through(r *reading, reach, act *answer) verdict {
	faked := r.fails && act.Errno == 0 || e.filtered && reach.ok && !r.genuine(reach) && reach.Made && reach.Errno == act.Errno && reach.Ret == act.Ret
	if faked {
		return stopped(posture.StoppedByFilter, "a seccomp filter answers in place of the kernel")
	}
	if act.Errno != 0 {
		return succeeded("it got past every permission check, since the kernel answers " + names.ErrnoName(int(act.Errno)) + " only after those")
	}
	return succeeded("it got past every permission check")
}

// refused reads an error of act.
func (e *env) refused(r *reading, reach, act *answer) verdict {
	filter := e.filtered && reach.ok && !r.late && !r.genuine(reach) && likeFilter(reach, act)
	lacking := e.lacks(r.capability)
	switch {
	case act.Errno == syscall.ENOSYS && e.filtered && (!reach.ok || reach.Errno == syscall.ENOSYS):
		return stopped(posture.StoppedUnknown, "a seccomp filter refuses it, or this kernel does not have the call")
	case filter:
		v := stopped(posture.StoppedByFilter, "a seccomp filter refuses it")
		if lacking {
			v.also = posture.StoppedByCapability
		}
		return v
	case act.Errno == syscall.ENOSYS && !e.filtered:
		return stopped(posture.StoppedByKernel, "this kernel does not have the call")
	}
	for _, m := range r.means {
		if m.errno == act.Errno {
			if m.why == "" {
				m.why = "the kernel answers " + names.ErrnoName(int(act.Errno))
			}
			return stopped(m.by, m.why)
		}
	}
	if act.Errno == syscall.ENOSYS && r.genuine(reach) {
		return stopped(posture.StoppedByFilter, "a seccomp filter refuses it: the kernel has the call, since it answered with other arguments")
	}
	if act.Errno != syscall.EPERM && act.Errno != syscall.EACCES {
		return undecided("an answer that neither the kernel's permission check nor a filter usually gives")
	}
	return e.denied(r, reach)
}

// likeFilter says that a filter may have answered act: with what it answered
// reach, or with what filters usually answer. Anything else may be a kernel
// that looks at arguments in another order, and proves nothing.
func likeFilter(reach, act *answer) bool {
	switch act.Errno {
	case syscall.EPERM, syscall.EACCES, syscall.ENOSYS:
		return true
	default:
		return reach.Made && reach.Errno == act.Errno
	}
}

// denied reads EPERM and EACCES where reach does not show a filter.
func (e *env) denied(r *reading, reach *answer) verdict {
	blind := e.filtered && (r.late || !reach.ok)
	switch {
	case blind && e.lacks(r.capability):
		return stopped(posture.StoppedUnknown, "it lacks "+capName(r.capability)+"; a seccomp filter may refuse it as well, and whose answer this was does not show")
	case blind:
		return stopped(posture.StoppedUnknown, "a seccomp filter or a permission check refuses it, and which of them does not show")
	case e.lacks(r.capability):
		return stopped(posture.StoppedByCapability, "it lacks "+capName(r.capability))
	default:
		v := stopped(posture.StoppedByPermission, "the kernel's permission check refuses it")
		if e.filtered {
			v.detail += ", or a seccomp filter by its arguments"
		}
		return v
	}
}

// worst combines several ways of one attempt: any success is one, and what
// was not decided keeps the whole from being stopped.
func worst(list []verdict) verdict {
	rank := func(v verdict) int {
		switch v.outcome {
		case posture.Succeeded:
			return 0
		case posture.Undecided:
			return 1
		case posture.Stopped:
			return 2
		default:
			return 3
		}
	}
	best := list[0]
	for _, v := range list[1:] {
		if rank(v) < rank(best) {
			best = v
		}
	}
	return best
}
