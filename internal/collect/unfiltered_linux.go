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
	mode := &t.SeccompMode
	f := &t.Filters
	switch {
	case mode.State == posture.Absent:
		*f = posture.None[posture.Filters](mode.Source, mode.Why())
	case mode.State != posture.Known:
		f.Fail(mode.Source, "the seccomp mode is not known: "+mode.Why())
	case mode.Value != modeDisabled && mode.Value != modeStrict:
		return false
	case t.SeccompFilters.State == posture.Known && t.SeccompFilters.Value != 0:
		f.Fail(mode.Source, mode.Source+": "+mode.Raw+" and "+t.SeccompFilters.Raw+" contradict each other")
	case mode.Value == modeStrict:
		*f = posture.Of(posture.Filters{}, mode.Source, mode.Raw+" (strict: no filter, and no call but read, write, _exit and sigreturn)")
	default:
		*f = posture.Of(posture.Filters{}, mode.Source, mode.Raw)
	}
	return true
}

// ownFilters fills Filters for an audit of self, which can tell only that there
// are none.
func (a *collector) ownFilters() {
	why := ""
	switch {
	case !a.o.Filters:
		why = "filters were not asked for"
	default:
		why = "from inside no filter can be read: a process cannot trace its own threads, and the kernel shows none to a caller that is under a filter"
	}
	for i := range a.p.Classes {
		t := &a.p.Classes[i].Thread
		if !a.o.Filters || !unfiltered(t) {
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
