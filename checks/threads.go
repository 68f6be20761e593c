package checks

import (
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
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
	// compare is nil where what is known of filters is not compared.
	compare comparison
	// attempts are all that a policy may name.
	attempts []names.Attempt
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
		class := a.class[k.TID]
		a.kernel[k.TID] = k
		if len(p.Classes) == 0 {
			a.all = append(a.all, k.TID)
		}
		if adds(class, k) {
			a.views = append(a.views, threads{over(class, k), []int{k.TID}, true})
		}
	}
	a.all = distinct(a.all)
	a.incomplete = incomplete(&p.Threads, len(a.all))
	return a
}

func incomplete(threads *posture.Fact[int], seen int) string {
	switch {
	case seen == 0:
		return "no thread could be read"
	case threads.State != posture.Known:
		return "there may be threads that were not seen: " + whyNot(&threads.Origin, "the thread set")
	case seen < threads.Value:
		return "only " + strconv.Itoa(seen) + " of " + counted(threads.Value, "thread") + " were read"
	default:
		return ""
	}
}

// adds says whether the kernel's answers k say anything that the class does
// not: for most threads they only confirm it.
func adds(class, k *posture.Thread) bool {
	if class == nil || k.Securebits.State == posture.Known || k.Filters.State == posture.Known {
		return true
	}
	for f := range comparedFacts {
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
	for f := range comparedFacts {
		if f.known(k) {
			f.lay(&t, k)
		}
	}
	if k.Filters.State == posture.Known {
		t.Filters = k.Filters
	}
	// No file shows these two: whatever the kernel said of them is all there is.
	t.Securebits, t.Dumpable = k.Securebits, k.Dumpable
	return &t
}

// threadCheck is an expectation on every single thread.
type threadCheck struct {
	id       string
	expected string
	// thing is what the check looks at, as the subject of a sentence.
	thing string
	// judge answers for one posture: what was observed, for Unknown why.
	judge func(*posture.Thread) (report.Status, string)
	// facts are what judge looks at.
	facts []fact
	// gap is the sentence for threads that were observed with more: what
	// comes before who they are, before what was observed, and after it.
	gap [3]string
	// brief has the sentence name only some of the capabilities observed.
	brief bool
	// say, where it is set, makes the whole sentence instead: who it is about,
	// and what was observed of them, or why that is not known.
	say func(status report.Status, who, observed string) string
	// show, where it is set, is the evidence for one posture instead of facts.
	show func(*posture.Thread) []report.Evidence
}

// sentence returns what say makes, or plain.
func (c *threadCheck) sentence(status report.Status, who, observed, plain string) string {
	if c.say == nil {
		return plain
	}
	return c.say(status, who, observed)
}

// tally collects the views that gave one answer, from the last to the first.
type tally struct {
	tids     []int
	observed []string
	views    []*posture.Thread
}

// add takes in the view for some of its threads.
func (t *tally) add(v *threads, tids []int, observed string) {
	if len(tids) == 0 {
		return
	}
	t.tids = append(t.tids, tids...)
	t.observed = append(t.observed, observed)
	t.views = append(t.views, v.Thread)
}

// run asks every thread; the worst answer decides.
func (c *threadCheck) run(out *results, a *audited) *report.Finding {
	var pass, gap, unknown tally
	answered := map[int]bool{}
	for i := len(a.views) - 1; i >= 0; i-- {
		v := &a.views[i]
		status, observed := c.judge(v.Thread)
		to, tids := &unknown, v.tids
		switch {
		case status == report.Gap:
			to = &gap
		case status == report.Pass:
			to = &pass
			if v.kernel {
				answered[v.tids[0]] = true
			}
		case v.kernel && len(a.Classes) > 0:
			// The class that this thread is in speaks for it.
			continue
		default:
			// The views are taken from the end, so that what the kernel
			// itself said of a thread is known before its class is asked.
			tids = without(tids, answered)
		}
		to.add(v, tids, observed)
	}
	switch {
	case len(gap.tids) > 0:
		return c.addGap(out, a, &gap)
	case len(unknown.tids) > 0 || a.incomplete != "":
		return c.addUnknown(out, a, &unknown)
	default:
		return c.addPass(out, a, &pass)
	}
}

func without(tids []int, answered map[int]bool) []int {
	if len(answered) == 0 {
		return tids
	}
	var left []int
	for _, tid := range tids {
		if !answered[tid] {
			left = append(left, tid)
		}
	}
	return left
}

func (c *threadCheck) addGap(out *results, a *audited, t *tally) *report.Finding {
	tids, who := a.holdsFor(t.tids)
	observed := t.words()
	sentence := observed
	if c.brief {
		sentence = short(observed)
	}
	f := out.add(c.id, report.Gap, c.expected, observed,
		c.sentence(report.Gap, who, observed, c.gap[0]+who+c.gap[1]+sentence+c.gap[2]))
	f.Threads, f.Evidence = tids, t.evidence(c)
	return f
}

func (c *threadCheck) addUnknown(out *results, a *audited, t *tally) *report.Finding {
	who, why := "the whole process", a.incomplete
	var tids []int
	evidence := seen(&a.Threads.Origin)
	if len(t.tids) > 0 {
		tids, who = a.holdsFor(t.tids)
		why, evidence = t.words(), t.evidence(c)
	}
	f := out.add(c.id, report.Unknown, c.expected, "unknown",
		c.sentence(report.Unknown, who, why, c.thing+" of "+who+" is not known: "+why))
	f.Threads, f.Evidence = tids, evidence
	return f
}

func (c *threadCheck) addPass(out *results, a *audited, t *tally) *report.Finding {
	who, observed := a.who(a.all), t.words()
	f := out.add(c.id, report.Pass, c.expected, observed,
		c.sentence(report.Pass, who, observed, c.thing+" of "+who+" is within what the policy allows: "+short(observed)))
	t.views = t.views[len(t.views)-1:]
	f.Evidence = t.evidence(c)
	return f
}

// words lists what was observed, that of the leader's class first.
func (t *tally) words() string {
	slices.Reverse(t.observed)
	return listed(t.observed, "; ")
}

func (t *tally) evidence(c *threadCheck) []report.Evidence {
	var e evidenceGroups
	for i := len(t.views) - 1; i >= 0; i-- {
		if c.show != nil {
			e.add(c.show(t.views[i]))
		} else {
			e.add(seenOf(c.facts, t.views[i]))
		}
	}
	return e.bounded()
}

// holdsFor returns the threads that a finding holds for, and who they are in
// words. Where it holds for all of them the finding need not name them.
func (a *audited) holdsFor(tids []int) (some []int, who string) {
	tids = distinct(slices.Clone(tids))
	who = a.who(tids)
	if a.areAll(tids) {
		return nil, who
	}
	return tids, who
}

func (a *audited) areAll(tids []int) bool {
	return a.incomplete == "" && slices.Equal(tids, a.all)
}

func (a *audited) who(tids []int) string {
	switch {
	case len(tids) == 1:
		return "thread " + strconv.Itoa(tids[0])
	case a.areAll(tids):
		return "all " + strconv.Itoa(len(tids)) + " threads"
	default:
		return "threads " + numbers(tids)
	}
}
