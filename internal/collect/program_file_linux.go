package collect

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// programReader looks at the file that the process executes.
type programReader struct {
	*Site
	out    *posture.ProgramFile
	walker *walker
	place  placer
	fd     int
	st     kernel.Inode
	name   string
	source string
}

// Executable fills in the file that the process executes. It is opened by
// O_PATH, and once more to read how it was built, where no server answers for
// the file system.
func (s *Site) Executable() {
	f := &s.Process.MakeReach().ProgramFile
	*f = posture.ProgramFile{}
	if s.Task == nil {
		f.Fail("/proc", s.NoTask.Error())
		return
	}
	tid := s.lives()
	r := &programReader{Site: s, out: f, name: strconv.Itoa(tid) + "/exe", walker: &walker{c: s.Calls, view: s.by.views()}}
	r.source = s.Task.Path() + "/" + r.name
	link, err := s.Task.Readlink(r.name)
	f.Path.Value = link
	settle(&f.Path.Origin, err, r.source, link)
	if err == nil {
		r.fd, err = s.Task.Follow(r.name)
	}
	if err != nil {
		f.Fail(r.source, err.Error())
		return
	}
	defer kernel.Close(r.fd)
	if r.st, err = s.Calls.Inode(r.fd, "", r.source); err != nil {
		f.Fail(r.source, err.Error())
		return
	}
	r.place.Site = s
	r.place.use(tid)
	defer r.place.close()
	r.place.read()
	f.File = r.guard("", &r.st)
	r.found(link)
	r.hardening()
}

// guard is who may write a file or directory. A path that is empty is not known.
func (r *programReader) guard(path string, st *kernel.Inode) posture.Guard {
	g := posture.Guard{Path: path, Permission: posture.Permission{Mode: st.Mode & permBits}}
	r.walker.owner(&r.walker.view.uid, &g.UID, st.UID)
	r.walker.owner(&r.walker.view.gid, &g.GID, st.GID)
	g.ACL.Fail(kernel.AttrACL, "not asked")
	switch i, listed := r.place.byID[st.MountID]; {
	case r.place.err != nil:
		g.ReadOnly.Fail(r.source, r.place.err.Error())
	case !listed:
		g.ReadOnly.Fail(r.source, "its mount is not among those that can be reached from the root directory")
	default:
		m := &r.place.mounts[i]
		g.ReadOnly = posture.Of(isReadOnly(m), r.source, "mount "+strconv.FormatUint(st.MountID, 10))
		if other := otherWay(r.place.mounts, m, path); g.ReadOnly.Value && other != nil {
			g.ReadOnly.Fail(r.source, "its mount is read-only, and that on "+strconv.Quote(clipPoint(other.Point))+" shows the same file system and is not")
		}
	}
	return g
}

// otherWay returns a mount that is not read-only, of the same file system as
// another one, which shows what lies there at a path too; nil for none.
func otherWay(mounts []posture.Mount, m *posture.Mount, path string) *posture.Mount {
	at := m.Root // at worst all that the mount shows
	if path != "" && isWithin(path, m.Point) {
		at = strings.TrimSuffix(m.Root, "/") + "/" + strings.TrimPrefix(path[len(m.Point):], "/")
	}
	for i := range mounts {
		o := &mounts[i]
		same := o.Major == m.Major && o.Minor == m.Minor && o.ID != m.ID
		if same && !isReadOnly(o) && (o.Root == at || isWithin(at, o.Root) || path == "" && isWithin(o.Root, at)) {
			return o
		}
	}
	return nil
}

func clipPoint(s string) string { return s[:min(len(s), 256)] }

const deletedSuffix = " (deleted)"

// found compares the file with what its path leads to, and looks at the
// directories on the way.
func (r *programReader) found(link string) {
	f := r.out
	raw := "links: " + strconv.FormatUint(uint64(r.st.Nlink), 10)
	if r.st.Nlink == 0 {
		f.Deleted = posture.Of(true, r.source, raw)
		f.Replaced = posture.Of(false, r.source, raw)
		return
	}
	o := opened{link: link, source: r.source}
	o.FileStat, o.Opened.FileStat = r.st.FileStat, r.st.FileStat
	inside, below, err := r.place.below(&o)
	if err != nil {
		f.Deleted.Fail(r.source, err.Error())
		f.Replaced.Fail(r.source, err.Error())
		return
	}
	r.place.findRoot()
	if !below || r.place.root.fd < 0 {
		f.Deleted = posture.Of(false, r.source, raw)
		f.Replaced.Fail(r.source, "its path is not one from the root directory")
		return
	}
	fd, err := r.Calls.OpenInRoot(r.place.root.fd, inside, kernel.OpenPath|kernel.OpenNoFollow, r.place.root.source)
	switch {
	case errors.Is(err, syscall.ENOENT) && strings.HasSuffix(link, deletedSuffix):
		// It has another name yet.
		f.Deleted = posture.Of(true, r.source, link)
		f.Replaced = posture.Of(false, r.source, link)
		return
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		f.Deleted = posture.Of(false, r.source, raw)
		f.Replaced = posture.Of(false, r.source, "its path leads nowhere from the root directory")
		return
	case err != nil:
		f.Deleted = posture.Of(false, r.source, raw)
		f.Replaced.Fail(r.source, err.Error())
		return
	}
	defer kernel.Close(fd)
	f.Deleted = posture.Of(false, r.source, raw)
	r.compare(fd, inside)
}

