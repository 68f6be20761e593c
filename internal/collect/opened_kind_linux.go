package collect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// openKinds tells of what a descriptor is.
type openKinds struct {
	*Site
	place *placer
	// namespaces is the device number of namespaces, and own the inodes of the
	// process's; processes that of the procfs that the audit reads.
	namespaces, processes   uint64
	hasNamespaces, hasProcs bool
	own                     []uint64
	// memory is the device number of memory that has no place. It is looked for
	// once, where something may be that.
	memory                uint64
	hasMemory, memoryTold bool
}

// fileTypes are the kinds that a file's mode tells.
var fileTypes = [...]struct {
	mode uint32
	kind posture.FileKind
}{
	{kernel.TypeDirectory, posture.FileDirectory}, {kernel.TypeRegular, posture.FileRegular}, {kernel.TypeBlock, posture.FileBlock},
	{kernel.TypeCharacter, posture.FileCharacter}, {kernel.TypeFIFO, posture.FileFIFO}, {kernel.TypeSocket, posture.FileLink},
	{kernel.TypeLink, posture.FileLink},
}

// newOpenKinds looks at the process's own namespaces.
func newOpenKinds(s *Site, place *placer) *openKinds {
	k := &openKinds{Site: s, place: place}
	task := s.Task
	if st, err := s.Calls.Stat(task.FD(), task.Path()); err == nil {
		k.processes, k.hasProcs = st.Dev, true
	}
	for _, name := range ownNamespaces {
		fd, err := task.Follow(strconv.Itoa(s.by.filesThread()) + "/ns/" + name)
		if err != nil {
			continue
		}
		if st, err := s.Calls.Stat(fd, task.Path()); err == nil {
			k.own = append(k.own, st.Ino)
			k.namespaces, k.hasNamespaces = st.Dev, true
		}
		kernel.Close(fd)
	}
	return k
}

var ownNamespaces = [...]string{"mnt", "cgroup", "ipc", "net", "pid", "time", "user", "uts"}

// anonInode is how the kernel begins the names of objects without a place. No
// file's path begins without a slash, so that nobody can make one up.
const anonInode = "anon_inode:"

// decide fills in the kind, and what the kind has.
func (k *openKinds) decide(f *posture.OpenFile, o *opened, r *openReader) {
	kind := posture.FileNoKind
	for i := range fileTypes {
		if fileTypes[i].mode == o.Mode&kernel.TypeMask {
			kind = fileTypes[i].kind
		}
	}
	placeless := o.link != "" && o.link[0] != '/'
	object, anonymous := strings.CutPrefix(o.link, anonInode)
	switch {
	case o.Pidfd:
		kind = posture.FilePidfd
		k.pidfd(f, o, r)
	case anonymous && placeless:
		kind = posture.FileKernel
		f.Object, f.Detail = object, detail(object, o)
	case kind == posture.FileRegular && (k.hasNamespaces && o.Dev == k.namespaces || placeless && isNamespaceLink(o.link)):
		kind = posture.FileNamespace
		k.namespace(f, o)
	case kind == posture.FileLink && strings.HasPrefix(o.link, "socket:["):
		kind = posture.FileSocket
		k.socket(f, o, r)
	case kind == posture.FileFIFO && placeless:
		kind = posture.FilePipe
	case kind == posture.FileRegular:
		kind = k.regular(f, o)
	}
	if kind == posture.FileBlock || kind == posture.FileCharacter {
		f.Major, f.Minor = kernel.Major(o.Device), kernel.Minor(o.Device)
	}
	switch {
	case kind == posture.FileNoKind && o.linkErr != nil:
		f.Kind.Fail(o.source, o.linkErr.Error())
	case kind == posture.FileNoKind, kind == posture.FileLink && o.Mode&kernel.TypeMask == kernel.TypeSocket && o.linkErr != nil:
		f.Kind.Fail(o.source, o.source+": of no known type: mode "+strconv.FormatUint(uint64(o.Mode), 8))
	default:
		f.Kind = posture.Of(kind, o.source, o.link)
	}
}

