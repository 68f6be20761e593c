package collect

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// AccessAsked is what Site.Access is to find out.
type AccessAsked struct {
	// Masked and ReadOnly are paths to look at.
	Masked, ReadOnly []string
	// Bounds are path prefixes below which a use is let, for each use asked.
	Bounds map[posture.Use][]string
	// Shells are paths of programs to look for.
	Shells []string
}

// uses are those that are walked for.
func (q *AccessAsked) uses() (all posture.Use) {
	for use := range q.Bounds {
		all |= use
	}
	return all
}

// Access fills Reach.Access. It takes at most half of the time that is left.
func (s *Site) Access(asked AccessAsked) { s.by.access(asked) }

func (a *collector) access(asked AccessAsked) {
	f := &a.p.MakeReach().Access
	for try := 1; ; try++ {
		watch := a.watchMounts()
		a.mounts()
		w, err := a.accessWalk(asked)
		same := watch.end()
		if err != nil {
			f.Fail("", err.Error())
			return
		}
		if !same && try < maxWalks && a.ctx.Err() == nil {
			continue
		}
		v := w.visit
		v.uses = posture.UseMasked | posture.UseReadOnly | posture.UseShell | asked.uses()
		if !same {
			w.leave("/", "mounts came or went meanwhile")
		}
		a.otherRoots(w)
		f.Value = v.out
		f.Know(w.source, strconv.Itoa(w.out.Files)+" files looked at")
		return
	}
}

// accessWalk looks at all that is asked for.
func (a *collector) accessWalk(asked AccessAsked) (*walker, error) {
	r := a.p.MakeReach()
	if r.Mounts.State != posture.Known {
		return nil, errors.New(r.Mounts.Why())
	}
	root := a.filesRoot()
	if root.err != nil {
		return nil, root.err
	}
	who, err := actorOf(a.p)
	if err != nil {
		kernel.Close(root.fd)
		return nil, err
	}
	w := &walker{
		c: kernel.New(a.o.Deny), ctx: a.ctx, view: a.views(), root: root.fd, source: root.source,
		room: make([]byte, 64<<10), attr: make([]byte, 4<<10), own: a.self && a.alike(),
		visit: &visit{asked: asked, who: who, self: a.self},
	}
	switch {
	case !a.walk(w):
		return nil, errors.New(root.source + ": the walk over its mounts hangs in a file system that does not answer")
	case w.failed != nil:
		return nil, w.failed
	}
	return w, nil
}

// visit is a walk for what can be reached.
type visit struct {
	asked AccessAsked
	who   *actor
	self  bool
	out   posture.Access
	// uses are those that the place under way is looked at for.
	uses posture.Use
	// full are uses with as many places as are wanted.
	full posture.Use
	many map[posture.Use]int
}

// maxPlaces bounds the places of one use. Every one that is confirmed is a gap,
// so that more change no verdict.
const maxPlaces = 48

// begin looks at the paths that have names.
func (w *walker) begin() {
	v := w.visit
	for _, list := range [...]struct {
		use   posture.Use
		paths []string
	}{{posture.UseMasked, v.asked.Masked}, {posture.UseReadOnly, v.asked.ReadOnly}, {posture.UseShell, v.asked.Shells}} {
		for _, path := range list.paths {
			p := w.named(path, list.use)
			if list.use != posture.UseShell || p.There.State == posture.Unreadable || p.Kind == posture.KindRegular && p.Mode&anyExecute != 0 && !p.NoExec {
				v.out.Places = append(v.out.Places, p)
			}
		}
	}
}

