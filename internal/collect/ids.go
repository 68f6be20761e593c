package collect

import (
	"fmt"
	"math"
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// overflowID is what an id looks like that a user namespace does not map,
// unless a sysctl says otherwise: user_namespaces(7).
const overflowID = 65534

// noID stands in a map for an outer id that the reader's user namespace does
// not map.
const noID = math.MaxUint32

// idView translates ids as the auditor sees them into the target's own user
// namespace.
type idView struct {
	// same is true where the target's user namespace is the auditor's.
	same bool
	// m is the target's map as the auditor reads it.
	m posture.Fact[[]posture.MapEntry]
	// own is the auditor's map; it is m where same is true.
	own posture.Fact[[]posture.MapEntry]
	// unknown says why neither can be told, and is empty otherwise.
	unknown string
}

// whole says whether a map has every id, and each as itself.
func whole(m posture.Fact[[]posture.MapEntry]) bool {
	e, known := m.Get()
	return known && len(e) == 1 && e[0] == posture.MapEntry{Inside: 0, Outside: 0, Size: noID}
}

// id translates one id as seen.
func (v idView) id(seen uint32) (posture.ID, error) {
	if v.unknown != "" {
		return posture.ID{}, fmt.Errorf("%s", v.unknown)
	}
	if v.same {
		return v.sameID(seen)
	}
	entries, known := v.m.Get()
	if !known {
		return posture.ID{}, fmt.Errorf("id %d: no map of the user namespace: %s", seen, v.m.Why())
	}
	// Where we do not see every id ourselves, the overflow id may hide one.
	hides := seen == overflowID && !whole(v.own)
	for _, e := range entries {
		if e.Outside == noID {
			hides = hides || seen == overflowID
			continue
		}
		if seen >= e.Outside && seen-e.Outside < e.Size && !hides {
			return posture.ID{Value: e.Inside + (seen - e.Outside), Outside: seen}, nil
		}
	}
	if hides {
		return posture.ID{}, fmt.Errorf("id %d may stand for one that the auditor's user namespace does not map", seen)
	}
	return posture.ID{Value: overflowID, Outside: seen, Unmapped: true}, nil
}

func (v idView) sameID(seen uint32) (posture.ID, error) {
	entries, known := v.m.Get()
	switch {
	case known:
		mapped := slices.ContainsFunc(entries, func(e posture.MapEntry) bool {
			return seen >= e.Inside && seen-e.Inside < e.Size
		})
		return posture.ID{Value: seen, Outside: seen, Unmapped: !mapped}, nil
	case seen == overflowID && v.m.State != posture.Absent:
		return posture.ID{}, fmt.Errorf("id %d may stand for any that the user namespace does not map: %s", seen, v.m.Why())
	default:
		return posture.ID{Value: seen, Outside: seen}, nil
	}
}

// four translates real, effective, saved and file system id.
func (v idView) four(f posture.Fact[[4]uint32]) posture.Fact[posture.IDs] {
	seen, known := f.Get()
	if !known {
		return posture.Carry(f, posture.IDs{})
	}
	var ids [4]posture.ID
	for i, s := range seen {
		var err error
		if ids[i], err = v.id(s); err != nil {
			return unreadable[posture.IDs](f.Source, f.Raw, err)
		}
	}
	return posture.Carry(f, posture.IDs{Real: ids[0], Effective: ids[1], Saved: ids[2], FS: ids[3]})
}

// groups translates supplementary groups.
func (v idView) groups(f posture.Fact[[]uint32]) posture.Fact[[]posture.ID] {
	seen, known := f.Get()
	if !known {
		return posture.Carry[[]posture.ID](f, nil)
	}
	ids := make([]posture.ID, len(seen))
	for i, s := range seen {
		var err error
		if ids[i], err = v.id(s); err != nil {
			return unreadable[[]posture.ID](f.Source, f.Raw, err)
		}
	}
	return posture.Carry(f, ids)
}

// unreadable returns a fact that was seen, and cannot be understood.
func unreadable[T any](source, raw string, err error) posture.Fact[T] {
	f := posture.Failed[T](source, source+": "+err.Error())
	f.Raw = raw
	return f
}
