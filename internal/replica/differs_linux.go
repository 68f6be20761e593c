package replica

import (
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
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
		if err != nil {
			return "its own status could not be read: " + err.Error()
		}
		s := procfs.StatusOf(data, "/proc/"+name+"/status")
		if pid, known := s.PID.Get(); !known || pid != c.PID {
			return "its own status is about another process"
		}
		differs := differences(&s.Thread, &class.Thread, forced || c.Scans, c.Scans)
		if what := t.elsewhere(c.PID, theirs); what != "" {
			differs = append(differs, what)
		}
		if len(differs) == 0 {
			return ""
		}
		return "differs from thread " + strconv.Itoa(class.TID) + ": " + strings.Join(differs, ", ")
	}
}

// elsewhere says in which namespaces the child is not, where its links may be
// read: it is not dumpable, so that takes CAP_SYS_PTRACE. That each was joined
// is known from setns(2) otherwise.
func (t *Target) elsewhere(pid int, want surroundings) string {
	task, err := t.proc.Task(pid)
	if err != nil {
		return "its own task directory could not be opened: " + err.Error()
	}
	defer task.Close()
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
// below it, or where that is ours.
func (t *Target) Number(pid int, class *posture.Class) (int, bool) {
	was, there := t.seen[class.TID]
	if !there {
		return 0, false
	}
	const pidns = 6
	around, err := t.proc.Dir().Readlink(strconv.Itoa(t.proc.Self()) + "/ns/pid")
	if err != nil {
		return 0, false
	}
	if around == was.links[pidns] {
		return pid, true
	}
	levels := t.levels(pid)
	depth := len(t.levels(t.pid))
	if depth == 0 || len(levels) < depth {
		return 0, false
	}
	// A process is in the namespace of its parent, or below that.
	for at := pid; at > 0; at = t.parent(at) {
		link, err := t.proc.Dir().Readlink(strconv.Itoa(at) + "/ns/pid")
		if err != nil {
			return 0, false
		}
		if link == was.links[pidns] {
			return levels[depth-1], true
		}
	}
	return 0, false
}

// levels are the numbers of a process, from our pid namespace to its own; none
// where they cannot be read.
func (t *Target) levels(pid int) []int {
	data, err := t.proc.Dir().Read(strconv.Itoa(pid)+"/status", &t.buf)
	if err != nil {
		return nil
	}
	levels, _ := procfs.StatusOf(data, "").NSpid.Get()
	return slices.Clone(levels)
}

// parent is the process that would wait for that one, or 0.
func (t *Target) parent(pid int) int {
	data, err := t.proc.Dir().Read(strconv.Itoa(pid)+"/status", &t.buf)
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "\nPPid:\t")
	number, _, _ := strings.Cut(rest, "\n")
	parent, _ := strconv.Atoi(number)
	return parent
}
