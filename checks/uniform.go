package checks

import (
	"fmt"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const uniformID = "threads.uniform"

// uniformThreads checks that every thread has the credentials and filters of
// the thread group leader. Credentials are a thread's own for the kernel:
// credentials(7), nptl(7).
func uniformThreads(a *audited, pol *policy.Policy) []report.Finding {
	if !pol.Process.UniformThreads {
		return []report.Finding{skipped(uniformID)}
	}
	leader := a.leader()
	differ, unknown := a.differences(leader)
	switch n, known := a.Threads.Get(); {
	case len(differ) > 0:
		return []report.Finding{a.notUniform(differ)}
	case known && n == 1 && len(a.all) == 1 && leader != nil:
		return []report.Finding{a.uniform("one thread")}
	case leader == nil:
		return []report.Finding{a.uniformUnknown(nil, "the thread group leader could not be read")}
	case len(unknown) > 0:
		return []report.Finding{a.uniformUnknown(unknown, unknown[0].unknown)}
	case a.incomplete != "":
		return []report.Finding{a.uniformUnknown(nil, a.incomplete)}
	default:
		return []report.Finding{a.uniform("the same for all")}
	}
}

// leader returns the class of the thread whose id is the process id.
func (a *audited) leader() *posture.Thread { return a.class[a.PID] }

// differences compares every class with the leader's, and what the kernel
// answered with what the classes say. Without the leader any class will do:
// where two classes differ, one of them differs from the leader.
func (a *audited) differences(leader *posture.Thread) (differ, unknown []difference) {
	if len(a.Classes) == 0 {
		return nil, nil
	}
	ref := leader
	if ref == nil {
		ref = &a.Classes[0].Thread
	}
	note := func(d difference) {
		if len(d.fields) > 0 {
			differ = append(differ, d)
		}
		if d.unknown != "" {
			unknown = append(unknown, d)
		}
	}
	for _, v := range a.views {
		if !v.kernel {
			d := difference{tids: v.tids}
			d.compareClass(ref, v.Thread)
			note(d)
		}
	}
	for i := range a.Kernel {
		k := &a.Kernel[i]
		d := difference{tids: []int{k.TID}}
		d.compareKernel(ref, a.kernel[a.PID], a.class[k.TID], k)
		note(d)
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

func (d *difference) compareClass(ref, class *posture.Thread) {
	for _, f := range compared() {
		switch {
		case f.name == filterCount && withoutFilters(ref) && withoutFilters(class):
		case !f.known(class):
			d.cannot(f.why(class))
		case !f.known(ref):
			d.cannot(f.why(ref))
		case !f.equal(ref, class) || !sameOutside(f.name, ref, class):
			d.found(f, ref, class)
		}
	}
}

// compareKernel compares one thread's answers by system calls with the
// leader's: its own answers, or its class where the kernel was not asked. Where
// the thread's class says something else, that is a contradiction, and which of
// the two to compare with the leader's class is not known.
func (d *difference) compareKernel(ref, kernelRef, class, k *posture.Thread) {
	for _, f := range compared() {
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
			d.cannot(fmt.Sprintf("two sources disagree on %s of thread %d", f.name, k.TID))
		case f.known(want) && !f.equal(want, k):
			d.found(f, want, k)
		}
	}
}

func (d *difference) found(f *comparedFact, want, got *posture.Thread) {
	d.fields = append(d.fields, fmt.Sprintf("%s %s instead of %s", f.name, f.words(got), f.words(want)))
	d.evidence = append(append(d.evidence, f.seen(want)...), f.seen(got)...)
}

func (d *difference) cannot(why string) {
	if d.unknown == "" {
		d.unknown = why
	}
}

// sameOutside compares ids as they are outside too: two that are not mapped in
// the target's user namespace look alike inside it.
func sameOutside(name string, ref, class *posture.Thread) bool {
	switch name {
	case "Uid":
		return ref.UID.Value == class.UID.Value
	case "Gid":
		return ref.GID.Value == class.GID.Value
	case "Groups":
		return sameSet(ref.Groups.Value, class.Groups.Value, func(id posture.ID) uint32 { return id.Outside })
	default:
		return true
	}
}

func (a *audited) notUniform(differ []difference) report.Finding {
	f := blank(uniformID, report.Gap)
	var tids []int
	var words []string
	var evidence [][]report.Evidence
	for _, d := range differ {
		tids = append(tids, d.tids...)
		words = append(words, a.who(d.tids)+": "+strings.Join(d.fields, ", "))
		evidence = append(evidence, d.evidence)
	}
	who := a.holdsFor(&f, tids)
	f.Expected = "every thread as the leader"
	f.Observed = fmt.Sprintf("%d classes: %s", len(a.Classes), listed(words, "; "))
	f.Evidence = bounded(evidence)
	f.Message = fmt.Sprintf("%s differ from the thread group leader in %s", who, strings.Join(differ[0].fields, ", "))
	if len(f.Threads) == 1 {
		f.Message = fmt.Sprintf("%s differs from the thread group leader in %s", who, strings.Join(differ[0].fields, ", "))
	}
	return f
}

func (a *audited) uniformUnknown(unknown []difference, why string) report.Finding {
	f := blank(uniformID, report.Unknown)
	f.Expected, f.Observed = "every thread as the leader", "unknown"
	f.Message = "whether every thread is as the leader is not known: " + why
	f.Evidence = seen(a.Threads)
	var tids []int
	for _, d := range unknown {
		tids = append(tids, d.tids...)
	}
	if len(tids) > 0 {
		a.holdsFor(&f, tids)
	}
	return f
}

func (a *audited) uniform(observed string) report.Finding {
	f := blank(uniformID, report.Pass)
	f.Expected, f.Observed = "every thread as the leader", observed
	f.Message = fmt.Sprintf("%s of the process: ids, groups, capability sets, no_new_privs and seccomp are the leader's", a.who(a.all))
	f.Evidence = seen(a.Threads)
	return f
}
