package audit

import (
	"errors"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Sources of what is held.
const (
	sourceShared = "kcmp(2) KCMP_VM"
	sourceTracer = "TracerPid"
)

// holder looks for memory of other processes that a process holds already: what
// was given to it before its confinement no attempt has to take again.
type holder struct {
	p    *posture.Process
	c    *kernel.Calls
	proc *procfs.Proc
	buf  procfs.Buffer
	// own is the thread that others are compared with, tids are all.
	own   *posture.Thread
	tids  []int
	found []posture.Attempt
	// unseen counts processes that could not be compared.
	unseen int
}

// heldMemory returns attempts to trace and to read that have succeeded before
// they were made, on processes that the own one could not be let in to: it traces
// one already, shares its memory by clone(2) with CLONE_VM, or has it open by
// proc_pid_mem(5). limit says what could not be seen.
func heldMemory(p *posture.Process) (found []posture.Attempt, limit string, err error) {
	h := holder{p: p, c: kernel.New(nil)}
	if len(p.Classes) == 0 {
		return nil, "", errors.New("none of its threads is known")
	}
	h.own = &p.Classes[0].Thread
	for i := range p.Classes {
		h.tids = append(h.tids, p.Classes[i].TIDs...)
	}
	if h.proc, err = procfs.Open(h.c, &h.buf); err != nil {
		return nil, "", err
	}
	defer h.proc.Close()
	pids, err := h.proc.Dir().Numbers(&h.buf, nil)
	if err != nil {
		return nil, "", err
	}
	if len(pids) > mostSeenOther {
		return nil, "", errors.New(strconv.Itoa(len(pids)) + " processes are too many to look at")
	}
	for _, pid := range pids {
		if pid != p.PID {
			h.look(pid)
		}
	}
	h.opened()
	h.ring()
	if h.unseen > 0 {
		limit = "whether it traces or shares memory with " + strconv.Itoa(h.unseen) + " other process" + es(h.unseen) + " that could not be looked at is not known"
	}
	return h.found, limit, nil
}

// look looks at one process, with all of its threads: each has its own tracer,
// and may have ids of its own.
func (h *holder) look(pid int) {
	name := strconv.Itoa(pid)
	stat, err := h.stat(name + "/stat")
	if err != nil {
		h.miss(err)
		return
	}
	if stat.KernelThread() || stat.Zombie() && stat.Threads <= 1 {
		return // no memory, and nobody traces it any more
	}
	leader, err := h.status(name + "/status")
	if err != nil {
		h.miss(err)
		return
	}
	whole := leader.Thread // the next reading takes the memory of this one
	task, err := h.proc.Task(pid)
	if err != nil {
		h.miss(err)
		return
	}
	defer task.Close()
	list, err := task.Numbers(&h.buf, nil)
	h.miss(err)
	h.threads(pid, &whole, list, h.shares(pid, &stat, list))
}

// threads looks at the threads of one process.
func (h *holder) threads(pid int, leader *posture.Thread, list []int, shares bool) {
	told := false
	for _, tid := range list {
		s, err := h.status(strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/status")
		if err != nil {
			h.miss(err)
			continue
		}
		beyond := h.beyond(&s.Thread)
		if shares && !told && (beyond || h.looser(&s.Thread)) {
			told = true
			h.add("process-vm-readv", "it shares its memory with", pid, &s.Thread, sourceShared)
		}
		if tracer := &s.TracerPID; (beyond || h.beyond(leader)) && tracer.State == posture.Known && slices.Contains(h.tids, tracer.Value) {
			h.add("ptrace", "it traces", pid, &s.Thread, sourceTracer)
			return
		}
	}
}

// shares says whether a process has the memory of the own one. A leader that has
// ended has none, and its threads still have theirs.
func (h *holder) shares(pid int, leader *procfs.Stat, list []int) bool {
	if !leader.Zombie() {
		same, err := h.c.SameMemory(h.own.TID, pid)
		h.miss(err)
		return same
	}
	for _, tid := range list {
		stat, err := h.stat(strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/stat")
		if err == nil && stat.Zombie() {
			continue
		}
		same := false
		if err == nil {
			same, err = h.c.SameMemory(h.own.TID, tid)
		}
		h.miss(err)
		if same {
			return true
		}
	}
	return false
}

func (h *holder) stat(name string) (procfs.Stat, error) {
	data, err := h.proc.Dir().Read(name, &h.buf)
	if err != nil {
		return procfs.Stat{}, err
	}
	return procfs.ParseStat(data)
}

func (h *holder) status(name string) (*procfs.Status, error) {
	data, err := h.proc.Dir().Read(name, &h.buf)
	if err != nil {
		return nil, err
	}
	return procfs.StatusOf(data, "/proc/"+name), nil
}

// miss counts what could not be looked at, which has not just ended.
func (h *holder) miss(err error) {
	if err != nil && !ended(err) {
		h.unseen++
	}
}

// beyond says that a process is another user's, or may do more by its
// capabilities: ptrace(2), "Ptrace access mode checking".
func (h *holder) beyond(t *posture.Thread) bool {
	if t.UID.State == posture.Known && h.own.UID.State == posture.Known && !shareID(&t.UID.Value, &h.own.UID.Value) {
		return true
	}
	return t.Caps.Permitted.Value&^h.own.Caps.Permitted.Value != 0
}

// looser says that a process lacks a filter or no_new_privs that the own one has:
// whoever shares its memory runs its code.
func (h *holder) looser(t *posture.Thread) bool {
	return t.SeccompMode.Value == 0 && h.own.SeccompMode.Value != 0 || !t.NoNewPrivs.Value && h.own.NoNewPrivs.Value
}

func (h *holder) add(name, what string, pid int, t *posture.Thread, source string) {
	who := "process " + strconv.Itoa(pid)
	if t.UID.State == posture.Known {
		who += ", of user " + strconv.Itoa(int(t.UID.Value.Real.Outside))
	}
	h.found = append(h.found, posture.Attempt{
		Name: name, Outcome: posture.Succeeded, Detail: what + " " + who + ", already",
		Evidence: []posture.Evidence{{Source: source, Value: who}},
	})
}

// es ends a word for more than one.
func es(n int) string {
	if n == 1 {
		return ""
	}
	return "es"
}
