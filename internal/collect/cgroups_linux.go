package collect

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/cgroup"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// CgroupLimits fills the limits of the cgroups that the threads are in.
func (s *Site) CgroupLimits() {
	r := s.Process.MakeReach()
	r.CgroupLimits = nil
	if s.Task == nil {
		s.addCgroupFailure(nil, "/proc", s.NoTask.Error())
		return
	}
	g := cgroupReader{Site: s, w: walker{c: s.Calls, view: s.by.views(), attr: make([]byte, 256)}}
	g.mounted()
	for _, m := range g.memberships() {
		g.read(&m)
	}
}

// cgroupReader reads the limits of the cgroups of one process.
type cgroupReader struct {
	*Site
	w walker
	// ours are the mounts that the calling thread sees, or noOurs says why they
	// are not known.
	ours   []posture.Mount
	noOurs error
	// shown are the mounts of cgroup file systems that the process can write to.
	shown  []*posture.Mount
	mounts posture.Origin
}

// membership is a cgroup file, and the threads of which it holds.
type membership struct {
	file []byte
	err  error
	tids []int
}

// memberships reads the cgroup file of every thread.
func (g *cgroupReader) memberships() (all []membership) {
	for _, tid := range threadsOf(g.Process) {
		file, err, ended := g.cgroupFile(tid)
		if ended {
			continue
		}
		k := slices.IndexFunc(all, func(m membership) bool {
			return (m.err == nil) == (err == nil) && bytes.Equal(m.file, file)
		})
		if k < 0 {
			k = len(all)
			all = append(all, membership{file: bytes.Clone(file), err: err})
		}
		all[k].tids = append(all[k].tids, tid)
	}
	return all
}

func (g *cgroupReader) cgroupFile(tid int) (file []byte, err error, ended bool) {
	dir := strconv.Itoa(tid)
	if file, err = g.Task.Read(dir+"/cgroup", g.Buf); gone(err) && tid != g.Process.PID {
		_, errStat := g.Task.Read(dir+"/stat", g.Buf)
		ended = gone(errStat)
	}
	return file, err, ended
}

// maxCgroupMounts is how many mounts are looked at whether others cover them.
const maxCgroupMounts = 256

// mounted reads the mounts that the calling thread sees, and those of the process.
func (g *cgroupReader) mounted() {
	n := namespaceReader{Site: g.Site}
	if own := n.ourTask(); own != nil {
		g.ours, g.noOurs = g.ownMounts(own)
		own.Close()
	} else if g.Self {
		g.ours, g.noOurs = g.ownMounts(g.Task)
	} else {
		g.noOurs = errors.New("/proc shows nothing of the auditor itself")
	}
	f := &g.Process.MakeReach().Mounts
	if f.State != posture.Known {
		g.by.mounts()
	}
	g.mounts = f.Origin
	looked := 0
	for i := range f.Value {
		m := &f.Value[i]
		if f.State != posture.Known || !writableCgroups(m) {
			continue
		}
		// Of more than anybody has each counts.
		if looked++; looked > maxCgroupMounts || !hidden(f.Value, m) {
			g.shown = append(g.shown, m)
		}
	}
}

func (g *cgroupReader) ownMounts(task *procfs.Dir) ([]posture.Mount, error) {
	data, err := task.MountInfo(g.Ctx, strconv.Itoa(kernel.Gettid())+"/mountinfo")
	if err != nil {
		return nil, err
	}
	return procfs.ParseMountInfo(data)
}

// writableCgroups says that a mount is of cgroups and not read-only.
func writableCgroups(m *posture.Mount) bool {
	super := posture.Mount{Options: m.SuperOptions}
	return (m.Type == "cgroup" || m.Type == "cgroup2") && !m.Has("ro") && !super.Has("ro")
}

// hidden says whether another mount hides a mount: one on top of it, or one on
// the way to it.
func hidden(mounts []posture.Mount, m *posture.Mount) bool {
	for i := range mounts {
		if n := &mounts[i]; n.Parent == m.ID && n.Point == m.Point && n.ID != m.ID {
			return true
		}
	}
	for range mounts {
		var under *posture.Mount
		for i := range mounts {
			n := &mounts[i]
			switch {
			case n.ID == m.ID:
			case n.ID == m.Parent:
				under = n
			case n.Parent == m.Parent && n.Point != m.Point && isWithin(m.Point, n.Point):
				return true
			}
		}
		if under == nil {
			return false
		}
		m = under
	}
	return false
}

// isWithin says whether a path lies below another one.
func isWithin(path, dir string) bool {
	if dir == "/" {
		return true
	}
	return len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}

// read reads all limits of one membership.
func (g *cgroupReader) read(m *membership) {
	source := g.Task.Path() + "/" + strconv.Itoa(m.tids[0]) + "/cgroup"
	list, err := procfs.ParseCgroup(m.file)
	switch {
	case m.err != nil:
		g.addCgroupFailure(m.tids, source, m.err.Error())
		return
	case err != nil:
		g.addCgroupFailure(m.tids, source, source+": "+err.Error())
		return
	case g.noOurs != nil:
		g.addCgroupFailure(m.tids, source, "the mounts that the auditor sees: "+g.noOurs.Error())
		return
	}
	first := len(g.Process.MakeReach().CgroupLimits)
	for i := range cgroupResources {
		one := g.resource(&cgroupResources[i], list, source)
		one.TIDs = m.tids
		g.Process.MakeReach().CgroupLimits = append(g.Process.MakeReach().CgroupLimits, one)
	}
	if why := g.moved(m); why != "" {
		for i := range g.Process.MakeReach().CgroupLimits[first:] {
			g.Process.MakeReach().CgroupLimits[first+i].Levels.Fail(source, why)
		}
	}
}

