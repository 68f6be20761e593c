package checks

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Credentials are what execve(2) computes a program's capabilities from.
type Credentials struct {
	UID, GID   posture.IDs
	Groups     []posture.ID
	Caps       posture.CapSets
	Securebits uint32
	NoNewPrivs bool
}

// Execve returns the capability sets after execve(2) of a plain program, one
// that is neither set-user-ID nor set-group-ID and has no file capabilities:
// capabilities(7), "Transformation of capabilities during execve()" and
// "Capabilities and execution of programs by root".
//
// In short: a thread keeps its ambient set and nothing else, but one whose real
// or effective user id is 0 is given its bounding and inheritable sets, which
// no_new_privs cuts down to what was permitted before. The inheritable and the
// bounding set are never changed.
//
// Two things that can only lessen the result are not considered: a tracer
// without CAP_SYS_PTRACE, and a file system state that is shared with another
// process (CLONE_FS).
func Execve(c Credentials) posture.CapSets { return c.execve() }

func (c *Credentials) execve() posture.CapSets { return c.transformed(nil, false).Caps }

// execveByRealIDs is execve for older kernels. Until the middle of 2025 Linux
// took every program for a set-ID one where effective and real ids differ, and
// cleared the ambient set. For a verdict the wider answer counts on any kernel:
// a thread needs no privilege to make its real ids equal to its effective ones.
func (c *Credentials) execveByRealIDs() posture.CapSets { return c.transformed(nil, true).Caps }

// File is what execve(2) goes by of a program file, as the thread's user
// namespace sees it.
type File struct {
	UID, GID posture.ID
	// Mode has the set-ID bits and the one by which the group may execute it.
	Mode uint32
	// Capped is true where it has file capabilities that count: those that are
	// in force in the thread's user namespace.
	Capped                 bool
	Permitted, Inheritable posture.CapSet
	// Effective puts them all in force.
	Effective bool
	// Ignored is true where neither set-ID bits nor file capabilities count: on
	// a nosuid mount, and in a user namespace that is not below the one that
	// mounted the file system.
	Ignored bool
}

// Result is what execve(2) leaves.
type Result struct {
	Caps posture.CapSets
	// UID and GID are the effective ids, and with them the saved and the file
	// system ids. The real ids stay.
	UID, GID posture.ID
	// Refused is true where it fails with EPERM: the file's permitted
	// capabilities must all be had where its effective bit is set.
	Refused bool
}

// ExecveFile returns what execve(2) of a program leaves that may be
// set-user-ID or set-group-ID or may have file capabilities: execve(2),
// capabilities(7). Whether the thread may execute it at all is not asked, and
// what Execve leaves out is left out here too.
func ExecveFile(c Credentials, f File) Result { return c.transformed(&f, false) }

// groupExecute: without it the set-group-ID bit does not mean that.
const groupExecute = 0o010

// transformed computes what is left after execve(2); byRealIDs by the rule of
// older kernels on ids. A nil file is a plain program.
func (c *Credentials) transformed(f *File, byRealIDs bool) Result {
	r := Result{UID: c.UID.Effective, GID: c.GID.Effective}
	r.Caps = posture.CapSets{Inheritable: c.Caps.Inheritable, Bounding: c.Caps.Bounding, Ambient: c.Caps.Ambient}
	if f != nil && (f.Ignored || c.NoNewPrivs && !f.Capped) {
		f = nil
	}
	capped := f != nil && f.Capped
	if f != nil && !c.NoNewPrivs {
		r.takeIDs(f)
	}
	allEffective := capped && f.Effective
	if capped {
		r.Caps.Permitted = c.Caps.Bounding&f.Permitted | c.Caps.Inheritable&f.Inheritable
		r.Refused = f.Effective && f.Permitted&^r.Caps.Permitted != 0
	}
	// A set-user-ID-root program with file capabilities is for users what those say.
	legacy := !capped || root(c.UID.Real) || !root(r.UID)
	if legacy && c.Securebits&names.SecbitNoroot == 0 && (root(c.UID.Real) || root(r.UID)) {
		// Root's programs count as having all file capabilities: inheritable
		// and permitted. The effective bit goes with the effective id alone.
		r.Caps.Permitted = c.Caps.Inheritable | c.Caps.Bounding
		allEffective = allEffective || root(r.UID)
	}
	idChanged := c.idChanged(&r, byRealIDs)
	gained := r.Caps.Permitted&^c.Caps.Permitted != 0
	if c.NoNewPrivs && (idChanged || gained) {
		r.UID, r.GID = c.UID.Real, c.GID.Real
		r.Caps.Permitted &= c.Caps.Permitted
	}
	if idChanged || capped {
		r.Caps.Ambient = 0
	}
	r.Caps.Permitted |= r.Caps.Ambient
	r.Caps.Effective = r.Caps.Ambient
	if allEffective {
		r.Caps.Effective = r.Caps.Permitted
	}
	return r
}

