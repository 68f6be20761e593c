package audit

import (
	"bytes"
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// unsure adds what may have succeeded before it was tried.
func (h *holder) unsure(name, why string) {
	h.found = append(h.found, posture.Attempt{Name: name, Detail: why})
}

// opened looks for open files that are the memory of others, in every table of
// descriptors that the threads have.
func (h *holder) opened() {
	if _, known := h.p.Descriptors.Get(); !known {
		why := "what its descriptors hold already is not known: " + h.p.Descriptors.Why()
		h.unsure(heldOpen, why)
		h.unsure(heldRing, why)
	}
	for i := range h.p.Descriptors.Value {
		d := &h.p.Descriptors.Value[i]
		// Of a path that is too long to be shown the last name is not known.
		base := path.Base(strings.TrimSuffix(d.Path, " (deleted)"))
		if base == "mem" || d.Path == "" {
			h.memory(d)
		}
	}
}

// memory judges one descriptor that may be of a mem file: proc_pid_mem(5). Names
// alone are the process's choice, so that it has to be that very file of our own
// /proc. One of another procfs is somebody's memory, and nothing tells whose.
func (h *holder) memory(d *posture.Descriptor) {
	const attempt = heldOpen
	name := strconv.Itoa(d.TID) + "/fd/" + strconv.Itoa(d.FD)
	what := "descriptor " + strconv.Itoa(d.FD)
	theirs, err := h.proc.Dir().Follow(name)
	if err != nil {
		h.unsure(attempt, what+" may be of the memory of another process: "+named(err).Error())
		return
	}
	defer kernel.Close(theirs)
	fs, err1 := h.c.Statfs(theirs, name)
	st, err2 := h.c.Stat(theirs, name)
	if err := errors.Join(err1, err2); err != nil {
		h.unsure(attempt, what+" may be of the memory of another process: "+err.Error())
		return
	}
	if !fs.Proc || st.IsDir() {
		return
	}
	switch pid, found := h.memoryOf(d.Path, &st); {
	case !found:
		h.unsure(attempt, what+" is of a mem file of some /proc, and of which process is not known")
	case pid != h.p.PID:
		s, err := h.status(strconv.Itoa(pid) + "/status")
		if err != nil {
			h.unsure(attempt, what+" is of the memory of process "+strconv.Itoa(pid)+", of which is not known whose it is: "+named(err).Error())
			return
		}
		if h.beyond(&s.Thread) {
			h.add(attempt, what+" is of the memory of", pid, &s.Thread, "/proc/"+name)
		}
	}
}

// memoryOf returns the process whose mem file of our own /proc a file is.
func (h *holder) memoryOf(shown string, st *kernel.FileStat) (pid int, found bool) {
	words := strings.Split(path.Dir(shown), "/")
	last := func(n int) string { return words[max(len(words)-n, 0)] }
	pid, err := strconv.Atoi(last(1))
	if err != nil {
		return 0, false
	}
	at := last(1)
	if last(2) == "task" {
		at = last(3) + "/task/" + last(1)
		if pid, err = strconv.Atoi(last(3)); err != nil {
			return 0, false
		}
	}
	ours, err := h.proc.Dir().Open(at+"/mem", kernel.OpenPath)
	if err != nil {
		return 0, false
	}
	defer kernel.Close(ours)
	is, err := h.c.Stat(ours, "/proc/"+at+"/mem")
	return pid, err == nil && is.Dev == st.Dev && is.Ino == st.Ino
}

// ring looks for an open io_uring(7): what is queued there no filter sees, and it
// is done with the credentials registered before, which nothing shows.
func (h *holder) ring() {
	const link, name = "anon_inode:[io_uring]", heldRing
	where := ""
	for i := range h.p.Descriptors.Value {
		if d := &h.p.Descriptors.Value[i]; d.Path == link {
			where = "descriptor " + strconv.Itoa(d.FD)
		}
	}
	if where == "" {
		// A mapping is left where the descriptor was closed. A leader that has
		// ended has none to show.
		maps := strconv.Itoa(h.p.PID) + "/task/" + strconv.Itoa(h.own.TID) + "/maps"
		found, err := h.contains(maps, " "+link+"\n")
		if err != nil {
			h.unsure(name, "whether a ring that was set up before is mapped is not known: "+named(err).Error())
		}
		if !found {
			return
		}
		where = "a mapping in /proc/" + maps
	}
	h.found = append(h.found, posture.Attempt{
		Name: name, Outcome: posture.Succeeded, Detail: where + " is of a ring that was set up before",
		Evidence: []posture.Evidence{{Source: where, Value: link}},
	})
}

// contains looks for bytes in a file of /proc, which may be long: a process has as
// many mappings as it likes, of files with names as long as it likes.
func (h *holder) contains(name, want string) (bool, error) {
	const most, room = 256 << 20, 64 << 10
	fd, err := h.proc.Dir().Open(name, 0)
	if err != nil {
		return false, err
	}
	defer kernel.Close(fd)
	buf := make([]byte, len(want)+room)
	kept, read := 0, 0
	for {
		n, err := kernel.Read(fd, buf[kept:], "/proc", name)
		switch read += n; {
		case err != nil:
			return false, err
		case n == 0 && read == 0:
			return false, errors.New("/proc/" + name + " is empty")
		case n == 0:
			return false, nil
		case bytes.Contains(buf[:kept+n], []byte(want)):
			return true, nil
		case read > most:
			return false, errors.New("/proc/" + name + " is too long")
		}
		kept = copy(buf, buf[max(kept+n-len(want), 0):kept+n])
	}
}
