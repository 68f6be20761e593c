package collect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// maxMountTables bounds how often the mounts are read again for a file that lies
// on one that is not among them: it may have been mounted since.
const maxMountTables = 4

// placer tells where files lie that are open for writing. A file lies within the
// root directory where the mount that it was opened by is among those that the
// thread sees: mountinfo leaves out what cannot be reached from the root.
type placer struct {
	*Site
	tid int
	// mounts are those that the thread sees, or why they are not known.
	mounts []posture.Mount
	byID   map[uint64]int
	err    error
	reads  int
	// root is the thread's root directory, and at where it is.
	root openDirectory
	at   *place
	// rootPath is how the kernel prints it, for the auditor.
	rootPath string
	rootErr  error
}

// use turns to the thread whose table is read.
func (p *placer) use(tid int) {
	*p = placer{Site: p.Site, tid: tid}
	p.root.fd, p.root.err = -1, errNotAsked
}

var errNotAsked = errors.New("not asked")

func (p *placer) close() {
	p.root.close()
	p.root.fd, p.root.err = -1, errNotAsked
}

// decide fills OutsideRoot and ReadOnly of what is open for writing.
func (p *placer) decide(f *posture.OpenFile, o *opened) {
	const no = "not asked: not open for writing, or without a place"
	kind, _ := f.Kind.Get()
	placed := kind == posture.FileRegular || kind == posture.FileBlock || kind == posture.FileCharacter || kind == posture.FileFIFO || kind == posture.FileProcess
	if !placed || !f.Flags.Value.Write {
		f.OutsideRoot.Fail(o.source, no)
		f.ReadOnly.Fail(o.source, no)
		return
	}
	if kind == posture.FileRegular && looksLikeMemory(o) {
		if m, err := p.mountOf(o); err == nil && m == nil {
			const why = "memory without a place, or a file that was removed: its path does not tell"
			f.OutsideRoot.Fail(o.source, why)
			f.ReadOnly.Fail(o.source, why)
			return
		}
	}
	m, err := p.mountOf(o)
	switch {
	case err != nil:
		f.OutsideRoot.Fail(o.source, err.Error())
	case m != nil:
		f.OutsideRoot = posture.Of(false, o.source, "mount "+strconv.FormatUint(m.ID, 10))
	default:
		p.unlisted(&f.OutsideRoot, o)
	}
	p.readOnly(f, o, m, kind)
}

// mountOf returns the mount that a file was opened by, or nil where the thread
// does not see it.
func (p *placer) mountOf(o *opened) (*posture.Mount, error) {
	for {
		if i, ok := p.byID[o.OpenInfo.MountID]; ok && p.err == nil {
			return &p.mounts[i], nil
		}
		if p.reads > 0 && (p.err != nil || p.reads == maxMountTables) {
			return nil, p.err
		}
		again := p.reads > 0
		p.read()
		if _, ok := p.byID[o.OpenInfo.MountID]; again && !ok {
			return nil, p.err
		}
	}
}

// read reads the mounts.
func (p *placer) read() {
	p.reads++
	name := strconv.Itoa(p.tid) + "/mountinfo"
	data, err := p.Task.MountInfo(p.Ctx, name)
	if err == nil {
		if p.mounts, err = procfs.ParseMountInfo(data); err != nil {
			err = fmt.Errorf("%s/%s: %w", p.Task.Path(), name, err)
		}
	}
	p.byID, p.err = make(map[uint64]int, len(p.mounts)), err
	for i := range p.mounts {
		p.byID[p.mounts[i].ID] = i
	}
}

// findRoot looks at the root directory, once.
func (p *placer) findRoot() {
	if p.root.err != errNotAsked {
		return
	}
	p.root = p.by.follow(p.tid, "root")
	p.at = p.by.place(p.root)
	p.rootPath, p.rootErr = p.Task.Readlink(strconv.Itoa(p.tid) + "/root")
}

// unlisted decides where the thread does not see the mount: it is outside,
// unless the root directory is a directory of just that mount, as after
// chroot(2), or it holds message queues of the own IPC namespace.
func (p *placer) unlisted(f *posture.Fact[bool], o *opened) {
	p.findRoot()
	root, known := p.at.Get()
	for i := range p.mounts {
		if m := &p.mounts[i]; m.Type == "mqueue" && kernel.Device(m.Major, m.Minor) == o.Dev {
			*f = posture.Of(false, o.source, "a message queue of the namespace that is mounted within the root")
			return
		}
	}
	switch {
	case !known:
		f.Fail(o.source, "the root directory could not be looked at: "+p.at.Why())
	case root.HasMountID && root.MountID != o.OpenInfo.MountID:
		*f = posture.Of(true, o.source, "mount "+strconv.FormatUint(o.OpenInfo.MountID, 10)+", which cannot be reached from the root directory")
	case !root.HasMountID && root.Dev != o.Dev:
		*f = posture.Of(true, o.source, "another file system than any that can be reached from the root directory")
	default:
		p.beside(f, o)
	}
}

