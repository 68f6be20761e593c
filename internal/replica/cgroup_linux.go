package replica

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// hierarchy is a line of /proc/PID/cgroup: cgroups(7).
type hierarchy struct {
	// controllers are those of version 1 apart by commas, or "name=…"; none for
	// version 2.
	controllers string
	// path is as the reader's cgroup namespace sees it: one beside that begins
	// with "/..".
	path string
}

func (h hierarchy) name() string {
	if h.controllers == "" {
		return "unified"
	}
	return h.controllers
}

// hierarchiesOf reads a cgroup file.
func hierarchiesOf(file string) ([]hierarchy, error) {
	var list []hierarchy
	for line := range strings.Lines(file) {
		_, rest, ok1 := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, ok2 := strings.Cut(rest, ":")
		if !ok1 || !ok2 || !strings.HasPrefix(path, "/") {
			return nil, errors.New("a line that no cgroup file has: " + strconv.Quote(line))
		}
		list = append(list, hierarchy{controllers, path})
	}
	return list, nil
}

// cgroupMount is where a hierarchy is mounted here.
type cgroupMount struct {
	// root is the cgroup that is mounted, as our cgroup namespace sees it.
	root, at string
	// options are those of the file system; none for version 2.
	options string
	version int
}

// cgroupMountsOf finds cgroup file systems in a mountinfo file:
// proc_pid_mountinfo(5).
func cgroupMountsOf(file string) []cgroupMount {
	var list []cgroupMount
	for line := range strings.Lines(file) {
		mount, super, found := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		m, s := strings.Split(mount, " "), strings.Split(super, " ")
		if !found || len(m) < 6 || len(s) < 3 {
			continue
		}
		at := cgroupMount{root: unescape(m[3]), at: unescape(m[4])}
		switch s[0] {
		case "cgroup2":
			at.version = 2
		case "cgroup":
			at.version, at.options = 1, s[2]
		default:
			continue
		}
		list = append(list, at)
	}
	return list
}

// unescape undoes what the kernel writes for spaces and the like in paths.
func unescape(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// holds says that a mount is of the hierarchy.
func (m *cgroupMount) holds(h hierarchy) bool {
	if h.controllers == "" {
		return m.version == 2
	}
	options := "," + m.options + ","
	for c := range strings.SplitSeq(h.controllers, ",") {
		if !strings.Contains(options, ","+c+",") {
			return false
		}
	}
	return m.version == 1
}

// below is the path of a cgroup in a mount, where it lies there.
func (m *cgroupMount) below(path string) (string, bool) {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(m.root, "/"))
	if !found || rest != "" && rest[0] != '/' || strings.Contains(rest+"/", "/../") {
		return "", false
	}
	return strings.TrimSuffix(rest, "/"), true
}

// cgroupDir is the directory of a cgroup.
type cgroupDir struct {
	hierarchy
	// mount is where its hierarchy is mounted, and rest its path in there: empty,
	// or beginning with a slash.
	mount, rest string
	fd          int
}

func (d *cgroupDir) dir() string { return d.mount + d.rest }

// openCgroup opens a cgroup's directory through the mounts that there are here.
// The caller closes it.
func (m *maker) openCgroup(mounts []cgroupMount, h hierarchy) (*cgroupDir, error) {
	err := errors.New("no file system of that hierarchy is mounted here that shows " + strconv.Quote(h.path))
	for k := range mounts {
		rest, found := mounts[k].below(h.path)
		if !found || !mounts[k].holds(h) {
			continue
		}
		d := &cgroupDir{hierarchy: h, mount: mounts[k].at, rest: rest}
		if d.fd, err = kernel.Open(kernel.CurrentDir, d.dir(), kernel.OpenDirectory|kernel.OpenNoFollow, ""); err != nil {
			continue
		}
		fs, errFS := m.c.Statfs(d.fd, d.dir())
		if errFS == nil && fs.Cgroup {
			return d, nil
		}
		kernel.Close(d.fd)
		if err = errFS; err == nil {
			err = errors.New(d.dir() + " is on no cgroup file system: another is mounted over it")
		}
	}
	return nil, err
}

// maxCgroupFile is what is read of a cgroup's file: those of interest have a line.
const maxCgroupFile = 4 << 10

// file reads a file of the cgroup, or of one above it.
func (d *cgroupDir) file(name string) (string, error) {
	fd, err := kernel.Open(d.fd, name, 0, d.dir())
	if err != nil {
		return "", err
	}
	defer kernel.Close(fd)
	buf := make([]byte, maxCgroupFile)
	n, err := kernel.Read(fd, buf, d.dir(), name)
	return strings.TrimSpace(string(buf[:n])), err
}

// upwards calls a function with what leads from the cgroup to itself and to each
// one above it, up to where its hierarchy is mounted, until one answers.
func (d *cgroupDir) upwards(each func(up string) (string, error)) (string, error) {
	up := ""
	for range strings.Count(d.rest, "/") + 1 {
		if said, err := each(up); said != "" || err != nil {
			return said, err
		}
		up += "../"
	}
	return "", nil
}

