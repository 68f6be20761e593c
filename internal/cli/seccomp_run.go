package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
	"github.com/selfaudit/selfaudit/internal/seccomp"
	"github.com/selfaudit/selfaudit/probes"
)

// noABIs begins the sentence on why it is not known which ABIs there are.
const noABIs = "which ABIs this kernel has could not be found out: "

// seccomp finds out, and writes what was found out in every case that has it.
func (c *command) seccomp(ctx context.Context, run *seccompRun) error {
	started := time.Now()
	bounded, cancel := context.WithTimeout(ctx, run.timeout)
	defer cancel()
	look := run.outside
	if run.pid == 0 {
		look = run.inside
	}
	d, err := look(bounded)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted before it was complete: %w", ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return hint(fmt.Errorf("nothing was found out within %v: %w", run.timeout, err), "allow more with --timeout")
	case err != nil:
		return err
	}
	run.choose(d)
	d.StartedAt, d.DurationNs = started.UTC().Round(0), time.Since(started).Nanoseconds()
	c.code = run.exitCode(d)
	if run.json {
		return render.SeccompJSON(&c.out, d)
	}
	return render.SeccompText(&c.out, d, render.SeccompOptions{Color: c.terminal.color, Width: c.terminal.width, Listed: run.abis != nil})
}

// outside reads the filters of another process and does with them what the
// flags ask for.
func (run *seccompRun) outside(ctx context.Context) (*render.Seccomp, error) {
	p, d, err := fetch(ctx, run.pid)
	if err != nil {
		return nil, err
	}
	switch {
	case run.disassemble:
		err = disassemble(d)
	case run.diff != "":
		d.Diff, err = run.compareWith(ctx, d)
	case run.used != nil:
		d.Used = run.usedOf(d)
	case run.scan:
		d.Comparison, err = run.scanUnder(ctx, p)
		d.Limits = p.Limits
	}
	return d, err
}

// fetch returns what was observed of a process, and the document of it. It is
// an error where no thread's filters could be read.
func fetch(ctx context.Context, pid int) (*posture.Process, *render.Seccomp, error) {
	p, err := collect.PID(ctx, pid, collect.Options{Filters: true})
	if err != nil {
		return nil, nil, err
	}
	abis, err := probes.ABIs(ctx, false)
	if err != nil {
		p.Limits = append(p.Limits, noABIs+err.Error())
	}
	p.ABIs = abis
	d := documentOf(p)
	err = refused(d)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("process %d: %w", pid, ctx.Err())
	}
	return p, d, err
}

// refused returns the reason where the filters of no thread could be read.
func refused(d *render.Seccomp) error {
	why := ""
	for _, c := range d.Classes {
		if c.State == posture.Known.String() {
			return nil
		}
		if why == "" {
			why = c.Why
		}
	}
	if why == "" {
		why = "no thread could be read"
	}
	return hint(fmt.Errorf("process %d: filters could not be read: %s", d.Target.PID, why), hintFor(why))
}

// inside tries every call in children. The thread is locked, for a child has
// the filters of the thread that forks it.
func (run *seccompRun) inside(ctx context.Context) (*render.Seccomp, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mode, known := collect.OwnSeccomp()
	run.unfiltered = known && mode == 0
	scans, errScan := probes.Scan(ctx, probes.ScanInput{ABIs: run.scannedABIs(runtime.GOARCH), Filtered: !run.unfiltered, Numbers: run.numbers()})
	if errScan != nil && len(scans) == 0 {
		return nil, errScan
	}
	p := &posture.Process{PID: os.Getpid(), Self: true, Comm: posture.Of("auditctl", "", "")}
	if exe, err := os.Executable(); err == nil { // found out at the program's start, by no call from here
		p.Exe = posture.Of(exe, "", "")
	}
	var err error
	if p.ABIs, err = probes.ABIs(ctx, !run.unfiltered); err != nil {
		p.Limits = append(p.Limits, noABIs+err.Error())
	}
	p.Limits = append(p.Limits, run.leftABIs(runtime.GOARCH)...)
	if errScan != nil {
		p.Limits = append(p.Limits, "not all calls could be tried: "+errScan.Error())
	}
	switch {
	case run.unfiltered:
		p.Limits = append(p.Limits, "no seccomp filter is in force here, so that none denies anything")
	default:
		p.Limits = append(p.Limits, "what is denied was denied with the arguments that were tried: a filter may let others through, which only its instructions tell, from outside by --pid")
	}
	d := documentOf(p)
	d.Scan = make([]render.SeccompScan, 0, len(scans))
	for i := range scans {
		d.Scan = append(d.Scan, scanOf(&scans[i], p.ABIs))
	}
	if run.used != nil {
		d.Used = run.usedFromScan(d.Scan)
	}
	return d, nil
}

// disassemble adds the instructions in words.
func disassemble(d *render.Seccomp) error {
	for i := range d.Classes {
		for j := range d.Classes[i].Filters {
			f := &d.Classes[i].Filters[j]
			program, err := seccomp.Decode(f.Program)
			if err != nil {
				return fmt.Errorf("filter %d: %w", f.Index, err)
			}
			var b strings.Builder
			if err := seccomp.Disassemble(&b, program, names.ABIs(runtime.GOARCH)); err != nil {
				return fmt.Errorf("filter %d: %w", f.Index, err)
			}
			for line := range strings.Lines(b.String()) {
				f.Disassembly = append(f.Disassembly, strings.TrimRight(line, "\n"))
			}
		}
	}
	return nil
}

// numbers are those of the calls that were asked for, in any of the ABIs, or
// nil for all. Tried are a few too many: what was not asked for is left out of
// what is shown.
func (run *seccompRun) numbers() []uint32 {
	if run.syscalls == nil {
		return nil
	}
	out := []uint32{}
	for _, abi := range names.ABIs(runtime.GOARCH) {
		for _, name := range run.syscalls {
			if nr, ok := names.Syscall(abi.Arch, name); ok {
				out = append(out, nr)
			}
		}
	}
	return out
}
