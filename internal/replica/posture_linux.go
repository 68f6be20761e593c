package replica

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Capabilities that a replica is made with: capabilities(7).
const (
	capSetGID    = 6
	capSetUID    = 7
	capSetPCap   = 8
	capSysChroot = 18
	capSysAdmin  = 21
)

// Limits of every replica.
const (
	notReadable = "the securebits, the keep-caps flag and the Landlock domain of another process cannot be read: attempts were made without them"
	notJoined   = "attempts were not made in the process's cgroup, whose device rules and limits do not act on them"
)

// Posture returns what a child has to take on to be a thread of that class. The
// descriptors in it are open until Close. limits name what it cannot take on.
// The error says why there can be no replica, with the privilege that is
// missing.
func (t *Target) Posture(class *posture.Class) (child.Posture, []string, error) {
	m := maker{Target: t, class: class, po: child.Posture{Program: child.NewReplica, Root: -1, Cwd: -1}, limits: []string{notReadable}}
	for _, step := range []func() error{m.ourselves, m.facts, m.namespaces, m.places, m.ids, m.capabilities, m.filters, m.rest} {
		if err := step(); err != nil {
			return child.Posture{}, m.limits, fmt.Errorf("replica of thread %d: %w", class.TID, err)
		}
	}
	m.po.Admit = m.admit()
	return m.po, m.limits, nil
}

// maker makes one posture.
type maker struct {
	*Target
	class  *posture.Class
	po     child.Posture
	limits []string

	// What the calling thread has itself.
	caps     kernel.CapData
	bounding uint64
	last     int
	uid, gid [4]uint32
	groups   []uint32
	around   surroundings
	// theirs is what the thread is in.
	theirs surroundings
	// userFirst: the user namespace is joined first, for want of privileges.
	userFirst bool
	// forced: no_new_privs is set though the thread has none.
	forced bool
}

// ourselves reads what the calling thread has.
func (m *maker) ourselves() error {
	var err error
	fail := func(e error) {
		if err == nil {
			err = e
		}
	}
	var e error
	m.caps, e = m.c.Capget(0)
	fail(e)
	m.bounding, m.last, e = m.c.BoundingSet()
	fail(e)
	uid, e := m.c.Getresuid()
	fail(e)
	gid, e := m.c.Getresgid()
	fail(e)
	copy(m.uid[:], uid[:])
	copy(m.gid[:], gid[:])
	m.uid[3], e = m.c.FSUID()
	fail(e)
	m.gid[3], e = m.c.FSGID()
	fail(e)
	m.groups, e = m.c.Getgroups()
	fail(e)
	mode, e := m.c.SeccompMode()
	fail(e)
	if err == nil && mode != 0 {
		return errors.New("this program is itself under a seccomp filter, which its children keep")
	}
	m.around, e = m.Target.surroundings(m.own, kernel.Gettid())
	fail(e)
	return err
}

// facts makes sure that all is known that makes up the thread.
func (m *maker) facts() error {
	t := &m.class.Thread
	for _, f := range []struct {
		what string
		posture.Origin
	}{
		{"user ids", t.UID.Origin}, {"group ids", t.GID.Origin}, {"groups", t.Groups.Origin},
		{"effective capabilities", t.Caps.Effective.Origin}, {"permitted capabilities", t.Caps.Permitted.Origin},
		{"inheritable capabilities", t.Caps.Inheritable.Origin}, {"bounding set", t.Caps.Bounding.Origin}, {"ambient set", t.Caps.Ambient.Origin},
		{"no_new_privs", t.NoNewPrivs.Origin}, {"seccomp mode", t.SeccompMode.Origin},
	} {
		if f.State != posture.Known {
			return errors.New("its " + f.what + " could not be read, " + f.Why())
		}
	}
	return nil
}

// has says that the calling thread can use a capability.
func (m *maker) has(capability int) bool { return m.caps.Effective&(1<<capability) != 0 }

// namespaces opens those that are not our own already.
func (m *maker) namespaces() error {
	var err error
	if m.theirs, err = m.surroundings(m.task, m.class.TID); err != nil {
		return err
	}
	m.seen[m.class.TID] = m.theirs
	m.userFirst = m.differs(user) && !m.has(capSysAdmin)
	for k, n := range types {
		if !m.differs(k) {
			continue
		}
		if !m.has(capSysAdmin) && !m.userFirst {
			return errors.New("joining its " + n.name + " namespace takes CAP_SYS_ADMIN")
		}
		fd, err := m.task.OpenNamespace(m.path("ns/" + n.name))
		if err != nil {
			return accessible(err)
		}
		m.fds = append(m.fds, fd)
		join := child.Namespace{FD: fd, Type: n.flag, Name: n.name}
		switch {
		case k == user && m.userFirst:
			return m.ownersFirst(join)
		case k == user:
			m.po.Late = append(m.po.Late, join)
		default:
			m.po.Join = append(m.po.Join, join)
			m.po.NewPID = m.po.NewPID || n.name == "pid"
		}
	}
	return nil
}

