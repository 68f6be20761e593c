package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// workingDirectories fills Root.CwdOutside and Root.RootOutside, for every
// thread that has a working or root directory of its own.
func (a *collector) workingDirectories(up *ascent) {
	const source = "working directories"
	r := &a.p.Root
	cwd, outside := &r.CwdOutside, &r.RootOutside
	if a.task == nil {
		// The calling thread is the only one that is seen at all.
		*cwd = a.cwdOutside(up, a.placeOf(a.openOwn("/")), a.openOwn("."))
		a.askCwd(cwd)
		outside.Fail("/proc", "only the calling thread's root directory could be seen: "+a.noTask.Error())
		return
	}
	own := a.ownFS()
	var leaders *place
	for i, tid := range own {
		if err := a.ctx.Err(); err != nil {
			cwd.Fail(source, source+": "+err.Error()+" while they were read")
			outside.Origin = cwd.Origin
			return
		}
		root := a.follow(tid, "root")
		at := a.place(root)
		one := a.cwdOutside(up, at, a.follow(tid, "cwd"))
		switch {
		case i == 0:
			leaders = at
			*cwd, outside.Origin = one, at.Origin
		case one.Err != errThreadEnded.Error():
			worst(cwd, &one, true, &r.Of.CwdOutside, tid)
			if one = (posture.Fact[bool]{Origin: at.Origin}); at.State == posture.Known {
				// What all else is judged by does not hold this thread otherwise.
				one = up.from(root.fd, at.Value, leaders, root.source).outside
				one.Source, one.Raw = at.Source, at.Raw
			}
			worst(outside, &one, true, &r.Of.RootOutside, tid)
		}
		root.close()
	}
	if a.self && len(own) == 1 {
		a.askCwd(cwd)
	}
}

// askCwd asks the kernel about the calling thread's working directory where
// the way up from it could not be gone: a service may have been started in a
// directory that it may not search any more.
func (a *collector) askCwd(f *posture.Fact[bool]) {
	if f.State == posture.Known {
		return
	}
	if reachable, err := a.c.CwdReachable(); err == nil {
		f.Value = !reachable
		f.Know("getcwd(2)", "within the root directory")
		if !reachable {
			f.Raw = "(unreachable)"
		}
	}
}

// ownFS returns a thread that is alive, and all that may have another root or
// working directory than that. Where kcmp(2) is refused these are all others.
func (a *collector) ownFS() []int {
	first := a.p.PID
	if len(a.p.Classes) > 0 {
		first = a.p.Classes[0].TID
	}
	out := []int{first}
	for i := range a.p.Classes {
		for _, tid := range a.p.Classes[i].TIDs {
			if tid == first {
				continue
			}
			if same, err := a.c.SameFS(first, tid); err != nil || !same {
				out = append(out, tid)
			}
		}
	}
	return out
}

// openDirectory is a directory open at fd, or why it is not.
type openDirectory struct {
	fd     int
	err    error
	source string
}

func (d *openDirectory) close() {
	if d.err == nil {
		kernel.Close(d.fd)
	}
}

// follow opens what a thread's magic link leads to.
func (a *collector) follow(tid int, link string) openDirectory {
	name := strconv.Itoa(tid) + "/" + link
	fd, err := a.task.Follow(name)
	if gone(err) {
		err = errThreadEnded
	}
	return openDirectory{fd, a.refused(err), a.task.Path() + "/" + name}
}

// openOwn opens a directory of the calling thread's.
func (a *collector) openOwn(path string) openDirectory {
	fd, err := kernel.Open(kernel.CurrentDir, path, kernel.OpenPath|kernel.OpenDirectory, "")
	return openDirectory{fd, err, path}
}

// place looks at the directory. It does not ask its file system, which may
// never answer.
func (a *collector) place(d openDirectory) *place {
	p := new(place)
	if d.err != nil {
		p.Fail(d.source, d.err.Error())
		return p
	}
	a.statPlace(p, d.fd, d.source)
	return p
}

// placeOf is place, and closes the directory.
func (a *collector) placeOf(d openDirectory) *place {
	defer d.close()
	return a.place(d)
}

// cwdOutside says whether a working directory lies outside a root directory.
// It closes the former.
func (a *collector) cwdOutside(up *ascent, root *place, cwd openDirectory) (f posture.Fact[bool]) {
	defer cwd.close()
	if cwd.err != nil {
		f.Fail(cwd.source, cwd.err.Error())
		return f
	}
	st, err := a.c.Stat(cwd.fd, cwd.source)
	if err != nil {
		f.Fail(cwd.source, err.Error())
		return f
	}
	f = up.from(cwd.fd, st, root, cwd.source).outside
	switch f.Source = cwd.source; {
	case f.State != posture.Known:
	case f.Value:
		f.Raw = "outside the root directory"
	default:
		f.Raw = "within the root directory"
	}
	return f
}