func (r *programReader) compare(fd int, inside string) {
	f := &r.out.Replaced
	now, err := r.Calls.Inode(fd, "", inside)
	switch {
	case err != nil:
		f.Fail(r.source, err.Error())
	case sameDirectory(&now.FileStat, &r.st.FileStat):
		*f = posture.Of(false, r.source, describePlace(&now.FileStat))
		r.out.File = r.guard(inside, &r.st)
		r.directories(inside)
	case now.HasMountID && r.st.HasMountID && now.MountID != r.st.MountID:
		f.Fail(r.source, "its path leads to another mount than it was executed from")
	default:
		*f = posture.Of(true, r.source, describePlace(&r.st.FileStat)+"; its path leads to "+describePlace(&now.FileStat))
	}
}

// maxProgramDirectories bounds the directories that are looked at.
const maxProgramDirectories = 128

// directories looks at each directory on the way to the program: who may write
// one may put another tree in the place of what is below.
func (r *programReader) directories(inside string) {
	out := r.out
	for at := path.Dir(inside); ; at = path.Dir(at) {
		fd, err := r.Calls.OpenInRoot(r.place.root.fd, at, kernel.OpenPath|kernel.OpenDirectory, r.place.root.source)
		var st kernel.Inode
		if err == nil {
			st, err = r.Calls.Inode(fd, "", at)
			if len(out.Directories) == 0 {
				r.acl(&out.File, fd, path.Base(inside))
			}
		}
		if err == nil && len(out.Directories) == maxProgramDirectories {
			err = fmt.Errorf("%s: too many directories", r.source)
		}
		if err != nil {
			out.Whole.Fail(r.source, err.Error())
			kernel.Close(fd)
			return
		}
		g := r.guard(at, &st)
		r.acl(&g, fd, ".")
		kernel.Close(fd)
		out.Directories = append(out.Directories, g)
		if at == "/" {
			out.Whole = posture.Of(true, r.source, strconv.Itoa(len(out.Directories))+" directories")
			return
		}
	}
}

// acl asks for an access control list where there can be one that lets anybody
// write: the bits of the group bound it.
func (r *programReader) acl(g *posture.Guard, dir int, name string) {
	const groupWrite = 0o020
	if g.Mode&groupWrite == 0 {
		return
	}
	var room [4 << 10]byte
	switch n, err := r.Calls.Attribute(dir, name, kernel.AttrACL, room[:], ""); {
	case none(err):
		g.ACL = posture.Of(false, kernel.AttrACL, "")
	case err != nil && !errors.Is(err, syscall.ERANGE):
		g.ACL.Fail(kernel.AttrACL, err.Error())
	default:
		g.ACL = posture.Of(err != nil || n > 0, kernel.AttrACL, "")
	}
}

// hardening reads how the program was built.
func (r *programReader) hardening() {
	f := &r.out.Hardening
	if i, listed := r.place.byID[r.st.MountID]; !listed || r.place.err != nil || isWalked(r.place.mounts[i].Type) == served {
		f.Fail(r.source, "its file system is not known, or one that a server answers for, which is not asked")
		return
	}
	fd, err := r.Task.OpenFile(r.name)
	if err != nil {
		f.Fail(r.source, err.Error())
		return
	}
	defer kernel.Close(fd)
	st, err := r.Calls.Stat(fd, r.source)
	if err == nil && (st.Mode&kernel.TypeMask != kernel.TypeRegular || !sameDirectory(&st, &r.st.FileStat)) {
		err = errors.New(r.source + ": not the program any more")
	}
	if err == nil {
		f.Value, err = readHardening(r.Calls.File(fd, r.source))
	}
	settle(&f.Origin, err, r.source, "")
}