// isNamespaceLink wants a name, a colon, and a number in brackets.
func isNamespaceLink(link string) bool {
	name, number, ok := strings.Cut(link, ":[")
	if !ok || !strings.HasSuffix(number, "]") {
		return false
	}
	_, err := strconv.ParseUint(number[:len(number)-1], 10, 64)
	return err == nil && name != "socket" && name != "pipe" && name != "pidfd"
}

// namespace says of which type it is, and whether the process is in it. One that
// was opened where it is mounted has the mount point's path.
func (k *openKinds) namespace(f *posture.OpenFile, o *opened) {
	if name, _, ok := strings.Cut(o.link, ":["); ok && o.link[0] != '/' {
		f.Object = name
	}
	if len(k.own) < len(ownNamespaces)-1 && !slices.Contains(k.own, o.Opened.Ino) {
		f.Own.Fail(o.source, "the process's own namespaces could not all be looked at")
		return
	}
	f.Own = posture.Of(slices.Contains(k.own, o.Opened.Ino), o.source, o.link)
}

// pidfd says whose it is. The numbers are those of the procfs that is read.
func (k *openKinds) pidfd(f *posture.OpenFile, o *opened, r *openReader) {
	source, raw := o.source, "Pid: "+strconv.Itoa(o.PID)
	f.Object = strconv.Itoa(o.PID)
	switch {
	case o.PID < 0:
		f.Detail = "a process that has ended"
	case o.PID == 0:
		f.Detail = "a process that has no number here"
		f.Own = posture.Of(false, source, raw)
		return
	case o.PID == k.Process.PID || slices.Contains(threadsOf(k.Process), o.PID):
		f.Detail = "the process itself"
	default:
		child, err := k.isChild(o.PID)
		f.Detail = "process " + f.Object
		switch {
		case gone(err) && r.hasEnded(o.name):
			f.Detail = "a process that has ended"
			f.Own = posture.Of(true, source, raw)
			return
		case err != nil:
			f.Own.Fail(source, "whether process "+f.Object+" is its child: "+err.Error())
			return
		case !child:
			f.Own = posture.Of(false, source, raw)
			return
		}
		f.Detail = "its child " + f.Object
	}
	f.Own = posture.Of(true, source, raw)
}

// hasEnded says whether a pidfd tells by now that its process has ended.
func (r *openReader) hasEnded(name string) bool {
	data, err := r.info.ReadFirst(name, r.Buf)
	if err != nil {
		return gone(err)
	}
	info, err := procfs.ParseOpenInfo(data)
	return err == nil && info.Pidfd && info.PID < 0
}

// isChild says whether a process was started by the one that is audited. Below
// what audit.Open keeps only the lists of its threads' children can be read.
func (k *openKinds) isChild(pid int) (bool, error) {
	buf := new(procfs.Buffer)
	number := strconv.Itoa(pid)
	if k.Proc != nil {
		data, err := k.Proc.Dir().Read(number+"/stat", buf)
		parent, ok := procfs.ParentOf(data)
		if err == nil && !ok {
			err = fmt.Errorf("/proc/%d/stat: %w", pid, procfs.ErrMalformed)
		}
		return parent == k.Process.PID, err
	}
	for _, tid := range threadsOf(k.Process) {
		data, err := k.Task.Read(strconv.Itoa(tid)+"/children", buf)
		if err != nil {
			if gone(err) && !k.lives(tid) {
				continue
			}
			return false, err
		}
		if slices.Contains(strings.Fields(string(data)), number) {
			return true, nil
		}
	}
	return false, nil
}

// lives says whether a thread is still there.
func (k *openKinds) lives(tid int) bool {
	_, err := k.Task.Read(strconv.Itoa(tid)+"/stat", new(procfs.Buffer))
	return !gone(err)
}

func (k *openKinds) socket(f *posture.OpenFile, o *opened, r *openReader) {
	var err error
	f.Protocol.Value, err = k.Calls.SocketProtocol(r.dir.FD(), o.name, r.dir.Path())
	settle(&f.Protocol.Origin, err, o.source, f.Protocol.Value)
}

