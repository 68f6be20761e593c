package collect

import (
	"context"
	"fmt"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// maxReadings is how often two sources that disagree are read: what changed
// between the one and the other is no contradiction. A service that raises and
// lowers a capability all the time seldom comes to disagree so often.
const maxReadings = 16

// collector is one audit under way.
type collector struct {
	ctx  context.Context
	c    *kernel.Calls
	o    Options
	p    *posture.Process
	self bool
	// tid is the calling thread.
	tid int
	// proc is nil where /proc could not be verified or was not asked.
	proc *procfs.Proc
	// task is nil where the threads cannot be reached; noTask says why.
	task   *procfs.Dir
	noTask error
	// tools are descriptors that the audit holds beside those.
	tools []int
	// set is the threads as they were read last.
	set *threadSet
	// progress is told how far a walk has come, or is nil.
	progress func(files int)
	// mark tells more of a thread than its status does, or is nil.
	mark func(tid int) string
	buf  procfs.Buffer
	stat procfs.Stat
}

// Self observes the calling process. The caller has locked the calling
// goroutine to its thread: what only a thread can say of itself is that
// thread's. An error means that nothing could be observed.
func Self(ctx context.Context, o Options) (*posture.Process, error) {
	pid := kernel.Getpid()
	a := &collector{
		ctx: ctx, c: kernel.New(o.Deny), o: o, self: true, tid: kernel.Gettid(),
		p: &posture.Process{PID: pid, Self: true},
	}
	a.openSelf()
	defer a.close()
	if err := a.describe(); err != nil {
		a.loseTask(err)
	}
	if err := a.selfThreads(); err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	a.surroundings()
	return a.p, nil
}

// openSelf opens the way to the own threads: what was kept, else /proc.
func (a *collector) openSelf() {
	if a.o.Kept != nil {
		a.task, a.noTask = a.o.Kept.Task(a.c, a.tid)
		return
	}
	if a.proc, a.noTask = procfs.Open(a.c, &a.buf); a.noTask != nil {
		return
	}
	a.task, a.noTask = a.proc.Task(a.p.PID)
}

func (a *collector) close() {
	if a.task != nil {
		a.task.Close()
	}
	if a.proc != nil {
		a.proc.Close()
	}
}

// loseTask gives up the way to the threads.
func (a *collector) loseTask(err error) {
	if a.task != nil {
		a.task.Close()
	}
	a.task, a.noTask = nil, err
}

// selfThreads fills threads, classes and what the kernel answers, and reads
// all of it again while the two disagree.
func (a *collector) selfThreads() error {
	var earlier readings
	for range maxReadings {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		earlier.keep(a.p)
		set, err := a.readThreads()
		if err != nil {
			return err
		}
		a.p.Classes, a.p.Kernel = nil, nil
		view := a.views()
		if set != nil {
			a.p.Threads = set.count
			a.p.Classes = set.postures(view)
		}
		a.askKernel(view)
		if agree(a.p) {
			break
		}
	}
	earlier.unsettle(a.p)
	a.withoutProc()
	a.ownAnswers()
	a.ownFilters()
	return nil
}

// readThreads returns nil without an error where there is no way to the threads.
func (a *collector) readThreads() (*threadSet, error) {
	if a.task == nil {
		a.p.Threads.Fail("/proc", a.noTask.Error())
		return nil, nil
	}
	set := newThreadSet(a.c, a.task, a.p.PID, &a.buf)
	a.set, set.mark = set, a.mark
	if err := set.read(a.ctx); err != nil {
		return nil, err
	}
	set.order()
	return set, nil
}

// withoutProc makes the calling thread's own answers its class, where its
// status cannot be read at all.
func (a *collector) withoutProc() {
	if len(a.p.Classes) > 0 || len(a.p.Kernel) == 0 {
		return
	}
	cause := a.p.Threads.Why() // the directory is there and could not be listed
	if a.noTask != nil {
		cause = a.noTask.Error()
	}
	a.p.Classes = []posture.Class{{Thread: a.p.Kernel[0], TIDs: []int{a.tid}}}
	t := &a.p.Classes[0].Thread
	for _, fact := range []*posture.Origin{
		&t.SeccompFilters.Origin, &t.NSpid.Origin, &t.TracerPID.Origin, &t.Umask.Origin,
		&t.CoreDumping.Origin, &t.StoreBypass.Origin, &t.IndirectBranch.Origin,
	} {
		fact.Fail("/proc", "only /proc shows it: "+cause)
	}
	a.p.Limits = append(a.p.Limits, "without /proc only the calling thread could be observed: "+cause)
}

// ownAnswers puts into the classes what the kernel answers the calling thread
// alone: securebits where the class is that thread, dumpable for all.
func (a *collector) ownAnswers() {
	if len(a.p.Kernel) == 0 {
		return
	}
	own := &a.p.Kernel[0]
	for i := range a.p.Classes {
		c := &a.p.Classes[i]
		c.Dumpable = own.Dumpable
		if len(c.TIDs) == 1 && c.TIDs[0] == own.TID {
			c.Securebits = own.Securebits
		} else {
			c.Securebits.Fail(securebitsSource, securebitsSource+": only a thread itself can read its securebits")
		}
	}
}
