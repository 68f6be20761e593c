package collect

import (
	"context"
	"errors"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Bounds of one walk. What lies beyond is said not to have been seen.
const (
	maxWalked   = 8_000_000 // directory entries
	maxDepth    = 128       // directories below a mount point: each is a descriptor
	maxPrograms = 10_000
	maxLeft     = 200
	// progressStep is after how many entries the progress is told.
	progressStep = 1 << 12
)

// walker walks over mounts and looks for programs that give privileges.
type walker struct {
	ctx    context.Context
	c      *kernel.Calls
	view   *views
	mounts []posture.Mount
	// root is the target's root directory, source its name, top what it is.
	root   int
	source string
	top    kernel.Inode
	// own is true where what bars our way bars the whole process's.
	own bool
	out posture.ProgramWalk
	// visit, where it is not nil, is looked for instead of programs.
	visit *visit
	// progress is told how far it has come, or is nil.
	progress func(files int)
	// failed says why nothing was walked.
	failed error
	// served are the types of file systems that somebody answers for, by mount
	// point.
	served map[string]string
	// seen are directories of file systems that are mounted more than once.
	seen map[directoryKey]struct{}
	// stopped is set when a bound is reached.
	stopped    bool
	room, attr []byte
}

// run walks all mounts, and closes the root.
func (w *walker) run() {
	defer kernel.Close(w.root)
	var err error
	if w.top, err = w.c.Inode(w.root, "", w.source); err != nil {
		w.failed = err
		return
	}
	if !w.top.HasMountID {
		w.failed = errors.New(w.source + ": this kernel shows no mount ids")
		return
	}
	shared := w.plan()
	if w.visit != nil {
		w.begin()
	}
	for i := range w.mounts {
		if m := &w.mounts[i]; w.visit != nil || isWalked(m.Type) != made && !w.stopped {
			w.mount(m, shared[devOf(m)] > 1)
		}
	}
}

func devOf(m *posture.Mount) uint64 { return uint64(m.Major)<<32 | uint64(m.Minor) }

// plan adds the mount of the root directory where the table does not have it, and
// counts how often each file system is to be walked.
func (w *walker) plan() map[uint64]int {
	shared := map[uint64]int{}
	listed := false
	for i := range w.mounts {
		listed = listed || w.mounts[i].ID == w.top.MountID
	}
	if !listed {
		m, err := w.rootMount()
		if err != nil {
			w.leave("/", err.Error())
		} else {
			// The table is the kernel's; this one is ours alone.
			w.mounts = append(w.mounts[:len(w.mounts):len(w.mounts)], m)
		}
	}
	w.served = map[string]string{}
	for i := range w.mounts {
		m := &w.mounts[i]
		switch is := isWalked(m.Type); {
		case is == served:
			w.served[m.Point] = m.Type
		case is == walked && idle(m) == "":
			shared[devOf(m)]++
		}
	}
	return shared
}

// idle says why a program on the mount takes no effect.
func idle(m *posture.Mount) string {
	switch {
	case m.Has("nosuid"):
		return "nosuid"
	case m.Has("noexec"):
		return "noexec"
	default:
		return ""
	}
}

// mount walks one mount, where the mount point leads to it.
func (w *walker) mount(m *posture.Mount, shared bool) {
	var uses posture.Use
	if w.visit != nil {
		if uses = w.visit.left(m); uses == 0 {
			return
		}
		w.visit.uses = uses
	} else if why := idle(m); why != "" {
		w.out.Idle = append(w.out.Idle, posture.Left{Place: m.Point, Why: why})
		return
	}
	if kind := w.servedBy(m); kind != "" {
		w.leave(m.Point, "on a file system of type "+kind+", which may never answer and so is not looked into")
		return
	}
	through, at, err := w.reach(m)
	switch {
	case err == errCovered:
		m.Reachable.Know("openat2(2)", "covered by another mount")
		return
	case err != nil:
		m.Reachable.Fail("openat2(2)", err.Error())
		w.barred(m.Point, err, true)
		return
	}
	defer kernel.Close(at.fd)
	m.Reachable.Value = true
	m.Reachable.Know("openat2(2)", "")
	if w.visit != nil && !w.visit.passable(through) {
		return
	}
	d := directory{fd: -1, path: m.Point, mount: m, through: through, shared: shared && !m.Has("idmapped"), uses: uses}
	if !at.inode.IsDir() {
		w.single(&d)
		return
	}
	fd, err := w.list(at.fd, ".", m.Point)
	if err != nil {
		w.barred(m.Point, err, w.searchable(at.fd, "."))
		return
	}
	d.fd = fd
	w.directory(&d, &at.inode)
}

// servedBy returns the type of the first file system on the way to a mount point
// that the kernel would have to ask somebody about.
func (w *walker) servedBy(m *posture.Mount) string {
	for i := 1; i <= len(m.Point); i++ {
		if i == len(m.Point) || i == 1 || m.Point[i] == '/' {
			if kind := w.served[m.Point[:i]]; kind != "" {
				return kind
			}
		}
	}
	return ""
}

// directory is one that is being walked.
type directory struct {
	fd      int
	path    string
	mount   *posture.Mount
	through []posture.Permission
	depth   int
	// shared is true where the file system may be walked by another mount too.
	shared bool
	// uses are those that a visit looks at it for.
	uses posture.Use
}

func (d *directory) within(name string) string {
	if d.path == "/" {
		return "/" + name
	}
	return d.path + "/" + name
}

// directory walks one, and closes it.
func (w *walker) directory(d *directory, st *kernel.Inode) {
	defer kernel.Close(d.fd)
	switch {
	case w.visit != nil:
		if !w.enterDirectory(d, st) {
			return
		}
	case w.was(d, st):
		return
	default:
		d.through = w.narrow(d.through, d.fd, st)
	}
	var below []string
	err := w.c.Entries(d.fd, w.room, d.path, func(name []byte, kind byte) bool {
		if !w.goOn(d.path) {
			return false
		}
		switch kind {
		case kernel.EntryCharacter, kernel.EntryBlock:
			if w.visit != nil {
				w.visitFile(d, string(name), kind)
			}
		case kernel.EntryRegular, kernel.EntryUnknown:
			if w.entry(d, string(name), kind) {
				below = append(below, string(name))
			}
		case kernel.EntryDirectory:
			below = append(below, string(name))
		}
		return true
	})
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		if w.visit != nil {
			w.visit.uses = d.uses
		}
		w.leave(d.path, err.Error())
	}
	for _, name := range below {
		if w.stopped {
			return
		}
		w.enter(d, name)
	}
}

