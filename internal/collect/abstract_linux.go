package collect

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// AbstractSockets fills the fact of that name, from each network namespace that
// a thread is in. Nothing is connected to: whoever listens would see it.
func (s *Site) AbstractSockets() {
	fact := &s.Process.MakeReach().AbstractSockets
	if s.Task == nil {
		fact.Fail("/proc", s.NoTask.Error())
		return
	}
	source := s.Task.Path() + "/*/net/unix"
	sockets, err := s.abstract()
	if err == nil && len(sockets) > 0 {
		err = s.without(sockets, &fact.Value)
	}
	if err != nil {
		fact.Fail(source, err.Error())
		return
	}
	fact.Know(source, strconv.Itoa(len(sockets))+" abstract names")
}

// abstract reads the sockets of all network namespaces.
func (s *Site) abstract() ([]procfs.UnixSocket, error) {
	var all []procfs.UnixSocket
	var seen []string
	for i := range s.Process.Classes {
		for _, tid := range s.Process.Classes[i].TIDs {
			if err := s.Ctx.Err(); err != nil {
				return nil, err
			}
			name := strconv.Itoa(tid)
			link, err := s.Task.Readlink(name + "/ns/net")
			if gone(err) && len(seen) > 0 {
				continue
			}
			if err != nil {
				return nil, err
			}
			if slices.Contains(seen, link) {
				continue
			}
			seen = append(seen, link)
			sockets, more, err := s.Task.UnixSockets(name + "/net/unix")
			if err != nil {
				return nil, err
			}
			if more > 0 {
				return nil, errors.New(s.Task.Path() + "/" + name + "/net/unix: " + strconv.Itoa(more) + " abstract names more than are looked at")
			}
			all = append(all, sockets...)
		}
	}
	if len(seen) == 0 {
		return nil, errors.New(s.Task.Path() + ": no thread whose network namespace could be seen")
	}
	return all, nil
}

// without tells those that the process holds itself from the others.
func (s *Site) without(sockets []procfs.UnixSocket, out *posture.AbstractSockets) error {
	own, err := s.ownSockets()
	if err != nil {
		return err
	}
	for _, one := range sockets {
		if own[one.Inode] {
			out.Own++
			continue
		}
		out.Others = append(out.Others, posture.AbstractSocket{Name: one.Name, Kind: one.Kind, Inode: one.Inode})
	}
	return nil
}

// ownSockets are the inodes of the sockets that are open in the process.
func (s *Site) ownSockets() (map[uint64]bool, error) {
	own := map[uint64]bool{}
	for _, tid := range s.by.tables() {
		dir, err := s.Task.Sub(strconv.Itoa(tid) + "/fd")
		if gone(err) && tid != s.by.base() {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = s.socketsIn(dir, own)
		dir.Close()
		if err != nil {
			return nil, err
		}
	}
	return own, nil
}

func (s *Site) socketsIn(dir *procfs.Dir, own map[uint64]bool) error {
	numbers, err := dir.Numbers(s.Buf, nil)
	if err != nil {
		return err
	}
	for _, fd := range numbers {
		link, err := dir.Readlink(strconv.Itoa(fd))
		if errors.Is(err, syscall.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		if inode, found := strings.CutPrefix(link, "socket:["); found {
			if n, err := strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 64); err == nil {
				own[n] = true
			}
		}
	}
	return nil
}
