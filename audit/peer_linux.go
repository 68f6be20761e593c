package audit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
	"github.com/selfaudit/selfaudit/probes"
)

// Bounds on the search: processes looked at, and processes tried.
const (
	mostSeen  = 256
	mostPeers = 4
	// mostSeenOther is mostSeen where a process may be hidden among others.
	mostSeenOther = 1 << 15
	// mostApart bounds the other user namespaces that one is tried of.
	mostApart = 16
)

const capSysPtrace = 19

var errAlone = errors.New("it is process 1, and whether there are others could not be seen")

// findPeers returns processes of another user for the attempts to trace and to
// read one, or none where there is none. Process 1 comes first: it is always
// there, and mostly root's. It is taken too where its user cannot be seen,
// since an attempt that nobody made would say nothing. One is enough for a
// thread without CAP_SYS_PTRACE, which no process of another user lets in. A
// thread with it may be kept from one and let in to the next: process 1 may be
// shielded by a security module.
func findPeers(deny map[string]string, p *posture.Process) ([]probes.Peer, error) {
	s := search{own: ownUIDs(p), most: 1}
	proc, err := procfs.Open(kernel.New(deny), &s.buf)
	if err == nil {
		defer proc.Close()
		if s.own.State != posture.Known {
			err = errors.New("the own user ids are not known")
		}
	}
	if err != nil {
		return unseen(p, err)
	}
	s.proc = proc
	if mayTrace(p) {
		s.most = mostPeers
	}
	if p.PID != 1 && s.look(1) != nil {
		s.add(1, ", whose user could not be seen")
	}
	pids, err := proc.Dir().Numbers(&s.buf, nil)
	if err != nil && len(s.found) == 0 {
		return unseen(p, err)
	}
	if err != nil {
		return nil, err
	}
	for _, pid := range pids[:min(len(pids), mostSeen)] {
		if len(s.found) >= s.most {
			break
		}
		if pid != 1 && pid != p.PID {
			_ = s.look(pid) // one that could not be seen is left out: process 1 could
		}
	}
	if len(s.found) == 0 && len(pids) > mostSeen {
		return nil, fmt.Errorf("%d of %d processes were looked at for one of another user, and none is", mostSeen, len(pids))
	}
	return s.found, s.lookApart(pids, p.PID)
}

// lookApart adds one process of each other user namespace that the own user may
// have made, or made one above: no other lets its link be read by a thread
// without CAP_SYS_PTRACE. Such a process needs no capability to be traced.
func (s *search) lookApart(pids []int, self int) error {
	const link = "/ns/user"
	own, err := s.proc.Dir().Readlink(strconv.Itoa(s.proc.Self()) + link)
	if err != nil {
		return nil // this kernel has no such namespaces: one's own is always readable
	}
	s.userns, s.most = own, 0
	for i, pid := range pids {
		if i == mostSeenOther || len(s.apart) > mostApart {
			return fmt.Errorf("%d of %d processes were looked at for one in a user namespace of the own user's", i, len(pids))
		}
		there, err := s.proc.Dir().Readlink(strconv.Itoa(pid) + link)
		if err != nil || there == own || pid == self {
			continue
		}
		if err := s.look(pid); err != nil && !ended(err) {
			return err
		}
	}
	return nil
}

// unseen takes process 1 without knowing whose it is.
func unseen(p *posture.Process, err error) ([]probes.Peer, error) {
	if p.PID == 1 {
		return nil, fmt.Errorf("%w: %w", errAlone, err)
	}
	var s search
	s.add(1, ", whose user could not be seen")
	return s.found, nil
}

// mayTrace is false only where the calling thread is known to lack
// CAP_SYS_PTRACE.
func mayTrace(p *posture.Process) bool {
	if len(p.Kernel) == 0 {
		return true
	}
	set := &p.Kernel[0].Caps.Effective
	return set.State != posture.Known || set.Value.Has(capSysPtrace)
}

// ownUIDs are the ids that the kernel answered, else those of the leader.
func ownUIDs(p *posture.Process) *posture.Fact[posture.IDs] {
	for i := range p.Kernel {
		if uid := &p.Kernel[i].UID; uid.State == posture.Known {
			return uid
		}
	}
	if len(p.Classes) > 0 {
		return &p.Classes[0].UID
	}
	return new(posture.Fact[posture.IDs])
}

// peersOf is findPeers for the threads of another process, which know processes
// by other numbers than we do, or not at all: number tells. One process of each
// other user namespace is among them: whoever made that namespace, or one above
// it, has every capability over what is in it, and none of its own to show for
// it. What was found is returned with the error too.
func peersOf(self int, class *posture.Class, number func(pid int) (int, bool, error)) (found []probes.Peer, pids []int, err error) {
	s := search{own: &class.UID, most: 1, number: number}
	if set := &class.Caps.Effective; set.State != posture.Known || set.Value.Has(capSysPtrace) {
		s.most = mostPeers
	}
	if s.proc, err = procfs.Open(kernel.New(nil), &s.buf); err != nil {
		return nil, nil, err
	}
	defer s.proc.Close()
	if s.own.State != posture.Known {
		return nil, nil, errors.New("its user ids are not known")
	}
	if s.userns, err = s.proc.Dir().Readlink(strconv.Itoa(self) + "/ns/user"); err != nil {
		return nil, nil, err
	}
	all, err := s.proc.Dir().Numbers(&s.buf, nil)
	if err != nil {
		return nil, nil, err
	}
	unseen := 0
	for i, pid := range all {
		if i == mostSeenOther || len(s.apart) > mostApart {
			return s.found, s.pids, fmt.Errorf("%d of %d processes were looked at", i, len(all))
		}
		if pid == self {
			continue
		}
		if err := s.look(pid); err != nil && !ended(err) {
			unseen++
		}
	}
	switch {
	case len(s.found) > 0:
		return s.found, s.pids, nil
	case unseen > 0:
		return nil, nil, fmt.Errorf("%d of %d processes could not be looked at, and none of the others is another user's", unseen, len(all))
	case !slices.Contains(all, 1):
		return nil, nil, errors.New("/proc does not list process 1, so that it may hide others too")
	default:
		return nil, nil, nil
	}
}