// takeIDs sets the effective ids that the file's bits say. They count only where
// both its owner and its group mean something in the user namespace.
func (r *Result) takeIDs(f *File) {
	if f.UID.Unmapped || f.GID.Unmapped {
		return
	}
	if f.Mode&posture.SetUID != 0 {
		r.UID = f.UID
	}
	if f.Mode&posture.SetGID != 0 && f.Mode&groupExecute != 0 {
		r.GID = f.GID
	}
}

// idChanged says whether the kernel takes ids for changed. Without set-ID bits
// they stay as they are. The group one still counts as changed where it is among
// none of the groups that file access goes by, as after setfsgid(2).
func (c *Credentials) idChanged(r *Result, byRealIDs bool) bool {
	if byRealIDs {
		return r.UID.Value != c.UID.Real.Value || r.GID.Value != c.GID.Real.Value
	}
	return !sameID(r.UID, c.UID.Effective) || !c.inGroups(r.GID)
}

// sameID compares ids: those without a mapping by what they are outside.
func sameID(a, b posture.ID) bool {
	if a.Unmapped || b.Unmapped {
		return a.Unmapped && b.Unmapped && a.Outside == b.Outside
	}
	return a.Value == b.Value
}

// root says whether an id is 0 in the thread's own user namespace. One without
// a mapping there is not, whatever it is shown as.
func root(id posture.ID) bool { return !id.Unmapped && id.Value == 0 }

func (c *Credentials) inGroups(gid posture.ID) bool {
	return sameID(gid, c.GID.FS) || containsID(c.Groups, gid)
}

func containsID(ids []posture.ID, id posture.ID) bool {
	for i := range ids {
		if sameID(ids[i], id) {
			return true
		}
	}
	return false
}

// execFacts are what execve(2) goes by.
var execFacts = []fact{factUID, factNoNewPrivs, factSecurebits, factInheritable, factPermitted, factBounding, factAmbient}

// read sets c to what execve(2) would go by for the thread, without its
// securebits, or returns the reason why that is not known.
func (c *Credentials) read(t *posture.Thread) (whyUnknown string) {
	for _, needed := range [...]struct {
		*posture.Origin
		thing string
	}{
		{&t.UID.Origin, "user ids"},
		{&t.NoNewPrivs.Origin, "NoNewPrivs"},
		{&t.Caps.Inheritable.Origin, "the inheritable set"},
		{&t.Caps.Permitted.Origin, "the permitted set"},
		{&t.Caps.Bounding.Origin, "the bounding set"},
		{&t.Caps.Ambient.Origin, "the ambient set"},
	} {
		if needed.State != posture.Known {
			return whyNot(needed.Origin, needed.thing)
		}
	}
	*c = Credentials{
		UID: t.UID.Value,
		Caps: posture.CapSets{
			Inheritable: t.Caps.Inheritable.Value,
			Permitted:   t.Caps.Permitted.Value,
			Bounding:    t.Caps.Bounding.Value,
			Ambient:     t.Caps.Ambient.Value,
		},
		NoNewPrivs: t.NoNewPrivs.Value,
	}
	// Group ids can only take the ambient set away, and a thread may give
	// itself its effective id as file system id. So they are not needed for
	// an upper bound: where they are not known they count as equal.
	if t.GID.State == posture.Known {
		c.GID = t.GID.Value
	}
	if t.Groups.State == posture.Known {
		c.Groups = t.Groups.Value
	}
	return ""
}
