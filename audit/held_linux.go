package audit

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

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
		limit = "whether it traces or shares memory with " + strconv.Itoa(h.unseen) + " processes that could not be looked at is not known"
	}
	return h.found, limit, nil
}

// look looks at one process, with all of its threads: each has its own tracer.
func (h *holder) look(pid int) {
	s, err := h.status(strconv.Itoa(pid) + "/status")
	if err != nil {
		h.miss(err)
		return
	}
	theirs := &s.Thread
	shares, err := h.c.SameMemory(h.own.TID, pid)
	h.miss(err)
	if shares && (h.beyond(theirs) || h.looser(theirs)) {
		h.add("process-vm-readv", "it shares its memory with", pid, theirs, sourceShared)
	}
	if !h.beyond(theirs) {
		return
	}
	task, err := h.proc.Task(pid)
	if err != nil {
		h.miss(err)
		return
	}
	defer task.Close()
	list, err := task.Numbers(&h.buf, nil)
	h.miss(err)
	for _, tid := range list {
		data, err := task.Read(strconv.Itoa(tid)+"/status", &h.buf)
		if err != nil {
			h.miss(err)
			continue
		}
		if tracer := &procfs.StatusOf(data, "").TracerPID; tracer.State == posture.Known && slices.Contains(h.tids, tracer.Value) {
			h.add("ptrace", "it traces", pid, theirs, sourceTracer)
			return
		}
	}
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

// opened looks for open files that are the memory of others.
func (h *holder) opened() {
	for i := range h.p.Descriptors.Value {
		d := &h.p.Descriptors.Value[i]
		dir, base := path.Split(d.Path)
		if base != "mem" || !strings.HasPrefix(dir, "/") {
			continue
		}
		pid, err := strconv.Atoi(path.Base(dir))
		if err != nil || pid == h.p.PID || !h.isMemory(d.FD, pid) {
			continue
		}
		s, err := h.status(strconv.Itoa(pid) + "/status")
		if err != nil {
			h.miss(err)
			continue
		}
		if h.beyond(&s.Thread) {
			h.add("process-vm-readv", "descriptor "+strconv.Itoa(d.FD)+" is of the memory of", pid, &s.Thread, "/proc/"+strconv.Itoa(h.p.PID)+"/fd/"+strconv.Itoa(d.FD))
		}
	}
}

// ring looks for an open io_uring(7): what is queued there no filter sees, and it
// is done with the credentials registered before, which nothing shows.
func (h *holder) ring() {
	const link, name = "anon_inode:[io_uring]", "io-uring-setup"
	where := ""
	for i := range h.p.Descriptors.Value {
		if d := &h.p.Descriptors.Value[i]; d.Path == link {
			where = "descriptor " + strconv.Itoa(d.FD)
		}
	}
	if where == "" {
		// A mapping is left where the descriptor was closed.
		maps := strconv.Itoa(h.p.PID) + "/maps"
		data, err := h.proc.Dir().Read(maps, &h.buf)
		h.miss(err)
		if !bytes.Contains(data, []byte(" "+link+"\n")) {
			return
		}
		where = "a mapping in /proc/" + maps
	}
	h.found = append(h.found, posture.Attempt{
		Name: name, Outcome: posture.Succeeded, Detail: where + " is of a ring that was set up before",
		Evidence: []posture.Evidence{{Source: where, Value: link}},
	})
}

// isMemory says whether a descriptor of the process is of that file of our own
// /proc: names alone are the process's choice.
func (h *holder) isMemory(fd, pid int) bool {
	theirs, err := h.proc.Dir().Follow(strconv.Itoa(h.p.PID) + "/fd/" + strconv.Itoa(fd))
	if err != nil {
		h.miss(err)
		return false
	}
	defer kernel.Close(theirs)
	ours, err := h.proc.Dir().Open(strconv.Itoa(pid)+"/mem", kernel.OpenPath)
	if err != nil {
		h.miss(err)
		return false
	}
	defer kernel.Close(ours)
	a, err1 := h.c.Stat(theirs, "a descriptor")
	b, err2 := h.c.Stat(ours, "a file")
	h.miss(errors.Join(err1, err2))
	return err1 == nil && err2 == nil && a.Dev == b.Dev && a.Ino == b.Ino
}
