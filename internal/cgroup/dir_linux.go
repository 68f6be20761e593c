package cgroup

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

const (
	// maxLevels is how many cgroups above each other are opened: each is a
	// descriptor.
	maxLevels = 128
	// maxFile is what is read of a cgroup's file: those of interest have a line.
	maxFile = 4 << 10
)

// Dir is the directory of a cgroup, and of those above it up to what its
// hierarchy's mount shows.
type Dir struct {
	procfs.Cgroup
	c     *kernel.Calls
	mount *posture.Mount
	// levels are the innermost first.
	levels []level
}

type level struct {
	fd   int
	path string
}

// Open opens a cgroup's directory through mounts of the calling thread, by that
// which shows the most above it. The caller closes it.
//
// Nothing is believed of a path: each directory must lie on a cgroup file system
// of the hierarchy's version and on the very mount, so that what is mounted over
// any of them is an error.
func Open(c *kernel.Calls, mounts []posture.Mount, h procfs.Cgroup) (*Dir, error) {
	err := errors.New("no file system of that hierarchy is mounted here that shows " + strconv.Quote(h.Path))
	type place struct {
		*posture.Mount
		rest string
	}
	var places []place
	for i := range mounts {
		if m := &mounts[i]; Holds(m, h) {
			if rest, found := Below(m, h.Path); found {
				places = append(places, place{m, rest})
			}
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return len(b.rest) - len(a.rest) })
	for _, p := range places {
		d := &Dir{Cgroup: h, c: c, mount: p.Mount}
		if err = d.open(p.rest); err == nil {
			return d, nil
		}
		d.Close()
	}
	return nil, err
}

// open opens the mount point and every directory on the way.
func (d *Dir) open(rest string) error {
	if strings.Count(rest, "/") >= maxLevels {
		return errors.New("a cgroup below more than " + strconv.Itoa(maxLevels) + " others")
	}
	// The root directory's path is a slash, which none of the others ends with.
	at, under := kernel.CurrentDir, ""
	for part := range strings.SplitSeq(d.mount.Point+strings.ReplaceAll(rest, "/", "\x00"), "\x00") {
		fd, err := kernel.Open(at, part, kernel.OpenDirectory|kernel.OpenNoFollow, under)
		if err != nil {
			return err
		}
		at, under = fd, kernel.Within(under, part)
		d.levels = append(d.levels, level{fd, under})
		if err := d.verify(fd, under); err != nil {
			return err
		}
	}
	slices.Reverse(d.levels)
	return nil
}

// verify says what is wrong where a descriptor is not of the mount.
func (d *Dir) verify(fd int, shown string) error {
	fs, err := d.c.MountFlags(fd, shown)
	if err != nil {
		return err
	}
	want := uint32(kernel.CgroupMagic)
	if d.Controllers == "" {
		want = kernel.Cgroup2Magic
	}
	if fs.Magic != want {
		return errors.New(shown + " is on no cgroup file system of that version: another is mounted over it")
	}
	st, err := d.c.Stat(fd, shown)
	if err != nil {
		return err
	}
	if st.Dev != kernel.Device(d.mount.Major, d.mount.Minor) || st.HasMountID && st.MountID != d.mount.ID {
		return errors.New(shown + ": another cgroup file system is mounted over it")
	}
	return nil
}

// Close closes the directories.
func (d *Dir) Close() {
	if d != nil {
		for i := range d.levels {
			kernel.Close(d.levels[i].fd)
		}
	}
}

// FD is the descriptor of the cgroup's own directory, which stays the Dir's.
func (d *Dir) FD() int { return d.levels[0].fd }

// Path is the cgroup's own directory.
func (d *Dir) Path() string { return d.levels[0].path }

// Device is the number of the hierarchy's file system.
func (d *Dir) Device() uint64 { return kernel.Device(d.mount.Major, d.mount.Minor) }

// Levels is how many cgroups there are: the own one is 0, and the last is what
// is mounted.
func (d *Dir) Levels() int { return len(d.levels) }

// File is the name of a file of one of them in errors and sources.
func (d *Dir) File(level int, name string) string {
	return kernel.Within(d.levels[level].path, name)
}

// Read reads a file of one of them, without space around it. A file that is not
// there is Absent.
func (d *Dir) Read(level int, name string) (string, error) {
	l := &d.levels[level]
	fd, err := kernel.Open(l.fd, name, kernel.OpenNoFollow|kernel.OpenNonblock, l.path)
	if err != nil {
		return "", err
	}
	defer kernel.Close(fd)
	if err := d.verify(fd, d.File(level, name)); err != nil {
		return "", err
	}
	var buf [maxFile]byte
	n, err := kernel.Read(fd, buf[:], l.path, name)
	if n == len(buf) {
		return "", errors.New(d.File(level, name) + ": longer than any cgroup's file")
	}
	return strings.TrimSpace(string(buf[:n])), err
}

// Inode asks about a file of one of them, or about its directory itself where
// name is empty.
func (d *Dir) Inode(level int, name string) (kernel.Inode, error) {
	l := &d.levels[level]
	st, err := d.c.Inode(l.fd, name, l.path)
	if err == nil && st.HasMountID && st.MountID != d.mount.ID {
		err = errors.New(d.File(level, name) + ": another file is mounted over it")
	}
	return st, err
}

// At is the path of one of them in its hierarchy, as Cgroup has that of the own one.
func (d *Dir) At(level int) string {
	path := d.Cgroup.Path
	for range level {
		path = path[:strings.LastIndexByte(path, '/')]
	}
	if path == "" {
		return "/"
	}
	return path
}

// Absent says that a cgroup has no such file, as the topmost has few.
func Absent(err error) bool { return errors.Is(err, syscall.ENOENT) }

// IsRoot says whether the last level is the hierarchy's root, above which there
// is nothing: by files that it alone has or lacks. Version 1 has release_agent
// there only; version 2 has cgroup.events everywhere else.
func (d *Dir) IsRoot() (bool, error) {
	last := len(d.levels) - 1
	if d.Controllers == "" {
		_, err := d.Inode(last, "cgroup.events")
		if !Absent(err) {
			return false, err
		}
		_, err = d.Inode(last, "cgroup.procs")
		return err == nil, err
	}
	_, err := d.Inode(last, "release_agent")
	if Absent(err) {
		return false, nil
	}
	return err == nil, err
}
