package collect

import (
	"errors"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Fixed inodes of the machine's first namespaces. That of the mount namespace
// is fixed since Linux 6.17; no other namespace was ever given that number.
const (
	initialPIDNamespace   = "pid:[4026531836]"
	initialMountNamespace = "mnt:[4026531832]"
)

// RootReader reads root directories, for one audit.
type RootReader struct{ by *collector }

// ReadRoot fills Root, for every thread that has a root directory of its own.
func ReadRoot(r *RootReader) {
	a := r.by
	// The roots come first: looking into a namespace takes a thread that ends
	// with another root directory than the process has.
	roots := a.roots()
	var e rootEvidence
	a.mountNamespace(&e)
	for i := range roots {
		e.target, e.readOnly = roots[i].place, roots[i].readOnly
		r := decideRoot(&e)
		if i == 0 {
			a.p.Root = *r
		} else {
			worsen(&a.p.Root, r, roots[i].tid)
		}
	}
}

// rootDirectory is one root directory, and whether its mount is read-only.
type rootDirectory struct {
	place
	readOnly posture.Fact[bool]
	tid      int
}

// roots returns the different root directories among the threads: that of
// the leader, or of the calling thread, comes first.
func (a *collector) roots() []*rootDirectory {
	if a.task == nil {
		return []*rootDirectory{a.rootAt(a.openOwn("/"))}
	}
	threads := a.ownFS()
	out := []*rootDirectory{a.rootOf(threads[0])}
	for _, tid := range threads[1:] {
		if r := a.rootOf(tid); !r.same(out[0]) && !r.ended() {
			out = append(out, r)
		}
	}
	return out
}

func (p *rootDirectory) same(q *rootDirectory) bool {
	return bothKnown(&p.Origin, &q.Origin) && p.Value == q.Value
}

func (p *rootDirectory) ended() bool { return p.Err == errThreadEnded.Error() }

var errThreadEnded = errors.New("the thread has ended")

func (a *collector) rootOf(tid int) *rootDirectory {
	r := a.rootAt(a.follow(tid, "root"))
	r.tid = tid
	return r
}

// rootAt looks at a root directory, and closes it.
func (a *collector) rootAt(d openDirectory) *rootDirectory {
	defer d.close()
	p := &rootDirectory{place: *a.place(d)}
	if d.err != nil {
		p.readOnly.Fail(d.source, d.err.Error())
		return p
	}
	fs, err := a.c.Statfs(d.fd, d.source)
	raw := "writable mount"
	if p.readOnly.Value = fs.ReadOnly; fs.ReadOnly {
		raw = "read-only mount"
	}
	settle(&p.readOnly.Origin, err, d.source, raw)
	return p
}

func (a *collector) statPlace(f *place, fd int, source string) {
	st, err := a.c.Stat(fd, source)
	setPlace(f, st, err, source)
}

func setPlace(f *place, st kernel.FileStat, err error, source string) {
	f.Value = st
	settle(&f.Origin, err, source, describePlace(&st))
}

func describePlace(st *kernel.FileStat) string {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	raw := "device " + number(uint64(kernel.Major(st.Dev))) + ":" + number(uint64(kernel.Minor(st.Dev))) + ", inode " + number(st.Ino)
	if st.HasMountID {
		raw += ", mount " + number(st.MountID)
	}
	if st.HasMountRoot && !st.MountRoot {
		raw += ", not the root of a mount"
	}
	return raw
}

// mountNamespace fills what the target's root is compared with.
func (a *collector) mountNamespace(e *rootEvidence) {
	if a.task == nil {
		why := a.noTask.Error()
		e.machine.Fail("/proc", why)
		e.namespace.Fail("/proc", why)
		e.shared.Fail("/proc", why)
		return
	}
	path := a.leader("ns/mnt")
	link, err := a.task.Readlink(path)
	e.shared.Value = link == initialMountNamespace
	settle(&e.shared.Origin, err, a.task.Path()+"/"+path, link)
	a.rootIn(&e.namespace, a.task, path)
	if e.shared.Value && e.namespace.State == posture.Known {
		e.machine = e.namespace
		return
	}
	a.machineRoot(e, link)
}
