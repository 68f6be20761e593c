package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

const (
	// maxDisagreements bounds the findings on a scan, which has hundreds of
	// numbers for each ABI.
	maxDisagreements = 16
	// maxErrno is the highest that a filter can return: MAX_ERRNO of linux/err.h.
	maxErrno = 4095
	enosys   = 38
	sigsys   = 31
)

// comparison compares what is known of filters, and of programs that were
// executed, with what else is known. It returns a thread of which there was
// something to compare, what agreed, and where it comes from what a program had:
// what it was given, where it found no other.
type comparison func(*results, *audited, *posture.Origin) (*posture.Thread, []string, *posture.Origin)

func compareFilters(out *results, a *audited, executed *posture.Origin) (*posture.Thread, []string, *posture.Origin) {
	compareMounts(out, a)
	return compareFetched(out, a), compareScans(out, a), compareExecuted(out, a, executed)
}

// compareFetched compares the filters that were read of a thread with the mode
// and the number of filters that the kernel shows of it. It returns one of the
// threads where there was something to compare.
func compareFetched(out *results, a *audited) (compared *posture.Thread) {
	var found *report.Finding
	for i := range a.views {
		v := &a.views[i]
		if v.Filters.State != posture.Known {
			continue
		}
		n := len(v.Filters.Value.Programs)
		mode, modeKnown := v.SeccompMode.Get()
		// Another mode is that of a thread that is being killed.
		modeKnown = modeKnown && mode >= 0 && mode < len(seccompRank)
		count, counted := v.SeccompFilters.Get()
		if compared == nil && (modeKnown || counted) {
			compared = v.Thread
		}
		if modeKnown && (mode == seccompFilter) != (n > 0) || counted && count != n {
			found = disagreeFetched(out, found, v)
		}
	}
	if found != nil {
		found.Threads, _ = a.holdsFor(found.Threads)
	}
	return compared
}

func disagreeFetched(out *results, found *report.Finding, v *threads) *report.Finding {
	if found == nil {
		shown := "seccomp mode " + v.factWords(factSeccompMode) + ", number of filters " + v.factWords(factFilterCount)
		fetched := someFilters(len(v.Filters.Value.Programs))
		found = out.add(contradictionID, report.Gap, "two sources that agree", shown+" against "+fetched,
			"the kernel shows of thread "+strconv.Itoa(v.tids[0])+" "+shown+", and "+fetched+" could be read from it")
		found.Subject = "filters"
	}
	found.Threads = append(found.Threads, v.tids...)
	if len(found.Evidence) < 2*maxEvidence {
		found.Evidence = append(found.Evidence, seen(&v.SeccompMode.Origin, &v.SeccompFilters.Origin, &v.Filters.Origin)...)
	}
	return found
}

// factWords is the fact in words, or that it is not known.
func (v *threads) factWords(f fact) string {
	if !f.known(v.Thread) {
		return "unknown"
	}
	return f.words(v.Thread)
}

// compareScans compares what the evaluated filters do with what was seen when
// each call was tried. It returns what agreed, in words.
func compareScans(out *results, a *audited) (agreed []string) {
	if a.Scan.State != posture.Known {
		return nil
	}
	shown, left := 0, 0
	for i := range a.Scan.Value {
		s := &a.Scan.Value[i]
		same := 0
		for k := range s.Calls {
			one := &s.Calls[k]
			switch a.compareTried(one) {
			case report.Pass:
				same++
			case report.Gap:
				if shown == maxDisagreements {
					left++
					continue
				}
				shown++
				disagreeTried(out, a, s.ABI, one)
			}
		}
		// That the filters' answers hold for an ABI which this kernel does not
		// have, since no call of it is made, is of no use to anybody.
		if same > 0 && !a.lacksABI(s.ABI) {
			agreed = append(agreed, counted(same, "number")+" of "+s.ABI)
		}
	}
	if left > 0 {
		words := counted(left, "more number")
		f := out.add(contradictionID, report.Gap, "two sources that agree", words, "the evaluated filters disagree with what was seen for "+words)
		f.Subject, f.Evidence = "more", []report.Evidence{{Source: "…", Value: words}}
	}
	return agreed
}

// lacksABI says that the kernel is known not to have an ABI.
func (a *audited) lacksABI(name string) bool {
	for i := range a.ABIs {
		if b := &a.ABIs[i]; b.Name == name {
			return b.Present.State == posture.Known && !b.Present.Value
		}
	}
	return false
}

// compareTried is pass where the filters' answer is what was seen, gap where it
// is not, and unknown where one of the two is not known.
func (a *audited) compareTried(one *posture.Scanned) report.Status {
	way, known := one.Filtered.Get()
	if !known || one.Answer == posture.AnswerUnknown {
		return report.Unknown
	}
	holds := false
	switch way.Action {
	case posture.ActionAllow, posture.ActionLog:
		holds = one.Answer != posture.AnswerDenied && one.Signal != sigsys
	case posture.ActionErrno:
		holds = one.Returned && one.Errno == min(int(way.Value), maxErrno)
	case posture.ActionTrap:
		// Where the signal is blocked or not handled it kills.
		holds = one.Signal == sigsys || one.By == posture.ActionTrap
	case posture.ActionKillThread, posture.ActionKillProcess:
		holds = one.Signal == sigsys && one.By != posture.ActionTrap
	case posture.ActionTrace, posture.ActionNotify:
		holds = one.Returned && one.Errno == enosys
		if !holds && a.Self {
			// A tracer or supervisor may answer whatever it likes.
			return report.Unknown
		}
	default:
		return report.Unknown
	}
	if holds {
		return report.Pass
	}
	return report.Gap
}

func disagreeTried(out *results, a *audited, abi string, one *posture.Scanned) {
	name := decimal(one.Number)
	if b, found := names.FindABI(abi); found {
		if called, found := names.SyscallName(b.Arch, one.Number); found {
			name = called
		}
	}
	way := &one.Filtered.Value
	where := "filter " + strconv.Itoa(way.Filter) + ", instruction " + strconv.Itoa(way.Offset)
	predicted, was := actionWords(way), one.Answer.String()+": "+seenWords(one)
	f := out.add(contradictionID, report.Gap, predicted, was,
		"the filters' answer for "+name+" of "+quotedUnlessPlain(abi)+" is "+predicted+" ("+where+"), and what was seen is "+was)
	f.Subject = quotedUnlessPlain(abi) + " " + name
	f.Evidence = append(seen(&one.Filtered.Origin, &a.Scan.Origin), report.Evidence{Source: "arguments", Value: argumentWords(&one.Args)})
	if one.Detail != "" {
		f.Evidence = append(f.Evidence, report.Evidence{Source: sourceOf(&a.Scan.Origin), Value: clip(one.Detail)})
	}
}

// quotedUnlessPlain leaves the names of ABIs that are known as they are.
func quotedUnlessPlain(abi string) string {
	if b, found := names.FindABI(abi); found {
		return b.Name
	}
	return quoted(abi)
}

func argumentWords(args *[6]uint64) string {
	words := make([]string, len(args))
	for i, v := range args {
		words[i] = "0x" + strconv.FormatUint(v, 16)
	}
	return strings.Join(words, ", ")
}
