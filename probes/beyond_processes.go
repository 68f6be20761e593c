package probes

import (
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// maxNamed bounds how many processes one detail names.
const maxNamed = 4

// signalOthers sends no signal, to each process: kill(2) checks the permission
// for that all the same.
type signalOthers struct{ users bool }

func (p signalOthers) build(b *builder) func() verdict {
	reach := b.unit("kill", args(i(1), bad), 0)
	r := &reading{want: einval, capability: b.entry.capability}
	return overProcesses(b, "signal", p.users, func(o *OtherProcess) func() verdict {
		act := b.do("kill", args(named(o.PID), i(0)), 0)
		b.End()
		return func() verdict { return b.onProcess(r, o, b.read(reach), b.read(act)) }
	})
}

// traceOthers attaches to each process and lets go again by ending, as trace does.
type traceOthers struct{}

func (traceOthers) build(b *builder) func() verdict {
	reach := b.unit("ptrace", args(c("PTRACE_SEIZE", seize), i(0), i(0), i(0)), 0)
	r := &reading{want: esrch, capability: noCap}
	return overProcesses(b, "trace", false, func(o *OtherProcess) func() verdict {
		if o.Traced {
			return func() verdict { return undecided("it is traced already, and nobody can do that twice") }
		}
		act := b.do("ptrace", args(c("PTRACE_SEIZE", seize), named(o.PID), i(0), i(0)), child.Need|child.Spends)
		// A second time the kernel refuses, because it is traced already.
		back := b.do("ptrace", args(c("PTRACE_SEIZE", seize), named(o.PID), i(0), i(0)), 0)
		b.End()
		return func() verdict {
			v := b.onProcess(r, o, b.read(reach), b.read(act))
			if v.outcome == succeededOutcome && b.read(back).OK() {
				return stopped(filterStopped, "a seccomp filter answers success without making the call", b.read(act), b.read(back))
			}
			return v
		}
	})
}

// readOthers asks each process for memory at an address that none has.
type readOthers struct{}

func (readOthers) build(b *builder) func() verdict {
	reach := b.unit("process_vm_readv", args(i(1), bad, i(1), bad, i(1), i(0)), 0)
	local := b.at(b.Buffer(8))
	from, to := b.Buffer(16), b.Buffer(16)
	putVec(b.Read(to), uintptr(local.n))
	putVec(b.Read(from), 1)
	r := &reading{want: efault, capability: noCap, past: []syscall.Errno{efault}}
	return overProcesses(b, "read the memory of", false, func(o *OtherProcess) func() verdict {
		act := b.do("process_vm_readv", args(named(o.PID), b.at(to), i(1), b.at(from), i(1), i(0)), 0)
		b.End()
		return func() verdict {
			reached := b.read(reach)
			v := b.onProcess(r, o, reached, b.read(act))
			// As of readMemory: one errno for reach and act is no proof of a filter.
			if v.outcome == stoppedOutcome && v.by == filterStopped && r.genuine(reached) && b.read(act).Errno == efault {
				v = succeeded("", v.seen...)
			}
			return v
		}
	})
}

// onProcess judges what was tried on one process. Where that is no longer there
// the answer tells nothing.
func (b *builder) onProcess(r *reading, o *OtherProcess, reach, act *answer) verdict {
	v := b.env.judge(r, reach, act)
	if act.Made && act.Errno == esrch {
		return undecided(o.What+" was not found", v.seen...)
	}
	return v
}

// overProcesses tries one thing on each process, or on each of another user, and
// adds up what came of it.
func overProcesses(b *builder, verb string, others bool, try func(*OtherProcess) func() verdict) func() verdict {
	on := b.env.in.Beyond
	var tried []*OtherProcess
	var reads []func() verdict
	for k := range on.Processes {
		if o := &on.Processes[k]; o.OtherUser || !others {
			tried = append(tried, o)
			reads = append(reads, try(o))
		}
	}
	return func() verdict {
		list := make([]verdict, len(reads))
		for k, read := range reads {
			list[k] = read()
		}
		return on.sum(verb, others, tried, list)
	}
}

// sum says of how many processes an attempt held, and of which.
func (on *Beyond) sum(verb string, others bool, tried []*OtherProcess, list []verdict) verdict {
	which := "processes"
	if others {
		which = "processes of other users"
	}
	if len(list) == 0 {
		if on.NotTried != "" {
			return undecided("no one of the " + which + " was tried: " + on.NotTried)
		}
		return noObject("of " + strconv.Itoa(on.Named) + " others that it can name none is to be tried")
	}
	v := worst(list)
	var could []string
	var seen []*answer
	n := 0
	for k := range list {
		if list[k].outcome != succeededOutcome {
			continue
		}
		if n++; n <= maxNamed {
			could, seen = append(could, tried[k].What), append(seen, list[k].seen...)
		}
	}
	count := "could " + verb + " " + strconv.Itoa(n) + " of the " + strconv.Itoa(len(list)) + " " + which + " that were tried, of " + strconv.Itoa(on.Named) + " that it can name"
	switch {
	case n > 0:
		if n > maxNamed {
			could = append(could, "…")
		}
		return succeeded(count+": "+joined(could), seen...)
	case v.outcome != posture.Undecided && on.NotTried != "":
		v.outcome, v.detail = posture.Undecided, "others were not tried: "+on.NotTried
	}
	if v.detail != "" {
		count += ": " + v.detail
	}
	v.detail = count
	return v
}

// named is a process id, which is read as a decimal number however large it is.
func named(pid int) word { return c(strconv.Itoa(pid), pid) }

// joined puts "; " between words.
func joined(words []string) string {
	text := ""
	for k, w := range words {
		if k > 0 {
			text += "; "
		}
		text += w
	}
	return text
}
