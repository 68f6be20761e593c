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
	if a.task == nil {
		a.undescribed(a.noTask)
		return nil
	}
	source := a.task.Path() + "/" + a.leader("stat")
	stat, err := a.readStat()
	if err != nil {
		a.undescribed(err)
		return err
	}
	a.stat = stat
	a.p.Comm = posture.Of(stat.Comm, source, stat.Comm)
	a.p.StartTime = a.startTime(source)
	link := a.task.Path() + "/" + a.leader("exe")
	if exe, err := a.task.ReadlinkPlain(a.leader("exe")); err != nil {
		a.p.Exe = posture.Failed[string](link, err.Error())
	} else {
		a.p.Exe = posture.Of(exe, link, exe)
	}
	return nil
}

func (a *collector) undescribed(err error) {
	a.p.Comm = posture.Failed[string]("/proc", err.Error())
	a.p.Exe = posture.Failed[string]("/proc", err.Error())
	a.p.StartTime = posture.Failed[time.Time]("/proc", err.Error())
}

func (a *collector) readStat() (procfs.Stat, error) {
	data, err := a.task.Read(a.leader("stat"), &a.buf)
	if err != nil {
		return procfs.Stat{}, err
	}
	stat, err := procfs.ParseStat(data)
	if err != nil {
		return stat, fmt.Errorf("%s/%s: %w", a.task.Path(), a.leader("stat"), err)
	}
	if stat.PID != a.p.PID {
		return stat, fmt.Errorf("%s/%s: about process %d: %w", a.task.Path(), a.leader("stat"), stat.PID, procfs.ErrMalformed)
	}
	return stat, nil
}

// startTime is a date to the hundredth of a second, as precise as the stat file.
func (a *collector) startTime(source string) posture.Fact[time.Time] {
	now := time.Now()
	since, err := a.c.SinceBoot()
	if err != nil {
		return posture.Failed[time.Time](source, source+": "+err.Error())
	}
	at := now.Add(a.stat.Start - since).Round(10 * time.Millisecond).UTC()
	return posture.Of(at, source, fmt.Sprintf("%d ms after boot", a.stat.Start.Milliseconds()))
}

// readMap reads a map of ids of the target. A kernel without user namespaces
// has none: the fact is absent then.
func (a *collector) readMap(task *procfs.Dir, pid int, name string) posture.Fact[[]posture.MapEntry] {
	path := strconv.Itoa(pid) + "/" + name
	source := task.Path() + "/" + path
	data, err := task.Read(path, &a.buf)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return posture.None[[]posture.MapEntry](source, err.Error())
	case err != nil:
		return posture.Failed[[]posture.MapEntry](source, err.Error())
	}
	entries, err := procfs.ParseIDMap(data)
	if err != nil {
		return posture.Failed[[]posture.MapEntry](source, source+": "+err.Error())
	}
	return posture.Of(entries, source, string(data))
}