// beside decides for a file on the very mount that the root directory is a
// directory of. Its path is opened below the root, where that is not to be
// answered for by a server.
func (p *placer) beside(f *posture.Fact[bool], o *opened) {
	path, below, err := p.below(o)
	switch {
	case err != nil:
		f.Fail(o.source, err.Error())
		return
	case !below:
		*f = posture.Of(true, o.source, o.link)
		return
	case o.Nlink == 0:
		f.Fail(o.source, o.source+": was removed, so that its path does not tell whether it lay within the root directory")
		if !p.Self {
			*f = posture.Of(false, o.source, o.link)
		}
		return
	}
	same, err := p.resolves(path, o)
	switch {
	case err == nil && same:
		*f = posture.Of(false, o.source, o.link)
	case err != nil && !errors.Is(err, syscall.ENOENT):
		f.Fail(o.source, err.Error())
	case p.covering(path) != nil:
		f.Fail(o.source, o.source+": another mount covers its path")
	case !p.Self:
		f.Fail(o.source, o.source+": is not where its path leads")
	default:
		*f = posture.Of(true, o.source, o.link+" leads elsewhere, or nowhere, from the root directory")
	}
}

// below returns the path from the root directory. Of another process the kernel
// prints paths as the auditor's own root directory has them.
func (p *placer) below(o *opened) (path string, below bool, err error) {
	if o.linkErr != nil {
		return "", false, o.linkErr
	}
	if p.Self {
		return o.link, true, nil
	}
	p.findRoot()
	if p.rootErr != nil {
		return "", false, p.rootErr
	}
	if p.rootPath == "/" {
		return o.link, true, nil
	}
	path, below = strings.CutPrefix(o.link, p.rootPath)
	if below = below && strings.HasPrefix(path, "/"); below {
		return path, true, nil
	}
	top := p.by.openOwn("/")
	defer top.close()
	if st, known := p.by.place(top).Get(); !known || !st.HasMountRoot || !st.MountRoot {
		return "", false, errors.New(o.source + ": the auditor's own root directory is in the way")
	}
	return "", false, nil
}

// resolves says whether a path below the root directory leads to the file.
func (p *placer) resolves(path string, o *opened) (bool, error) {
	flags, err := p.Calls.MountFlags(p.root.fd, p.root.source)
	if err != nil {
		return false, err
	}
	for i := range magics {
		if magics[i].magic == flags.Magic && isWalked(magics[i].kind) == served {
			return false, errors.New(o.source + ": a server answers for the file system of the root directory, and is not asked")
		}
	}
	fd, err := p.Calls.OpenBeneath(p.root.fd, strings.TrimPrefix(path, "/"), kernel.OpenPath|kernel.OpenNoFollow, p.root.source)
	if err != nil {
		return false, err
	}
	defer kernel.Close(fd)
	st, err := p.Calls.Stat(fd, path)
	return err == nil && sameDirectory(&st, &o.FileStat) && st.MountID == o.Opened.MountID, err
}

// covering returns the mount that a path from the root directory leads to, as
// far as mount points tell: the last of those mounted on the longest one.
func (p *placer) covering(path string) *posture.Mount {
	var best *posture.Mount
	for i := range p.mounts {
		m := &p.mounts[i]
		under := m.Point == "/" || path == m.Point || strings.HasPrefix(path, m.Point) && path[len(m.Point)] == '/'
		if under && (best == nil || len(m.Point) >= len(best.Point)) {
			best = m
		}
	}
	return best
}

// readOnly decides for regular files. Devices and pipes are written whatever the
// mount of their node.
func (p *placer) readOnly(f *posture.OpenFile, o *opened, m *posture.Mount, kind posture.FileKind) {
	if kind != posture.FileRegular && kind != posture.FileProcess {
		f.ReadOnly = posture.Of(false, o.source, "no regular file")
		return
	}
	if m == nil {
		f.ReadOnly.Fail(o.source, "its mount is not among those that can be reached from the root directory")
		if out, known := f.OutsideRoot.Get(); known && !out {
			p.rootReadOnly(&f.ReadOnly, o)
		}
		return
	}
	path, below, err := p.below(o)
	top := p.covering(path)
	switch {
	case isReadOnly(m):
		f.ReadOnly = posture.Of(true, o.source, "mount "+strconv.FormatUint(m.ID, 10)+" is read-only")
	case err != nil:
		f.ReadOnly.Fail(o.source, err.Error())
	case !below:
		f.ReadOnly.Fail(o.source, o.source+": its path is not one from the root directory")
	case top != nil && top.ID != m.ID && isReadOnly(top):
		f.ReadOnly = posture.Of(true, o.source, "its path leads to mount "+strconv.FormatUint(top.ID, 10)+", which is read-only; it was opened by mount "+strconv.FormatUint(m.ID, 10))
	default:
		f.ReadOnly = posture.Of(false, o.source, "mount "+strconv.FormatUint(m.ID, 10)+" is writable")
	}
}

// rootReadOnly is readOnly for a file on the mount that the root directory is a
// directory of.
func (p *placer) rootReadOnly(f *posture.Fact[bool], o *opened) {
	if p.at == nil || p.at.Value.MountID != o.OpenInfo.MountID {
		*f = posture.Of(false, o.source, "a message queue")
		return
	}
	fs, err := p.Calls.Statfs(p.root.fd, p.root.source)
	f.Value = fs.ReadOnly
	settle(&f.Origin, err, o.source, "the mount of the root directory")
}

// isReadOnly says whether a mount or its file system is read-only.
func isReadOnly(m *posture.Mount) bool {
	return m.Has("ro") || m.SuperOptions == "ro" || strings.HasPrefix(m.SuperOptions, "ro,")
}
