package collect

import (
	"errors"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// namespaceTypes are the kinds of namespaces, with the link of the machine's
// first one. Linux gives these numbers to no other namespace. Those of net and
// mnt are fixed since late versions only: before, the first ones had numbers
// like any other.
var namespaceTypes = [...]struct {
	name, initial string
	// late: an older kernel numbers the first one as any other.
	late bool
}{
	{"cgroup", "cgroup:[4026531835]", false},
	{"ipc", "ipc:[4026531839]", false},
	{"mnt", initialMountNamespace, true},
	{"net", "net:[4026531833]", true},
	{"pid", initialPIDNamespace, false},
	{"time", "time:[4026531834]", false},
	{"user", initialUserNamespace, false},
	{"uts", "uts:[4026531838]", false},
}

const initialUserNamespace = "user:[4026531837]"

// Namespaces fills in which namespaces the threads are.
func (s *Site) Namespaces() {
	p := s.Process
	p.MakeReach().Namespaces = nil
	n := namespaceReader{Site: s}
	n.own = n.ourTask()
	if n.own != nil {
		defer n.own.Close()
	}
	for i := range namespaceTypes {
		n.initial, n.late, n.name = namespaceTypes[i].initial, namespaceTypes[i].late, namespaceTypes[i].name
		p.MakeReach().Namespaces = append(p.MakeReach().Namespaces, n.read()...)
	}
	n.outermost()
}

// outermost says whose ids the maps show as those outside: those of the user
// namespace of whoever reads them, or of the one above where both are one.
func (n *namespaceReader) outermost() {
	const inside = "whose ids those outside are cannot be told from within the user namespace"
	ns := &n.Process.UserNamespace
	f := &ns.Outermost
	switch same, known := ns.Same.Get(); {
	case !known:
		f.Fail(ns.Same.Source, ns.Same.Why())
	case same:
		f.Fail(ns.Same.Source, inside)
	case n.own == nil:
		f.Fail("/proc", "the auditor's own namespaces could not be read")
	default:
		path := strconv.Itoa(kernel.Gettid()) + "/ns/user"
		link, err := n.own.Readlink(path)
		f.Value = link == initialUserNamespace
		settle(&f.Origin, err, n.own.Path()+"/"+path, link)
	}
}

// namespaceReader reads the namespaces of one type after the other.
type namespaceReader struct {
	*Site
	// own is our own task directory, or nil.
	own           *procfs.Dir
	name, initial string
	late          bool
}

// ourTask opens the directory of our own threads, or returns nil.
func (n *namespaceReader) ourTask() *procfs.Dir {
	if n.Proc == nil {
		return nil
	}
	dir, err := n.Proc.Task(n.Proc.Self())
	if err != nil {
		return nil
	}
	return dir
}

// read returns the namespaces of the type, the leader's first.
func (n *namespaceReader) read() []posture.Namespace {
	if n.Task == nil {
		ns := posture.Namespace{Type: n.name}
		n.fail(&ns, "/proc", n.NoTask.Error())
		return []posture.Namespace{ns}
	}
	var out []posture.Namespace
	for _, tid := range threadsOf(n.Process) {
		path := strconv.Itoa(tid) + "/ns/" + n.name
		link, err := n.Task.Readlink(path)
		if gone(err) && tid != n.Process.PID {
			if _, err := n.Task.Read(strconv.Itoa(tid)+"/stat", n.Buf); gone(err) {
				continue // the thread has ended
			}
		}
		k := slices.IndexFunc(out, func(o posture.Namespace) bool {
			return o.Link.State == posture.Known && o.Link.Value == link || o.Link.State != posture.Known && err != nil
		})
		if k < 0 {
			k = len(out)
			out = append(out, n.one(tid, path, link, err))
		}
		out[k].TIDs = append(out[k].TIDs, tid)
	}
	return out
}

// threadsOf are all threads, the leader first.
func threadsOf(p *posture.Process) []int {
	var all []int
	for i := range p.Classes {
		all = append(all, p.Classes[i].TIDs...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if i := slices.Index(all, p.PID); i > 0 {
		all = slices.Insert(slices.Delete(all, i, i+1), 0, p.PID)
	}
	return all
}

// one says what is known of the namespace that a link leads to.
func (n *namespaceReader) one(tid int, path, link string, err error) posture.Namespace {
	ns, source := posture.Namespace{Type: n.name}, n.Task.Path()+"/"+path
	if errors.Is(err, syscall.ENOENT) {
		why := "this kernel has no " + n.name + " namespaces"
		ns.Link = posture.None[string](source, why)
		ns.Initial, ns.Shared, ns.Owner = posture.None[bool](source, why), posture.None[bool](source, why), posture.None[string](source, why)
		return ns
	}
	if err != nil {
		n.fail(&ns, source, source+": "+accessible(err).Error())
		return ns
	}
	ns.Link = posture.Of(link, source, link)
	n.shared(&ns)
	if n.Self {
		ns.Owner.Fail("", "the owner of one's own namespaces is not asked for")
	} else {
		n.owner(&ns, path)
	}
	n.isInitial(&ns)
	return ns
}

func (n *namespaceReader) fail(ns *posture.Namespace, source, why string) {
	for _, f := range []*posture.Origin{&ns.Link.Origin, &ns.Initial.Origin, &ns.Shared.Origin, &ns.Owner.Origin} {
		f.Fail(source, why)
	}
}

// shared compares with the namespace that the calling thread is in.
func (n *namespaceReader) shared(ns *posture.Namespace) {
	if n.Self {
		ns.Shared = posture.Of(true, "the audited process itself", "")
		return
	}
	if n.own == nil {
		ns.Shared.Fail("/proc", "the auditor's own namespaces could not be read")
		return
	}
	path := strconv.Itoa(kernel.Gettid()) + "/ns/" + n.name
	link, err := n.own.Readlink(path)
	ns.Shared.Value = link == ns.Link.Value
	settle(&ns.Shared.Origin, err, n.own.Path()+"/"+path, link)
}

// owner asks for the user namespace that owns it: ioctl_ns(2).
func (n *namespaceReader) owner(ns *posture.Namespace, path string) {
	source := n.Task.Path() + "/" + path
	fd, err := n.Task.OpenNamespace(path)
	if err != nil {
		ns.Owner.Fail(source, err.Error())
		return
	}
	defer kernel.Close(fd)
	ask := kernel.NamespaceOwner
	if n.name == "user" {
		ask = kernel.NamespaceParent
	}
	above, err := ask(fd, source)
	if err != nil {
		ns.Owner.Fail(source, err.Error())
		return
	}
	defer kernel.Close(above)
	st, err := n.Calls.Stat(above, "the user namespace above "+source)
	ns.Owner.Value = "user:[" + strconv.FormatUint(st.Ino, 10) + "]"
	settle(&ns.Owner.Origin, err, source, ns.Owner.Value)
}

// isInitial decides by the fixed number. Where this kernel may have none for the
// type, by whom it belongs to, by whether the auditor is in the first one, and by
// that of process 1 of the machine.
func (n *namespaceReader) isInitial(ns *posture.Namespace) {
	link := &ns.Link
	switch {
	case link.Value == n.initial:
		ns.Initial = posture.Of(true, link.Source, link.Value)
		return
	case !n.late:
		ns.Initial = posture.Of(false, link.Source, link.Value)
		return
	case ns.Owner.State == posture.Known && ns.Owner.Value != initialUserNamespace:
		ns.Initial = posture.Of(false, link.Source, link.Value+", which "+ns.Owner.Value+" owns")
		return
	}
	if n.own == nil {
		ns.Initial.Fail(link.Source, "whether "+link.Value+" is the machine's first takes a whole /proc to tell")
		return
	}
	if own, err := n.own.Readlink(strconv.Itoa(kernel.Gettid()) + "/ns/" + n.name); err == nil && own == n.initial {
		ns.Initial = posture.Of(false, link.Source, link.Value+", where the machine's is "+own)
		return
	}
	n.asProcess1(ns)
}

// asProcess1 compares with the namespace of process 1, where that is the machine's.
func (n *namespaceReader) asProcess1(ns *posture.Namespace) {
	around, err := n.own.Readlink(strconv.Itoa(kernel.Gettid()) + "/ns/pid")
	if err != nil || around != initialPIDNamespace {
		ns.Initial.Fail(n.own.Path(), "whether "+ns.Link.Value+" is the machine's first cannot be told from within a pid namespace")
		return
	}
	task, err := n.Proc.Task(1)
	if err != nil {
		ns.Initial.Fail("/proc/1/task", err.Error())
		return
	}
	defer task.Close()
	path := "1/ns/" + n.name
	link, err := task.Readlink(path)
	if err != nil {
		err = accessible(err)
	}
	ns.Initial.Value = link == ns.Link.Value
	settle(&ns.Initial.Origin, err, task.Path()+"/"+path, link)
}
