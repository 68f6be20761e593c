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
func Execve(c Credentials) posture.CapSets {
	// Without set-ID bits the effective ids stay as they are. The group one
	// still counts as changed where it is among none of the groups that file
	// access goes by, as after setfsgid(2).
	return execve(c, !inGroups(c), c.NoNewPrivs)
}

// execveByRealIDs is Execve for older kernels. Until the middle of 2025 Linux
// took every program for a set-ID one where effective and real ids differ, and
// cleared the ambient set. For a verdict the wider answer counts on any kernel:
// a thread needs no privilege to make its real ids equal to its effective ones.
func execveByRealIDs(c Credentials) posture.CapSets {
	differ := c.UID.Effective.Value != c.UID.Real.Value || c.GID.Effective.Value != c.GID.Real.Value
	return execve(c, differ, c.NoNewPrivs)
}

func execve(c Credentials, idChanged, noNewPrivs bool) posture.CapSets {
	after := posture.CapSets{Inheritable: c.Caps.Inheritable, Bounding: c.Caps.Bounding, Ambient: c.Caps.Ambient}
	allEffective := false
	if c.Securebits&names.SecbitNoroot == 0 && (root(c.UID.Real) || root(c.UID.Effective)) {
		// Root's programs count as having all file capabilities: inheritable
		// and permitted. The effective bit goes with the effective id alone.
		after.Permitted = c.Caps.Inheritable | c.Caps.Bounding
		allEffective = root(c.UID.Effective)
	}
	gained := after.Permitted&^c.Caps.Permitted != 0
	if noNewPrivs && (idChanged || gained) {
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

func inGroups(c Credentials) bool {
	return c.GID.Effective == c.GID.FS || slices.Contains(c.Groups, c.GID.Effective)
}

// credentials returns what execve(2) would go by for the thread, without its
// securebits, or the reason why that is not known.
func credentials(t *posture.Thread) (Credentials, string) {
	var why string
	c := Credentials{
		UID:        need(t.UID, "user ids", &why),
		NoNewPrivs: need(t.NoNewPrivs, "NoNewPrivs", &why),
		Caps: posture.CapSets{
			Inheritable: need(t.Caps.Inheritable, "the inheritable set", &why),
			Permitted:   need(t.Caps.Permitted, "the permitted set", &why),
			Bounding:    need(t.Caps.Bounding, "the bounding set", &why),
			Ambient:     need(t.Caps.Ambient, "the ambient set", &why),
		},
	}
	// Group ids can only take the ambient set away, and a thread may give
	// itself its effective id as file system id. So they are not needed for
	// an upper bound: where they are not known they count as equal.
	c.GID, _ = t.GID.Get()
	c.Groups, _ = t.Groups.Get()
	return c, why
}

func need[T any](f posture.Fact[T], thing string, why *string) T {
	v, known := f.Get()
	if !known && *why == "" {
		*why = whyNot(f, thing)
	}
	return v
}
