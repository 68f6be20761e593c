package collect

import "github.com/selfaudit/selfaudit/checks/posture"

// surroundings fills what lies outside the threads, as far as it is asked for.
func (a *collector) surroundings() {
	if a.o.Root {
		a.root()
	} else {
		notAsked := posture.Failed[bool]("", "the root directory was not asked for")
		a.p.Root = posture.Root{Host: notAsked, Chroot: notAsked, ReadOnly: notAsked}
	}
	if a.o.Descriptors {
		a.descriptors()
	} else {
		a.p.Descriptors = posture.Failed[[]posture.Descriptor]("", "descriptors were not asked for")
	}
	if a.hidesIDs() {
		a.p.Limits = append(a.p.Limits, "id 65534 is also how ids appear that the process's user namespace does not map")
	}
}

// hidesIDs says whether an id that was seen may stand for an unmapped one.
func (a *collector) hidesIDs() bool {
	ns := &a.p.UserNamespace
	if whole(ns.UIDMap) && whole(ns.GIDMap) || ns.UIDMap.State != posture.Known {
		return false
	}
	isOverflow := func(id posture.ID) bool { return id.Value == overflowID && !id.Unmapped }
	for i := range a.p.Classes {
		t := &a.p.Classes[i].Thread
		for _, ids := range []posture.IDs{t.UID.Value, t.GID.Value} {
			if isOverflow(ids.Real) || isOverflow(ids.Effective) || isOverflow(ids.Saved) || isOverflow(ids.FS) {
				return true
			}
		}
		for _, g := range t.Groups.Value {
			if isOverflow(g) {
				return true
			}
		}
	}
	return false
}
