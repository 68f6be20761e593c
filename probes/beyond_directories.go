package probes

import (
	"encoding/binary"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// openDirectories goes up from each directory that the process has open. The root
// ends that way only where it is met.
type openDirectories struct{}

const (
	// upwards is a path of so many ".." that no directory lies deeper, and that
	// is no longer than a path may be.
	upwards      = 1024
	atEmptyPath  = 0x1000
	directoryRef = pathOnly | syscall.O_DIRECTORY
)

// climb writes calls that look at directories by where they lie.
type climb struct {
	*builder
	root  child.Buffer
	path  word // of upwards
	first *made
	// reach, and the same for the calls that change the working directory.
	reach, reachDir, reachFD *made
}

func newClimb(b *builder) *climb {
	up := make([]byte, 0, 3*upwards+1)
	for range upwards {
		up = append(up, "../"...)
	}
	u := &climb{builder: b, root: b.Buffer(statxSize), path: b.at(b.Bytes(append(up, 0)))}
	u.reach = b.unit("openat", args(bad, bad, i(0), i(0)), 0)
	u.reachDir = b.unit("chdir", args(bad), 0)
	u.reachFD = b.unit("fchdir", args(bad), 0)
	u.first = b.do("statx", args(c("AT_FDCWD", atFDCWD), s("/"), i(0), i(statxMask), b.at(u.root)), 0)
	b.End()
	return u
}

// placed is a directory that was looked at.
type placed struct {
	open, stat *made
	at         child.Buffer
}

// stat looks at what a descriptor refers to.
func (u *climb) stat(fd word, f child.Flags) (*made, child.Buffer) {
	at := u.Buffer(statxSize)
	return u.do("statx", args(fd, s(""), c("AT_EMPTY_PATH", atEmptyPath), i(statxMask), u.at(at)), f), at
}

// open opens a directory from another and looks at it.
func (u *climb) open(from, path word, f child.Flags) placed {
	var p placed
	p.open = u.do("openat", args(from, path, c("O_PATH|O_DIRECTORY", directoryRef), i(0)), f)
	p.stat, p.at = u.stat(result(p.open), 0)
	return p
}

// closed ends the unit. What was not opened has no descriptor that could be closed.
func (u *climb) closed(list ...placed) {
	for _, p := range list {
		u.do("close", args(result(p.open)), 0)
	}
	u.End()
}

// ok says that the directory was reached and seen, and that no filter answered
// in place of the kernel.
func (u *climb) ok(p placed) bool { return u.opened(p) && u.seen(p.stat, p.at) }

// opened says that the kernel answered, and with success: with arguments that it
// cannot take it refuses.
func (u *climb) opened(p placed) bool {
	open := u.read(p.open)
	if !open.OK() || !u.env.filtered {
		return open.OK()
	}
	genuine := func(reach *made, want syscall.Errno) bool { a := u.read(reach); return a.Made && a.Errno == want }
	if open.call == "chdir" {
		return genuine(u.reachDir, efault) && genuine(u.reachFD, ebadf)
	}
	return genuine(u.reach, efault)
}

// seen says that the kernel wrote what it was asked for.
func (u *climb) seen(stat *made, at child.Buffer) bool {
	const inode = 0x100
	return u.read(stat).OK() && binary.NativeEndian.Uint32(u.Read(at))&inode != 0
}

// isRoot says that it is the own root.
func (u *climb) isRoot(at child.Buffer) bool { return same(u.Read(u.root), u.Read(at)) }

func (openDirectories) build(b *builder) func() verdict {
	on := b.env.in.Beyond
	u := newClimb(b)
	// The working directory comes first: what comes after changes it.
	var reads []func() verdict
	for _, cwd := range []bool{true, false} {
		for k := range on.Directories {
			if d := &on.Directories[k]; cwd == (d.FD == WorkingDirectory) {
				reads = append(reads, u.from(d))
			}
		}
	}
	return func() verdict {
		if len(reads) == 0 {
			if on.NotOpened != "" {
				return undecided("no directory was tried: " + on.NotOpened)
			}
			return noObject("it has no directory open")
		}
		list := make([]verdict, len(reads))
		for k, read := range reads {
			list[k] = read()
		}
		v := worst(list)
		if v.outcome != succeededOutcome && v.outcome != posture.Undecided && on.NotOpened != "" {
			return undecided("others were not tried: "+on.NotOpened, v.seen...)
		}
		return v
	}
}

// from goes up from one directory in three ways: by openat(2) as far as there is
// a way and one step alone, and by fchdir(2).
func (u *climb) from(d *Directory) func() verdict {
	start := c("AT_FDCWD", atFDCWD)
	if d.FD != WorkingDirectory {
		start = i(d.FD)
	}
	far := u.open(start, u.path, child.Need)
	above := u.open(result(far.open), s(".."), 0)
	u.closed(above, far)
	near := u.open(start, s(".."), child.Need)
	u.closed(near)
	var walk, end placed
	if d.FD != WorkingDirectory {
		u.do("fchdir", args(start), child.Need)
	}
	walk.open = u.do("chdir", args(u.path), child.Need)
	walk.at = u.Buffer(statxSize)
	walk.stat = u.do("statx", args(c("AT_FDCWD", atFDCWD), s("."), i(0), i(statxMask), u.at(walk.at)), 0)
	end.open = u.do("chdir", args(s("..")), child.Need)
	end.at = u.Buffer(statxSize)
	end.stat = u.do("statx", args(c("AT_FDCWD", atFDCWD), s("."), i(0), i(statxMask), u.at(end.at)), 0)
	u.End()
	return func() verdict { return u.judgeFrom(d, [2]placed{far, walk}, [2]placed{above, end}, near) }
}

// judgeFrom reads the two ways up, each with the step after it, and the single step.
func (u *climb) judgeFrom(d *Directory, ways, after [2]placed, near placed) verdict {
	far := ways[0]
	first := u.read(u.first)
	seen := []*answer{first, u.read(far.open), u.read(far.stat)}
	if !u.seen(u.first, u.root) {
		return undecided("the own root could not be looked at", first)
	}
	for k, p := range ways {
		if !u.ok(p) || u.isRoot(p.at) {
			continue
		}
		// A way up that ends below the top proves nothing, but for a directory
		// that is known to be outside.
		if top := u.ok(after[k]) && same(u.Read(after[k].at), u.Read(p.at)); top || d.Outside {
			return succeeded(d.What+" leads to a directory above its root, which was reached", u.read(p.open), u.read(p.stat))
		}
		return undecided("from "+d.What+" more than "+number10or16(upwards)+" directories lead up", seen...)
	}
	if u.ok(near) && d.Outside && !u.isRoot(near.at) {
		return succeeded("a directory outside its root was reached from "+d.What, u.read(near.open), u.read(near.stat))
	}
	switch {
	case u.ok(far) && d.Outside:
		return undecided(d.What+" is outside the root by what was seen of it, and the way up from it leads to that", seen...)
	case u.ok(far):
		return noObject(d.What+" leads to its root", seen...)
	case u.opened(far):
		return undecided("where "+d.What+" leads could not be looked at", seen...)
	}
	v := u.env.judge(&reading{want: efault, capability: noCap}, u.read(u.reach), u.read(far.open))
	switch {
	case v.outcome == stoppedOutcome && d.Inside:
		return noObject(d.What+" lies within its root", v.seen...)
	case v.outcome == stoppedOutcome && u.ok(near) && !d.Outside:
		return undecided("from "+d.What+" the way up is refused halfway, and whether it lies within the root is not known", v.seen...)
	}
	return about(v, d.What)
}
