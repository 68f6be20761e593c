package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// rootIn looks at the root of the mount namespace that a link below dir leads to.
func (a *collector) rootIn(f *place, dir *procfs.Dir, path string) {
	source := dir.Path() + "/" + path
	fd, err := dir.OpenNamespace(path)
	if err != nil {
		f.Fail(source, err.Error())
		return
	}
	defer kernel.Close(fd)
	st, err := a.c.NamespaceRoot(fd, source)
	setPlace(f, st, err, source)
}

// machineRoot looks for the machine's root directory: that of process 1, or
// that of the machine's first mount namespace, which may be our own, and which
// kernel threads are in. The numbers of processes mean those only in the
// initial pid namespace. It sets shared where the links tell.
func (a *collector) machineRoot(e *rootEvidence, link string) {
	const source = "/proc/1/root"
	f := &e.machine
	if a.proc == nil {
		f.Fail(source, "only the own threads can be reached through what was kept of /proc")
		return
	}
	dir, own := a.proc.Dir(), strconv.Itoa(a.proc.Self())
	if ours, err := dir.Readlink(own + "/ns/mnt"); err == nil && ours == initialMountNamespace {
		if a.rootIn(f, dir, own+"/ns/mnt"); f.State == posture.Known {
			return
		}
	}
	pidns, err := dir.Readlink(own + "/ns/pid")
	switch {
	case err != nil:
		f.Fail(source, err.Error())
		return
	case pidns != initialPIDNamespace:
		f.Fail(source, "process 1 is not the machine's: the auditor is in a pid namespace of its own")
		return
	}
	if first, err := dir.Readlink("1/ns/mnt"); err == nil && link != "" {
		e.shared.Value = link == first
		e.shared.Know(e.shared.Source, link+"; of process 1: "+first)
	}
	fd, err := dir.Follow("1/root")
	if err == nil {
		defer kernel.Close(fd)
		a.statPlace(f, fd, source)
		return
	}
	if !a.kernelThreadRoot(f, dir) {
		f.Fail(source, err.Error())
	}
}

// kernelThreadRoot looks at the root of the mount namespace of process 2,
// which the kernel starts its threads from: the machine's first. It is false
// where that is not to be seen.
func (a *collector) kernelThreadRoot(f *place, dir *procfs.Dir) bool {
	data, err := dir.Read("2/stat", &a.buf)
	if err != nil {
		return false
	}
	stat, err := procfs.ParseStat(data)
	if err != nil || !stat.KernelThread() {
		return false
	}
	a.rootIn(f, dir, "2/ns/mnt")
	return f.State == posture.Known
}
