package audit

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
	"github.com/selfaudit/selfaudit/probes"
)

// neighbour is another process, as it was seen.
type neighbour struct {
	pid, parent int
	// number is what the process calls it, 0 where it cannot name it.
	number int
	uid    posture.IDs
	// kind tells apart what the kernel looks at: ids, permitted capabilities,
	// the user namespace, whether it is dumpable, its LSM label.
	kind   string
	userns string
	traced bool
	// outside says that it shares no id with the process.
	outside bool
}

// neighbours lists all other processes, but kernel threads, zombies and our own.
// missing says why there may be more.
func (f *finder) neighbours() (list []neighbour, missing string) {
	all, err := f.proc.Dir().Numbers(&f.buf, nil)
	if err != nil {
		return nil, named(err).Error()
	}
	unseen := 0
	for i, pid := range all {
		if f.ctx.Err() != nil || i == mostSeenOther {
			return list, "only " + strconv.Itoa(i) + " of " + strconv.Itoa(len(all)) + " processes were looked at"
		}
		if pid == f.p.PID || pid == kernel.Getpid() {
			continue
		}
		n, err := f.look(pid)
		switch {
		case err == nil:
			list = append(list, n)
		case !ended(err) && !errors.Is(err, errNoProcess):
			unseen++
		}
	}
	switch {
	case !slices.Contains(all, 1):
		missing = "/proc does not list process 1, so that it may hide others too"
	case unseen > 0:
		missing = strconv.Itoa(unseen) + " processes could not be looked at"
	}
	return f.notStarted(list), missing
}

// errNoProcess: a kernel thread or a zombie, which nobody can act on.
var errNoProcess = errors.New("not a process with a program")

// look looks at one process.
func (f *finder) look(pid int) (n neighbour, err error) {
	name := strconv.Itoa(pid)
	data, err := f.proc.Dir().Read(name+"/stat", &f.buf)
	if err != nil {
		return n, err
	}
	stat, err := procfs.ParseStat(data)
	if err != nil {
		return n, err
	}
	if stat.KernelThread() || stat.Zombie() {
		return n, errNoProcess
	}
	if data, err = f.proc.Dir().Read(name+"/status", &f.buf); err != nil {
		return n, err
	}
	_, rest, _ := strings.Cut(string(data), "\nPPid:\t")
	parent, _, _ := strings.Cut(rest, "\n")
	if n.parent, err = strconv.Atoi(parent); err != nil {
		return n, err
	}
	status := procfs.StatusOf(data, "")
	uid, known := status.UID.Get()
	if !known {
		return n, errors.New(status.UID.Why())
	}
	n.pid, n.number, n.uid = pid, pid, uid
	n.traced = status.TracerPID.Value != 0
	// Who may not see it tells fewer kinds apart.
	n.userns, _ = f.proc.Dir().Readlink(name + "/ns/user")
	gid := &status.GID.Value
	n.kind = strings.Join([]string{idWords(&uid), idWords(gid), strconv.FormatUint(uint64(status.Caps.Permitted.Value), 16), strconv.FormatBool(n.traced), n.userns, f.dumpable(name)}, "|")
	if label, err := f.proc.Dir().Read(name+"/attr/current", &f.buf); err == nil {
		n.kind += "|" + string(label)
	}
	if f.number != nil {
		number, known, err := f.number(pid)
		if err != nil {
			return n, err
		}
		if n.number = number; !known {
			n.number = 0
		}
	}
	n.outside = f.uid().State != posture.Known || !shareID(&uid, &f.uid().Value)
	return n, nil
}

// dumpable says whose the files of a process are: root's where it is not dumpable,
// so that nobody of its own user may trace it. Of root's processes nothing shows
// that.
func (f *finder) dumpable(name string) string {
	fd, err := f.proc.Dir().Open(name+"/environ", kernel.OpenPath)
	if err != nil {
		return ""
	}
	defer kernel.Close(fd)
	st, err := f.c.Inode(fd, "", "/proc/"+name+"/environ")
	if err != nil {
		return ""
	}
	return strconv.FormatUint(uint64(st.UID), 10)
}

func idWords(ids *posture.IDs) string {
	var words []string
	for _, id := range [...]uint32{ids.Real.Outside, ids.Effective.Outside, ids.Saved.Outside} {
		words = append(words, strconv.FormatUint(uint64(id), 10))
	}
	return strings.Join(words, ",")
}

// notStarted leaves out what the process has started under its own user ids: that
// is part of it.
func (f *finder) notStarted(list []neighbour) []neighbour {
	parent := make(map[int]int, len(list))
	for i := range list {
		parent[list[i].pid] = list[i].parent
	}
	return slices.DeleteFunc(list, func(n neighbour) bool {
		at := n.pid
		for range list {
			if at = parent[at]; at == f.p.PID && !n.outside {
				return true
			}
			if at == 0 {
				break
			}
		}
		return false
	})
}

