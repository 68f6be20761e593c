package probes

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// Executed is what became of a plain program that replicas executed.
type Executed struct {
	// Call is how execveat(2) of it ended under the thread's filters.
	Call child.Outcome
	// Ran says that the kernel made the child that program.
	Ran bool
	// After is what a program had. Where the filters let none be executed, or a
	// replica with them differs in what counts, it is from one without them:
	// what an execve(2) grants does not depend on filters.
	After posture.Fact[posture.AfterExec]
	// Why says why no replica came so far; empty where one did.
	Why string
}

const (
	underFilters = "execveat(2) of a plain program in a replica"
	withoutThem  = "execveat(2) of a plain program in a replica without its filters"
)

// Examine says whether a child has executed a program, and what it had at its
// end.
type Examine func(pid int) (after posture.AfterExec, executed bool, err error)

// Execute makes replicas execute a plain program, which ends at once, and
// returns what it had: see child.Execute. examine says whether a child has
// executed a program, and reads what it had at its end. It takes what
// child.NewReplica takes.
func Execute(ctx context.Context, in Input, examine Examine) *Executed {
	x := execute(ctx, in, examine)
	return &x
}

func execute(ctx context.Context, in Input, examine Examine) Executed {
	image, err := child.Image()
	if err != nil {
		return Executed{Why: "no program could be made to be executed: " + whyNoImage(err)}
	}
	defer syscall.Close(image)
	po := *in.Replica
	e := execution{image: image, examine: examine, source: underFilters}
	x := e.run(ctx, po)
	privs := in.Thread.NoNewPrivs.Value
	if x.Why != "" || len(po.Filters) == 0 || x.Ran && po.NoNewPrivs == privs {
		return x
	}
	po.Filters, po.Unfiltered, po.NoNewPrivs = nil, true, privs
	e.source = withoutThem
	bare := e.run(ctx, po)
	if x.After = bare.After; bare.Why != "" {
		x.After.Fail(withoutThem, bare.Why)
	}
	return x
}

func whyNoImage(err error) string {
	if errors.Is(err, syscall.EACCES) {
		return err.Error() + ": the sysctl vm.memfd_noexec lets no memory be executed"
	}
	return err.Error()
}

// execution is a program to be executed.
type execution struct {
	image   int
	examine Examine
	source  string
}

func (e *execution) run(ctx context.Context, po child.Posture) Executed {
	var x Executed
	var after posture.AfterExec
	ran, errLook := false, errors.New("nothing was left of the child to look at")
	admit := po.Admit
	po.Admit = func(c child.Candidate) string {
		// What is to tell an execution is seen to tell that there was none yet.
		switch _, executed, err := e.examine(c.PID); {
		case err != nil:
			return "whether a child has executed a program cannot be seen: " + err.Error()
		case executed:
			return "the kernel does not show that a child has executed no program yet"
		}
		if admit == nil {
			return ""
		}
		return admit(c)
	}
	outcome, _, err := child.Execute(ctx, po, e.image, func(pid int) { after, ran, errLook = e.examine(pid) })
	if err != nil {
		x.Why = err.Error()
		return x
	}
	x.Call, x.Ran = outcome, ran && !outcome.Made
	switch {
	case outcome.Made:
		x.After.Fail(e.source, "no program was executed: "+outcome.Errno.Error())
	case errLook != nil:
		x.After.Fail(e.source, errLook.Error())
	case !ran:
		x.After.Fail(e.source, "no program was executed: the child ended before")
	case !ranOn(&outcome):
		x.After.Fail(e.source, "the program was killed by signal "+strconv.Itoa(int(outcome.Signal)))
	default:
		x.After = posture.Of(after, e.source, sets(&after.Caps))
	}
	return x
}

// ranOn says that the program's own code ran, or would have: a signal that a
// failing execve(2) raises once it is too late to return is SIGSEGV, and then
// the credentials may be those from before.
func ranOn(o *child.Outcome) bool {
	if o.Exited {
		return o.Status == child.ImageStatus
	}
	return o.Signal == syscall.SIGSYS || o.Signal == syscall.SIGILL
}

// sets writes the five sets as a status file does, in one line.
func sets(c *posture.CapSets) string {
	var words []string
	for _, s := range [...]struct {
		name string
		set  posture.CapSet
	}{{"CapInh", c.Inheritable}, {"CapPrm", c.Permitted}, {"CapEff", c.Effective}, {"CapBnd", c.Bounding}, {"CapAmb", c.Ambient}} {
		digits := strconv.FormatUint(uint64(s.set), 16)
		words = append(words, s.name+": "+strings.Repeat("0", 16-len(digits))+digits)
	}
	return strings.Join(words, ", ")
}
