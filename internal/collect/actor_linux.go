package collect

import (
	"errors"
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Permission bits of others.
const (
	mayExecute = 1
	mayWrite   = 2
	mayRead    = 4
)

const (
	capDACOverride   = 1 << 1
	capDACReadSearch = 1 << 2
)

// actor is who reaches for files: all threads of the process taken together. Its
// ids are as the auditor sees them.
type actor struct{ now, taking ids }

// ids are those of path_resolution(7), and the capabilities beside.
type ids struct {
	users, groups []uint32
	caps          posture.CapSet
}

// actorOf takes the threads together.
func actorOf(p *posture.Process) (*actor, error) {
	var a actor
	if len(p.Classes) == 0 {
		return nil, errors.New("whose ids would count is not known: no thread could be read")
	}
	for i := range p.Classes {
		t := &p.Classes[i].Thread
		for _, o := range [...]*posture.Origin{&t.UID.Origin, &t.GID.Origin, &t.Groups.Origin, &t.Caps.Effective.Origin, &t.Caps.Permitted.Origin} {
			if o.State != posture.Known {
				return nil, errors.New("whose ids would count is not known: " + o.Why())
			}
		}
		uid, gid := &t.UID.Value, &t.GID.Value
		a.now.users = append(a.now.users, uid.FS.Outside)
		a.now.groups = append(a.now.groups, gid.FS.Outside)
		a.taking.users = append(a.taking.users, uid.Real.Outside, uid.Effective.Outside, uid.Saved.Outside, uid.FS.Outside)
		a.taking.groups = append(a.taking.groups, gid.Real.Outside, gid.Effective.Outside, gid.Saved.Outside, gid.FS.Outside)
		for _, g := range t.Groups.Value {
			a.now.groups = append(a.now.groups, g.Outside)
			a.taking.groups = append(a.taking.groups, g.Outside)
		}
		a.now.caps |= t.Caps.Effective.Value
		a.taking.caps |= t.Caps.Permitted.Value | t.Caps.Effective.Value
	}
	return &a, nil
}

// may says whether mode bits let the actor do all that want says: as it stands,
// and with what it may put in force. An access control list is not looked at.
// mapped says that its user namespace has ids for owner and group: capabilities
// count for no other file.
func (a *actor) may(mode, uid, gid uint32, want uint32, directory, mapped bool) (now, taking bool) {
	return a.now.may(mode, uid, gid, want, directory, mapped), a.taking.may(mode, uid, gid, want, directory, mapped)
}

func (i *ids) may(mode, uid, gid uint32, want uint32, directory, mapped bool) bool {
	if mapped && (i.caps&capDACOverride != 0 || i.caps&capDACReadSearch != 0 && want&mayWrite == 0 && (directory || want == mayRead)) {
		return true
	}
	for _, one := range i.users {
		bits := mode
		switch {
		case one == uid:
			bits >>= 6
		case slices.Contains(i.groups, gid):
			bits >>= 3
		}
		if bits&want == want {
			return true
		}
	}
	return false
}

// mapped is true too where that is not known.
func (w *walker) mapped(st *kernel.Inode) bool {
	uid, why := w.view.uid.id(st.UID)
	gid, whyGroup := w.view.gid.id(st.GID)
	return (why != "" || !uid.Unmapped) && (whyGroup != "" || !gid.Unmapped)
}

// may asks for a file, with its access control list where there is one. taking,
// where it is not nil, is set where it takes what is not in force.
func (w *walker) may(dir int, name string, st *kernel.Inode, want uint32, directory bool, taking *bool) bool {
	now, could := w.visit.who.may(st.Mode, st.UID, st.GID, want, directory, w.mapped(st))
	// Whoever owns a file may change its mode.
	could = could || taking != nil && slices.Contains(w.visit.who.taking.users, st.UID)
	switch {
	case now:
		return true
	case !could:
		// A list lets nobody in beyond what the bits of the group say.
		if st.Mode>>3&want != want {
			return false
		}
		if name == "" {
			name = "."
		}
		if _, err := w.c.Attribute(dir, name, kernel.AttrACL, w.attr, ""); none(err) {
			return false
		}
		return true
	case taking != nil:
		*taking = true
	}
	return true
}

// fill notes what a place is.
func fill(p *posture.Place, st *kernel.Inode, m *posture.Mount) {
	p.Mode, p.Major, p.Minor = st.Mode&permBits, st.Major, st.Minor
	p.Type, p.ReadOnly, p.NoExec = m.Type, readOnly(m), m.Has("noexec")
	switch st.Mode & typeMask {
	case typeRegular:
		p.Kind = posture.KindRegular
	case typeDirectory:
		p.Kind = posture.KindDirectory
	case typeCharacter:
		p.Kind = posture.KindCharacter
	case typeBlock:
		p.Kind = posture.KindBlock
	}
}

const (
	typeDirectory = 0o040000
	typeCharacter = 0o020000
	typeBlock     = 0o060000
)
