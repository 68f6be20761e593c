package collect

import (
	"math"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// overflowID is what an id looks like that a user namespace does not map,
// unless a sysctl says otherwise: user_namespaces(7).
const overflowID = 65534

// noID stands in a map for an outer id that the reader's user namespace does
// not map.
const noID = math.MaxUint32

// idMap is a uid_map or gid_map as it was read.
type idMap = posture.Fact[[]posture.MapEntry]

// idView translates ids as the auditor sees them into the target's own user
// namespace.
type idView struct {
	// same is true where the target's user namespace is the auditor's.
	same bool
	// m is the target's map as the auditor reads it.
	m *idMap
	// own is the auditor's map; it is m where same is true.
	own *idMap
	// unknown says why neither can be told, and is empty otherwise.
	unknown string
	// sysctl is the overflow id that this kernel was told to show, which is
	// taken for one beside 65534 where it is known.
	sysctl posture.Fact[uint32]
}

// overflows says whether a seen id may stand for any that the reader's user
// namespace does not map. Nothing verifies the sysctl, so both ids count.
func (v *idView) overflows(seen uint32) bool {
	return seen == overflowID || v.sysctl.State == posture.Known && seen == v.sysctl.Value
}

// whole says whether a map has every id, and each as itself.
func whole(m *idMap) bool {
	return m.State == posture.Known && len(m.Value) == 1 && m.Value[0] == posture.MapEntry{Inside: 0, Outside: 0, Size: noID}
}

// id translates one id as seen, or says why it cannot be.
func (v *idView) id(seen uint32) (id posture.ID, why string) {
	switch {
	case v.unknown != "":
		return posture.ID{}, v.unknown
	case v.same:
		return v.sameID(seen)
	case v.m.State != posture.Known:
		return posture.ID{}, idWord(seen) + ": no map of the user namespace: " + v.m.Why()
	}
	// Where we do not see every id ourselves, the overflow id may hide one.
	if v.overflows(seen) && !whole(v.own) {
		return posture.ID{}, idWord(seen) + " may stand for one that the auditor's user namespace does not map"
	}
	partly := false
	for _, e := range v.m.Value {
		size := v.shown(e)
		if seen >= e.Outside && seen-e.Outside < size {
			return posture.ID{Value: e.Inside + (seen - e.Outside), Outside: seen}, ""
		}
		partly = partly || size < e.Size
	}
	if partly {
		return posture.ID{}, idWord(seen) + ": the auditor's user namespace does not show all that the target's maps"
	}
	return posture.ID{Value: overflowID, Outside: seen, Unmapped: true}, ""
}

// shown says how many ids of a line, counted from its first, the auditor sees
// one after the other. The line tells of the first alone; the rest follow it
// only where one line of the auditor's own map holds them all.
func (v *idView) shown(e posture.MapEntry) uint32 {
	if e.Outside == noID {
		return 0
	}
	if v.own.State == posture.Known {
		for _, o := range v.own.Value {
			if e.Outside >= o.Inside && uint64(e.Outside)+uint64(e.Size) <= uint64(o.Inside)+uint64(o.Size) {
				return e.Size
			}
		}
	}
	return 1
}

// sameID is for ids of the auditor's own user namespace, where only the
// overflow id shows what is not mapped. It does so even where the map has an id
// of that number, unless it has all.
func (v *idView) sameID(seen uint32) (id posture.ID, why string) {
	id = posture.ID{Value: seen, Outside: seen}
	if v.m.State != posture.Known {
		if v.overflows(seen) && v.m.State != posture.Absent {
			return posture.ID{}, idWord(seen) + " may stand for any that the user namespace does not map: " + v.m.Why()
		}
		return id, ""
	}
	if whole(v.m) || !v.overflows(seen) && inside(v.m.Value, seen) {
		return id, ""
	}
	// What it is outside cannot be seen, whatever stands for it here.
	id.Unmapped, id.Outside = true, overflowID
	return id, ""
}

// inside says whether a map has an id for its own user namespace.
func inside(m []posture.MapEntry, id uint32) bool {
	return slices.ContainsFunc(m, func(e posture.MapEntry) bool { return id >= e.Inside && id-e.Inside < e.Size })
}

func idWord(id uint32) string { return "id " + strconv.FormatUint(uint64(id), 10) }

// four translates real, effective, saved and file system id.
func (v *idView) four(f *posture.Fact[posture.IDs]) {
	for _, id := range []*posture.ID{&f.Value.Real, &f.Value.Effective, &f.Value.Saved, &f.Value.FS} {
		v.translate(&f.Origin, id)
	}
}

// groups translates supplementary groups.
func (v *idView) groups(f *posture.Fact[[]posture.ID]) {
	for i := range f.Value {
		v.translate(&f.Origin, &f.Value[i])
	}
}

// translate translates one id of a fact. The fact is unreadable afterwards
// where what was seen cannot be understood.
func (v *idView) translate(fact *posture.Origin, id *posture.ID) {
	if fact.State != posture.Known {
		return
	}
	translated, why := v.id(id.Outside)
	if *id = translated; why != "" {
		fact.State, fact.Err = posture.Unreadable, fact.Source+": "+why
	}
}
