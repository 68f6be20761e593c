package procfs

import (
	"errors"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

const keptName = "kept /proc/self/task"

var errLeadsOut = errors.New(keptName + ": not a detached clone of the own task directory")

// Detached returns nil where fd is on a procfs, is the directory that want
// describes, and ".." from it is that directory again.
func Detached(c *kernel.Calls, fd int, want kernel.FileStat) error {
	st, err := c.Stat(fd, keptName)
	if err != nil {
		return err
	}
	if st.Dev != want.Dev || st.Ino != want.Ino {
		return errLeadsOut
	}
	return standsAlone(c, fd, st)
}

// taskMode is the mode of every task directory.
const taskMode = 0o555

// standsAlone verifies a procfs and that nothing is above the directory that
// st describes.
func standsAlone(c *kernel.Calls, fd int, st kernel.FileStat) error {
	// The mode first: fstatfs(2) waits for a server of files that may be gone.
	if st.Mode&0o7777 != taskMode {
		return errLeadsOut
	}
	fs, err := c.Statfs(fd, keptName)
	if err != nil {
		return err
	}
	if !fs.Proc {
		return errLeadsOut
	}
	up, err := kernel.Open(fd, "..", kernel.OpenPath|kernel.OpenDirectory, keptName)
	if err != nil {
		return err
	}
	defer kernel.Close(up)
	above, err := c.Stat(up, keptName)
	if err != nil {
		return err
	}
	if above.Dev != st.Dev || above.Ino != st.Ino || above.MountID != st.MountID {
		return errLeadsOut
	}
	return nil
}

// DetachedElsewhere returns nil where fd is a detached clone of the task
// directory of one certain process, on another procfs than ours: that of the
// process's own pid namespace. The process is known by its numbers in all pid
// namespaces from ours on down, and by the link of its own.
func DetachedElsewhere(c *kernel.Calls, fd int, nspid []int, pidNamespace string) error {
	st, err := c.Stat(fd, keptName)
	if err != nil {
		return err
	}
	if err := standsAlone(c, fd, st); err != nil {
		return err
	}
	for depth := 1; depth < len(nspid); depth++ {
		below := nspid[depth:]
		if isTaskOf(c, fd, below, pidNamespace) {
			return nil
		}
	}
	return errLeadsOut
}

func isTaskOf(c *kernel.Calls, fd int, nspid []int, pidNamespace string) bool {
	d := &Dir{c: c, fd: fd, path: keptName}
	leader := strconv.Itoa(nspid[0])
	// A process has a task directory, a thread in one has none.
	inner, err := d.Open(leader+"/task", kernel.OpenPath)
	kernel.Close(inner)
	if !errors.Is(err, syscall.ENOENT) {
		return false
	}
	var buf Buffer
	data, err := d.Read(leader+"/status", &buf)
	if err != nil {
		return false
	}
	s := StatusOf(data, keptName)
	tgid, ok := s.TGID.Get()
	levels, ok2 := s.NSpid.Get()
	if !ok || !ok2 || tgid != nspid[0] || !slices.Equal(levels, nspid) {
		return false
	}
	link, err := d.Readlink(leader + "/ns/pid")
	return err == nil && link == pidNamespace
}
