package collect

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

const (
	maxNetworks = 64 // namespaces of one process
	maxRoutes   = 4  // routes of one interface that are kept
)

// Networks fills the network namespaces that threads are in. No packet is sent.
func (s *Site) Networks() {
	fact := &s.Process.MakeReach().Networks
	if s.Task == nil {
		fact.Fail("/proc", s.NoTask.Error())
		return
	}
	source := s.Task.Path() + "/*/net"
	all, err := s.networks()
	for i := range all {
		if err == nil {
			err = s.interfaces(&all[i])
		}
	}
	fact.Value = all
	settle(&fact.Origin, err, source, networkWords(all))
}

func networkWords(all []posture.Network) string {
	var words []string
	for i := range all {
		var names []string
		for k := range all[i].Interfaces {
			names = append(names, all[i].Interfaces[k].Name)
		}
		words = append(words, all[i].Link+": "+strings.Join(names, " "))
	}
	return strings.Join(words, "; ")
}

// networks returns the namespaces, each with its threads.
func (s *Site) networks() (all []posture.Network, err error) {
	for i := range s.Process.Classes {
		for _, tid := range s.Process.Classes[i].TIDs {
			if err := s.Ctx.Err(); err != nil {
				return nil, err
			}
			link, err := s.Task.Readlink(strconv.Itoa(tid) + "/ns/net")
			if gone(err) && len(all) > 0 {
				continue
			}
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(all, func(n posture.Network) bool { return n.Link == link })
			switch {
			case at >= 0:
				all[at].TIDs = append(all[at].TIDs, tid)
			case len(all) == maxNetworks:
				return nil, errors.New(s.Task.Path() + ": its threads are in more network namespaces than are looked at")
			default:
				all = append(all, posture.Network{Link: link, TIDs: []int{tid}})
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New(s.Task.Path() + ": no thread whose network namespace could be seen")
	}
	return all, nil
}

// netReader reads tables of one network namespace.
type netReader struct {
	ctx context.Context
	dir *procfs.Dir
	at  string
}

// netOf returns one by the first thread of a namespace.
func (s *Site) netOf(n *posture.Network) *netReader {
	return &netReader{s.Ctx, s.Task, strconv.Itoa(n.TIDs[0]) + "/net/"}
}

// read hands a table to a parser. A table that this kernel does not have is read
// as none where it may be missing.
func (r *netReader) read(name string, mayMiss bool, f func(io.Reader) error) (there bool, err error) {
	if err := r.ctx.Err(); err != nil {
		return false, err
	}
	err = r.dir.Net(r.at+name, func(in io.Reader) error { return f(&untilDone{r.ctx, in}) })
	if mayMiss && errors.Is(err, syscall.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// untilDone ends the reading of a long table with the audit.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (u *untilDone) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(b)
}

// interfaces fills the interfaces of a namespace.
func (s *Site) interfaces(n *posture.Network) error {
	r := s.netOf(n)
	var devices, multicast []string
	var shown []procfs.NetDevice
	list := func(parse func(io.Reader) ([]procfs.NetDevice, error)) func(io.Reader) error {
		return func(in io.Reader) error {
			some, err := parse(in)
			for _, d := range some {
				shown = append(shown, d)
				multicast = append(multicast, d.Name)
			}
			return err
		}
	}
	routes := map[string][]procfs.NetRoute{}
	each := func(one procfs.NetRoute) { routes[one.Device] = widest(routes[one.Device], one) }
	_, err := r.read("dev", false, func(in io.Reader) (err error) { devices, err = procfs.ParseNetDev(in); return err })
	told := false
	if err == nil {
		told, err = r.read("igmp", true, list(procfs.ParseIGMP))
	}
	if err == nil {
		_, err = r.read("if_inet6", true, list(procfs.ParseIfInet6))
	}
	if err == nil {
		_, err = r.read("route", true, func(in io.Reader) error { return procfs.ParseRoute(in, each) })
	}
	if err == nil {
		_, err = r.read("ipv6_route", true, func(in io.Reader) error { return procfs.ParseRoute6(in, each) })
	}
	if err == nil {
		err = s.still(n)
	}
	if err != nil {
		return err
	}
	for _, name := range append(multicast, devicesOf(routes)...) {
		if !slices.Contains(devices, name) {
			devices = append(devices, name) // come meanwhile
		}
	}
	for _, name := range devices {
		one := posture.Interface{Name: name, Loopback: isLoopback(name, shown)}
		for _, route := range routes[name] {
			one.Routes = append(one.Routes, routeWords(&route))
		}
		one.Up.Value = slices.Contains(multicast, name) || len(one.Routes) > 0
		switch {
		case told || one.Up.Value:
			one.Up.Know(r.dir.Path()+"/"+r.at+"igmp", "")
		default:
			one.Up.Fail(r.dir.Path()+"/"+r.at+"igmp", "this kernel lists no interfaces that are up")
		}
		n.Interfaces = append(n.Interfaces, one)
	}
	return nil
}

// still fails where the thread that the tables were read by has left the namespace.
func (s *Site) still(n *posture.Network) error {
	name := strconv.Itoa(n.TIDs[0]) + "/ns/net"
	link, err := s.Task.Readlink(name)
	if err == nil && link != n.Link {
		err = errors.New(s.Task.Path() + "/" + name + ": the thread has left its network namespace meanwhile")
	}
	return err
}

func devicesOf(routes map[string][]procfs.NetRoute) (names []string) {
	for name := range routes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// isLoopback goes by the number, where a file shows it: a name can be given to
// any interface.
func isLoopback(name string, shown []procfs.NetDevice) bool {
	numbered := false
	for _, d := range shown {
		if d.Name == name {
			if d.Index == procfs.LoopbackIndex {
				return true
			}
			numbered = true
		}
	}
	return name == "lo" && !numbered
}

// widest keeps the routes with the shortest prefixes.
func widest(have []procfs.NetRoute, one procfs.NetRoute) []procfs.NetRoute {
	at, found := slices.BinarySearchFunc(have, one, func(a, b procfs.NetRoute) int { return a.To.Bits() - b.To.Bits() })
	for found && at < len(have) && have[at].To.Bits() == one.To.Bits() {
		at++
	}
	if at == maxRoutes {
		return have
	}
	have = slices.Insert(have, at, one)
	return have[:min(len(have), maxRoutes)]
}

func routeWords(r *procfs.NetRoute) string {
	words := r.To.String()
	if !r.Gateway.IsUnspecified() {
		words += " via " + r.Gateway.String()
	}
	return words
}