// absent says that a cgroup has no such file, as the topmost has few.
func absent(err error) bool { return errors.Is(err, syscall.ENOENT) }

// frozen says in words that what joins the cgroup would stand still, or nothing:
// cgroups(7), freezer; the kernel's cgroup-v2 document, cgroup.freeze.
func (d *cgroupDir) frozen() (string, error) {
	if d.controllers == "" {
		return d.upwards(func(up string) (string, error) {
			switch text, err := d.file(up + "cgroup.freeze"); {
			case absent(err):
				return "", nil
			case err != nil || text == "0":
				return "", err
			default:
				return d.dir() + "/" + up + "cgroup.freeze is " + strconv.Quote(text), nil
			}
		})
	}
	if !strings.Contains(","+d.controllers+",", ",freezer,") {
		return "", nil
	}
	// It says what the cgroups above it make of it, too.
	switch text, err := d.file("freezer.state"); {
	case absent(err):
		return "", nil
	case err != nil || text == "THAWED":
		return "", err
	default:
		return d.dir() + "/freezer.state is " + strconv.Quote(text), nil
	}
}

// cgroups joins those of the thread, or says what it means that they are not
// joined.
func (m *maker) cgroups() error {
	if m.effects == nil {
		m.effects = map[int]effects{}
	}
	theirs, err := m.hierarchies(m.task, m.class.TID)
	if err != nil {
		if m.joins {
			return accessible(err)
		}
		var a effects
		for k := range controls {
			a.theirs[k] = controls[k].unlessAny(err)
		}
		m.limits, m.effects[m.class.TID] = append(m.limits, notJoined), a
		return nil
	}
	ours, err := m.hierarchies(m.own, kernel.Gettid())
	if err != nil {
		return err
	}
	mountinfo, err := m.file(m.own, kernel.Gettid(), "mountinfo")
	if err != nil {
		return err
	}
	mounts := cgroupMountsOf(mountinfo)
	var left []hierarchy
	for _, h := range theirs {
		if pathIn(ours, h) == h.path {
			continue
		}
		if !m.joins {
			left = append(left, h)
			continue
		}
		joined, err := m.joinCgroup(mounts, h)
		if err != nil {
			return err
		}
		if !joined {
			left = append(left, h)
		}
	}
	if len(left) > 0 && !m.joins {
		m.limits = append(m.limits, notJoined)
	}
	m.setEffects(mounts, left, ours)
	return nil
}

func (m *maker) hierarchies(task *procfs.Dir, tid int) ([]hierarchy, error) {
	file, err := m.file(task, tid, "cgroup")
	if err != nil {
		return nil, err
	}
	return hierarchiesOf(file)
}

// pathIn is the cgroup that a list has in a hierarchy, or nothing.
func pathIn(list []hierarchy, h hierarchy) string {
	for _, o := range list {
		if o.controllers == h.controllers {
			return o.path
		}
	}
	return ""
}

// joinCgroup prepares the joining of one. One that cannot be opened is named,
// and one whose processes stand still is an error.
func (m *maker) joinCgroup(mounts []cgroupMount, h hierarchy) (bool, error) {
	d, err := m.openCgroup(mounts, h)
	if err == nil {
		defer kernel.Close(d.fd)
		why, errFrozen := d.frozen()
		if why != "" {
			return false, errors.New("its cgroup is frozen, and a child that joined it would stand still too: " + why)
		}
		err = errFrozen
	}
	fd := -1
	if err == nil {
		fd, err = kernel.Open(d.fd, "cgroup.procs", kernel.OpenWrite, d.dir())
	}
	if err != nil {
		m.limits = append(m.limits, fmt.Sprintf("attempts were not made in the process's cgroup of the hierarchy %s: %v", h.name(), err))
		return false, nil
	}
	m.fds = append(m.fds, fd)
	m.po.Cgroups = append(m.po.Cgroups, child.Cgroup{FD: fd, Name: h.name()})
	if list := m.joined[m.class.TID]; !slices.Contains(list, h) {
		m.joined[m.class.TID] = append(list, h)
	}
	return true, nil
}

// outsideCgroups says in which of the cgroups that were to be joined a process
// or thread is not, or nothing.
func (t *Target) outsideCgroups(task *procfs.Dir, tid, class int) string {
	if len(t.joined[class]) == 0 {
		return ""
	}
	data, err := task.Read(strconv.Itoa(tid)+"/cgroup", &t.buf)
	if err != nil {
		return "its cgroups could not be read: " + err.Error()
	}
	is, err := hierarchiesOf(string(data))
	if err != nil {
		return err.Error()
	}
	var list []string
	for _, h := range t.joined[class] {
		if pathIn(is, h) != h.path {
			list = append(list, "cgroup of "+h.name())
		}
	}
	return strings.Join(list, ", ")
}