// ownersFirst puts before all others the user namespace that owns them, in which
// a caller without privileges finds those to join them with. It may be one above
// that of the process, which is joined last then.
func (m *maker) ownersFirst(theirs child.Namespace) error {
	first := []child.Namespace{theirs}
	for _, n := range m.po.Join {
		owner, err := kernel.NamespaceOwner(n.FD, m.task.Path()+"/"+m.path("ns/"+n.Name))
		if err != nil {
			return err
		}
		m.fds = append(m.fds, owner)
		alike, err := m.sameFile(owner, theirs.FD)
		if err != nil {
			return err
		}
		if !alike {
			first = []child.Namespace{{FD: owner, Type: theirs.Type, Name: "user"}}
			m.po.Join = append(m.po.Join, theirs)
			break
		}
	}
	m.po.Join = append(first, m.po.Join...)
	return nil
}

// sameFile says whether two descriptors are of one namespace.
func (m *maker) sameFile(a, b int) (bool, error) {
	x, err := m.c.Stat(a, "a user namespace")
	if err != nil {
		return false, err
	}
	y, err := m.c.Stat(b, "a user namespace")
	return x.Dev == y.Dev && x.Ino == y.Ino, err
}

func (m *maker) differs(k int) bool { return m.theirs.links[k] != m.around.links[k] }

func (m *maker) path(name string) string { return strconv.Itoa(m.class.TID) + "/" + name }

// places opens root and working directory. In a mount namespace that was joined
// the root is another in any case.
func (m *maker) places() error {
	const mnt = 0
	open := func(name string) (int, error) {
		fd, err := m.task.Follow(m.path(name))
		if err != nil {
			return -1, accessible(err)
		}
		m.fds = append(m.fds, fd)
		return fd, nil
	}
	var err error
	if m.differs(mnt) || m.theirs.root != m.around.root {
		if m.po.Root, err = open("root"); err != nil {
			return err
		}
		if !m.has(capSysChroot) && !m.userFirst {
			return errors.New("changing to its root directory takes CAP_SYS_CHROOT")
		}
	}
	m.po.Cwd, err = open("cwd")
	return err
}

// filters takes on no_new_privs and the filters. Without no_new_privs these need
// CAP_SYS_ADMIN, and the sets are lowered by capset(2) under them.
func (m *maker) filters() error {
	t, po := &m.class.Thread, &m.po
	po.NoNewPrivs = t.NoNewPrivs.Value
	if own, err := m.c.NoNewPrivs(); err != nil || own && !po.NoNewPrivs {
		return errors.Join(err, errors.New("this program has no_new_privs itself, and the process has not"))
	}
	const disabled, filtered = 0, 2
	switch t.SeccompMode.Value {
	case disabled:
		return nil
	case filtered:
	default:
		return errors.New("it is in seccomp strict mode, in which nothing can be tried")
	}
	f, known := t.Filters.Get()
	if !known {
		return errors.New("its seccomp filters could not be read, " + t.Filters.Why())
	}
	if len(f.Programs) == 0 {
		return errors.New("none of its seccomp filters was read, though it has some")
	}
	po.Filters = f.Programs
	if po.NoNewPrivs || po.Effective&(1<<capSysAdmin) != 0 {
		return nil
	}
	if admin := m.differs(user) || m.has(capSysAdmin); !admin || !lets(&f, sysCapset) {
		po.NoNewPrivs, m.forced = true, true
		m.limits = append(m.limits, "attempts were made with no_new_privs, which the process has not: its filters could not be loaded otherwise")
	}
	return nil
}

// sysCapset is the number by which the native ABI knows capset(2).
const sysCapset = uint32(kernel.SysCapset)

// lets says that filters let a call of the native ABI through, whatever its
// arguments.
func lets(f *posture.Filters, nr uint32) bool {
	if len(f.ABIs) == 0 {
		return false
	}
	for _, c := range f.ABIs[0].Calls {
		if nr >= c.First && nr <= c.Last {
			return len(c.Ways) > 0 && !slices.ContainsFunc(c.Ways, func(w posture.Way) bool { return !w.Action.Lets() })
		}
	}
	return false
}

// rest takes on what is left, and names what cannot be.
func (m *maker) rest() error {
	m.po.Umask = 0o022
	if mask, known := m.class.Umask.Get(); known {
		m.po.Umask = mask
	}
	m.limit()
	if err := m.cgroups(); err != nil {
		return err
	}
	return m.label()
}

// file reads a small file of a thread.
func (m *maker) file(task *procfs.Dir, tid int, name string) (string, error) {
	data, err := task.Read(strconv.Itoa(tid)+"/"+name, &m.buf)
	return string(data), err
}
