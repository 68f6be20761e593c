package checks

import (
	"math/bits"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Capabilities that stand for ids and for files.
const (
	capDACOverride   = 1 << 1
	capDACReadSearch = 1 << 2
	capSetgid        = 1 << 6
	capSetuid        = 1 << 7
)

// gains is what a thread gains by executing a program.
type gains struct {
	w       *posture.ProgramWalk
	program *posture.Program
}

// judge says whether a thread gains anything. As for what a plain program is
// given, the thread counts as it stands; but a file that it may execute by any of
// its ids, or with what it is permitted, it may execute.
func (g *gains) judge(t *posture.Thread) (report.Status, string) {
	if t.NoNewPrivs.State == posture.Known && t.NoNewPrivs.Value {
		return report.Pass, "nothing, by no_new_privs"
	}
	var c Credentials
	if why := g.read(&c, t); why != "" {
		return report.Unknown, why
	}
	may, why := c.mayExecute(g.program)
	if may == no {
		return report.Pass, "nothing: it may not be executed"
	}
	c.Securebits = t.Securebits.Value
	words, unclear := g.words(&c)
	if t.Securebits.State != posture.Known && words != "" {
		// An id is gained with noroot too: then it is a gap, with what there is
		// without noroot, as hardly any thread has it.
		c.Securebits = names.SecbitNoroot
		if locked, _ := g.words(&c); locked == "" {
			unclear = "it depends on whether noroot is set among the securebits, and those are not known (" + whyNot(&t.Securebits.Origin, "securebits") + "): without it, " + words
			words = ""
		}
	}
	switch {
	case words != "" && may == yes && g.w.Counts.State == posture.Known:
		return report.Gap, words
	case words != "" && may != yes:
		return report.Unknown, why
	case words != "":
		return report.Unknown, g.w.Counts.Why()
	case unclear != "":
		return report.Unknown, unclear
	default:
		return report.Pass, "nothing that it does not have or could not take"
	}
}

// read is Credentials.read with all ids.
func (g *gains) read(c *Credentials, t *posture.Thread) string {
	if why := c.read(t); why != "" {
		return why
	}
	if t.GID.State != posture.Known {
		return whyNot(&t.GID.Origin, "group ids")
	}
	if t.Groups.State != posture.Known {
		return whyNot(&t.Groups.Origin, "groups")
	}
	return ""
}

// words name what is gained, and are empty for nothing. unclear says what may be
// gained beside and is not known.
func (g *gains) words(c *Credentials) (words, unclear string) {
	f, unclear := fileOf(g.program)
	r := c.transformed(&f, false)
	if r.Refused {
		return "", unclear
	}
	var all []string
	if c.Caps.Permitted&capSetuid == 0 && !isOneOf(&c.UID, r.UID) {
		all = append(all, "user "+decimal(r.UID.Value))
	}
	if c.Caps.Permitted&capSetgid == 0 && !isOneOf(&c.GID, r.GID) && !containsID(c.Groups, r.GID) {
		all = append(all, "group "+decimal(r.GID.Value))
	}
	if set := r.Caps.Permitted &^ (c.Caps.Permitted | c.execve().Permitted); set != 0 {
		all = append(all, gainedWords(set, c.Caps.Bounding))
	}
	return listed(all, " and "), unclear
}

// gainedWords name capabilities, and say so where they are all that can be had.
func gainedWords(set, bounding posture.CapSet) string {
	if n := bits.OnesCount64(uint64(set)); set == bounding && n > 1 {
		return "all capabilities of the bounding set (" + strconv.Itoa(n) + ")"
	}
	return fewCaps(set)
}

// fileOf is what execve(2) goes by of a program, as far as that is known; unclear
// says what is not.
func fileOf(p *posture.Program) (f File, unclear string) {
	f.Mode = p.Mode
	if p.UID.State != posture.Known || p.GID.State != posture.Known {
		// Ids that are not known to be mapped do not count until they are.
		f.Mode = 0
		if p.Mode&(posture.SetUID|posture.SetGID) != 0 {
			unclear = whyNot(firstUnknown(&p.UID.Origin, &p.GID.Origin), "its owner and group")
		}
	}
	f.UID, f.GID = p.UID.Value, p.GID.Value
	switch c := &p.Capabilities; {
	case c.State == posture.Absent:
	case c.State != posture.Known:
		unclear = whyNot(&c.Origin, "its file capabilities")
	case c.Value.Counts.State != posture.Known:
		unclear = whyNot(&c.Value.Counts.Origin, "whose its file capabilities are")
	case c.Value.Counts.Value:
		f.Capped, f.Effective, f.Permitted, f.Inheritable = true, c.Value.Effective, c.Value.Permitted, c.Value.Inheritable
	}
	return f, unclear
}

func firstUnknown(a, b *posture.Origin) *posture.Origin {
	if a.State != posture.Known {
		return a
	}
	return b
}

// isOneOf says whether an id is one of the four.
func isOneOf(ids *posture.IDs, id posture.ID) bool {
	return sameID(ids.Real, id) || sameID(ids.Effective, id) || sameID(ids.Saved, id) || sameID(ids.FS, id)
}

// answer is one of three.
type answer uint8

const (
	perhaps answer = iota
	no
	yes
)

// mayExecute says whether the thread may execute a program, by any of its ids,
// and search all directories on the way to it.
func (c *Credentials) mayExecute(p *posture.Program) (answer, string) {
	may, why := c.may(&p.Permission, false)
	for i := range p.Through {
		if may == no {
			break
		}
		if through, because := c.may(&p.Through[i], true); through != yes {
			may, why = through, because
		}
	}
	return may, why
}

// may goes by path_resolution(7), "Permissions" and "Bypassing permission
// checks".
func (c *Credentials) may(p *posture.Permission, directory bool) (answer, string) {
	return c.mayBits(p, c.bypass(p.Mode, directory))
}

// mayBits goes by the bits that are for executing. bypass says that capabilities
// stand in for them.
func (c *Credentials) mayBits(p *posture.Permission, bypass bool) (answer, string) {
	const everyone = 0o111
	if p.Mode&everyone == everyone {
		return yes, ""
	}
	if p.UID.State != posture.Known || p.GID.State != posture.Known {
		return perhaps, whyNot(firstUnknown(&p.UID.Origin, &p.GID.Origin), "who may use it")
	}
	// A file of somebody who means nothing in the user namespace is out of
	// reach of the namespace's capabilities.
	if !p.UID.Value.Unmapped && !p.GID.Value.Unmapped && bypass {
		return yes, ""
	}
	for _, uid := range [...]posture.ID{c.UID.Real, c.UID.Effective, c.UID.Saved, c.UID.FS} {
		if c.mayAs(uid, p) {
			return yes, ""
		}
	}
	// A list may let somebody in whom the mode does not.
	if p.ACL.State != posture.Known || p.ACL.Value {
		return perhaps, "an access control list may say who may use it, and was not evaluated"
	}
	return no, ""
}

func (c *Credentials) bypass(mode uint32, directory bool) bool {
	if directory {
		return c.Caps.Permitted&(capDACOverride|capDACReadSearch) != 0
	}
	return c.Caps.Permitted&capDACOverride != 0 && mode&0o111 != 0
}

// mayAs asks for one user id: the owner's bits, the group's or the others' decide
// alone. Groups that the thread need not keep bind it to nothing.
func (c *Credentials) mayAs(uid posture.ID, p *posture.Permission) bool {
	return c.modeAs(uid, p)&1 != 0
}

// modeAs returns a mode whose last three bits are what the user id may do.
func (c *Credentials) modeAs(uid posture.ID, p *posture.Permission) uint32 {
	mode := p.Mode
	switch group := p.GID.Value; {
	case sameID(uid, p.UID.Value):
		mode >>= 6
	case sameID(group, c.GID.FS) || containsID(c.Groups, group):
		mode >>= 3
	case isOneOf(&c.GID, group):
		mode |= mode >> 3
	}
	return mode
}

// mayWrite says whether the thread may write a file, by any of its ids: as may,
// where write permission is all that is asked for.
func (c *Credentials) mayWrite(p *posture.Permission) (answer, string) {
	if p.UID.State != posture.Known || p.GID.State != posture.Known {
		return perhaps, whyNot(firstUnknown(&p.UID.Origin, &p.GID.Origin), "who may write it")
	}
	if !p.UID.Value.Unmapped && !p.GID.Value.Unmapped && c.Caps.Permitted&capDACOverride != 0 {
		return yes, ""
	}
	for _, uid := range [...]posture.ID{c.UID.Real, c.UID.Effective, c.UID.Saved, c.UID.FS} {
		if c.modeAs(uid, p)&2 != 0 {
			return yes, ""
		}
	}
	return no, ""
}

// whatPrograms says what programs that are not plain give a thread beyond what is
// allowed. It stands in judgeExec where the mounts were walked.
func whatPrograms(a *audited, c *Credentials, t *posture.Thread, allowed posture.CapSet) (report.Status, string) {
	if a.Reach().Programs.State != posture.Known {
		return report.Unknown, withoutPrograms(c, allowed) + whyNot(&a.Reach().Programs.Origin, "the programs on its mounts")
	}
	if t.GID.State != posture.Known || t.Groups.State != posture.Known {
		return report.Unknown, withoutPrograms(c, allowed) + "its groups are not known"
	}
	w := &a.Reach().Programs.Value
	undecided := ""
	for i := range w.Programs {
		p := &w.Programs[i]
		f, unclear := fileOf(p)
		r := c.transformed(&f, false)
		surplus := r.Caps.Permitted &^ allowed
		may, why := c.mayExecute(p)
		switch {
		case may == no:
		case surplus != 0 && !r.Refused && may == yes && w.Counts.State == posture.Known:
			return report.Gap, fewCaps(surplus) + " from " + quoted(p.Path)
		case surplus != 0 && !r.Refused && may == yes:
			undecided = w.Counts.Why()
		case surplus != 0 && !r.Refused:
			undecided = quoted(p.Path) + ": " + why
		case unclear != "":
			undecided = quoted(p.Path) + ": " + unclear
		}
	}
	switch {
	case undecided != "":
		return report.Unknown, withoutPrograms(c, allowed) + undecided
	case len(w.Unseen) > 0:
		return report.Unknown, withoutPrograms(c, allowed) + leftWords(w.Unseen)
	default:
		return report.Pass, caps(c.execve().Permitted)
	}
}
