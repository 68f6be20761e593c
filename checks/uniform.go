package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	uniformID       = "threads.uniform"
	uniformExpected = "every thread as the leader"
)

// uniformThreads checks that every thread has the credentials and filters of
// the thread group leader. Credentials are a thread's own for the kernel:
// credentials(7), nptl(7).
func uniformThreads(out *results, a *audited, pol *policy.Policy) {
	if !pol.Process.UniformThreads {
		out.skip(uniformID)
		return
	}
	leader := a.leader()
	differ, unknown := a.differences(leader)
	switch {
	case len(differ) > 0:
		notUniform(out, a, differ)
	case a.Threads.State == posture.Known && a.Threads.Value == 1 && len(a.all) == 1 && leader != nil:
		uniform(out, a, "one thread")
	case leader == nil:
		uniformUnknown(out, a, nil, "the thread group leader could not be read")
	case len(unknown) > 0:
		uniformUnknown(out, a, unknown, unknown[0].unknown)
	case a.incomplete != "":
		uniformUnknown(out, a, nil, a.incomplete)
	default:
		uniform(out, a, "the same for all")
	}
}

// leader returns the class of the thread whose id is the process id.
func (a *audited) leader() *posture.Thread { return a.class[a.PID] }

// differences compares every class with the leader's, and what the kernel
// answered with what the classes say. Without the leader any class will do:
// where two classes differ, one of them differs from the leader.
func (a *audited) differences(leader *posture.Thread) (differ, unknown []*difference) {
	if len(a.Classes) == 0 {
		return nil, nil
	}
	ref := leader
	if ref == nil {
		ref = &a.Classes[0].Thread
	}
	note := func(d *difference) {
		if len(d.fields) > 0 {
			differ = append(differ, d)
		}
		if d.unknown != "" {
			unknown = append(unknown, d)
		}
	}
	for i := range a.views {
		if v := &a.views[i]; !v.kernel {
			note(compareClass(ref, v))
		}
	}
	for i := range a.Kernel {
		k := &a.Kernel[i]
		note(compareKernel(ref, a.kernel[a.PID], a.class[k.TID], k))
	}
	return differ, unknown
}

// difference is what sets some threads apart from the leader.
type difference struct {
	tids     []int
	fields   []string
	evidence []report.Evidence
	// unknown says which fact could not be compared, and why.
	unknown string
}

func compareClass(ref *posture.Thread, class *threads) *difference {
	d := &difference{tids: class.tids}
	for f := range comparedFacts {
		switch {
		case f == factFilterCount && withoutFilters(ref) && withoutFilters(class.Thread):
		case !f.known(class.Thread):
			d.cannot(whyNot(f.of(class.Thread), f.name()))
		case !f.known(ref):
			d.cannot(whyNot(f.of(ref), f.name()))
		case !f.equal(ref, class.Thread) || !f.equalOutside(ref, class.Thread):
			d.found(f, ref, class.Thread)
		}
	}
	return d
}

// compareKernel compares one thread's answers by system calls with the
// leader's: its own answers, or its class where the kernel was not asked. Where
// the thread's class says something else, that is a contradiction, and which of
// the two to compare with the leader's class is not known.
func compareKernel(ref, kernelRef, class, k *posture.Thread) *difference {
	d := &difference{tids: []int{k.TID}}
	for f := range comparedFacts {
		if !f.known(k) {
			continue
		}
		want := ref
		disagree := class != nil && f.known(class) && !f.equal(class, k)
		if kernelRef != nil && f.known(kernelRef) {
			want, disagree = kernelRef, disagree && k == kernelRef
		}
		switch {
		case disagree:
			d.cannot("two sources disagree on " + f.name() + " of thread " + strconv.Itoa(k.TID))
		case f.known(want) && !f.equal(want, k):
			d.found(f, want, k)
		}
	}
	return d
}

func (d *difference) found(f fact, want, got *posture.Thread) {
	d.fields = append(d.fields, f.name()+" "+f.words(got)+" instead of "+f.words(want))
	d.evidence = append(d.evidence, seen(f.of(want), f.of(got))...)
}

func (d *difference) cannot(why string) {
	if d.unknown == "" {
		d.unknown = why
	}
}

func notUniform(out *results, a *audited, differ []*difference) {
	var tids []int
	var words []string
	var e evidenceGroups
	for _, d := range differ {
		tids = append(tids, d.tids...)
		words = append(words, a.who(d.tids)+": "+strings.Join(d.fields, ", "))
		e.add(d.evidence)
	}
	some, who := a.holdsFor(tids)
	verb := " differ"
	if len(some) == 1 {
		verb = " differs"
	}
	f := out.add(uniformID, report.Gap, uniformExpected,
		strconv.Itoa(len(a.Classes))+" classes: "+listed(words, "; "),
		who+verb+" from the thread group leader in "+strings.Join(differ[0].fields, ", "))
	f.Threads, f.Evidence = some, e.bounded()
}

func uniformUnknown(out *results, a *audited, unknown []*difference, why string) {
	f := out.add(uniformID, report.Unknown, uniformExpected, "unknown", "whether every thread is as the leader is not known: "+why)
	f.Evidence = seen(&a.Threads.Origin)
	var tids []int
	for _, d := range unknown {
		tids = append(tids, d.tids...)
	}
	if len(tids) > 0 {
		f.Threads, _ = a.holdsFor(tids)
	}
}

func uniform(out *results, a *audited, observed string) {
	f := out.add(uniformID, report.Pass, uniformExpected, observed,
		a.who(a.all)+" of the process: ids, groups, capability sets, no_new_privs and seccomp are the leader's")
	f.Evidence = seen(&a.Threads.Origin)
}
