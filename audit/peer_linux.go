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
	own, known := ownUIDs(p)
	s := search{own: own, most: 1}
	proc, err := procfs.Open(kernel.New(deny), &s.buf)
	if err != nil {
		return unseen(p, err)
	}
	defer proc.Close()
	if !known {
		return unseen(p, errors.New("the own user ids are not known"))
	}
	s.proc = proc
	if mayTrace(p) {
		s.most = mostPeers
	}
	if p.PID != 1 && !s.look(1) {
		s.found, _ = unseen(p, nil)
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
		return nil, errors.Join(errAlone, err)
	}
	return []probes.Peer{{PID: 1, Why: "process 1, whose user could not be seen"}}, nil
}

// mayTrace is false only where the calling thread is known to lack
// CAP_SYS_PTRACE.
func mayTrace(p *posture.Process) bool {
	if len(p.Kernel) == 0 {
		return true
	}
	set, known := p.Kernel[0].Caps.Effective.Get()
	return !known || set.Has(capSysPtrace)
}

func ownUIDs(p *posture.Process) ([]uint32, bool) {
	var uid posture.Fact[posture.IDs]
	for _, t := range p.Kernel {
		if t.UID.State == posture.Known {
			uid = t.UID
		}
	}
	if uid.State != posture.Known && len(p.Classes) > 0 {
		uid = p.Classes[0].UID
	}
	ids, known := uid.Get()
	return []uint32{ids.Real.Value, ids.Effective.Value, ids.Saved.Value, ids.FS.Value}, known
}

type search struct {
	proc  *procfs.Proc
	own   []uint32
	most  int
	found []probes.Peer
	buf   procfs.Buffer
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
	var lines procfs.Lines
	lines.Scan(data)
	ids, known := lines.Parse("").UID.Get()
	if !known {
		return false
	}
	for _, id := range ids[:3] {
		if slices.Contains(s.own, id) {
			return true
		}
	}
	s.found = append(s.found, probes.Peer{PID: pid, Why: fmt.Sprintf("process %d, of user %d", pid, ids[0])})
	return true
}
