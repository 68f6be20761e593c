package checks

import (
	"fmt"
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// threads are some threads of the process with the posture that they share.
type threads struct {
	*posture.Thread
	tids []int
	// kernel is true for one thread's posture as the kernel answered it by
	// system calls, filled up from /proc where it was not asked.
	kernel bool
}

// audited is a process, laid out for the checks.
type audited struct {
	*posture.Process
	// views are the classes in their order, then the kernel's answers.
	views []threads
	// class and kernel find a thread's posture by its id: that of its class,
	// and what the kernel answered for it.
	class, kernel map[int]*posture.Thread
	// all are the threads that were seen, in ascending order.
	all []int
	// incomplete says why there may be threads that were not seen.
	incomplete string
}

// view lays out p. What the kernel answered by system calls is a view of its
// own, so that a gap in it is a gap even where the status file reads clean.
func view(p *posture.Process) *audited {
	a := &audited{Process: p, class: map[int]*posture.Thread{}, kernel: map[int]*posture.Thread{}}
	for i := range p.Classes {
		c := &p.Classes[i]
		tids := c.TIDs
		if len(tids) == 0 {
			tids = []int{c.TID}
		}
		for _, tid := range tids {
			a.class[tid] = &c.Thread
		}
		a.views = append(a.views, threads{&c.Thread, tids, false})
		a.all = append(a.all, tids...)
	}
	for i := range p.Kernel {
		k := &p.Kernel[i]
		a.kernel[k.TID] = k
		if len(p.Classes) == 0 {
			a.all = append(a.all, k.TID)
		}
		if adds(a.class[k.TID], k) {
			a.views = append(a.views, threads{over(a.class[k.TID], k), []int{k.TID}, true})
		}
	}
	slices.Sort(a.all)
	a.all = slices.Compact(a.all)
	a.incomplete = incomplete(p, len(a.all))
	return a
}

func incomplete(p *posture.Process, seen int) string {
	n, known := p.Threads.Get()
	switch {
	case seen == 0:
		return "no thread could be read"
	case !known:
		return "there may be threads that were not seen: " + whyNot(p.Threads, "the thread set")
	case seen < n:
		return fmt.Sprintf("only %d of %d threads were read", seen, n)
	default:
		return ""
	}
}

// adds says whether the kernel's answers k say anything that the class does
// not: for most threads they only confirm it.
func adds(class, k *posture.Thread) bool {
	if class == nil || k.Securebits.State == posture.Known {
		return true
	}
	for _, f := range compared() {
		if f.known(k) && !(f.known(class) && f.equal(class, k)) {
			return true
		}
	}
	return false
}

// over returns the kernel's answers k, filled up with class where the kernel
// was not asked or did not answer.
func over(class, k *posture.Thread) *posture.Thread {
	if class == nil {
		return k
	}
	t := *class
	t.TID = k.TID
	lay(&t.UID, k.UID)
	lay(&t.GID, k.GID)
	lay(&t.Groups, k.Groups)
	lay(&t.Caps.Inheritable, k.Caps.Inheritable)
	lay(&t.Caps.Permitted, k.Caps.Permitted)
	lay(&t.Caps.Effective, k.Caps.Effective)
	lay(&t.Caps.Bounding, k.Caps.Bounding)
	lay(&t.Caps.Ambient, k.Caps.Ambient)
	lay(&t.NoNewPrivs, k.NoNewPrivs)
	lay(&t.SeccompMode, k.SeccompMode)
	lay(&t.SeccompFilters, k.SeccompFilters)
	// No file shows these two: whatever the kernel said of them is all there is.
	t.Securebits, t.Dumpable = k.Securebits, k.Dumpable
	return &t
}

func lay[T any](dst *posture.Fact[T], k posture.Fact[T]) {
	if k.State == posture.Known {
		*dst = k
	}
}

// threadCheck is an expectation on every single thread.
type threadCheck struct {
	id       string
	expected string
	// thing is what the check looks at, as the subject of a sentence.
	thing string
	// judge answers for one posture: what was observed, for Unknown why.
	judge func(*posture.Thread) (report.Status, string)
	// evidence returns what judge looked at.
	evidence func(*posture.Thread) []report.Evidence
	// gap is the sentence for threads that were observed with more.
	gap func(who, observed string) string
}

// tally collects the views that gave one answer.
type tally struct {
	tids     []int
	observed []string
	views    []threads
}

func (t *tally) add(v threads, tids []int, observed string) {
	t.tids = append(t.tids, tids...)
	t.observed = append(t.observed, observed)
	t.views = append(t.views, v)
}

// run asks every thread; the worst answer decides.
func (c threadCheck) run(a *audited) report.Finding {
	var pass, gap, unknown tally
	answered := map[int]bool{}
	for _, v := range slices.Backward(a.views) {
		status, observed := c.judge(v.Thread)
		switch {
		case status == report.Gap:
			gap.add(v, v.tids, observed)
		case status == report.Pass:
			pass.add(v, v.tids, observed)
			if v.kernel {
				answered[v.tids[0]] = true
			}
		case v.kernel && len(a.Classes) > 0:
			// The class that this thread is in speaks for it.
		default:
			// The views are taken from the end, so that what the kernel
			// itself said of a thread is known before its class is asked.
			left := slices.DeleteFunc(slices.Clone(v.tids), func(tid int) bool { return answered[tid] })
			if len(left) > 0 {
				unknown.add(v, left, observed)
			}
		}
	}
	switch {
	case len(gap.tids) > 0:
		return c.gapFinding(a, gap)
	case len(unknown.tids) > 0 || a.incomplete != "":
		return c.unknownFinding(a, unknown)
	default:
		return c.passFinding(a, pass)
	}
}

func (c threadCheck) gapFinding(a *audited, t tally) report.Finding {
	f := blank(c.id, report.Gap)
	who := a.holdsFor(&f, t.tids)
	f.Expected, f.Observed = c.expected, t.words()
	f.Evidence = t.evidence(c.evidence)
	f.Message = c.gap(who, f.Observed)
	return f
}

func (c threadCheck) unknownFinding(a *audited, t tally) report.Finding {
	f := blank(c.id, report.Unknown)
	f.Expected, f.Observed = c.expected, "unknown"
	if len(t.tids) == 0 {
		f.Message = fmt.Sprintf("%s of the whole process is not known: %s", c.thing, a.incomplete)
		f.Evidence = seen(a.Threads)
		return f
	}
	who := a.holdsFor(&f, t.tids)
	f.Evidence = t.evidence(c.evidence)
	f.Message = fmt.Sprintf("%s of %s is not known: %s", c.thing, who, t.words())
	return f
}

func (c threadCheck) passFinding(a *audited, t tally) report.Finding {
	f := blank(c.id, report.Pass)
	f.Expected, f.Observed = c.expected, t.words()
	t.views = t.views[len(t.views)-1:]
	f.Evidence = t.evidence(c.evidence)
	f.Message = fmt.Sprintf("%s of %s is within what the policy allows", c.thing, a.who(a.all))
	return f
}

// words lists what was observed, that of the leader's class first.
func (t tally) words() string {
	ordered := slices.Clone(t.observed)
	slices.Reverse(ordered)
	return listed(ordered, "; ")
}

func (t tally) evidence(of func(*posture.Thread) []report.Evidence) []report.Evidence {
	var groups [][]report.Evidence
	for _, v := range slices.Backward(t.views) {
		groups = append(groups, of(v.Thread))
	}
	return bounded(groups)
}

// holdsFor names the threads in f where the finding holds for some of them
// only, and returns who they are in words.
func (a *audited) holdsFor(f *report.Finding, tids []int) string {
	tids = slices.Clone(tids)
	slices.Sort(tids)
	tids = slices.Compact(tids)
	if a.incomplete != "" || !slices.Equal(tids, a.all) {
		f.Threads = tids
	}
	return a.who(tids)
}

func (a *audited) who(tids []int) string {
	switch {
	case len(tids) == 1:
		return fmt.Sprintf("thread %d", tids[0])
	case a.incomplete == "" && slices.Equal(tids, a.all):
		return fmt.Sprintf("all %d threads", len(tids))
	default:
		return "threads " + numbers(tids)
	}
}
