package collect

import (
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Bounds of one audit.
const (
	maxTablesSeen = 16
	// maxTableReadings is how often a table is read that does not agree with what
	// statmount(2) tells: it may have changed meanwhile.
	maxTableReadings = 4
)

// MountTables fills in what the threads see of their mount namespaces.
func (s *Site) MountTables() {
	out := &s.Process.MakeReach().MountTables
	*out = nil
	if s.Task == nil {
		*out = []posture.MountTable{noTable(s.Process.PID, "/proc", s.NoTask.Error())}
		return
	}
	var seen []tableKey
	for i, tid := range s.by.ownFS() {
		k, err := s.tableKey(tid)
		switch {
		case i > 0 && k.root.Err == errThreadEnded.Error():
			continue
		case err == "" && slices.ContainsFunc(seen, k.same):
			continue
		case len(*out) == maxTablesSeen:
			*out = append(*out, noTable(tid, s.Task.Path(), "more threads than are looked at have, or may have, mounts of their own"))
			return
		}
		t := s.mountTable(tid, &k.root)
		s.ownedMounts(&t, tid)
		*out = append(*out, t)
		if err == "" {
			seen = append(seen, k)
		}
	}
}

func noTable(tid int, source, why string) posture.MountTable {
	t := posture.MountTable{TID: tid}
	for _, f := range []*posture.Origin{&t.Mounts.Origin, &t.Root.Origin, &t.Owned.Origin, &t.Disagree.Origin} {
		f.Fail(source, why)
	}
	return t
}

// tableKey is what two threads have in common that see the same mounts.
type tableKey struct {
	namespace string
	root      place
}

func (k *tableKey) same(other tableKey) bool {
	return k.namespace == other.namespace && bothKnown(&k.root.Origin, &other.root.Origin) && k.root.Value == other.root.Value
}

// tableKey returns an empty reason where the key tells of the thread's mounts.
func (s *Site) tableKey(tid int) (k tableKey, why string) {
	if s.Self && tid == s.by.tid {
		k.root = *s.by.placeOf(s.by.openOwn("/"))
	} else {
		k.root = *s.by.placeOf(s.by.follow(tid, "root"))
	}
	var err error
	if k.namespace, err = s.Task.Readlink(strconv.Itoa(tid) + "/ns/mnt"); err != nil {
		return k, err.Error()
	}
	return k, k.root.Why()
}

// mountTable reads the table of one thread, and compares it with what else the
// kernel tells. Two that differ count only where nothing changed meanwhile.
func (s *Site) mountTable(tid int, root *place) (t posture.MountTable) {
	for try := 1; ; try++ {
		watch := s.watchMounts(tid)
		t = s.readTable(tid, root)
		s.askMounts(&t, tid)
		same := watch.end()
		found, compared := t.Disagree.Get()
		if !compared || len(found) == 0 || same && equalTables(&t, s.readTable(tid, root)) {
			return t
		}
		if try == maxTableReadings || s.Ctx.Err() != nil {
			t.Disagree.Fail(t.Mounts.Source, "mounts came, went or changed meanwhile")
			return t
		}
	}
}

// watchMounts begins to watch the mounts of a thread.
func (s *Site) watchMounts(tid int) *mountWatch {
	w := &mountWatch{collector: s.by}
	w.fd, w.err = s.Task.Open(strconv.Itoa(tid)+"/mountinfo", 0)
	return w
}

func equalTables(a *posture.MountTable, b posture.MountTable) bool {
	return b.Mounts.State == posture.Known && slices.Equal(a.Mounts.Value, b.Mounts.Value)
}

// readTable reads the mountinfo file of a thread.
func (s *Site) readTable(tid int, root *place) (t posture.MountTable) {
	t.TID = tid
	switch {
	case root.State != posture.Known:
		t.Root.Origin = root.Origin
	case !root.Value.HasMountID:
		t.Root = posture.None[uint64](root.Source, "this kernel shows no mount ids")
	default:
		t.Root = posture.Of(root.Value.MountID, root.Source, root.Raw)
	}
	name := strconv.Itoa(tid) + "/mountinfo"
	source := s.Task.Path() + "/" + name
	data, err := s.Task.MountInfo(s.Ctx, name)
	if err == nil {
		t.Mounts.Value, err = procfs.ParseMountInfo(data)
		if err != nil {
			err = fileError{source, err}
		}
	}
	settle(&t.Mounts.Origin, err, source, strconv.Itoa(len(t.Mounts.Value))+" mounts")
	if err == nil {
		reachMounts(t.Mounts.Value, &t.Root)
	}
	return t
}

// ownedMounts asks which user namespace owns the mounts. Nobody needs that to
// judge them, so that a filter is not put to the test for it.
func (s *Site) ownedMounts(t *posture.MountTable, tid int) {
	f := &t.Owned
	if mode, err := s.Calls.SeccompMode(); err != nil || mode != 0 {
		f.Fail("ioctl_ns(2)", "not asked where a seccomp filter may act on the calling thread")
		return
	}
	path := strconv.Itoa(tid) + "/ns/"
	user, err := s.Task.Readlink(path + "user")
	if err != nil {
		f.Fail(s.Task.Path()+"/"+path+"user", err.Error())
		return
	}
	owner := posture.Namespace{}
	n := namespaceReader{Site: s, name: "mnt"}
	n.owner(&owner, path+"mnt")
	f.Origin = owner.Owner.Origin
	f.Value = owner.Owner.Value == user
}

// fileError is an error about a file.
type fileError struct {
	file string
	err  error
}

func (e fileError) Error() string { return e.file + ": " + e.err.Error() }
func (e fileError) Unwrap() error { return e.err }
