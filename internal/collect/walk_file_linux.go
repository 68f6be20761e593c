package collect

import (
	"encoding/binary"
	"errors"
	"path"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

const (
	typeMask    = 0o170000
	typeRegular = 0o100000
	anyExecute  = 0o111
	permBits    = 0o7777
)

// single looks at a mount that is one file, as it is bound over another.
func (w *walker) single(d *directory) {
	dir, err := w.look(path.Dir(d.path))
	if err != nil {
		w.leave(d.path, err.Error())
		return
	}
	defer kernel.Close(dir.fd)
	d.fd = dir.fd
	base := path.Base(d.path)
	d.path = path.Dir(d.path)
	w.out.Files++
	w.entry(d, base, kernel.EntryUnknown)
}

// file looks at one file of a directory. It is true for what turns out to be a
// directory.
func (w *walker) file(d *directory, name string) (isDir bool) {
	st, err := w.c.Inode(d.fd, name, d.path)
	switch {
	case vanished(err):
		return false
	case err != nil:
		w.barred(d.within(name), err, false)
		return false
	case st.IsDir():
		return true
	case st.Mode&typeMask != typeRegular, st.Mode&anyExecute == 0, st.MountID != d.mount.ID:
		return false
	}
	p := posture.Program{Path: d.within(name)}
	p.Capabilities = w.capabilities(d.fd, name, p.Path)
	const groupSetID = posture.SetGID | 0o010
	if st.Mode&posture.SetUID == 0 && st.Mode&groupSetID != groupSetID && p.Capabilities.State == posture.Absent {
		return false
	}
	p.Permission, p.Through = w.permission(d.fd, name, &st), d.through
	w.out.Programs = append(w.out.Programs, p)
	return false
}

// permission is who may execute a file, or search a directory.
func (w *walker) permission(dir int, name string, st *kernel.Inode) posture.Permission {
	p := w.ownership(st)
	switch n, err := w.c.Attribute(dir, name, kernel.AttrACL, w.attr, ""); {
	case none(err):
		p.ACL.Know(kernel.AttrACL, "")
	case err != nil && !errors.Is(err, syscall.ERANGE): // a long one is there all the same
		p.ACL.Fail(kernel.AttrACL, err.Error())
	default:
		p.ACL.Value = err != nil || n > 0
		p.ACL.Know(kernel.AttrACL, "")
	}
	return p
}

// ownership is the same where there are no access control lists.
func (w *walker) ownership(st *kernel.Inode) posture.Permission {
	p := posture.Permission{Mode: st.Mode & permBits}
	w.owner(&w.view.uid, &p.UID, st.UID)
	w.owner(&w.view.gid, &p.GID, st.GID)
	p.ACL.Know("statx(2)", "")
	return p
}

// none says that a file has no such attribute, or can have none.
func none(err error) bool {
	return errors.Is(err, syscall.ENODATA) || errors.Is(err, syscall.EOPNOTSUPP)
}

// owner translates an owner or group. One that may be any unmapped id is not
// taken for the mapped one of that number.
func (w *walker) owner(v *idView, f *posture.Fact[posture.ID], seen uint32) {
	const source = "statx(2)"
	id, why := v.id(seen)
	if why == "" && v.same && id.Unmapped && v.m.State == posture.Known && inside(v.m.Value, seen) {
		why = idWord(seen) + " may stand for any that the user namespace does not map"
	}
	if why != "" {
		f.Fail(source, why)
		return
	}
	f.Value = id
	f.Know(source, "")
}

// capabilities reads the file capabilities of a file.
func (w *walker) capabilities(dir int, name, shown string) (f posture.Fact[posture.FileCapabilities]) {
	n, err := w.c.Attribute(dir, name, kernel.AttrCapability, w.attr, "")
	switch {
	case none(err):
		return posture.None[posture.FileCapabilities](kernel.AttrCapability, "")
	case errors.Is(err, syscall.EOVERFLOW):
		// For user namespaces of a root that neither we nor who is below us has.
		return posture.None[posture.FileCapabilities](kernel.AttrCapability, "they count in another user namespace")
	case vanished(err):
		return posture.None[posture.FileCapabilities](kernel.AttrCapability, "gone meanwhile")
	case err != nil:
		f.Fail(kernel.AttrCapability, shown+": "+err.Error())
		return f
	}
	var ok bool
	if f.Value, ok = decodeCapabilities(w.attr[:n]); !ok {
		f.Fail(kernel.AttrCapability, shown+": not a version that is known")
		return f
	}
	f.Know(kernel.AttrCapability, "")
	w.countsHere(&f.Value)
	return f
}

// Bits of vfs_cap_data.magic_etc: capabilities(7), "File capability versioning".
const (
	capVersionShift  = 24
	capEffectiveFlag = 1
)

// decodeCapabilities takes a security.capability attribute apart: words of 32
// bits, the lowest byte first. The first has the version and the effective bit;
// permitted and inheritable follow, once in version 1 and twice, the high half
// last, in 2 and 3; the id of a root ends version 3.
func decodeCapabilities(b []byte) (c posture.FileCapabilities, ok bool) {
	const word = 4
	if len(b) < word || len(b)%word != 0 {
		return c, false
	}
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(b[word*i:]) }
	c.Version = int(at(0) >> capVersionShift)
	c.Effective = at(0)&capEffectiveFlag != 0
	words := map[int]int{1: 3, 2: 5, 3: 6}[c.Version]
	if words == 0 || len(b) != word*words {
		return c, false
	}
	c.Permitted, c.Inheritable = posture.CapSet(at(1)), posture.CapSet(at(2))
	if c.Version > 1 {
		c.Permitted |= posture.CapSet(at(3)) << 32
		c.Inheritable |= posture.CapSet(at(4)) << 32
	}
	if c.Version == 3 {
		c.RootID = at(5)
	}
	return c, true
}

// countsHere says whether file capabilities count in the target's user namespace:
// where their root is id 0 of it or of one above. The kernel shows those of our
// own root, and of one above us, without an id.
func (w *walker) countsHere(c *posture.FileCapabilities) {
	const source = kernel.AttrCapability
	f := &c.Counts
	if f.Value = c.RootID == 0; f.Value {
		f.Know(source, "")
		return
	}
	id, why := w.view.uid.id(c.RootID)
	switch {
	case why != "":
		f.Fail(source, why)
	case !id.Unmapped && id.Value == 0:
		f.Value = true
		f.Know(source, "")
	case w.view.uid.same && whole(w.view.uid.m):
		f.Know(source, "")
	default:
		f.Fail(source, idWord(c.RootID)+" may be the root of a user namespace between ours and its own")
	}
}
