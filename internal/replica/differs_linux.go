package replica

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// admit compares each child with the thread that it is to stand for, by its
// status file and the links of its namespaces, as they are read from outside
// after the last filter.
func (m *maker) admit() func(child.Candidate) string {
	t, class, theirs, forced := m.Target, m.class, m.theirs, m.forced
	return func(c child.Candidate) string {
		name := strconv.Itoa(c.PID)
		data, err := t.proc.Dir().Read(name+"/status", &t.buf)
		if errors.Is(err, syscall.ENOENT) {
			// It has not been waited for, so it is there.
			return "its own status could not be read: " + err.Error() + ": /proc is mounted with hidepid: seeing it takes CAP_SYS_PTRACE"
		}
		if err != nil {
			return "its own status could not be read: " + err.Error()
		}
		s := procfs.StatusOf(data, "/proc/"+name+"/status")
		if pid, known := s.PID.Get(); !known || pid != c.PID {
			return "its own status is about another process"
		}
		differs := differences(&s.Thread, &class.Thread, forced && !c.Unfiltered || c.Scans, c.Scans || c.Unfiltered)
		if what := t.elsewhere(c.PID, theirs, class.TID); what != "" {
			differs = append(differs, what)
		}
		if len(differs) == 0 {
			return ""
		}
		return "differs from thread " + strconv.Itoa(class.TID) + ": " + strings.Join(differs, ", ")
	}
}

// elsewhere says in which cgroups and namespaces the child is not, and whether
// it has another LSM label; of namespaces where its links may be read: it is not dumpable, so that takes CAP_SYS_PTRACE.
// That each was joined is known from setns(2) otherwise.
func (t *Target) elsewhere(pid int, want surroundings, class int) string {
	task, err := t.proc.Task(pid)
	if err != nil {
		return "its own task directory could not be opened: " + err.Error()
	}
	defer task.Close()
	if what := join(t.outsideCgroups(task, pid, class), t.otherLabel(task, pid, class)); what != "" {
		return what
	}
	got, err := t.surroundings(task, pid)
	if err != nil {
		return ""
	}
	return got.differ(want)
}

// differences names what differs between a child's status and the facts of a
// thread. What the kernel shows of neither is none.
func differences(got, want *posture.Thread, anyPrivs, anyFilters bool) []string {
	var list []string
	differ := func(what string, yes bool) {
		if yes {
			list = append(list, what)
		}
	}
	differ("user ids", !same(got.UID, want.UID, sameIDs))
	differ("group ids", !same(got.GID, want.GID, sameIDs))
	differ("groups", !same(got.Groups, want.Groups, sameGroups))
	sets := func(t *posture.Thread) [5]posture.Fact[posture.CapSet] {
		c := &t.Caps
		return [5]posture.Fact[posture.CapSet]{c.Inheritable, c.Permitted, c.Effective, c.Bounding, c.Ambient}
	}
	g, w := sets(got), sets(want)
	for k, name := range [...]string{"inheritable", "permitted", "effective", "bounding", "ambient"} {
		differ(name+" capabilities", !same(g[k], w[k], equal))
	}
	differ("no_new_privs", !anyPrivs && !same(got.NoNewPrivs, want.NoNewPrivs, equal))
	differ("umask", want.Umask.State == posture.Known && !same(got.Umask, want.Umask, equal))
	if anyFilters {
		return list
	}
	differ("seccomp mode", !same(got.SeccompMode, want.SeccompMode, equal))
	if want.SeccompFilters.State == posture.Known {
		differ("number of seccomp filters", !same(got.SeccompFilters, want.SeccompFilters, equal))
	}
	return list
}

func same[T any](a, b posture.Fact[T], equal func(T, T) bool) bool {
	return a.State == posture.Known && b.State == posture.Known && equal(a.Value, b.Value)
}

func equal[T comparable](a, b T) bool { return a == b }

// sameIDs compares as the auditor sees them: nothing else was read of a child.
func sameIDs(a, b posture.IDs) bool {
	return a.Real.Outside == b.Real.Outside && a.Effective.Outside == b.Effective.Outside &&
		a.Saved.Outside == b.Saved.Outside && a.FS.Outside == b.FS.Outside
}

func sameGroups(a, b []posture.ID) bool {
	outside := func(list []posture.ID) []uint32 {
		var out []uint32
		for _, g := range list {
			out = append(out, g.Outside)
		}
		return out
	}
	return sameSet(outside(a), outside(b))
}

