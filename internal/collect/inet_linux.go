package collect

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// inetTables are the files of net/ that list sockets with ports.
var inetTables = [...]string{"tcp", "tcp6", "udp", "udp6", "udplite", "udplite6"}

// InetSockets fills those of the open sockets that have ports, by the tables of
// the namespaces that threads are in, and then of the auditor's own. OpenFiles and
// Networks come before it.
func (s *Site) InetSockets() {
	reach := s.Process.MakeReach()
	fact := &reach.InetSockets
	switch {
	case s.Task == nil:
		fact.Fail("/proc", s.NoTask.Error())
		return
	case reach.Networks.State != posture.Known:
		fact.Fail(reach.Networks.Source, reach.Networks.Err)
		return
	}
	source := s.Task.Path() + "/*/net"
	left := map[uint64]bool{}
	for i := range reach.OpenFiles.Seen {
		if inode, is := reach.OpenFiles.Seen[i].SocketInode(); is {
			left[inode] = true
		}
	}
	held := len(left)
	for i := range reach.Networks.Value {
		if err := s.inet(s.netOf(&reach.Networks.Value[i]), left, false); err != nil {
			fact.Fail(source, err.Error())
			return
		}
	}
	s.foreign(left)
	fact.Know(source, strconv.Itoa(len(fact.Value))+" of "+strconv.Itoa(held)+" open sockets")
}

// inet takes from left what the tables list.
func (s *Site) inet(r *netReader, left map[uint64]bool, foreign bool) error {
	fact := &s.Process.MakeReach().InetSockets
	for _, table := range inetTables {
		if len(left) == 0 {
			return nil
		}
		var some []procfs.InetSocket
		_, err := r.read(table, true, func(in io.Reader) (err error) {
			some, err = procfs.ParseInet(in, func(inode uint64) bool { return left[inode] })
			return err
		})
		if err != nil {
			return err
		}
		for _, one := range some {
			fact.Value = append(fact.Value, posture.InetSocket{
				Inode: one.Inode, Protocol: table, Local: one.Local, Remote: one.Remote, Foreign: foreign,
				Listens: listens(table, one.State),
			})
		}
	}
	for _, one := range fact.Value {
		delete(left, one.Inode)
	}
	return nil
}

// listens says that others can connect or send to a socket by its port alone. One
// of UDP that is connected takes datagrams of its peer only.
func listens(table string, state uint8) bool {
	if strings.HasPrefix(table, "tcp") {
		return state == procfs.TCPListen
	}
	return state != procfs.TCPEstablished
}

// foreign looks for the rest in the auditor's own network namespace: a socket is
// of the namespace that it was made in, whoever holds it. Nothing is said where
// that cannot be read.
func (s *Site) foreign(left map[uint64]bool) {
	if s.Proc == nil || len(left) == 0 {
		return
	}
	own := strconv.Itoa(s.Proc.Self())
	link, err := s.Proc.Dir().Readlink(own + "/ns/net")
	known := func(n posture.Network) bool { return n.Link == link }
	if err != nil || slices.ContainsFunc(s.Process.MakeReach().Networks.Value, known) {
		return
	}
	fact := &s.Process.MakeReach().InetSockets
	before := len(fact.Value)
	if s.inet(&netReader{s.Ctx, s.Proc.Dir(), own + "/net/"}, left, true) != nil {
		fact.Value = fact.Value[:before]
	}
}
