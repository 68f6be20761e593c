package checks

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	tracerID  = "process.tracer"
	ttyID     = "process.tty"
	environID = "process.environment"
)

// holders checks who else has a hold on the process: a tracer, a terminal, what
// was loaded into it by its environment.
func holders(out *results, a *audited, pol *policy.Policy) {
	if pol.Process.NoTracer {
		out.tracer(a)
	} else {
		out.skip(tracerID)
	}
	if pol.Process.NoTerminal {
		t := &a.Reach().Terminals
		f := out.addVerdict(ttyID, "no controlling terminal", judgeTerminal(t), &t.Controlling.Origin, &t.LegacyTIOCSTI.Origin)
		if n, known := t.Open.Get(); known && n > 0 {
			f.Evidence = append(f.Evidence, seen(&t.Open.Origin)...)
		}
	} else {
		out.skip(ttyID)
	}
	if pol.Process.NoPreload {
		out.environment(&a.Reach().Preloads)
	} else {
		out.skip(environID)
	}
}

// tracer checks TracerPid of every thread.
func (r *results) tracer(a *audited) {
	check := threadCheck{
		id: tracerID, expected: "none", thing: "the tracer",
		judge: func(t *posture.Thread) (report.Status, string) {
			switch pid, known := t.TracerPID.Get(); {
			case !known:
				return report.Unknown, whyNot(&t.TracerPID.Origin, "TracerPid")
			case pid != 0:
				return report.Gap, "process " + strconv.Itoa(pid)
			}
			return report.Pass, "none that its pid namespace shows"
		},
		show: func(t *posture.Thread) []report.Evidence { return seen(&t.TracerPID.Origin) },
		gap:  [...]string{"memory and registers of ", " are in the hands of a tracer: ", ""},
	}
	check.run(r, a)
}

// Numbers of terminals: devices.txt of the kernel.
const (
	majorConsole, lastVirtual = 4, 63
	majorPseudo, lastPseudo   = 136, 143
)

// judgeTerminal says what the process may do with its controlling terminal.
func judgeTerminal(t *posture.Terminals) verdict {
	tty, known := t.Controlling.Get()
	switch {
	case !known:
		return unknownVerdict("whether it has a controlling terminal", &t.Controlling.Origin, "controlling terminals")
	case tty == posture.Terminal{}:
		v := verdict{report.Pass, "none", "it has no controlling terminal"}
		if n, known := t.Open.Get(); known && n > 0 {
			v.message += "; " + counted(n, "descriptor") + " of terminals may become one after setsid(2)"
		}
		return v
	}
	kind := "a terminal"
	switch {
	case tty.Major == majorConsole && tty.Minor > 0 && tty.Minor <= lastVirtual:
		kind = "a virtual console"
	case tty.Major >= majorPseudo && tty.Major <= lastPseudo:
		kind = "a pseudo-terminal"
	}
	words := kind + " (" + decimal(tty.Major) + ":" + decimal(tty.Minor) + ")"
	message := "it has " + words + " in common with whoever started it"
	switch legacy, known := t.LegacyTIOCSTI.Get(); {
	case known && legacy, t.LegacyTIOCSTI.State == posture.Absent:
		message += ": TIOCSTI puts input into it that a shell there executes"
	case known:
		message += "; TIOCSTI takes CAP_SYS_ADMIN on this machine"
	default:
		message += "; whether TIOCSTI puts input into it is not known"
	}
	if kind == "a virtual console" {
		message += "; TIOCLINUX pastes what is on its screen, before Linux 6.7 without a capability"
	}
	return verdict{report.Gap, words, message}
}

// environment adds a finding for each variable that loads code. There are no more
// than posture.Preloads has.
func (r *results) environment(f *posture.Fact[[]string]) {
	const expected = "none that loads code"
	found, known := f.Get()
	switch {
	case !known:
		r.addVerdict(environID, expected, unknownVerdict("which variables load code is not known", &f.Origin, "its environment"), &f.Origin)
	case len(found) == 0:
		r.addVerdict(environID, expected, verdict{report.Pass, "none", "its environment, as far as it has not overwritten it, names no code to load"}, &f.Origin)
	}
	if !known {
		return
	}
	for _, name := range found {
		does, _ := posture.PreloadNamed(name)
		message := "its environment has " + quoted(name)
		if does != "" {
			message += ": " + does
		}
		r.addVerdict(environID, expected, verdict{report.Gap, name, message}, &f.Origin).Subject = name
	}
}