// Differs says in words how the children that were made differ from the threads
// of the class, or nothing: that each was admitted after it was compared.
func (t *Target) Differs(taken child.Taken, class *posture.Class) string {
	switch {
	case taken.Differs != "":
		return taken.Differs
	case !taken.Admitted:
		return "no child came so far that it could be compared with thread " + strconv.Itoa(class.TID)
	default:
		return ""
	}
}

// Number returns the number by which the replica of a class knows a process of
// our pid namespace, where that process is in the pid namespace of the class or
// below it, or where that is ours. The error says why that cannot be told.
func (t *Target) Number(pid int, class *posture.Class) (int, bool, error) {
	around, theirs, err := t.pidNamespaces(class)
	if err != nil {
		return 0, false, err
	}
	if around == theirs {
		return pid, true, nil
	}
	levels, depth, err := t.depths(pid)
	if err != nil || len(levels) < depth {
		return 0, false, unlessEnded(err)
	}
	above, err := t.pidNamespaceAbove(pid, len(levels)-depth)
	if err != nil {
		return 0, false, unlessEnded(err)
	}
	return levels[depth-1], above == theirs, nil
}

// pidNamespaceAbove returns what the link would say of the namespace that lies so
// many steps above the pid namespace of a process. The parents of processes do
// not lead there: that of the first process in a namespace may be anywhere.
func (t *Target) pidNamespaceAbove(pid, steps int) (string, error) {
	name := strconv.Itoa(pid) + "/ns/pid"
	shown := t.proc.Dir().Path() + "/" + name
	fd, err := t.proc.Dir().OpenNamespace(name)
	if err != nil {
		return "", accessible(err)
	}
	defer func() { kernel.Close(fd) }()
	for range steps {
		above, err := kernel.NamespaceParent(fd, shown)
		if err != nil {
			return "", err
		}
		kernel.Close(fd)
		fd = above
	}
	st, err := t.c.Stat(fd, shown)
	return "pid:[" + strconv.FormatUint(st.Ino, 10) + "]", err
}

// Sees says whether a process of our pid namespace can name what is born in the
// pid namespace of a class, other than from our own: it is there, or in one
// between. It does where that cannot be told.
func (t *Target) Sees(pid int, class *posture.Class) bool {
	_, theirs, err := t.pidNamespaces(class)
	if err != nil {
		return true
	}
	levels, depth, err := t.depths(pid)
	switch {
	case err != nil:
		return unlessEnded(err) != nil
	case len(levels) == 1:
		return false // in our own
	case len(levels) != depth:
		return len(levels) < depth
	}
	link, err := t.proc.Dir().Readlink(strconv.Itoa(pid) + "/ns/pid")
	if err != nil {
		return unlessEnded(err) != nil
	}
	return link == theirs
}

// pidNamespaces returns what the links of our pid namespace and of that of a
// class say.
func (t *Target) pidNamespaces(class *posture.Class) (around, theirs string, err error) {
	const pidns = 6
	was, there := t.seen[class.TID]
	if !there {
		return "", "", errors.New("the namespaces of thread " + strconv.Itoa(class.TID) + " were not read")
	}
	around, err = t.proc.Dir().Readlink(strconv.Itoa(t.proc.Self()) + "/ns/pid")
	return around, was.links[pidns], err
}

// depths returns the numbers of a process, from our pid namespace to its own, and
// how many the process has that is stood in for.
func (t *Target) depths(pid int) (levels []int, depth int, err error) {
	if levels, err = t.levels(pid); err != nil {
		return nil, 0, err
	}
	theirs, err := t.levels(t.pid)
	return levels, len(theirs), err
}

func (t *Target) levels(pid int) ([]int, error) {
	s, err := t.status(pid)
	if err != nil {
		return nil, err
	}
	levels, known := procfs.StatusOf(s, "").NSpid.Get()
	if !known || len(levels) == 0 {
		return nil, errors.New("status of process " + strconv.Itoa(pid) + " has no NSpid")
	}
	return slices.Clone(levels), nil
}

// status is read into memory that the next reading takes again.
func (t *Target) status(pid int) ([]byte, error) {
	return t.proc.Dir().Read(strconv.Itoa(pid)+"/status", &t.buf)
}

// unlessEnded drops an error that means that a process is no longer there.
func unlessEnded(err error) error {
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