// named looks at what lies at a path.
func (w *walker) named(path string, use posture.Use) posture.Place {
	p := posture.Place{Path: path, Use: use}
	const source = "openat2(2)"
	if kind := w.servedBy(&posture.Mount{Point: path}); kind != "" {
		p.There.Fail(source, "on a file system of type "+kind+", which may never answer and so is not looked into")
		return p
	}
	if !w.visit.self && throughSelf(path) {
		p.There.Fail(source, "it leads to a process by who looks, and that is the auditor")
		return p
	}
	fd, err := w.c.FollowInRoot(w.root, path, kernel.OpenPath, "")
	switch {
	case errors.Is(err, syscall.ENOENT) && use != posture.UseShell && !w.visit.self && w.linked(path):
		p.There.Fail(source, "symbolic links lead there, and to nothing for the auditor: "+err.Error())
		return p
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		p.There = posture.Origin{State: posture.Absent, Source: source, Err: err.Error()}
		return p
	case w.own && use != posture.UseReadOnly && errors.Is(err, syscall.EACCES):
		// The way there is barred to the process itself, as who tries will see.
		p.There.Know(source, err.Error())
		p.Kind, p.Mode, p.Barred = posture.KindRegular, anyExecute, true
		return p
	case err != nil:
		p.There.Fail(source, err.Error())
		return p
	}
	defer kernel.Close(fd)
	st, err := w.c.Inode(fd, "", path)
	if err != nil {
		p.There.Fail("statx(2)", err.Error())
		return p
	}
	m := w.mountOf(st.MountID)
	if m == nil {
		p.There.Fail("statx(2)", "the mount that it lies on is not among those of the process")
		return p
	}
	p.There.Know("statx(2)", "")
	fill(&p, &st, m)
	want := uint32(mayRead)
	if use == posture.UseShell {
		want = mayExecute
	}
	p.Barred = !w.may(fd, "", &st, want, st.IsDir(), nil)
	switch m.Type {
	case "configfs", "debugfs", "tracefs":
		p.Untried = "to open files of " + m.Type + " may have effects"
	}
	return p
}

// throughSelf says that a path leads through what procfs makes of who looks.
func throughSelf(path string) bool {
	for name := range strings.SplitSeq(path, "/") {
		if name == "self" || name == "thread-self" || name == "mounts" || name == "net" {
			return name != "mounts" && name != "net" || strings.HasPrefix(path, "/proc/")
		}
	}
	return false
}

// linked says that a path leads through a symbolic link.
func (w *walker) linked(path string) bool {
	fd, err := w.c.OpenInRoot(w.root, path, kernel.OpenPath, "")
	kernel.Close(fd)
	return errors.Is(err, syscall.ELOOP)
}

func (w *walker) mountOf(id uint64) *posture.Mount {
	for i := range w.mounts {
		if w.mounts[i].ID == id {
			return &w.mounts[i]
		}
	}
	return nil
}

// readOnly says that nothing can be written through a mount.
func readOnly(m *posture.Mount) bool {
	first, _, _ := strings.Cut(m.SuperOptions, ",")
	return m.Has("ro") || first == "ro"
}

// left is what of the uses a mount leaves.
func (v *visit) left(m *posture.Mount) posture.Use {
	uses := v.asked.uses() &^ v.full
	if readOnly(m) {
		uses &^= posture.UseWrite | posture.UseExecute
	}
	if m.Has("noexec") {
		uses &^= posture.UseExecute
	}
	if m.Has("nodev") {
		uses &^= posture.UseDevice
	}
	if isWalked(m.Type) == made {
		uses &= posture.UseRead
	}
	for i := range v.out.Places {
		// What can be listed is shown by its top, whatever is mounted below.
		if p := &v.out.Places[i]; p.Use == posture.UseRead && p.Kind == posture.KindDirectory && within(m.Point, []string{p.Path}) {
			uses &^= posture.UseRead
		}
	}
	return v.outside(m.Point, uses)
}

// outside takes away the uses that are let at a path and all below it.
func (v *visit) outside(path string, uses posture.Use) posture.Use {
	for use := posture.UseWrite; use <= posture.UseRead; use <<= 1 {
		if uses&use != 0 && within(path, v.asked.Bounds[use]) {
			uses &^= use
		}
	}
	return uses
}

// within says that a path is one of some prefixes, or lies below one.
func within(path string, prefixes []string) bool {
	for _, p := range prefixes {
		p = strings.TrimSuffix(p, "/")
		if path == p || p == "" || strings.HasPrefix(path, p) && path[len(p)] == '/' {
			return true
		}
	}
	return false
}

// leads says that a path is above one of some prefixes.
func leads(path string, prefixes []string) bool {
	for _, p := range prefixes {
		if path == "/" || strings.HasPrefix(p, path+"/") {
			return true
		}
	}
	return false
}

// passable says that every directory on the way may be searched.
func (v *visit) passable(through []posture.Permission) bool {
	for i := range through {
		p := &through[i]
		if p.UID.State != posture.Known || p.GID.State != posture.Known || p.ACL.State != posture.Known || p.ACL.Value {
			continue // who tries will see
		}
		if now, taking := v.who.may(p.Mode, p.UID.Value.Outside, p.GID.Value.Outside, mayExecute, true, !p.UID.Value.Unmapped && !p.GID.Value.Unmapped); !now && !taking {
			return false
		}
	}
	return true
}

