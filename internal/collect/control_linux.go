package collect

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Bounds of a path: symbolic links as the kernel has it, and directories.
const (
	maxLinks      = 40
	maxComponents = 256
	maxUsers      = 4 // user ids whose directories in /run are looked at
)

// ControlSockets looks for what others take orders by, by path. Nothing is opened
// but by O_PATH, and nothing connected to.
func (s *Site) ControlSockets() {
	a, f := s.by, &s.Process.MakeReach().ControlSockets
	a.mounts()
	mounts := s.Process.MakeReach().Mounts
	if mounts.State != posture.Known {
		f.Fail(mounts.Source, mounts.Err)
		return
	}
	root := a.filesRoot()
	if root.err != nil {
		f.Fail(root.source, root.err.Error())
		return
	}
	w := &walker{
		c: kernel.New(a.o.Deny), ctx: a.ctx, view: a.views(), root: root.fd, source: root.source, attr: make([]byte, 4<<10),
		mounts: slices.Clone(mounts.Value), own: a.self && a.alike() && !mayBypass(s.Process),
	}
	l := &controlLook{walker: w, paths: controlPaths(s.Process), self: a.self}
	if !l.look() {
		f.Fail(root.source, root.source+": the look at paths below it hangs in a file system that does not answer")
		return
	}
	if w.failed != nil {
		f.Fail(root.source, w.failed.Error())
		return
	}
	a.otherRoots(w)
	l.found.Unseen, l.found.Looked = w.out.Unseen, len(l.paths)
	f.Value = l.found
	f.Know(root.source, strconv.Itoa(len(l.found.Found))+" of "+strconv.Itoa(len(l.paths))+" paths are there")
}

// mayBypass says that a thread may put in force what opens every directory.
func mayBypass(p *posture.Process) bool {
	for i := range p.Classes {
		if set, known := p.Classes[i].Caps.Permitted.Get(); !known || set&(capDACOverride|capDACReadSearch) != 0 {
			return true
		}
	}
	return len(p.Classes) == 0
}

// controlPaths are the paths for the users of the process.
func controlPaths(p *posture.Process) (out []controlPath) {
	var users []string
	for i := range p.Classes {
		ids, known := p.Classes[i].UID.Get()
		for _, id := range [...]posture.ID{ids.Real, ids.Effective, ids.Saved, ids.FS} {
			word := strconv.FormatUint(uint64(id.Value), 10)
			if known && !slices.Contains(users, word) && len(users) < maxUsers {
				users = append(users, word)
			}
		}
	}
	add := func(one controlPath) {
		out = append(out, one)
		if strings.HasPrefix(one.path, "/run/") {
			one.path = "/var" + one.path
			out = append(out, one)
		}
	}
	for _, one := range usualControlPaths {
		before, after, perUser := strings.Cut(one.path, "{uid}")
		if !perUser {
			add(one)
			continue
		}
		for _, user := range users {
			one.path = before + user + after
			add(one)
		}
	}
	return out
}

// controlLook looks at paths.
type controlLook struct {
	*walker
	paths []controlPath
	self  bool
	found posture.ControlSockets
	inos  []directoryKey
}

// look looks at all, and is false where that did not end: see collector.walk.
func (l *controlLook) look() (ended bool) {
	if l.self {
		l.all()
		return true
	}
	cancel := context.CancelFunc(func() {})
	if end, ok := l.ctx.Deadline(); ok {
		l.ctx, cancel = context.WithDeadline(l.ctx, time.Now().Add(time.Until(end)/2))
	}
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.all()
	}()
	select {
	case <-done:
		return true
	case <-l.ctx.Done():
		return false
	}
}

func (l *controlLook) all() {
	defer kernel.Close(l.root)
	var err error
	if l.top, err = l.c.Inode(l.root, "", l.source); err != nil {
		l.failed = err
		return
	}
	l.plan()
	for i := range l.paths {
		if err := l.ctx.Err(); err != nil {
			l.failed = err
			return
		}
		l.one(&l.paths[i])
	}
}

