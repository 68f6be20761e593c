package checks

import (
	"slices"

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

func (c *Credentials) execve() posture.CapSets {
	// Without set-ID bits the effective ids stay as they are. The group one
	// still counts as changed where it is among none of the groups that file
	// access goes by, as after setfsgid(2).
	return c.transformed(!c.inGroups())
}

// execveByRealIDs is execve for older kernels. Until the middle of 2025 Linux
// took every program for a set-ID one where effective and real ids differ, and
// cleared the ambient set. For a verdict the wider answer counts on any kernel:
// a thread needs no privilege to make its real ids equal to its effective ones.
func (c *Credentials) execveByRealIDs() posture.CapSets {
	return c.transformed(c.UID.Effective.Value != c.UID.Real.Value || c.GID.Effective.Value != c.GID.Real.Value)
}

func (c *Credentials) transformed(idChanged bool) posture.CapSets {
	after := posture.CapSets{Inheritable: c.Caps.Inheritable, Bounding: c.Caps.Bounding, Ambient: c.Caps.Ambient}
	allEffective := false
	if c.Securebits&names.SecbitNoroot == 0 && (root(c.UID.Real) || root(c.UID.Effective)) {
		// Root's programs count as having all file capabilities: inheritable
		// and permitted. The effective bit goes with the effective id alone.
		after.Permitted = c.Caps.Inheritable | c.Caps.Bounding
		allEffective = root(c.UID.Effective)
	}
	gained := after.Permitted&^c.Caps.Permitted != 0
	if c.NoNewPrivs && (idChanged || gained) {
		after.Permitted &= c.Caps.Permitted
	}
	if idChanged {
		after.Ambient = 0
	}
	after.Permitted |= after.Ambient
	after.Effective = after.Ambient
	if allEffective {
		after.Effective = after.Permitted
	}
	return after
}

// root says whether an id is 0 in the thread's own user namespace. One without
// a mapping there is not, whatever it is shown as.
func root(id posture.ID) bool { return !id.Unmapped && id.Value == 0 }

func (c *Credentials) inGroups() bool {
	return c.GID.Effective == c.GID.FS || slices.Contains(c.Groups, c.GID.Effective)
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