type search struct {
	proc *procfs.Proc
	// number tells by which number a process is known there; nil: its own.
	number func(pid int) (int, bool, error)
	// pids are the numbers by which we know those found.
	pids  []int
	own   *posture.Fact[posture.IDs]
	most  int
	found []probes.Peer
	// userns is the own user namespace, where those of others are told apart.
	userns string
	apart  []string
	buf    procfs.Buffer
}

// add adds a process to those found. which says more of it than its number.
func (s *search) add(pid int, which string) {
	s.found = append(s.found, probes.Peer{PID: pid, Why: "process " + strconv.Itoa(pid) + which})
}

// look adds the process to those found where it is another user's: none of its
// ids is among the own. The error says that this could not be seen. A kernel
// thread or a zombie has no memory, so that nobody could trace it.
func (s *search) look(pid int) error {
	dir, err := s.proc.Task(pid)
	if err != nil {
		return err
	}
	defer dir.Close()
	leader := strconv.Itoa(pid)
	there := s.userns
	if link, err := dir.Readlink(leader + "/ns/user"); err == nil && s.userns != "" {
		there = link
	}
	if s.userns != "" && (there == s.userns && len(s.found)-len(s.apart) >= s.most || slices.Contains(s.apart, there)) {
		return nil // no use in one more
	}
	data, err := dir.Read(leader+"/stat", &s.buf)
	if err != nil {
		return err
	}
	stat, err := procfs.ParseStat(data)
	if err != nil {
		return err
	}
	if stat.KernelThread() || stat.Zombie() {
		return nil
	}
	data, err = dir.Read(leader+"/status", &s.buf)
	if err != nil {
		return err
	}
	theirs := &procfs.StatusOf(data, "").UID
	if theirs.State != posture.Known {
		return errors.New(theirs.Why())
	}
	ours := pid
	if s.number != nil {
		number, known, err := s.number(pid)
		if err != nil {
			return err
		}
		if !known {
			return nil
		}
		pid = number
	}
	if !shareID(&theirs.Value, &s.own.Value) {
		if there != s.userns {
			s.apart = append(s.apart, there)
		}
		s.pids = append(s.pids, ours)
		s.add(pid, ", of user "+strconv.Itoa(int(theirs.Value.Real.Outside)))
	}
	return nil
}

// tracer names a process, of those that sees is true of, that has CAP_SYS_PTRACE
// in our user namespace, or may get it by an execve(2). One of which that cannot
// be told is named too.
func tracer(sees func(pid int) bool) string {
	const unknown = "a process that could not be looked at"
	var buf procfs.Buffer
	proc, err := procfs.Open(kernel.New(nil), &buf)
	if err != nil {
		return unknown
	}
	defer proc.Close()
	own, errOwn := proc.Dir().Readlink(strconv.Itoa(proc.Self()) + "/ns/user")
	pids, err := proc.Dir().Numbers(&buf, nil)
	if err != nil || errOwn != nil {
		return unknown
	}
	for _, pid := range pids {
		if sees(pid) && mayTraceIn(proc, &buf, pid, own) {
			return "process " + strconv.Itoa(pid)
		}
	}
	return ""
}

// mayTraceIn says whether a process may have CAP_SYS_PTRACE in a user namespace.
func mayTraceIn(proc *procfs.Proc, buf *procfs.Buffer, pid int, userns string) bool {
	name := strconv.Itoa(pid)
	data, err := proc.Dir().Read(name+"/status", buf)
	if err != nil {
		return !ended(err)
	}
	caps := &procfs.StatusOf(data, "").Caps
	for _, set := range []*posture.Fact[posture.CapSet]{&caps.Permitted, &caps.Bounding} {
		if set.State == posture.Known && !set.Value.Has(capSysPtrace) {
			continue
		}
		theirs, err := proc.Dir().Readlink(name + "/ns/user")
		return err != nil && !ended(err) || theirs == userns
	}
	return false
}

// gone says that a process that was found is no longer there, or no longer lives.
func gone(pid int) bool {
	var buf procfs.Buffer
	proc, err := procfs.Open(kernel.New(nil), &buf)
	if err != nil {
		return false
	}
	defer proc.Close()
	data, err := proc.Dir().Read(strconv.Itoa(pid)+"/stat", &buf)
	if err != nil {
		return ended(err)
	}
	stat, err := procfs.ParseStat(data)
	return err == nil && stat.Zombie()
}

// ended says that a process is no longer there.
func ended(err error) bool { return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESRCH) }
