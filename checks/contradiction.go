package checks

import (
	"fmt"
	"strconv"
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
func contradictions(out *results, a *audited, _ *policy.Policy) {
	before := len(out.findings)
	compared, facts, tids := make([]bool, len(a.Kernel)), 0, 0
	for f := range comparedFacts {
		var found *report.Finding
		for i := range a.Kernel {
			k := &a.Kernel[i]
			class := a.class[k.TID]
			if class == nil || !twoSources(f, class, k) {
				continue
			}
			facts++
			if !compared[i] {
				compared[i] = true
				tids++
			}
			if !f.equal(class, k) {
				found = disagree(out, found, f, class, k)
			}
		}
		if found != nil {
			found.Threads, _ = a.holdsFor(found.Threads)
		}
	}
	var executed *posture.Origin
	if compareExec(out, a) {
		executed = &a.AfterExec.Origin
	}
	var fetched *posture.Thread
	var scanned []string
	if a.compare != nil {
		fetched, scanned, executed = a.compare(out, a, executed)
	}
	if len(out.findings) == before {
		agreement(out, a, &agreed{facts, tids, executed, fetched, scanned})
	}
}

// twoSources says whether both know the fact, and not from the same source:
// without /proc the class is made of the system calls' answers too.
func twoSources(f fact, class, k *posture.Thread) bool {
	c, by := f.of(class), f.of(k)
	return c.State == posture.Known && by.State == posture.Known && sourceOf(c) != sourceOf(by)
}

// disagree notes both ends. One fact is one finding, however many threads it
// is about: found is that of the threads before, nil for the first.
func disagree(out *results, found *report.Finding, f fact, class, k *posture.Thread) *report.Finding {
	if found == nil {
		byClass, byKernel := f.words(class), f.words(k)
		found = out.add(contradictionID, report.Gap, "two sources that agree", byClass+" against "+byKernel,
			f.name()+" of thread "+strconv.Itoa(k.TID)+" is "+byClass+" in "+sourceOf(f.of(class))+", and "+byKernel+" by "+sourceOf(f.of(k)))
		found.Subject = f.name()
	}
	found.Threads = append(found.Threads, k.TID)
	if len(found.Evidence) < 2*maxEvidence {
		found.Evidence = append(found.Evidence, seen(f.of(class), f.of(k))...)
	}
	return found
}

// compareExec compares what a program really had after execve(2) with what the
// calling thread's credentials amount to. The calling thread is the one whose
// securebits are known. It says whether there was something to compare.
func compareExec(out *results, a *audited) bool {
	if a.AfterExec.State != posture.Known {
		return false
	}
	really := &a.AfterExec.Value
	for i := range a.views {
		v := &a.views[i]
		if !v.kernel || v.Securebits.State != posture.Known {
			continue
		}
		var c Credentials
		if why := c.read(v.Thread); why != "" {
			continue
		}
		c.Securebits = v.Securebits.Value
		computed := c.execve()
		if *really == computed || *really == c.execveByRealIDs() {
			return true
		}
		f := out.add(contradictionID, report.Gap, setsWords(&computed), setsWords(really),
			"a program that thread "+strconv.Itoa(v.tids[0])+" executed had other capabilities than its credentials amount to: "+
				strings.Join(differing(&computed, really), ", "))
		f.Subject = "execve"
		f.Evidence = append(seen(&a.AfterExec.Origin), seenOf(execFacts, v.Thread)...)
		return true
	}
	return false
}

// setOrder is the order in which status shows the five sets, with their names
// there and in a sentence.
var setOrder = [...]struct{ status, name string }{
	{"CapInh", "inheritable"}, {"CapPrm", "permitted"}, {"CapEff", "effective"}, {"CapBnd", "bounding"}, {"CapAmb", "ambient"},
}

func inOrder(s *posture.CapSets) [len(setOrder)]posture.CapSet {
	return [...]posture.CapSet{s.Inheritable, s.Permitted, s.Effective, s.Bounding, s.Ambient}
}

// differing names the sets that differ, with what was computed and what was
// there.
func differing(computed, really *posture.CapSets) []string {
	var out []string
	was := inOrder(really)
	for i, c := range inOrder(computed) {
		if c != was[i] {
			out = append(out, setOrder[i].name+" "+fewCaps(was[i])+", computed "+fewCaps(c))
		}
	}
	return out
}

// setsWords puts five sets into one line, as the evidence of a comparison.
func setsWords(s *posture.CapSets) string {
	words := make([]string, len(setOrder))
	for i, set := range inOrder(s) {
		words[i] = fmt.Sprintf("%s: %016x", setOrder[i].status, uint64(set))
	}
	return strings.Join(words, ", ")
}

// agreed is what was compared, and all of it was equal.
type agreed struct {
	// facts of that many threads, in /proc and by system calls.
	facts, tids int
	// executed is where it comes from what execve(2) leaves.
	executed *posture.Origin
	// fetched is a thread whose filters were read, and are as many as counted.
	fetched *posture.Thread
	// scanned says how many calls of which ABIs were compared.
	scanned []string
}

func agreement(out *results, a *audited, all *agreed) {
	if all.facts+len(all.scanned) == 0 && all.fetched == nil && all.executed == nil {
		out.add(contradictionID, report.Unknown, "two sources that agree", "unknown",
			"no fact has two sources, so whether they would agree is not known")
		return
	}
	f := out.add(contradictionID, report.Pass, "two sources that agree", "", "")
	if all.facts > 0 {
		same := counted(all.facts, "fact") + " of " + counted(all.tids, "thread")
		also(f, same+" alike", "what the kernel answered by system calls agrees with /proc in "+same)
		for i := range a.Kernel {
			k := &a.Kernel[i]
			if c := a.class[k.TID]; c != nil {
				f.Evidence = seenOf([]fact{factEffective}, c, k)
				break
			}
		}
	}
	if all.executed != nil {
		const same = "what execve(2) leaves is what was computed"
		also(f, same, same)
		f.Evidence = append(f.Evidence, seen(all.executed)...)
	}
	if all.fetched != nil {
		const same = "as many filters could be read as the kernel counts"
		also(f, same, same)
		f.Evidence = append(f.Evidence, seen(&all.fetched.SeccompFilters.Origin, &all.fetched.Filters.Origin)...)
	}
	if len(all.scanned) > 0 {
		same := "what the filters are computed to answer is what was seen when it was tried, for " + strings.Join(all.scanned, ", ")
		also(f, same, same)
		f.Evidence = append(f.Evidence, seen(&a.Scan.Origin)...)
	}
}

// also adds to what was observed, and to the message.
func also(f *report.Finding, observed, message string) {
	if f.Observed != "" {
		f.Observed += ", and "
		f.Message += "; "
	}
	f.Observed += observed
	f.Message += message
}
