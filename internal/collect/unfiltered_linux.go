package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// filterSource is where filters come from.
const filterSource = "ptrace(PTRACE_SECCOMP_GET_FILTER)"

// Values of the line Seccomp: proc_pid_status(5).
const (
	modeDisabled = 0
	modeStrict   = 1
)

// unfiltered fills Filters of a thread whose mode says that it has none, and
// says whether it did so.
func unfiltered(t *posture.Thread) bool {
	mode, f := &t.SeccompMode, &t.Filters.Origin
	note := mode.Raw
	switch {
	case mode.State != posture.Known:
		f.Fail(mode.Source, "the seccomp mode is not known: "+mode.Why())
		f.State = mode.State // absent, where the kernel has no seccomp
		return true
	case mode.Value == modeStrict:
		note += " (strict: no filter, and no call but read, write, _exit and sigreturn)"
	case mode.Value != modeDisabled:
		return false
	}
	if t.SeccompFilters.State == posture.Known && t.SeccompFilters.Value != 0 {
		f.Fail(mode.Source, mode.Source+": "+mode.Raw+" and "+t.SeccompFilters.Raw+" contradict each other")
	} else {
		f.Know(mode.Source, note)
	}
	return true
}

// ownFilters fills Filters where they cannot be read, or were not asked for.
func (a *collector) ownFilters() {
	why := "filters were not asked for"
	if a.o.Filters {
		why = "from inside no filter can be read: a process cannot trace its own threads, and the kernel shows none to a caller that is under a filter"
	}
	for i := range a.p.Classes {
		if t := &a.p.Classes[i].Thread; !a.o.Filters || !unfiltered(t) {
			t.Filters.Fail(filterSource, why)
		}
	}
}

// describeStack says how many filters there are, and how long they are.
func describeStack(programs [][]byte) string {
	word := " filters of "
	if len(programs) == 1 {
		word = " filter of "
	}
	b := append(strconv.AppendInt(nil, int64(len(programs)), 10), word...)
	const most = 8
	for i, p := range programs {
		if i == most {
			b = append(b, " …"...)
			break
		}
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, int64(len(p)/8), 10)
	}
	return string(append(b, " instructions"...))
}
