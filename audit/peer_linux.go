package audit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

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
	if p.PID != 1 && !s.look(1) {
		s.add(1, ", whose user could not be seen")
	}
	if len(s.found) >= s.most {
		return s.found, nil
	}
	pids, err := proc.Dir().Numbers(&s.buf, nil)
	if err != nil && len(s.found) == 0 {
		return unseen(p, err)
	}
	for _, pid := range pids[:min(len(pids), mostSeen)] {
		if pid != 1 && pid != p.PID && len(s.found) < s.most {
			s.look(pid)
		}
	}
	if len(s.found) == 0 && len(pids) > mostSeen {
		return nil, fmt.Errorf("%d of %d processes were looked at for one of another user, and none is", mostSeen, len(pids))
	}
	return s.found, nil
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
func peersOf(self int, class *posture.Class, number func(pid int) (int, bool)) ([]probes.Peer, error) {
	s := search{own: &class.UID, most: 1, number: number}
	if set := &class.Caps.Effective; set.State != posture.Known || set.Value.Has(capSysPtrace) {
		s.most = mostPeers
	}
	var err error
	if s.proc, err = procfs.Open(kernel.New(nil), &s.buf); err != nil {
		return nil, err
	}
	defer s.proc.Close()
	if s.own.State != posture.Known {
		return nil, errors.New("its user ids are not known")
	}
	if s.userns, err = s.proc.Dir().Readlink(strconv.Itoa(self) + "/ns/user"); err != nil {
		return nil, err
	}
	pids, err := s.proc.Dir().Numbers(&s.buf, nil)
	if err != nil {
		return nil, err
	}
	for i, pid := range pids {
		if i == mostSeenOther || len(s.apart) > mostApart {
			return s.found, fmt.Errorf("%d of %d processes were looked at", i, len(pids))
		}
		if pid != self {
			s.look(pid)
		}
	}
	return s.found, nil
}

type search struct {
	proc *procfs.Proc
	// number tells by which number a process is known there; nil: its own.
	number func(pid int) (int, bool)
	own    *posture.Fact[posture.IDs]
	most   int
	found  []probes.Peer
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
// ids is among the own. It returns false where that could not be seen. A
// kernel thread or a zombie has no memory, so that nobody could trace it.
func (s *search) look(pid int) bool {
	dir, err := s.proc.Task(pid)
	if err != nil {
		return false
	}
	defer dir.Close()
	leader := strconv.Itoa(pid)
	there := s.userns
	if link, err := dir.Readlink(leader + "/ns/user"); err == nil && s.userns != "" {
		there = link
	}
	if s.userns != "" && (there == s.userns && len(s.found)-len(s.apart) >= s.most || slices.Contains(s.apart, there)) {
		return true // no use in one more
	}
	data, err := dir.Read(leader+"/stat", &s.buf)
	if err != nil {
		return false
	}
	stat, err := procfs.ParseStat(data)
	if err != nil {
		return false
	}
	if stat.KernelThread() || stat.Zombie() {
		return true
	}
	data, err = dir.Read(leader+"/status", &s.buf)
	if err != nil {
		return false
	}
	theirs := &procfs.StatusOf(data, "").UID
	if theirs.State != posture.Known {
		return false
	}
	if s.number != nil {
		number, known := s.number(pid)
		if !known {
			return true
		}
		pid = number
	}
	if !shareID(&theirs.Value, &s.own.Value) {
		if there != s.userns {
			s.apart = append(s.apart, there)
		}
		s.add(pid, ", of user "+strconv.Itoa(int(theirs.Value.Real.Outside)))
	}
	return true
}

// tracer names a process in the pid namespace that number counts in which has, or
// can raise, CAP_SYS_PTRACE in our user namespace. Where that cannot be told of
// one, it is named too.
func tracer(number func(pid int) (int, bool)) string {
	var buf procfs.Buffer
	proc, err := procfs.Open(kernel.New(nil), &buf)
	if err != nil {
		return "a process"
	}
	defer proc.Close()
	own, errOwn := proc.Dir().Readlink(strconv.Itoa(proc.Self()) + "/ns/user")
	pids, err := proc.Dir().Numbers(&buf, nil)
	if err != nil || errOwn != nil {
		return "a process"
	}
	for _, pid := range pids {
		if _, inside := number(pid); !inside {
			continue
		}
		name := strconv.Itoa(pid)
		data, err := proc.Dir().Read(name+"/status", &buf)
		if err != nil {
			continue // it has ended
		}
		permitted := procfs.StatusOf(data, "").Caps.Permitted
		theirs, err := proc.Dir().Readlink(name + "/ns/user")
		if (permitted.State != posture.Known || permitted.Value.Has(capSysPtrace)) && (err != nil || theirs == own) {
			return "process " + name
		}
	}
	return ""
}
