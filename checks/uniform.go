package checks

import (
	"fmt"
	"slices"
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
	var differ, unknown []difference
	leader := a.leader()
	for _, v := range a.views {
		d := compare(a.reference(leader), v)
		if len(d.fields) > 0 {
			differ = append(differ, d)
		}
		if d.unknown != "" && !v.kernel {
			unknown = append(unknown, d)
		}
	}
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
func (a *audited) leader() *threads {
	for i, v := range a.views {
		if !v.kernel && slices.Contains(v.tids, a.PID) {
			return &a.views[i]
		}
	}
	return nil
}

// reference is what the others are compared with. Without the leader it is any
// class: where two classes differ, one of them differs from the leader.
func (a *audited) reference(leader *threads) *posture.Thread {
	switch {
	case leader != nil:
		return leader.Thread
	case len(a.views) > 0:
		return a.views[0].Thread
	default:
		return nil
	}
}

// difference is what sets some threads apart from the reference.
type difference struct {
	threads
	fields   []string
	evidence []report.Evidence
	// unknown says which fact could not be compared, and why.
	unknown string
}

func compare(ref *posture.Thread, v threads) difference {
	d := difference{threads: v}
	for _, fact := range compared {
		want, got := fact.of(ref), fact.of(v.Thread)
		switch {
		case got.state != posture.Known:
			d.cannot(got.why)
		case want.state != posture.Known:
			d.cannot(want.why)
		case want.value != got.value || ref != v.Thread && outsideDiffers(fact.name, ref, v):
			d.fields = append(d.fields, fmt.Sprintf("%s %s instead of %s", fact.name, got.words, want.words))
			d.evidence = append(append(d.evidence, want.seen...), got.seen...)
		}
	}
	return d
}

func (d *difference) cannot(why string) {
	if d.unknown == "" {
		d.unknown = why
	}
}

// outsideDiffers compares ids as they are outside too: two that are not mapped
// in the target's user namespace look alike inside it. A system call's answer
// has no outside.
func outsideDiffers(name string, ref *posture.Thread, v threads) bool {
	if v.kernel {
		return false
	}
	switch name {
	case "Uid":
		return ref.UID.Value != v.UID.Value
	case "Gid":
		return ref.GID.Value != v.GID.Value
	default:
		return false
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
