package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// namespaceRoot looks at the root of the target's mount namespace.
func (a *collector) namespaceRoot(path, source string) posture.Fact[kernel.FileStat] {
	return a.rootIn(a.task, path, source)
}

func (a *collector) rootIn(dir *procfs.Dir, path, source string) posture.Fact[kernel.FileStat] {
	fd, err := dir.OpenNamespace(path)
	if err != nil {
		return posture.Failed[kernel.FileStat](source, err.Error())
	}
	defer kernel.Close(fd)
	st, err := a.c.NamespaceRoot(fd, source)
	return fileStatFact(st, err, source)
}

// machineRoot looks for the machine's root directory: that of process 1, or
// that of the machine's first mount namespace, which may be our own, and which
// kernel threads are in. The numbers of processes mean those only in the
// initial pid namespace. It sets shared where the links tell.
func (a *collector) machineRoot(e *rootEvidence, link string) posture.Fact[kernel.FileStat] {
	const source = "/proc/1/root"
	if a.proc == nil {
		return posture.Failed[kernel.FileStat](source, "only the own threads can be reached through what was kept of /proc")
	}
	dir, own := a.proc.Dir(), strconv.Itoa(a.proc.Self())
	if ours, err := dir.Readlink(own + "/ns/mnt"); err == nil && ours == initialMountNamespace {
		if f := a.rootIn(dir, own+"/ns/mnt", "/proc/"+own+"/ns/mnt"); f.State == posture.Known {
			return f
		}
	}
	pidns, err := dir.Readlink(own + "/ns/pid")
	switch {
	case err != nil:
		return posture.Failed[kernel.FileStat](source, err.Error())
	case pidns != initialPIDNamespace:
		return posture.Failed[kernel.FileStat](source, "process 1 is not the machine's: the auditor is in a pid namespace of its own")
	}
	if first, err := dir.Readlink("1/ns/mnt"); err == nil && link != "" {
		e.shared = posture.Of(link == first, e.shared.Source, link+"; of process 1: "+first)
	}
	fd, err := dir.Follow("1/root")
	if err == nil {
		defer kernel.Close(fd)
		return a.statFact(fd, source)
	}
	if f := a.kernelThreadRoot(dir); f.State == posture.Known {
		return f
	}
	return posture.Failed[kernel.FileStat](source, err.Error())
}

// kernelThreadRoot looks at the root of the mount namespace of process 2,
// which the kernel starts its threads from: the machine's first.
func (a *collector) kernelThreadRoot(dir *procfs.Dir) posture.Fact[kernel.FileStat] {
	const source = "/proc/2/ns/mnt"
	data, err := dir.Read("2/stat", &a.buf)
	if err != nil {
		return posture.Failed[kernel.FileStat](source, err.Error())
	}
	stat, err := procfs.ParseStat(data)
	if err != nil || !stat.KernelThread() {
		return posture.Failed[kernel.FileStat](source, "process 2 is no kernel thread")
	}
	return a.rootIn(dir, "2/ns/mnt", source)
}
