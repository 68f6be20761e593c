package procfs

import (
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// fdinfoGuard compares mount ids that fdinfo shows: kernels before 5.6, and
// filters that refuse openat2(2) and statx(2) both. Fdinfo itself must be
// believed for that. It is, where it knows the position of a descriptor that
// was set to a number nobody can foresee.
func (p *Proc) fdinfoGuard() (*guard, error) {
	path := "/proc/" + strconv.Itoa(p.pid) + "/fdinfo"
	dir, err := kernel.Open(p.root.fd, strconv.Itoa(p.pid)+"/fdinfo", kernel.OpenDirectory|kernel.OpenNoFollow, "/proc")
	if err != nil {
		return nil, err
	}
	info := &fdinfo{dir: dir, path: path}
	if err := p.challenge(info); err != nil {
		kernel.Close(dir)
		return nil, err
	}
	root, err := info.mountID(p.root.fd, "/proc")
	if err != nil {
		kernel.Close(dir)
		return nil, err
	}
	return &guard{want: root, mountID: info.mountID, dir: dir}, nil
}

func (p *Proc) challenge(info *fdinfo) error {
	const shown = "/proc"
	fd, err := kernel.Open(p.root.fd, ".", kernel.OpenDirectory, shown)
	if err != nil {
		return err
	}
	defer kernel.Close(fd)
	pos := rand.Int64N(1<<31 - 1)
	if err := p.c.Seek(fd, pos, shown); err != nil {
		return err
	}
	got, err := info.read(fd)
	if err != nil {
		return err
	}
	if got.Pos != pos {
		return notGenuine(info.path + " does not know our descriptors")
	}
	return nil
}

var errNoMountID = errors.New("fdinfo shows no mount id")

// fdinfo is our own fdinfo directory.
type fdinfo struct {
	dir  int
	path string
	buf  Buffer
}

func (i *fdinfo) read(fd int) (FDInfo, error) {
	name := strconv.Itoa(fd)
	file, err := kernel.Open(i.dir, name, kernel.OpenNoFollow|kernel.OpenNonblock, i.path)
	if err != nil {
		return FDInfo{}, err
	}
	defer kernel.Close(file)
	data, err := i.buf.read(file, i.path, name)
	if err != nil {
		return FDInfo{}, err
	}
	return ParseFDInfo(data)
}

func (i *fdinfo) mountID(fd int, shown string) (uint64, error) {
	info, err := i.read(fd)
	if err != nil {
		return 0, err
	}
	if info.MountID < 0 {
		return 0, about(shown, errNoMountID)
	}
	return uint64(info.MountID), nil
}