// detail says what fdinfo tells of an object beside its name.
func detail(object string, o *opened) string {
	if object != "[io_uring]" {
		return ""
	}
	words := "requests that a filter does not see"
	if thread, ok := o.Line("SqThread"); ok && string(thread) != "-1" {
		if _, err := strconv.Atoi(string(thread)); err == nil {
			words += ", made by kernel thread " + string(thread) + " with the credentials of when it was set up"
		}
	}
	if files, ok := o.Line("UserFiles"); ok && string(files) != "0" {
		if _, err := strconv.Atoi(string(files)); err == nil {
			words += ", " + string(files) + " files registered"
		}
	}
	if _, ok := o.Line("Personalities"); ok {
		words += ", with credentials registered"
	}
	return words
}

// processFiles are the files of /proc/PID that hold on to the memory of the
// process, whoever asks later: the permission is checked when they are opened.
var processFiles = [...]string{"mem", "environ", "auxv", "maps", "smaps", "smaps_rollup", "numa_maps", "pagemap"}

// regular tells memory and files of processes from what lies on a file system.
func (k *openKinds) regular(f *posture.OpenFile, o *opened) posture.FileKind {
	if k.isMemory(o) {
		return posture.FileMemory
	}
	dir, name, ok := cutLast(strings.TrimSuffix(o.link, " (deleted)"))
	if !ok || !slices.Contains(processFiles[:], name) {
		return posture.FileRegular
	}
	_, pid, _ := cutLast(dir)
	n, err := strconv.Atoi(pid)
	if err != nil {
		return posture.FileRegular
	}
	if k.hasProcs && o.Dev == k.processes {
		f.Object = name
		own := n == k.Process.PID || slices.Contains(threadsOf(k.Process), n)
		f.Own = posture.Of(own, o.source, o.link)
		return posture.FileProcess
	}
	mount, err := k.place.mountOf(o)
	if err == nil && mount != nil && mount.Type != "proc" {
		return posture.FileRegular
	}
	f.Object = name
	f.Own.Fail(o.source, "the number in its path is not one of the audit's pid namespace")
	return posture.FileProcess
}

func cutLast(path string) (dir, name string, ok bool) {
	at := strings.LastIndexByte(path, '/')
	if at < 0 {
		return "", "", false
	}
	return path[:at], path[at+1:], true
}

// memoryNames begin the paths that memory without a place is printed with.
var memoryNames = [...]string{"/memfd:", "/SYSV", "/dev/zero (deleted)", "/anon_hugepage", "/secretmem", "/dmabuf:", "/[aio]"}

// looksLikeMemory says that a file is printed as memory is. A file that was
// removed may have had such a name too.
func looksLikeMemory(o *opened) bool {
	return slices.ContainsFunc(memoryNames[:], func(name string) bool { return strings.HasPrefix(o.link, name) })
}

// isMemory knows memory by the file system that the kernel keeps it in, which
// is mounted nowhere.
func (k *openKinds) isMemory(o *opened) bool {
	if !looksLikeMemory(o) {
		return false
	}
	if !k.memoryTold {
		k.memoryTold = true
		k.memory, k.hasMemory = k.memoryDevice()
	}
	return k.hasMemory && o.Dev == k.memory
}

// memoryDevice maps a page of such memory, and looks in the own maps which
// device it is of.
func (k *openKinds) memoryDevice() (dev uint64, ok bool) {
	task := k.Task
	if !k.Self {
		own, err := k.Proc.Task(k.Proc.Self())
		if err != nil {
			return 0, false
		}
		defer own.Close()
		task = own
	}
	err := kernel.SharedPage(func(address uint64) error {
		maps, err := task.Read(strconv.Itoa(kernel.Gettid())+"/maps", new(procfs.Buffer))
		if err != nil {
			return err
		}
		major, minor, found := procfs.SharedDevice(maps, address)
		dev, ok = kernel.Device(major, minor), found
		return nil
	})
	return dev, ok && err == nil
}
