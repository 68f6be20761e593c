package checks

import (
	"fmt"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const contradictionID = "contradiction"

// contradictions compares what two sources say of the same fact. It is always
// asked. Two that disagree are a gap: one of them is wrong, and everything
// else in the report rests on them.
//
// Where nothing could be compared the answer is unknown, like that of any
// check whose facts are missing. A status file that nothing else confirms may
// still be true, but nobody looked, and not having looked is no pass.
func contradictions(a *audited, _ *policy.Policy) []report.Finding {
	bySubject := map[string]*report.Finding{}
	facts, tids := 0, 0
	for i := range a.Kernel {
		k := &a.Kernel[i]
		class := a.class[k.TID]
		if class == nil {
			continue
		}
		n := 0
		for _, fact := range compared() {
			// Without /proc the class is made of the system calls' answers:
			// one source is not two.
			if !fact.known(class) || !fact.known(k) || fact.source(class) == fact.source(k) {
				continue
			}
			n++
			if !fact.equal(class, k) {
				disagree(bySubject, fact, class, k)
			}
		}
		facts += n
		if n > 0 {
			tids++
		}
	}
	hasExec, afterExec := a.compareExec()
	if hasExec {
		facts++
	}
	out := a.inOrder(bySubject)
	if afterExec != nil {
		out = append(out, *afterExec)
	}
	if len(out) == 0 {
		out = append(out, a.agreement(facts, tids))
	}
	return out
}

// disagree notes both ends. One fact is one finding, however many threads it
// is about.
func disagree(by map[string]*report.Finding, fact *comparedFact, class, k *posture.Thread) {
	f := by[fact.name]
	if f == nil {
		n := blank(contradictionID, report.Gap)
		f = &n
		by[fact.name] = f
		f.Subject, f.Expected = fact.name, "two sources that agree"
		f.Observed = fact.words(class) + " against " + fact.words(k)
		f.Message = fmt.Sprintf("%s of thread %d is %s in %s, and %s by %s",
			fact.name, k.TID, fact.words(class), fact.source(class), fact.words(k), fact.source(k))
	}
	f.Threads = append(f.Threads, k.TID)
	if len(f.Evidence) < 2*maxEvidence {
		f.Evidence = append(append(f.Evidence, fact.seen(class)...), fact.seen(k)...)
	}
}

func (a *audited) inOrder(by map[string]*report.Finding) []report.Finding {
	var out []report.Finding
	for _, fact := range compared() {
		if f := by[fact.name]; f != nil {
			tids := f.Threads
			f.Threads = nil
			a.holdsFor(f, tids)
			out = append(out, *f)
		}
	}
	return out
}

// compareExec compares what a program really had after execve(2) with what the
// calling thread's credentials amount to. The calling thread is the one whose
// securebits are known. It says whether there was something to compare.
func (a *audited) compareExec() (bool, *report.Finding) {
	really, known := a.AfterExec.Get()
	if !known {
		return false, nil
	}
	for _, v := range a.views {
		bits, known := v.Securebits.Get()
		if !v.kernel || !known {
			continue
		}
		c, why := credentials(v.Thread)
		if why != "" {
			continue
		}
		c.Securebits = bits
		computed := Execve(c)
		if really == computed || really == execveByRealIDs(c) {
			return true, nil
		}
		f := blank(contradictionID, report.Gap)
		f.Subject, f.Expected = "execve", setsWords(computed)
		f.Observed = setsWords(really)
		f.Evidence = append(seen(a.AfterExec), execEvidence(v.Thread)...)
		f.Message = fmt.Sprintf("a program that thread %d executed had other capabilities than its credentials amount to: %s",
			v.tids[0], strings.Join(differing(computed, really), ", "))
		return true, &f
	}
	return false, nil
}

// differing names the sets that differ, with what was computed and what was
// there.
func differing(computed, really posture.CapSets) []string {
	var out []string
	for _, set := range []struct {
		name string
		c, r posture.CapSet
	}{
		{"inheritable", computed.Inheritable, really.Inheritable},
		{"permitted", computed.Permitted, really.Permitted},
		{"effective", computed.Effective, really.Effective},
		{"bounding", computed.Bounding, really.Bounding},
		{"ambient", computed.Ambient, really.Ambient},
	} {
		if set.c != set.r {
			out = append(out, fmt.Sprintf("%s %s, computed %s", set.name, fewCaps(set.r), fewCaps(set.c)))
		}
	}
	return out
}

func (a *audited) agreement(facts, tids int) report.Finding {
	status := report.Pass
	observed := fmt.Sprintf("%d facts of %d threads agree", facts, tids)
	message := "what the kernel answered by system calls agrees with /proc: " + observed
	if facts == 0 {
		status, observed = report.Unknown, "unknown"
		message = "no fact has two sources, so whether they would agree is not known"
	}
	f := blank(contradictionID, status)
	f.Expected, f.Observed, f.Message = "two sources that agree", observed, message
	for i := range a.Kernel {
		if c := a.class[a.Kernel[i].TID]; c != nil && facts > 0 {
			f.Evidence = append(seen(c.Caps.Effective), seen(a.Kernel[i].Caps.Effective)...)
			break
		}
	}
	return f
}
