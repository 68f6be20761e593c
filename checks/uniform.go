package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const uniformID = "threads.uniform"

// uniformThreads checks that every thread has the credentials of the thread
// group leader, its seccomp mode and its filters: the same ones where they were
// read of both, and else as many, since from inside nothing shows one thread
// what the filters of another are. Credentials are a thread's own for the
// kernel: credentials(7), nptl(7).
func uniformThreads(out *results, a *audited, pol *policy.Policy) {
	if !pol.Process.UniformThreads {
		out.skip(uniformID)
		return
	}
	ref := a.reference()
	if ref == nil {
		why := a.incomplete
		if why == "" {
			why = "the thread group leader could not be read"
		}
		uniformUnknown(out, a, nil, why)
		return
	}
	differ, unknown := a.differences(ref)
	switch {
	case len(differ) > 0:
		notUniform(out, a, ref, differ)
	case ref.leads && a.Threads.State == posture.Known && a.Threads.Value == 1 && len(a.all) == 1:
		uniform(out, a, ref, "one thread")
	case !ref.leads && a.incomplete != "":
		uniformUnknown(out, a, nil, "the thread group leader could not be read: "+a.incomplete)
	case len(unknown) > 0:
		uniformUnknown(out, a, unknown, unknown[0].unknown)
	case a.incomplete != "":
		uniformUnknown(out, a, nil, a.incomplete)
	default:
		uniform(out, a, ref, "the same for all")
	}
}

// reference is the thread that all others are compared with.
type reference struct {
	*posture.Thread
	tid int
	// leads is true for the thread group leader.
	leads bool
	// name is what sentences call it.
	name string
}

// reference returns the thread group leader, and where it is not among the
// threads the lowest of them: the other threads live on when the leader has
// ended, and which of them all are compared with makes no difference to
// whether they are equal. It returns nil where no thread's class is known.
func (a *audited) reference() *reference {
	if leader := a.class[a.PID]; leader != nil {
		return &reference{leader, a.PID, true, "the thread group leader"}
	}
	if len(a.Classes) == 0 {
		return nil
	}
	lowest := a.all[0]
	name := "thread " + strconv.Itoa(lowest)
	if a.incomplete == "" {
		// All that live were read.
		name += ", the lowest one alive (the thread group leader has ended)"
	}
	return &reference{a.class[lowest], lowest, false, name}
}

func (r *reference) expected() string {
	if r.leads {
		return "every thread as the leader"
	}
	return "every thread as thread " + strconv.Itoa(r.tid)
}

// differences compares every class with the reference, and what the kernel
// answered with what the classes say.
func (a *audited) differences(ref *reference) (differ, unknown []*difference) {
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
			note(compareClass(ref.Thread, v))
		}
	}
	for i := range a.Kernel {
		k := &a.Kernel[i]
		note(compareKernel(ref.Thread, a.kernel[ref.tid], a.class[k.TID], k))
	}
	return differ, unknown
}

// difference is what sets some threads apart from the reference.
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
		case f == factFilterCount && bothFetched(ref, class.Thread) && !(f.known(ref) && f.known(class.Thread)):
			// They are compared below, which tells more than their number.
		case !f.known(class.Thread):
			d.cannot(whyNot(f.of(class.Thread), f.name()))
		case !f.known(ref):
			d.cannot(whyNot(f.of(ref), f.name()))
		case !f.equal(ref, class.Thread) || !f.equalOutside(ref, class.Thread):
			d.found(f, ref, class.Thread)
		case f.hides(class.Thread):
			d.cannot(f.name() + ": an id that may not be mapped in its user namespace looks like any other such id")
		}
	}
	d.compareFilters(ref, class.Thread)
	return d
}

// bothFetched says that the filters of both threads were read.
func bothFetched(a, b *posture.Thread) bool {
	return a.Filters.State == posture.Known && b.Filters.State == posture.Known
}

// compareFilters compares by digest what was read of both.
func (d *difference) compareFilters(ref, class *posture.Thread) {
	if !bothFetched(ref, class) {
		return
	}
	want, got := &ref.Filters.Value, &class.Filters.Value
	switch {
	case (want.Digest == "") != (len(want.Programs) == 0) || (got.Digest == "") != (len(got.Programs) == 0):
		d.cannot("filters: they were read, and have no digest to compare")
	case want.Digest != got.Digest || len(want.Programs) != len(got.Programs):
		d.fields = append(d.fields, "filters "+digestWords(got)+" instead of "+digestWords(want))
		d.evidence = append(d.evidence, seen(&ref.Filters.Origin, &class.Filters.Origin)...)
	}
}

// digestWords are enough of a digest to tell two apart.
func digestWords(f *posture.Filters) string {
	const enough = 12
	if f.Digest == "" {
		return "none"
	}
	return f.Digest[:min(len(f.Digest), enough)]
}

// compareKernel compares one thread's answers by system calls with the
// reference's: its own answers, or its class where the kernel was not asked.
// Where the thread's class says something else, that is a contradiction, and
// which of the two to compare with the reference's class is not known.
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

func notUniform(out *results, a *audited, ref *reference, differ []*difference) {
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
	f := out.add(uniformID, report.Gap, ref.expected(),
		strconv.Itoa(len(a.Classes))+" classes: "+listed(words, "; "),
		who+verb+" from "+ref.name+" in "+strings.Join(differ[0].fields, ", "))
	f.Threads, f.Evidence = some, e.bounded()
}

func uniformUnknown(out *results, a *audited, unknown []*difference, why string) {
	f := out.add(uniformID, report.Unknown, "all threads alike", "unknown", "whether all threads are alike is not known: "+why)
	f.Evidence = seen(&a.Threads.Origin)
	var tids []int
	for _, d := range unknown {
		tids = append(tids, d.tids...)
	}
	if len(tids) > 0 {
		f.Threads, _ = a.holdsFor(tids)
	}
}

// uniform says of the filters only what was compared: two different ones that
// are equal in number cannot be told apart unless they were read.
func uniform(out *results, a *audited, ref *reference, observed string) {
	words, limit := "number of filters", ""
	switch missing := a.notFetched(); {
	case missing == nil:
		words = "filters"
	case len(a.all) == 1, withoutFilters(ref.Thread):
	default:
		limit = "; whether equally many filters are also the same ones is not known"
		if missing.Err != "" {
			limit += ": " + missing.Err
		}
	}
	f := out.add(uniformID, report.Pass, ref.expected(), observed,
		a.who(a.all)+" of the process: ids, groups, capability sets, no_new_privs, seccomp mode and "+words+" are those of "+ref.name+limit)
	f.Evidence = seen(&a.Threads.Origin)
}

// notFetched says why the filters of some thread were not read; nil where those
// of all were, and so were compared.
func (a *audited) notFetched() *posture.Origin {
	for i := range a.Classes {
		if o := &a.Classes[i].Filters.Origin; o.State != posture.Known {
			return o
		}
	}
	return nil
}
