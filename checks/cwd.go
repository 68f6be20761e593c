package checks

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	cwdID      = "filesystem.cwd"
	cwdWithin  = "within the root directory"
	cwdOutside = "outside the root directory"
)

// workingDirectory checks that no working directory leads out of the root:
// chroot(2) leaves it where it was. It is asked wherever another root is asked
// for, and wherever no descriptor may lead outside, since it serves as one. So
// does a root directory that one thread has kept and the others have not.
func workingDirectory(out *results, a *audited, pol *policy.Policy) {
	asked := &pol.Filesystem.Root
	if !asked.NotHost && !asked.NotChroot && !pol.Descriptors.NoneOutsideRoot {
		out.skip(cwdID)
		return
	}
	fact, tid := &a.Root.CwdOutside, a.Root.Of.CwdOutside
	inner, outer := "working directory", "root directory"
	status := rootOutside.judge(fact)
	if other := &a.Root.RootOutside; status != report.Gap && (rootOutside.judge(other) == report.Gap || status == report.Pass) {
		fact, tid = other, a.Root.Of.RootOutside
		if status = rootOutside.judge(fact); status != report.Pass {
			inner, outer = outer, "thread group leader's"
		}
	}
	tids, who := of(tid)
	observed, message := cwdWithin, "the working directory lies "+cwdWithin
	switch status {
	case report.Unknown:
		observed, message = "unknown", who+"whether the "+inner+" leads out of the "+outer+" is not known: "+whyNot(&fact.Origin, "its place")
	case report.Gap:
		observed, message = cwdOutside, who+"the "+inner+" leads out of the "+outer+": chdir(\"..\") and openat(2) reach every file above it"
	default:
		fact, tids = &a.Root.CwdOutside, nil
	}
	f := out.add(cwdID, status, cwdWithin, observed, message)
	f.Threads, f.Evidence = tids, seen(&fact.Origin)
}

// rootOutside is asked of facts that are gaps where they are true.
var rootOutside = aspect{gap: true}

// of names a thread at the beginning of a sentence: 0 is none.
func of(tid int) (tids []int, who string) {
	if tid == 0 {
		return nil, ""
	}
	return []int{tid}, "thread " + strconv.Itoa(tid) + ": "
}