// one looks at a path.
func (l *controlLook) one(p *controlPath) {
	g := &resolver{controlLook: l, at: []step{{fd: l.root}}}
	defer g.close()
	st, err := g.follow(p.path)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		return
	case err != nil:
		l.barred(p.path, err, false)
		return
	}
	kind, key := st.Mode&typeMask, directoryKey{dev: st.Dev, ino: st.Ino}
	if p.secret && kind != typeRegular || !p.secret && kind != kernel.TypeSocket || slices.Contains(l.inos, key) {
		return
	}
	l.inos = append(l.inos, key)
	one := posture.Control{Path: p.path, What: p.what, Secret: p.secret, Through: g.through}
	one.Permission = l.permission(g.dir(), g.last, &st)
	l.found.Found = append(l.found.Found, one)
}

// step is a directory on the way, and its name in the one before.
type step struct {
	fd   int
	name string
}

// resolver goes a path as the process would, one name after the other, so that
// no link leads out of the root directory.
type resolver struct {
	*controlLook
	at      []step
	through []posture.Permission
	// last is the last name, in the directory that at ends with.
	last string
}

func (g *resolver) dir() int { return g.at[len(g.at)-1].fd }

func (g *resolver) close() {
	for len(g.at) > 1 {
		g.up()
	}
}

func (g *resolver) up() {
	if len(g.at) > 1 {
		kernel.Close(g.dir())
		g.at = g.at[:len(g.at)-1]
	}
}

// path is the way so far, from the root directory of the process.
func (g *resolver) path(name string) string {
	var b strings.Builder
	for _, s := range g.at[1:] {
		b.WriteString("/" + s.name)
	}
	return b.String() + "/" + name
}

// errServed names a file system that somebody answers for.
type errServed string

func (e errServed) Error() string {
	return "on a file system of type " + string(e) + ", which may never answer and so is not looked into"
}

// follow returns what lies at a path, links followed.
func (g *resolver) follow(path string) (kernel.Inode, error) {
	links := 0
	rest := strings.Split(path, "/")
	for n := 0; ; n++ {
		if len(rest) == 0 {
			return kernel.Inode{}, syscall.ENOENT // a link to a directory
		}
		name := rest[0]
		rest = rest[1:]
		switch {
		case n > maxComponents || len(g.at) > maxDepth:
			return kernel.Inode{}, syscall.ELOOP
		case name == "" || name == ".":
			continue
		case name == "..":
			g.up()
			continue
		}
		st, err := g.look(name)
		if err != nil {
			return st, err
		}
		switch st.Mode & typeMask {
		case kernel.TypeLink:
			if links++; links > maxLinks {
				return st, syscall.ELOOP
			}
			target, err := g.c.Readlink(g.dir(), name, "")
			if err != nil {
				return st, err
			}
			if strings.HasPrefix(target, "/") {
				g.close()
			}
			rest = append(strings.Split(target, "/"), rest...)
		case kernel.TypeDirectory:
			if err := g.enter(name); err != nil {
				return st, err
			}
		default:
			g.last = name
			if slices.ContainsFunc(rest, func(s string) bool { return s != "" }) {
				return st, syscall.ENOTDIR
			}
			return st, nil
		}
	}
}

// look looks at a name, and notes who may search the directory that it is in.
func (g *resolver) look(name string) (kernel.Inode, error) {
	path := g.path(name)
	if kind := g.servedBy(&posture.Mount{Point: path}); kind != "" {
		return kernel.Inode{}, errServed(kind)
	}
	if !g.self && throughSelf(path) {
		return kernel.Inode{}, errors.New("it leads to a process by who looks, and that is the auditor")
	}
	here, err := g.c.Inode(g.dir(), "", path)
	if err != nil {
		return here, err
	}
	g.through = g.narrow(g.through, g.dir(), &here)
	return g.c.Inode(g.dir(), name, path)
}

func (g *resolver) enter(name string) error {
	fd, err := kernel.Open(g.dir(), name, kernel.OpenPath|kernel.OpenDirectory|kernel.OpenNoFollow, "")
	if err == nil {
		g.at = append(g.at, step{fd, name})
	}
	return err
}
