package collect

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// notAskedFor is why what no policy asks for is not known.
const notAskedFor = "not asked for"

// surroundings fills what lies outside the threads, as far as it is asked for.
func (a *collector) surroundings() {
	up := a.newAscent()
	if a.o.Root != nil {
		a.o.Root(&RootReader{a})
	} else {
		a.p.Root.Host.Fail("", notAskedFor)
		a.p.Root.Chroot.Fail("", notAskedFor)
		a.p.Root.ReadOnly.Fail("", notAskedFor)
	}
	if a.o.Descriptors {
		a.descriptors(up)
	} else {
		a.p.Descriptors.Fail("", notAskedFor)
	}
	if a.o.Root != nil || a.o.Descriptors {
		a.workingDirectories(up)
	} else {
		a.p.Root.CwdOutside.Fail("", notAskedFor)
		a.p.Root.RootOutside.Fail("", notAskedFor)
	}
	if a.o.Reach != nil {
		a.o.Reach(a.site())
	}
	if a.hidesIDs() {
		a.p.Limits = append(a.p.Limits, "id 65534 is also how ids appear that the process's user namespace does not map")
	}
}

// hidesIDs says whether an id that was seen may stand for an unmapped one.
func (a *collector) hidesIDs() bool {
	ns := &a.p.UserNamespace
	if whole(&ns.UIDMap) && whole(&ns.GIDMap) || ns.UIDMap.State != posture.Known {
		return false
	}
	for i := range a.p.Classes {
		t := &a.p.Classes[i].Thread
		if anyOverflow(&t.UID) || anyOverflow(&t.GID) || t.Groups.State == posture.Known && slices.ContainsFunc(t.Groups.Value, isOverflow) {
			return true
		}
	}
	return false
}

func isOverflow(id posture.ID) bool { return id.Unmapped && id.Outside == overflowID }

func anyOverflow(f *posture.Fact[posture.IDs]) bool {
	ids := &f.Value
	return f.State == posture.Known && (isOverflow(ids.Real) || isOverflow(ids.Effective) || isOverflow(ids.Saved) || isOverflow(ids.FS))
}