// moved says that a thread is in other cgroups now.
func (g *cgroupReader) moved(m *membership) string {
	for _, tid := range m.tids {
		file, err, ended := g.cgroupFile(tid)
		switch {
		case ended:
		case err != nil:
			return err.Error()
		case !bytes.Equal(file, m.file):
			return "thread " + strconv.Itoa(tid) + " went to another cgroup while its limits were read"
		}
	}
	return ""
}

// addCgroupFailure adds an entry for each resource.
func (s *Site) addCgroupFailure(tids []int, source, why string) {
	r := s.Process.MakeReach()
	for i := range cgroupResources {
		r.CgroupLimits = append(r.CgroupLimits, posture.CgroupLimits{
			Resource: cgroupResources[i].name, TIDs: tids, Levels: posture.Failed[[]posture.CgroupLevel](source, why),
		})
	}
}

// resource reads the limits on one resource, in the hierarchy that has it.
func (g *cgroupReader) resource(r *cgroupResource, list []procfs.Cgroup, source string) posture.CgroupLimits {
	out := posture.CgroupLimits{Resource: r.name, Mounts: g.mounts}
	k := slices.IndexFunc(list, func(c procfs.Cgroup) bool { return c.Has(r.name) })
	files := &r.v1
	if k < 0 {
		k, files = slices.IndexFunc(list, func(c procfs.Cgroup) bool { return c.Controllers == "" }), &r.v2
	}
	if k < 0 {
		out.Levels = posture.None[[]posture.CgroupLevel](source, source+": no cgroup hierarchy that can limit "+r.name)
		return out
	}
	d, err := cgroup.Open(g.Calls, g.ours, list[k])
	if err != nil {
		out.Levels.Fail(source, "its cgroup of the hierarchy "+list[k].Name()+": "+err.Error())
		return out
	}
	defer d.Close()
	out.FileSystem = d.Device()
	out.Levels.Value, out.Whole, err = g.levels(d, files)
	settle(&out.Levels.Origin, err, d.Path(), list[k].Path)
	return out
}

// levels reads the limits of a cgroup and of those above it.
func (g *cgroupReader) levels(d *cgroup.Dir, files *cgroupFiles) (out []posture.CgroupLevel, whole bool, err error) {
	whole, err = d.IsRoot()
	for k := 0; k < d.Levels() && err == nil; k++ {
		if k > 0 && files.apart != "" {
			// A cgroup of version 1 may leave out those below it: until Linux 5.11.
			text, errApart := d.Read(k, files.apart)
			if errApart == nil && text == "0" {
				return out, true, nil
			}
			if errApart != nil && !cgroup.Absent(errApart) {
				return nil, false, errApart
			}
		}
		var l posture.CgroupLevel
		if l, err = g.level(d, k, files); err == nil {
			out = append(out, l)
		}
	}
	return out, whole, err
}

// level reads the limit of one cgroup, and who may change it.
func (g *cgroupReader) level(d *cgroup.Dir, k int, files *cgroupFiles) (posture.CgroupLevel, error) {
	l := posture.CgroupLevel{File: d.File(k, files.limit), Limit: posture.CgroupUnlimited, Shown: g.isShown(d, k)}
	text, err := d.Read(k, files.limit)
	period := ""
	if err == nil && files.period != "" {
		period, err = d.Read(k, files.period)
	}
	if err == nil {
		l.Raw = text
		if l.Limit, l.Period, err = files.parse(text, period); err != nil {
			return l, err
		}
		for _, name := range [...]string{files.limit, files.period} {
			if err := g.writers(d, k, name, &l.Sets); err != nil {
				return l, err
			}
		}
	} else if !cgroup.Absent(err) {
		return l, err
	}
	// Without such a file the cgroup sets no limit: the controller is not enabled.
	for _, name := range files.joins {
		if err := g.writers(d, k, name, &l.Joins); err != nil {
			return l, err
		}
	}
	return l, nil
}

// isShown says whether the process can write to the cgroup through a mount of its own.
func (g *cgroupReader) isShown(d *cgroup.Dir, k int) bool {
	path := d.At(k)
	return slices.ContainsFunc(g.shown, func(m *posture.Mount) bool {
		_, found := cgroup.Below(m, path)
		return found && cgroup.Holds(m, d.Cgroup)
	})
}

// ownDirectory stands for the directory itself among names of files.
const ownDirectory = "."

// writers adds who may write a file.
func (g *cgroupReader) writers(d *cgroup.Dir, k int, name string, to *[]posture.Permission) error {
	if name == "" {
		return nil
	}
	if name == ownDirectory {
		name = ""
	}
	st, err := d.Inode(k, name)
	if cgroup.Absent(err) {
		return nil
	}
	if err == nil {
		*to = append(*to, g.w.ownership(&st))
	}
	return err
}
