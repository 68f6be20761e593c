package probes

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// execTry is one attempt: the answers of execveat(2) and execve(2) to a bad
// address, and what was executed.
type execTry struct {
	*builder
	done      *Executed
	at, plain *answer
}

// judge reads what replicas executed.
func (x *Executed) judge(e *env, v *verdict) {
	if x.Why != "" {
		v.detail = "no program could be executed in its place: " + x.Why
		return
	}
	try := execTry{&builder{env: e}, x, v.seen[0], v.seen[1]}
	seen := v.seen
	*v = try.granted(try.call(), *v)
	v.seen = seen
}

// call says in words how execveat(2) ended, where no program ran.
func (x *execTry) call() string {
	done := x.done
	switch o := &done.Call; {
	case done.Ran:
		return ""
	case o.Signal != 0:
		return "execveat(2) of a program killed the child by " + names.SignalName(int(o.Signal))
	case o.Made:
		return "execveat(2) of a program answered " + names.ErrnoName(int(o.Errno))
	default:
		return "execveat(2) of a program did not come back"
	}
}

// granted judges what a program had. refused says how the attempt to execute one
// ended under the filters, or nothing.
func (x *execTry) granted(refused string, closed verdict) verdict {
	done := x.done
	both := x.env.deniesExec(&closed)
	after, known := done.After.Get()
	_, _, _, judged := x.env.sets()
	gain := x.env.gained(&after.Caps)
	switch {
	case both && refused == "":
		return undecided("a program was executed, and a filter denies both execve(2) and execveat(2) with other arguments")
	case both:
		if known && judged && gain == 0 {
			closed.also = capabilityStopped
		}
		return closed
	case refused != "" && !x.byFilter():
		return undecided(refused + ", which neither its filters nor the rules for capabilities explain: a limit, or a security module that another program would pass")
	case !known:
		return undecided(done.After.Why())
	case !judged:
		return undecided("the thread's capability sets are not known")
	case x.newID(&after) != "":
		return succeeded("a program that was executed had " + x.newID(&after))
	case gain == 0:
		return stopped(capabilityStopped, "a program that was executed in its place had no more than the thread")
	case refused != "" && !x.lets("execve"):
		return undecided(refused + ", whether execve(2) is let through depends on its arguments, and one that is would grant " + someCaps(gain))
	case x.byRoot() && gain&x.env.in.Thread.Caps.Ambient.Value == 0:
		return undecided("a program that was executed in its place had " + someCaps(gain) + ", unless the securebit SECBIT_NOROOT is set, which only the process itself can read: audit it from inside, or take user id 0 from it, which stops this in any case")
	}
	return succeeded("a program that was executed in its place had " + someCaps(gain))
}

// byFilter says that it was a filter that let no program be executed: by its
// answer to a bad address, or since it may answer so by what it was read to be.
func (x *execTry) byFilter() bool {
	o := &x.done.Call
	nr, _ := number("execveat")
	switch {
	case !x.env.filtered:
		return false
	case o.Signal != 0:
		return o.Repeated && x.may(nr, posture.ActionKillProcess, posture.ActionKillThread, posture.ActionTrap, posture.ActionUndecided)
	case o.Made:
		return o.Errno == 0 || x.may(nr, posture.ActionErrno, posture.ActionUndecided)
	}
	return false
}

// lets says that the filters let a call through, whatever its arguments.
func (x *execTry) lets(call string) bool {
	nr, _ := number(call)
	return x.plain.Made && x.plain.Errno == efault && !x.may(nr, posture.ActionErrno, posture.ActionKillProcess, posture.ActionKillThread,
		posture.ActionTrap, posture.ActionTrace, posture.ActionNotify, posture.ActionUndecided)
}

// byRoot says that a program may have been given capabilities for a user id of 0.
func (x *execTry) byRoot() bool {
	uid, known := x.env.uid.Get()
	return !known || uid.Real.Value == 0 || uid.Effective.Value == 0
}

// newID names an id that a program had and the thread has not, or nothing. The
// ids are as the auditor sees them.
func (x *execTry) newID(after *posture.AfterExec) string {
	for _, one := range [...]struct {
		what         string
		before, then posture.IDs
	}{{"user id ", x.env.uid.Value, after.UID}, {"group id ", x.env.gid.Value, after.GID}} {
		had := [...]uint32{one.before.Real.Outside, one.before.Effective.Outside, one.before.Saved.Outside, one.before.FS.Outside}
		for _, id := range [...]uint32{one.then.Real.Outside, one.then.Effective.Outside, one.then.Saved.Outside, one.then.FS.Outside} {
			if id != had[0] && id != had[1] && id != had[2] && id != had[3] {
				return one.what + strconv.Itoa(int(id)) + ", which the thread has not"
			}
		}
	}
	return ""
}
