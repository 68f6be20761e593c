package collect

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

const (
	// maxAsked bounds how many mounts are asked about: a namespace has 100,000
	// unless a sysctl says more.
	maxAsked = 1 << 20
	// maxDisagreements bounds what is kept.
	maxDisagreements = 16
	askedSource      = "listmount(2), statmount(2)"
)

// askMounts compares the table with what listmount(2) and statmount(2) tell of
// the same mounts.
func (s *Site) askMounts(t *posture.MountTable, tid int) {
	f := &t.Disagree
	if t.Mounts.State != posture.Known || t.Root.State != posture.Known {
		f.Fail(askedSource, "the table or the root directory is not known")
		return
	}
	// A filter may kill for calls as new as these, and then it is the process
	// that is audited, or the auditor, which dies.
	if mode, err := s.Calls.SeccompMode(); err != nil || mode != 0 {
		f.Fail(askedSource, "not asked where a seccomp filter may act on the calling thread")
		return
	}
	namespace, err := s.askedNamespace(tid)
	if err != nil {
		*f = posture.None[[]posture.MountDisagreement](askedSource, err.Error())
		return
	}
	asked, err := s.listMounts(namespace)
	if err != nil {
		*f = posture.None[[]posture.MountDisagreement](askedSource, err.Error())
		return
	}
	if why := sameView(t, asked); why != "" {
		*f = posture.None[[]posture.MountDisagreement](askedSource, why)
		return
	}
	f.Value = disagreements(t, asked)
	f.Know(askedSource, strconv.Itoa(len(asked))+" mounts")
}

// askedNamespace returns the number of a thread's mount namespace, and 0 for the
// caller's own.
func (s *Site) askedNamespace(tid int) (uint64, error) {
	path := strconv.Itoa(tid) + "/ns/mnt"
	if s.Self && tid == s.by.tid {
		return 0, nil
	}
	fd, err := s.Task.OpenNamespace(path)
	if err != nil {
		return 0, err
	}
	defer kernel.Close(fd)
	return kernel.MountNamespaceID(fd, s.Task.Path()+"/"+path)
}

// listMounts asks about every mount. Those that went in between are left out.
func (s *Site) listMounts(namespace uint64) (map[uint64]kernel.MountStat, error) {
	asked := map[uint64]kernel.MountStat{}
	var ids [512]uint64
	var room []byte
	for after := uint64(0); len(asked) < maxAsked; {
		n, err := kernel.ListMounts(namespace, after, ids[:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return asked, nil
		}
		for _, id := range ids[:n] {
			if id <= after {
				return nil, errors.New("listmount(2) gives mounts out of order")
			}
			after = id
			if err := s.Ctx.Err(); err != nil {
				return nil, err
			}
			var m kernel.MountStat
			m, room, err = kernel.StatMount(namespace, id, room)
			switch {
			case err == nil:
				asked[uint64(m.ID)] = m
			case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EPERM):
			default:
				return nil, err
			}
		}
	}
	return nil, errors.New("more mounts than are asked about")
}

// sameView says why the two cannot be compared: the calls see another namespace
// from its topmost root, which after chroot(2) is not the thread's.
func sameView(t *posture.MountTable, asked map[uint64]kernel.MountStat) string {
	top := t.Root.Value
	for i := range t.Mounts.Value {
		m := &t.Mounts.Value[i]
		if m.ID != top {
			continue
		}
		if a, there := asked[top]; there && a.Point == "/" && m.Point == "/" {
			return ""
		}
	}
	return "the calls see the mounts from another root directory"
}

// disagreements compares, and returns the first of what differs.
func disagreements(t *posture.MountTable, asked map[uint64]kernel.MountStat) (out []posture.MountDisagreement) {
	found := func(point, what, shown, answered string) {
		if len(out) < maxDisagreements {
			out = append(out, posture.MountDisagreement{Point: point, What: what, Shown: shown, Asked: answered})
		}
	}
	for i := range t.Mounts.Value {
		m := &t.Mounts.Value[i]
		a, there := asked[m.ID]
		if !there {
			found(m.Point, "mount", "there", "not there")
			continue
		}
		delete(asked, m.ID)
		for _, d := range [...]struct{ what, shown, answered string }{
			{"mount point", m.Point, a.Point},
			{"root", m.Root, a.Root},
			{"parent", decimalOf(m.Parent), decimalOf(uint64(a.Parent))},
			{"device", decimalOf(uint64(m.Major)) + ":" + decimalOf(uint64(m.Minor)), decimalOf(uint64(a.Major)) + ":" + decimalOf(uint64(a.Minor))},
			{"type", mainType(m.Type), mainType(a.Type)},
			{"options", shownOptions(m), answeredOptions(&a)},
			{"propagation", spread(m.Propagation), spread(posture.Propagation{
				Shared: uint32(a.PeerGroup), Master: uint32(a.Master), Unbindable: a.Unbindable})},
		} {
			if d.shown != d.answered {
				found(m.Point, d.what, d.shown, d.answered)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		found(asked[id].Point, "mount", "not there", "there")
	}
	return out
}

func decimalOf(n uint64) string { return strconv.FormatUint(n, 10) }

// mainType is a type without what FUSE and its kind put behind a dot.
func mainType(kind string) string {
	kind, _, _ = strings.Cut(kind, ".")
	return kind
}

// comparedOptions are those that both sources have, as mountinfo names them.
var comparedOptions = [...]struct {
	name string
	bit  uint64
}{
	{"ro", kernel.MountReadOnly}, {"nosuid", kernel.MountNoSuid}, {"nodev", kernel.MountNoDev}, {"noexec", kernel.MountNoExec},
	{"noatime", kernel.MountNoAtime}, {"nodiratime", kernel.MountNoDirAtime}, {"nosymfollow", kernel.MountNoSymFollow}, {"idmapped", kernel.MountIDMapped},
}

func shownOptions(m *posture.Mount) string {
	words := ""
	for _, o := range comparedOptions {
		if m.Has(o.name) {
			words += o.name + ","
		}
	}
	super, _, _ := strings.Cut(m.SuperOptions, ",")
	return words + "super " + super
}

func answeredOptions(a *kernel.MountStat) string {
	words := ""
	for _, o := range comparedOptions {
		if a.Attributes&o.bit != 0 {
			words += o.name + ","
		}
	}
	if a.SuperReadOnly {
		return words + "super ro"
	}
	return words + "super rw"
}

// spread names the peer groups too: "shared shared:3". Which group it is
// propagated from depends on who asks.
func spread(p posture.Propagation) string {
	words := p.String()
	for _, g := range [...]struct {
		name  string
		group uint32
	}{{" shared:", p.Shared}, {" master:", p.Master}} {
		if g.group != 0 {
			words += g.name + decimalOf(uint64(g.group))
		}
	}
	return words
}
