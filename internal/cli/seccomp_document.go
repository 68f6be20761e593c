package cli

import (
	"math"
	"runtime"
	"slices"
	"sort"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// instructionSize is that of struct sock_filter: linux/filter.h.
const instructionSize = 8

// Modes as names.SeccompModeName names them, and what a fact that is known is.
const (
	modeDisabled = "disabled"
	modeStrict   = "strict"
	modeUnknown  = "unknown"
	stateKnown   = "known"
)

// namedCalls returns the system calls of an ABI that have a name, by number.
func namedCalls(abi names.ABI) []render.SeccompCall {
	var calls []render.SeccompCall
	for _, name := range names.SyscallNames() {
		if nr, ok := names.Syscall(abi.Arch, name); ok {
			calls = append(calls, render.SeccompCall{Number: nr, Name: name})
		}
	}
	slices.SortFunc(calls, func(a, b render.SeccompCall) int {
		switch {
		case a.Number < b.Number:
			return -1
		case a.Number > b.Number:
			return 1
		}
		return 0
	})
	return calls
}

// within returns the calls with numbers from first to last.
func within(calls []render.SeccompCall, first, last uint32) []render.SeccompCall {
	from := sort.Search(len(calls), func(i int) bool { return calls[i].Number >= first })
	to := sort.Search(len(calls), func(i int) bool { return calls[i].Number > last })
	return append([]render.SeccompCall{}, calls[from:to]...)
}

// documentOf turns what was observed of a process into the document.
func documentOf(p *posture.Process) *render.Seccomp {
	d := &render.Seccomp{Schema: render.SeccompSchema, Target: targetOf(p), Classes: []render.SeccompClass{}, Limits: p.Limits}
	d.Host.Kernel, d.Host.Arch = collect.Host()
	for i := range p.Classes {
		c := &p.Classes[i]
		if same := alike(p.Classes[:i], c); same >= 0 {
			// Threads that differ in something other than their filters.
			for j := range d.Classes {
				if slices.Contains(d.Classes[j].Threads, p.Classes[same].TIDs[0]) {
					d.Classes[j].Threads = append(d.Classes[j].Threads, c.TIDs...)
					slices.Sort(d.Classes[j].Threads)
				}
			}
			continue
		}
		d.Classes = append(d.Classes, classOf(c, p.ABIs))
	}
	return d
}

func targetOf(p *posture.Process) report.Target {
	t := report.Target{PID: p.PID, Comm: p.Comm.Value, Exe: p.Exe.Value, StartTime: p.StartTime.Value, Self: p.Self}
	n, known := p.Threads.Get()
	if !known {
		for _, class := range p.Classes {
			n += len(class.TIDs)
		}
	}
	t.Threads = n
	return t
}

// alike returns the first of earlier with the mode and the filters of c, or -1.
func alike(earlier []posture.Class, c *posture.Class) int {
	mode := modeOf(c.SeccompMode)
	return slices.IndexFunc(earlier, func(e posture.Class) bool {
		return modeOf(e.SeccompMode) == mode && e.Filters.State == posture.Known && c.Filters.State == posture.Known && e.Filters.Value.Digest == c.Filters.Value.Digest
	})
}

func classOf(c *posture.Class, present []posture.ABI) render.SeccompClass {
	out := render.SeccompClass{
		Threads: slices.Clone(c.TIDs), Mode: modeOf(c.SeccompMode), State: c.Filters.State.String(), Why: c.Filters.Why(),
		Filters: []render.SeccompFilter{}, ABIs: []render.SeccompABI{}, Notes: []render.SeccompNote{},
	}
	filters, known := c.Filters.Get()
	if !known {
		return out
	}
	bare := out.Mode == modeDisabled || out.Mode == modeStrict
	if bare != (len(filters.Programs) == 0) {
		out.State, out.Why = posture.Unreadable.String(), counted(len(filters.Programs), "filter")+" could be read, and the mode is "+out.Mode
		return out
	}
	if bare {
		out.ABIs = withoutFilter(out.Mode, present)
		return out
	}
	out.Digest = filters.Digest
	for i, program := range filters.Programs {
		out.Filters = append(out.Filters, render.SeccompFilter{Index: i, Instructions: len(program) / instructionSize, Program: program})
	}
	for i := range filters.ABIs {
		out.ABIs = append(out.ABIs, abiOf(&filters.ABIs[i], present))
	}
	out.Notes = notesOf(&out)
	return out
}

func modeOf(mode posture.Fact[int]) string {
	n, known := mode.Get()
	if !known {
		return modeUnknown
	}
	return names.SeccompModeName(n)
}

func abiOf(f *posture.FilteredABI, present []posture.ABI) render.SeccompABI {
	abi, _ := names.FindABI(f.ABI)
	out := render.SeccompABI{ABI: f.ABI, OCI: abi.OCI, Native: isNative(f.ABI), Present: presence(f.ABI, present), Calls: make([]render.SeccompCalls, 0, len(f.Calls))}
	named := namedCalls(abi)
	for i := range f.Calls {
		r := &f.Calls[i]
		calls := render.SeccompCalls{First: r.First, Last: r.Last, Calls: within(named, r.First, r.Last), Verdict: verdictOf(r.Ways), Summary: r.Summary, Ways: make([]render.SeccompWay, 0, len(r.Ways))}
		for _, w := range r.Ways {
			calls.Ways = append(calls.Ways, wayOf(w))
		}
		out.Calls = append(out.Calls, calls)
	}
	return out
}

func isNative(abi string) bool {
	all := names.ABIs(runtime.GOARCH)
	return len(all) > 0 && all[0].Name == abi
}

// presence says whether this kernel has an ABI.
func presence(abi string, present []posture.ABI) string {
	for _, a := range present {
		if a.Name != abi {
			continue
		}
		switch has, known := a.Present.Get(); {
		case known && has:
			return render.PresentYes
		case known:
			return render.PresentNo
		}
	}
	return render.PresentUnknown
}

// verdictOf sums up the ways: what is undecided once is undecided, and what
// some arguments are let do is not denied.
func verdictOf(ways []posture.Way) string {
	lets, denies, asks := false, false, false
	for _, w := range ways {
		switch {
		case w.Action == posture.ActionUndecided:
			return render.VerdictUndecided
		case w.Action.Lets():
			lets = true
		case w.Action.Denies():
			denies = true
		default:
			asks = true
		}
	}
	switch {
	case lets && !denies && !asks:
		return render.VerdictAllowed
	case denies && !lets && !asks:
		return render.VerdictDenied
	case asks && !lets && !denies:
		return render.VerdictDelegated
	case lets || denies || asks:
		return render.VerdictConditional
	default:
		return render.VerdictUndecided
	}
}

func wayOf(w posture.Way) render.SeccompWay {
	out := render.SeccompWay{Action: w.Action.String(), Value: w.Value, When: w.When, Filter: w.Filter, Offset: w.Offset, Notes: w.Notes, Why: w.Why}
	if w.Action == posture.ActionErrno {
		out.Errno = errnoName(int(w.Value))
	}
	return out
}

// maxErrno is the most that the kernel takes as an errno of a filter: it is
// MAX_ERRNO of linux/err.h, and what is above counts as that.
const maxErrno = 4095

func errnoName(n int) string {
	if n == 0 {
		return "0"
	}
	return names.ErrnoName(min(n, maxErrno))
}

// errnoOf is the name of what a call came back with, empty for a success.
func errnoOf(n int) string {
	if n <= 0 || n > math.MaxUint16 {
		return ""
	}
	return names.ErrnoName(n)
}
