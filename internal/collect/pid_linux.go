package collect

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// PID observes another process, by its id in our pid namespace. Its errors
// are ErrNoProcess, ErrEnded, ErrReused, ErrZombie and ErrKernelThread with
// the pid, or why nothing of it can be read.
func PID(ctx context.Context, pid int, o Options) (*posture.Process, error) {
	p, err := observe(ctx, pid, o)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	return p, nil
}

func observe(ctx context.Context, pid int, o Options) (*posture.Process, error) {
	if pid < 1 {
		return nil, ErrNoProcess
	}
	a := &collector{ctx: ctx, c: kernel.New(o.Deny), o: o, tid: kernel.Gettid(), p: &posture.Process{PID: pid, Self: pid == kernel.Getpid()}}
	held, err := a.hold()
	if err != nil {
		return nil, err
	}
	a.tools = append(a.tools, held)
	defer kernel.Close(held)
	defer a.close()
	if err := a.open(held); err != nil {
		return nil, a.ended(err, held)
	}
	if err := a.settleThreads(); err != nil {
		return nil, a.ended(err, held)
	}
	a.surroundings()
	if err := a.still(held); err != nil {
		return nil, err
	}
	return a.p, nil
}

// hold takes the pidfd that everything else is checked against. It is -1
// where the kernel has none; the start time stands alone then.
func (a *collector) hold() (int, error) {
	fd, err := a.c.PidfdOpen(a.p.PID)
	_, denied := err.(*kernel.DeniedError)
	switch {
	case err == nil:
		return fd, nil
	case denied, errors.Is(err, syscall.ENOSYS):
		return -1, nil
	case errors.Is(err, syscall.ESRCH):
		return -1, ErrNoProcess
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOENT):
		return -1, fmt.Errorf("%w: it is a thread of another", ErrNoProcess)
	default:
		return -1, err
	}
}

// open opens the target in /proc and refuses what cannot be audited.
func (a *collector) open(held int) error {
	var err error
	if a.proc, err = procfs.Open(a.c, &a.buf); err != nil {
		return err
	}
	if held >= 0 {
		if err := a.proc.Names(held, a.p.PID); err != nil {
			return err
		}
	}
	if a.task, err = a.proc.Task(a.p.PID); err != nil {
		if held < 0 && gone(err) {
			return ErrNoProcess
		}
		return err
	}
	if err := a.describe(); err != nil {
		return err
	}
	if a.stat.KernelThread() {
		return ErrKernelThread
	}
	if a.stat.Zombie() && a.stat.Threads <= 1 {
		return ErrZombie
	}
	return nil
}

// settleThreads reads the threads, with their filters where these are asked
// for, until all sources agree.
func (a *collector) settleThreads() error {
	var earlier readings
	var filters *filterReader
	if a.o.Filters {
		filters = newFilterReader(a)
		a.mark = filters.mark
	}
	for range maxReadings {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		earlier.keep(a.p)
		if err := a.otherThreads(); err != nil {
			return err
		}
		settled := filters == nil || filters.settled()
		if agree(a.p) && settled {
			break
		}
	}
	earlier.unsettle(a.p)
	if filters == nil {
		a.ownFilters()
		return nil
	}
	filters.fill()
	return nil
}

// otherThreads fills threads, classes and the sets that the kernel answers.
func (a *collector) otherThreads() error {
	a.p.Kernel = nil
	set, err := a.readThreads()
	if err != nil {
		return err
	}
	view := a.views()
	a.p.Threads, a.p.Classes = set.count, set.postures(view)
	a.askKernel(view)
	if len(a.p.Classes) == 0 && a.p.Threads.State == posture.Known {
		return ErrZombie // all that is listed are threads that have ended
	}
	_, last, err := a.c.BoundingSet()
	a.p.LastCapability.Value = last
	settle(&a.p.LastCapability.Origin, err, "prctl(PR_CAPBSET_READ)", strconv.Itoa(last))
	return nil
}

// ended says that the process has ended, where that is why err came about.
func (a *collector) ended(err error, held int) error {
	if held < 0 {
		if gone(err) && !errors.Is(err, ErrNoProcess) {
			return fmt.Errorf("%w: %w", ErrEnded, err)
		}
		return err
	}
	if errors.Is(err, ErrZombie) {
		return err
	}
	over, pollErr := a.c.PidfdEnded(held)
	switch {
	case pollErr == nil && over:
		return fmt.Errorf("%w: %w", ErrEnded, err)
	case pollErr == nil && errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w: /proc is mounted with hidepid: seeing it takes CAP_SYS_PTRACE", err)
	}
	return err
}

// still returns nil where the process is the one that the audit began with,
// and has not ended.
func (a *collector) still(held int) error {
	if held >= 0 {
		switch over, err := a.c.PidfdEnded(held); {
		case err != nil:
			return err
		case over:
			return ErrEnded
		}
	}
	was := a.stat
	// By its number once more, not through the directory held open, which
	// would never show another process.
	a.task.Close()
	a.task = nil
	task, err := a.proc.Task(a.p.PID)
	if err != nil {
		if gone(err) {
			return ErrEnded
		}
		return err
	}
	a.task = task
	var now procfs.Stat
	err = a.readStat(&now)
	switch {
	case gone(err):
		return ErrEnded
	case err != nil:
		return err
	case now.Start != was.Start:
		return ErrReused
	case now.Zombie() && now.Threads <= 1:
		return ErrEnded
	}
	return nil
}
