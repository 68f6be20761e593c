package collect

import (
	"errors"
	"fmt"
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

// root fills Root, for every thread that has a root directory of its own.
func (a *collector) root() {
	// The roots come first: looking into a namespace takes a thread that ends
	// with another root directory than the process has.
	roots := a.roots()
	var common rootEvidence
	a.mountNamespace(&common)
	first := true
	for _, at := range roots {
		e := common
		e.target, e.readOnly = at.stat, at.readOnly
		r := decideRoot(e)
		if first {
			a.p.Root, first = r, false
		} else {
			a.p.Root = worstRoot(a.p.Root, r)
		}
	}
}

// place is one root directory.
type place struct {
	stat     posture.Fact[kernel.FileStat]
	readOnly posture.Fact[bool]
}

// roots returns the different root directories among the threads: that of
// the leader, or of the calling thread, comes first.
func (a *collector) roots() []place {
	if a.task == nil {
		fd, err := kernel.Open(kernel.CurrentDir, "/", kernel.OpenPath|kernel.OpenDirectory, "/")
		return []place{a.place(fd, err, "/")}
	}
	first := a.p.PID
	if len(a.p.Classes) > 0 {
		first = a.p.Classes[0].TID
	}
	out := []place{a.rootOf(first)}
	for i := range a.p.Classes {
		for _, tid := range a.p.Classes[i].TIDs {
			if tid == first {
				continue
			}
			if same, err := a.c.SameFS(first, tid); err == nil && same {
				continue
			}
			if r := a.rootOf(tid); !r.same(out[0]) && !r.ended() {
				out = append(out, r)
			}
		}
	}
	return out
}

func (p place) same(q place) bool {
	a, ok1 := p.stat.Get()
	b, ok2 := q.stat.Get()
	return ok1 && ok2 && a == b
}

func (p place) ended() bool { return p.stat.Err == errThreadEnded.Error() }

var errThreadEnded = errors.New("the thread has ended")

func (a *collector) rootOf(tid int) place {
	name := strconv.Itoa(tid) + "/root"
	fd, err := a.task.Follow(name)
	if gone(err) {
		err = errThreadEnded
	}
	return a.place(fd, err, a.task.Path()+"/"+name)
}

func (a *collector) place(fd int, err error, source string) place {
	if err != nil {
		return place{posture.Failed[kernel.FileStat](source, err.Error()), posture.Failed[bool](source, err.Error())}
	}
	defer kernel.Close(fd)
	p := place{stat: a.statFact(fd, source)}
	fs, err := a.c.Statfs(fd, source)
	p.readOnly = fact(fs.ReadOnly, err, source)
	if err == nil {
		p.readOnly.Raw = map[bool]string{true: "read-only mount", false: "writable mount"}[fs.ReadOnly]
	}
	return p
}

func (a *collector) statFact(fd int, source string) posture.Fact[kernel.FileStat] {
	st, err := a.c.Stat(fd, source)
	return fileStatFact(st, err, source)
}

func fileStatFact(st kernel.FileStat, err error, source string) posture.Fact[kernel.FileStat] {
	if err != nil {
		return posture.Failed[kernel.FileStat](source, err.Error())
	}
	raw := fmt.Sprintf("device %d:%d, inode %d", kernel.Major(st.Dev), kernel.Minor(st.Dev), st.Ino)
	if st.HasMountID {
		raw += fmt.Sprintf(", mount %d", st.MountID)
	}
	if st.HasMountRoot && !st.MountRoot {
		raw += ", not the root of a mount"
	}
	return posture.Of(st, source, raw)
}

// mountNamespace fills what the target's root is compared with.
func (a *collector) mountNamespace(e *rootEvidence) {
	if a.task == nil {
		e.machine = posture.Failed[kernel.FileStat]("/proc", a.noTask.Error())
		e.namespace, e.shared = e.machine, posture.Carry(e.machine, false)
		return
	}
	path := a.leader("ns/mnt")
	source := a.task.Path() + "/" + path
	link, err := a.task.Readlink(path)
	e.shared = fact(link == initialMountNamespace, err, source)
	e.namespace = a.namespaceRoot(path, source)
	if link == initialMountNamespace && e.namespace.State == posture.Known {
		e.machine = e.namespace
		return
	}
	e.machine = a.machineRoot(e, link)
}