// entry looks at one of a directory's. It is true for what turns out to be a
// directory.
func (w *walker) entry(d *directory, name string, kind byte) (isDir bool) {
	if w.visit != nil {
		return w.visitFile(d, name, kind)
	}
	return w.file(d, name)
}

// was says that a directory was walked already, by a way that everyone may go.
func (w *walker) was(d *directory, st *kernel.Inode) bool {
	if !d.shared {
		return false
	}
	key := directoryKey{dev: st.Dev, ino: st.Ino}
	if _, known := w.seen[key]; known {
		return true
	}
	if len(d.through) > 0 {
		return false
	}
	if w.seen == nil {
		w.seen = map[directoryKey]struct{}{}
	}
	w.seen[key] = struct{}{}
	return false
}

// goOn counts an entry, and says whether the bounds let the walk go on.
func (w *walker) goOn(path string) bool {
	w.out.Files++
	if w.progress != nil && w.out.Files%progressStep == 0 {
		w.progress(w.out.Files)
	}
	switch err := w.ctx.Err(); {
	case w.stopped:
	case err != nil:
		w.leave(path, "the walk has half of the audit's time, and that was over here: a longer timeout gives it more")
	case w.out.Files > maxWalked:
		w.leave(path, "too many files for one walk, which ended here")
	case len(w.out.Programs) >= maxPrograms:
		w.leave(path, "too many programs for one walk, which ended here")
	default:
		return true
	}
	w.stopped = true
	return false
}

// enter walks the directory name below d, but not over a mount.
func (w *walker) enter(d *directory, name string) {
	path := d.within(name)
	if w.visit != nil {
		if w.visit.uses = w.visit.outside(path, d.uses&^w.visit.full); w.visit.uses == 0 {
			return
		}
	}
	if d.depth+1 > maxDepth {
		w.leave(path, "too deep for one walk")
		return
	}
	fd, err := w.list(d.fd, name, path)
	switch {
	case vanished(err), errors.Is(err, syscall.EXDEV):
		return // gone meanwhile, or walked as a mount of its own
	case err != nil:
		w.barred(path, err, w.searchable(d.fd, name))
		return
	}
	st, err := w.c.Inode(fd, "", path)
	if err != nil {
		kernel.Close(fd)
		w.leave(path, err.Error())
		return
	}
	w.directory(&directory{fd: fd, path: path, mount: d.mount, through: d.through, depth: d.depth + 1, shared: d.shared, uses: d.uses}, &st)
}

// vanished: gone, or another kind of file now.
func vanished(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// list opens a directory for reading, without a change of its access time where
// that is let.
func (w *walker) list(dir int, name, shown string) (int, error) {
	const flags = kernel.OpenDirectory | kernel.OpenNoFollow
	fd, err := w.c.OpenBeneath(dir, name, flags|kernel.OpenNoAtime, "")
	if errors.Is(err, syscall.EPERM) {
		fd, err = w.c.OpenBeneath(dir, name, flags, "")
	}
	if e, ok := err.(*kernel.Error); ok {
		e.File = shown
	}
	return fd, err
}

// searchable says whether paths lead through a directory, whether or not it can
// be listed.
func (w *walker) searchable(dir int, name string) bool {
	fd, err := w.c.OpenBeneath(dir, name+"/.", kernel.OpenPath|kernel.OpenDirectory, "")
	kernel.Close(fd)
	return !errors.Is(err, syscall.EACCES)
}

// barred notes a place that could not be looked at. One that the process may not
// even search holds nothing that it could execute.
func (w *walker) barred(path string, err error, searchable bool) {
	if w.own && errors.Is(err, syscall.EACCES) && !searchable {
		return
	}
	w.leave(path, err.Error())
}

// leave notes what was not seen, up to a bound.
func (w *walker) leave(path, why string) {
	if w.visit != nil {
		if len(w.visit.out.Unseen) < maxLeft {
			w.visit.out.Unseen = append(w.visit.out.Unseen, posture.Unseen{Left: posture.Left{Place: path, Why: why}, Uses: w.visit.uses})
		} else {
			w.visit.out.More |= w.visit.uses
		}
		return
	}
	if len(w.out.Unseen) < maxLeft {
		w.out.Unseen = append(w.out.Unseen, posture.Left{Place: path, Why: why})
	}
}
