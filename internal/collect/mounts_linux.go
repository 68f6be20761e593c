package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Mounts fills Process.Mounts.
func (s *Site) Mounts() { s.by.mounts() }

// filesThread is the thread whose root directory and mounts stand for the
// process: of the own process the calling one.
func (a *collector) filesThread() int {
	switch {
	case a.self:
		return a.tid
	case len(a.p.Classes) > 0:
		return a.p.Classes[0].TID
	default:
		return a.p.PID
	}
}

// mounts fills Mounts.
func (a *collector) mounts() {
	f := &a.p.MakeReach().Mounts
	if a.task == nil {
		f.Fail("/proc", a.noTask.Error())
		return
	}
	name := strconv.Itoa(a.filesThread()) + "/mountinfo"
	source := a.task.Path() + "/" + name
	data, err := a.task.MountInfo(a.ctx, name)
	if err != nil {
		f.Fail(source, err.Error())
		return
	}
	if f.Value, err = procfs.ParseMountInfo(data); err != nil {
		f.Fail(source, source+": "+err.Error())
		return
	}
	for i := range f.Value {
		f.Value[i].Reachable.Fail("", "not asked whether it is covered by another mount")
	}
	f.Know(source, strconv.Itoa(len(f.Value))+" mounts")
}

// mountWatch tells of changes of the mounts since it was made. That the table
// reads the same again is not enough: the kernel gives numbers again.
type mountWatch struct {
	*collector
	fd  int
	err error
}

// watchMounts begins to watch.
func (a *collector) watchMounts() *mountWatch {
	w := &mountWatch{collector: a, fd: -1, err: a.noTask}
	if a.task != nil {
		w.fd, w.err = a.task.Open(strconv.Itoa(a.filesThread())+"/mountinfo", 0)
	}
	return w
}

// end says that nothing changed, and ends the watch.
func (w *mountWatch) end() (same bool) {
	if w.err != nil {
		return false
	}
	defer kernel.Close(w.fd)
	changed, err := w.c.MountsChanged(w.fd, "mountinfo")
	return err == nil && !changed
}

// What a file system is to the walk, by its type.
const (
	walked = iota
	// made: the kernel makes its files, and none of them is a program.
	made
	// served: another process or machine answers for it, or never does.
	served
)

// fileSystems are those that are not walked, by their types.
var fileSystems = [...]struct {
	kind string
	is   uint8
}{
	{"9p", served}, {"afs", served}, {"autofs", served}, {"binder", made}, {"binfmt_misc", made}, {"bpf", made},
	{"ceph", served}, {"cgroup", made}, {"cgroup2", made}, {"cifs", served}, {"coda", served}, {"configfs", made}, {"cpuset", made},
	{"debugfs", made}, {"devpts", made}, {"efivarfs", made}, {"fuse", served}, {"fuseblk", served}, {"fusectl", made},
	{"gfs2", served}, {"lustre", served}, {"mqueue", made}, {"ncpfs", served}, {"nfs", served}, {"nfs4", served}, {"nfsd", made},
	{"nsfs", made}, {"ocfs2", served}, {"orangefs", served}, {"pidfs", made}, {"proc", made}, {"pstore", made},
	{"resctrl", made}, {"rpc_pipefs", made}, {"securityfs", made}, {"selinuxfs", made}, {"smackfs", made}, {"smb3", served},
	{"smbfs", served}, {"sysfs", made}, {"tracefs", made}, {"virtiofs", served}, {"vboxsf", served}, {"vmhgfs", served},
}

// isWalked takes a type with a subtype, "fuse.sshfs", for what comes before it.
func isWalked(kind string) uint8 {
	for i := range kind {
		if kind[i] == '.' {
			kind = kind[:i]
			break
		}
	}
	for i := range fileSystems {
		if fileSystems[i].kind == kind {
			return fileSystems[i].is
		}
	}
	return walked
}

// magics are types that fstatfs(2) tells of the root directory, where its mount
// is not among those that the process sees: after chroot(2).
var magics = [...]struct {
	magic uint32
	kind  string
}{
	{0x65735546, "fuse"}, {0x6969, "nfs"}, {0x01021997, "9p"}, {0xff534d42, "cifs"}, {0xfe534d42, "smb3"}, {0x517b, "smbfs"},
	{0x00c36400, "ceph"}, {0x5346414f, "afs"}, {0x0187, "autofs"}, {0x9fa0, "proc"}, {0x62656572, "sysfs"}, {0x7461636f, "ocfs2"},
	{0x01161970, "gfs2"}, {0x0bd00bd0, "lustre"}, {0x786f4256, "vboxsf"}, {0x73757245, "coda"}, {0x20030528, "orangefs"},
}

// rootMount makes a mount of what the root directory itself tells of the one that
// it lies on.
func (w *walker) rootMount() (posture.Mount, error) {
	m := posture.Mount{ID: w.top.MountID, Major: kernel.Major(w.top.Dev), Minor: kernel.Minor(w.top.Dev), Point: "/"}
	flags, err := w.c.MountFlags(w.root, w.source)
	if err != nil {
		return m, err
	}
	for _, option := range [...]struct {
		set  bool
		name string
	}{{flags.ReadOnly, ",ro"}, {flags.NoSuid, ",nosuid"}, {flags.NoDev, ",nodev"}, {flags.NoExec, ",noexec"}} {
		if option.set {
			m.Options += option.name
		}
	}
	for i := range magics {
		if magics[i].magic == flags.Magic {
			m.Type = magics[i].kind
		}
	}
	return m, nil
}
