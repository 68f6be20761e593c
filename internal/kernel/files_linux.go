package kernel

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

// Flags for opening, as open(2) names them.
const (
	OpenPath      = unix.O_PATH
	OpenDirectory = unix.O_DIRECTORY
	OpenNoFollow  = unix.O_NOFOLLOW
	OpenNonblock  = unix.O_NONBLOCK

	// beneath lets nothing out of the directory, over a mount or through a
	// magic link.
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS

	// CurrentDir stands for the working directory in Open.
	CurrentDir = unix.AT_FDCWD

	procMagic = unix.PROC_SUPER_MAGIC
)

// Open opens a file for reading by openat(2), close-on-exec. shown names the
// file in errors.
func Open(dir int, path string, flags int, shown string) (int, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(dir, path, flags|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		return err
	})
	return fd, wrap("openat(2)", shown, err)
}

// OpenBeneath opens a file under dir by openat2(2), Linux 5.6, and fails with
// EXDEV where something is mounted over any part of the path, and with ELOOP
// at a magic link.
func (c *Calls) OpenBeneath(dir int, path string, flags int, shown string) (int, error) {
	if err := c.gate(callOpenat2); err != nil {
		return -1, err
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: beneath}
	if flags&unix.O_PATH == 0 {
		how.Flags |= unix.O_NOCTTY
	}
	fd := -1
	var err error
	for try := 0; try < 64; try++ {
		// EAGAIN: a rename or mount elsewhere raced with the lookup.
		fd, err = unix.Openat2(dir, path, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			break
		}
	}
	return fd, wrap("openat2(2)", shown, err)
}

// Close closes a descriptor. Nothing was written through it, so that there is
// no error worth having.
func Close(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}

// Read is read(2).
func Read(fd int, buf []byte, shown string) (int, error) {
	n := 0
	err := retry(func() (err error) {
		n, err = unix.Read(fd, buf)
		return err
	})
	if err != nil {
		return 0, wrap("read(2)", shown, err)
	}
	return n, nil
}

// Seek sets a descriptor's position: lseek(2).
func (c *Calls) Seek(fd int, pos int64, shown string) error {
	if err := c.gate(callLseek); err != nil {
		return err
	}
	_, err := unix.Seek(fd, pos, unix.SEEK_SET)
	return wrap("lseek(2)", shown, err)
}

// Stat asks statx(2), and fstat(2) where that is missing; then there is no
// mount id.
func (c *Calls) Stat(fd int, shown string) (FileStat, error) {
	if c.gate(callStatx) == nil {
		var x unix.Statx_t
		const want = unix.STATX_BASIC_STATS
		err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, want|unix.STATX_MNT_ID, &x)
		if err == nil && x.Mask&(unix.STATX_INO|unix.STATX_TYPE) == unix.STATX_INO|unix.STATX_TYPE {
			return fromStatx(&x), nil
		}
		if err != nil && err != unix.ENOSYS {
			return FileStat{}, wrap("statx(2)", shown, err)
		}
	}
	if err := c.gate(callFstat); err != nil {
		return FileStat{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return FileStat{}, wrap("fstat(2)", shown, err)
	}
	//nolint:unconvert // the widths of these fields differ between architectures
	return FileStat{Dev: uint64(st.Dev), Ino: uint64(st.Ino), Mode: uint32(st.Mode), Nlink: uint32(st.Nlink)}, nil
}

func fromStatx(x *unix.Statx_t) FileStat {
	return FileStat{
		Dev: unix.Mkdev(x.Dev_major, x.Dev_minor), Ino: x.Ino, Mode: uint32(x.Mode), Nlink: x.Nlink,
		MountID: x.Mnt_id, HasMountID: x.Mask&unix.STATX_MNT_ID != 0,
		MountRoot:    x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0,
		HasMountRoot: x.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0,
	}
}

// FileSystem is what fstatfs(2) says of the mount that a descriptor lies on.
type FileSystem struct {
	// Proc is true for procfs.
	Proc bool
	// ReadOnly is true where the mount or its file system is read-only.
	ReadOnly bool
}

// Statfs is fstatfs(2).
func (c *Calls) Statfs(fd int, shown string) (FileSystem, error) {
	if err := c.gate(callFstatfs); err != nil {
		return FileSystem{}, err
	}
	var st unix.Statfs_t
	err := retry(func() error { return unix.Fstatfs(fd, &st) })
	if err != nil {
		return FileSystem{}, wrap("fstatfs(2)", shown, err)
	}
	return FileSystem{Proc: uint32(st.Type) == procMagic, ReadOnly: st.Flags&unix.ST_RDONLY != 0}, nil
}

// Readlink is readlinkat(2). A target of more than 4095 bytes is ENAMETOOLONG.
func (c *Calls) Readlink(dir int, path, shown string) (string, error) {
	if err := c.gate(callReadlinkat); err != nil {
		return "", err
	}
	var buf [4096]byte
	n, err := unix.Readlinkat(dir, path, buf[:])
	if err != nil {
		return "", wrap("readlinkat(2)", shown, err)
	}
	if n == len(buf) {
		return "", fail("readlinkat(2)", shown, unix.ENAMETOOLONG)
	}
	return string(buf[:n]), nil
}

// maxEntries bounds a directory listing: pid_max is at most 2^22.
const maxEntries = 1 << 22

// ReadNumbers appends to out the numeric names in the directory open at fd,
// reading from its present position: threads of a task directory, descriptors
// of an fd directory. buf is room for getdents64(2).
func (c *Calls) ReadNumbers(fd int, buf []byte, out []int, shown string) ([]int, error) {
	if err := c.gate(callGetdents); err != nil {
		return out, err
	}
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return out, wrap("getdents64(2)", shown, err)
		}
		if n == 0 {
			return out, nil
		}
		out = appendNumbers(out, buf[:n])
		if len(out) > maxEntries {
			return out, fail("getdents64(2)", shown, unix.E2BIG)
		}
	}
}

// appendNumbers walks the linux_dirent64 records of getdents64(2): inode and
// offset of 8 bytes each, length of 2, type of 1, name up to its NUL.
func appendNumbers(out []int, b []byte) []int {
	const head = 19
	for len(b) > head {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= head || size > len(b) {
			return out
		}
		name := b[head:size]
		for i, ch := range name {
			if ch == 0 {
				name = name[:i]
				break
			}
		}
		if len(name) > 0 && name[0] >= '0' && name[0] <= '9' {
			if n, err := strconv.Atoi(string(name)); err == nil {
				out = append(out, n)
			}
		}
		b = b[size:]
	}
	return out
}

// CloneTree makes a detached mount of the directory open at fd, by
// open_tree(2) with OPEN_TREE_CLONE, Linux 5.2. It needs CAP_SYS_ADMIN over
// the mount namespace.
func (c *Calls) CloneTree(fd int, shown string) (int, error) {
	if err := c.gate(callOpenTree); err != nil {
		return -1, err
	}
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, wrap("open_tree(2)", shown, err)
	}
	return tree, nil
}

// Major and Minor take a device number apart: makedev(3).
func Major(dev uint64) uint32 { return unix.Major(dev) }

// Minor is the other half of Major.
func Minor(dev uint64) uint32 { return unix.Minor(dev) }