// enterDirectory looks at a directory, and says whether to go on below it.
func (w *walker) enterDirectory(d *directory, st *kernel.Inode) bool {
	v := w.visit
	if d.uses = v.outside(d.path, d.uses&^v.full); d.uses == 0 {
		return false
	}
	v.uses = d.uses
	if !w.may(d.fd, "", st, mayExecute, true, nil) && !w.may(d.fd, "", st, mayRead, true, nil) {
		return false
	}
	p := posture.Place{Path: d.path}
	p.There.Know("statx(2)", "")
	fill(&p, st, d.mount)
	if written := d.uses & (posture.UseWrite | posture.UseExecute); written != 0 && w.may(d.fd, "", st, mayWrite|mayExecute, true, &p.Taking) {
		v.add(p, written)
		d.uses &^= written
	}
	p.Taking = false
	kernels := isWalked(d.mount.Type) == made
	way := !kernels && leads(d.path, v.asked.Bounds[posture.UseRead])
	switch {
	case d.uses&posture.UseRead == 0 || way:
	case w.may(d.fd, "", st, mayRead, true, &p.Taking):
		v.add(p, posture.UseRead)
		d.uses &^= posture.UseRead
	case kernels:
		w.leave(d.path, "files that the kernel makes are not looked at one by one")
		return false
	}
	return d.uses != 0 && w.may(d.fd, "", st, mayExecute, true, nil)
}

// visitFile looks at a file. It is true for what turns out to be a directory.
func (w *walker) visitFile(d *directory, name string, kind byte) (isDir bool) {
	v := w.visit
	uses := d.uses &^ v.full
	device := kind == kernel.EntryCharacter || kind == kernel.EntryBlock
	if !device && kind != kernel.EntryUnknown {
		uses &^= posture.UseDevice
	}
	if uses = v.outside(d.within(name), uses); uses == 0 && kind != kernel.EntryUnknown {
		return false
	}
	st, err := w.c.Inode(d.fd, name, d.path)
	switch {
	case vanished(err):
		return false
	case err != nil:
		v.uses = uses
		w.barred(d.within(name), err, false)
		return false
	case st.IsDir():
		return true
	case st.MountID != d.mount.ID:
		return false
	}
	p := posture.Place{Path: d.within(name)}
	p.There.Know("statx(2)", "")
	fill(&p, &st, d.mount)
	switch {
	case p.Kind == posture.KindRegular:
		if written := uses & (posture.UseWrite | posture.UseExecute); written != 0 && w.may(d.fd, name, &st, mayWrite, false, &p.Taking) {
			v.add(p, written)
		}
		p.Taking = false
		if uses&posture.UseRead != 0 && w.may(d.fd, name, &st, mayRead, false, &p.Taking) {
			v.add(p, posture.UseRead)
		}
	case (p.Kind == posture.KindCharacter || p.Kind == posture.KindBlock) && uses&posture.UseDevice != 0 && !defaultDevice(&p):
		if w.may(d.fd, name, &st, mayRead, false, &p.Taking) || w.may(d.fd, name, &st, mayWrite, false, &p.Taking) {
			v.add(p, posture.UseDevice)
		}
	}
	return false
}

// defaultDevice says that a node is for one of the devices that every container
// has by the OCI runtime specification, or for none.
func defaultDevice(p *posture.Place) bool {
	const pts, ptsEnd = 136, 143
	if p.Kind != posture.KindCharacter {
		return false
	}
	switch p.Major {
	case 0:
		return p.Minor == 0 // what overlayfs marks deleted files with
	case 1:
		return p.Minor == 3 || p.Minor == 5 || p.Minor == 7 || p.Minor == 8 || p.Minor == 9
	case 5:
		return p.Minor <= 2
	default:
		return p.Major >= pts && p.Major <= ptsEnd
	}
}

// add notes a place for some uses.
func (v *visit) add(p posture.Place, uses posture.Use) {
	if v.many == nil {
		v.many = map[posture.Use]int{}
	}
	for use := posture.UseWrite; use <= posture.UseDevice; use <<= 1 {
		if uses&use == 0 {
			continue
		}
		if v.many[use] == maxPlaces {
			v.full |= use
			v.out.More |= use
			uses &^= use
			continue
		}
		v.many[use]++
	}
	if uses != 0 {
		p.Use = uses
		v.out.Places = append(v.out.Places, p)
	}
}
