package collect

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// leader is the path of the thread group leader's file in the task directory.
func (a *collector) leader(name string) string { return strconv.Itoa(a.p.PID) + "/" + name }

// describe fills name, program and start time. Its error is that of the stat
// file, without which nothing holds the process.
func (a *collector) describe() error {
	p, err := a.p, a.noTask
	if a.task != nil {
		err = a.readStat(&a.stat)
	}
	if err != nil {
		why := err.Error()
		p.Comm.Fail("/proc", why)
		p.Exe.Fail("/proc", why)
		p.StartTime.Fail("/proc", why)
		if a.task == nil {
			return nil // it is known, and was said, why there is none
		}
		return err
	}
	source := a.task.Path() + "/" + a.leader("stat")
	p.Comm.Value = a.stat.Comm
	p.Comm.Know(source, a.stat.Comm)
	a.startTime(&p.StartTime, source)
	exe := a.leader("exe")
	p.Exe.Value, err = a.task.ReadlinkPlain(exe)
	settle(&p.Exe.Origin, err, a.task.Path()+"/"+exe, p.Exe.Value)
	return nil
}

// settle makes a fact of an answer, which is set, or of the error instead. raw
// is the answer as the kernel put it.
func settle(fact *posture.Origin, err error, source, raw string) {
	if err != nil {
		fact.Fail(source, err.Error())
		return
	}
	fact.Know(source, raw)
}

func (a *collector) readStat(stat *procfs.Stat) error {
	name := a.leader("stat")
	data, err := a.task.Read(name, &a.buf)
	if err != nil {
		return err
	}
	*stat, err = procfs.ParseStat(data)
	if err == nil && stat.PID != a.p.PID {
		err = fmt.Errorf("about process %d: %w", stat.PID, procfs.ErrMalformed)
	}
	if err != nil {
		return fmt.Errorf("%s/%s: %w", a.task.Path(), name, err)
	}
	return nil
}

// startTime is a date to the hundredth of a second, as precise as the stat file.
func (a *collector) startTime(f *posture.Fact[time.Time], source string) {
	now := time.Now()
	since, err := a.c.SinceBoot()
	if err != nil {
		f.Fail(source, source+": "+err.Error())
		return
	}
	f.Value = now.Add(a.stat.Start - since).Round(10 * time.Millisecond).UTC()
	f.Know(source, strconv.FormatInt(a.stat.Start.Milliseconds(), 10)+" ms after boot")
}

// readMap reads a map of ids of a process. A kernel without user namespaces
// has none: the fact is absent then.
func (a *collector) readMap(f *idMap, task *procfs.Dir, pid int, name string) {
	path := strconv.Itoa(pid) + "/" + name
	f.Source = task.Path() + "/" + path
	data, err := task.Read(path, &a.buf)
	if err == nil {
		f.Value, err = procfs.ParseIDMap(data)
		if err == nil {
			f.Know(f.Source, string(data))
			return
		}
		err = fmt.Errorf("%s: %w", f.Source, err)
	}
	f.Fail(f.Source, err.Error())
	if errors.Is(err, syscall.ENOENT) {
		f.State = posture.Absent
	}
}