// processes are process 1, the parent, and one of each kind.
func (f *finder) processes(on *probes.Beyond, err error) (pids []int) {
	if f.proc == nil {
		return f.withoutProc(on, err)
	}
	list, missing := f.neighbours()
	on.NotTried = missing
	var parent int
	if own, err := f.look(f.p.PID); err == nil {
		parent = own.parent
	}
	rank := func(n *neighbour) int {
		switch n.pid {
		case 1:
			return 0
		case parent:
			return 1
		}
		if !n.outside {
			return 2
		}
		return 3
	}
	slices.SortStableFunc(list, func(a, b neighbour) int { return cmp.Or(rank(&a)-rank(&b), a.pid-b.pid) })
	kinds := map[string]int{}
	left := 0
	for i := range list {
		n := &list[i]
		if n.number == 0 {
			continue
		}
		on.Named++
		most := 1
		if n.uid.Effective.Outside == 0 {
			most = mostAlike
		}
		if rank(n) > 1 && n.number != 1 && kinds[n.kind] >= most {
			continue
		}
		kinds[n.kind]++
		if len(on.Processes) == mostKinds {
			left++
			continue
		}
		on.Processes = append(on.Processes, probes.OtherProcess{PID: n.number, What: n.words(parent), OtherUser: n.outside, Traced: n.traced})
		pids = append(pids, n.pid)
	}
	if left > 0 && on.NotTried == "" {
		on.NotTried = strconv.Itoa(left) + " more kinds of processes"
	}
	return pids
}

// words say what a process is, by the number that the other knows it by.
func (n *neighbour) words(parent int) string {
	text := "process " + strconv.Itoa(n.number)
	if n.pid == parent {
		text += ", its parent"
	}
	return text + ", of user " + strconv.FormatUint(uint64(n.uid.Real.Outside), 10)
}

// withoutProc tries process 1, which is always there: who others are could not be
// seen.
func (f *finder) withoutProc(on *probes.Beyond, err error) []int {
	on.NotTried = "which processes there are could not be seen: " + named(err).Error()
	if f.p.PID != 1 {
		on.Named = 1
		on.Processes = append(on.Processes, probes.OtherProcess{PID: 1, What: "process 1, whose user could not be seen", OtherUser: true})
	}
	return nil
}

// roots are those of processes that have another one than the process.
func (f *finder) roots(on *probes.Beyond, err error) (pids []int) {
	f.procs(on, err)
	if len(on.Procs) == 0 && on.NotSeen == "" {
		on.NoRoots = ""
		return nil
	}
	if f.proc == nil {
		on.NoRoots = "which processes there are could not be seen: " + named(err).Error()
		return nil
	}
	list, missing := f.neighbours()
	on.NoRoots = missing
	own, errOwn := f.rootOf(f.p.PID)
	slices.SortStableFunc(list, func(a, b neighbour) int {
		if a.outside != b.outside {
			return cmp.Compare(strconv.FormatBool(a.outside), strconv.FormatBool(b.outside))
		}
		return a.pid - b.pid
	})
	seen := map[string]bool{}
	most := mostRoots / max(len(on.Procs), 1)
	for i := range list {
		n := &list[i]
		root, errRoot := f.rootOf(n.pid)
		if ended(errRoot) || errRoot == nil && errOwn == nil && root == own {
			continue
		}
		key := n.kind + "|" + root
		if seen[key] {
			continue
		}
		seen[key] = true
		if len(on.Roots) == most {
			on.NoRoots = "only the roots of " + strconv.Itoa(most) + " processes were tried"
			continue
		}
		number := n.number
		on.Roots = append(on.Roots, probes.OtherRoot{PID: number, Ours: n.pid, What: "process " + strconv.Itoa(cmp.Or(number, n.pid)) + ", of user " + strconv.FormatUint(uint64(n.uid.Real.Outside), 10)})
		pids = append(pids, n.pid)
	}
	return pids
}

// rootOf tells the root directory of a process from others, as it is reached by
// one mount.
func (f *finder) rootOf(pid int) (string, error) {
	name := strconv.Itoa(pid) + "/root"
	fd, err := f.proc.Dir().Follow(name)
	if err != nil {
		return "", err
	}
	defer kernel.Close(fd)
	st, err := f.c.Stat(fd, "/proc/"+name)
	if err != nil {
		return "", err
	}
	word := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return word(st.Dev) + ":" + word(st.Ino) + ":" + word(st.MountID), nil
}
