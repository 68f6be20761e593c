package kernel

import (
	"encoding/binary"
	"strconv"
	"unsafe"

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

// Open opens a file by openat(2), for reading but with OpenWrite, close-on-exec.
// under names the directory in errors; it is empty where path says all.
func Open(dir int, path string, flags int, under string) (int, error) {
	var room pathRoom
	fd, errno := invoke(unix.SYS_OPENAT, dir, room.terminated(path), uintptr(flags|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_LARGEFILE), 0, nil)
	if errno != 0 {
		return -1, fail("openat(2)", Within(under, path), errno)
	}
	return fd, nil
}

// OpenBeneath opens a file under dir by openat2(2), Linux 5.6, and fails with
// EXDEV where something is mounted over any part of the path, and with ELOOP
// at a magic link. under names the directory in errors.
func (c *Calls) OpenBeneath(dir int, path string, flags int, under string) (int, error) {
	if err := c.gate(callOpenat2); err != nil {
		return -1, err
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: beneath}
	if flags&unix.O_PATH == 0 {
		how.Flags |= unix.O_NOCTTY
	}
	var room pathRoom
	p := room.terminated(path)
	for try := 0; ; try++ {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT2, uintptr(dir), uintptr(p), uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		switch {
		case errno == 0:
			return int(fd), nil
		// EAGAIN: a rename or mount elsewhere raced with the lookup.
		case errno != unix.EINTR && errno != unix.EAGAIN, try == 64:
			return -1, c.fail(callOpenat2, Within(under, path), errno)
		}
	}
}

// Within names a file by its directory, where that is told, and its name.
//
//go:noinline
func Within(under, name string) string {
	if under == "" {
		return name
	}
	return under + "/" + name
}

// Close closes a descriptor. Nothing was written through it, so that there is
// no error worth having.
func Close(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}

// Read is read(2). under and name tell the file in errors.
func Read(fd int, buf []byte, under, name string) (int, error) {
	n, errno := invoke(unix.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(buf)), uintptr(len(buf)), 0, nil)
	if errno != 0 {
		return 0, fail("read(2)", Within(under, name), errno)
	}
	return n, nil
}

// Seek sets a descriptor's position: lseek(2).
func (c *Calls) Seek(fd int, pos int64, shown string) error {
	if err := c.gate(callLseek); err != nil {
		return err
	}
	if _, err := unix.Seek(fd, pos, unix.SEEK_SET); err != nil {
		return c.fail(callLseek, shown, errnoOf(err))
	}
	return nil
}

// Stat asks statx(2), and fstat(2) where that is missing; then there is no
// mount id. It takes what the kernel has cached (AT_STATX_DONT_SYNC): the
// server of a FUSE or network file system may never answer, and the audit
// could not be ended then.
func (c *Calls) Stat(fd int, shown string) (FileStat, error) {
	if c.allowed(callStatx) == nil {
		var x unix.Statx_t
		var empty pathRoom
		const always = unix.STATX_INO | unix.STATX_TYPE
		_, errno := invoke(unix.SYS_STATX, fd, unsafe.Pointer(&empty), unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, unsafe.Pointer(&x))
		if errno == 0 && x.Mask&always == always {
			return fromStatx(&x), nil
		}
		if c.gate(callStatx) == nil && errno != 0 && errno != unix.ENOSYS {
			return FileStat{}, c.fail(callStatx, shown, errno)
		}
	}
	if err := c.gate(callFstat); err != nil {
		return FileStat{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return FileStat{}, c.fail(callFstat, shown, errnoOf(err))
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
	if err := c.allowed(callFstatfs); err != nil {
		return FileSystem{}, err
	}
	st := unix.Statfs_t{Type: -1}
	err := unix.Fstatfs(fd, &st)
	for err == unix.EINTR {
		err = unix.Fstatfs(fd, &st)
	}
	if err := c.settle(callFstatfs, shown, errnoOf(err), st.Type != -1); err != nil {
		return FileSystem{}, err
	}
	kind := uint32(st.Type)
	return FileSystem{Proc: kind == procMagic, ReadOnly: st.Flags&unix.ST_RDONLY != 0}, nil
}

// Readlink is readlinkat(2). A target of more than 4095 bytes is ENAMETOOLONG.
// under names the directory in errors.
func (c *Calls) Readlink(dir int, path, under string) (string, error) {
	if err := c.allowed(callReadlinkat); err != nil {
		return "", err
	}
	var room pathRoom
	var buf [4096]byte
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(room.terminated(path)), uintptr(unsafe.Pointer(&buf)), uintptr(len(buf)), 0, 0)
	if errno == 0 && int(n) == len(buf) {
		errno = unix.ENAMETOOLONG
	}
	if errno != 0 || buf[0] == 0 { // no link leads to an empty path
		return "", c.settle(callReadlinkat, Within(under, path), errno, false)
	}
	return string(buf[:n]), nil
}

// maxEntries bounds a directory listing: pid_max is at most 2^22.
const maxEntries = 1 << 22

// ReadNumbers appends to out the numeric names in the directory open at fd,
// reading from its present position: threads of a task directory, descriptors
// of an fd directory. buf is room for getdents64(2).
func (c *Calls) ReadNumbers(fd int, buf []byte, out []int, shown string) ([]int, error) {
	if err := c.allowed(callGetdents); err != nil {
		return out, err
	}
	for first := true; ; first = false {
		binary.NativeEndian.PutUint16(buf[recordSize:], 0)
		n, errno := invoke(unix.SYS_GETDENTS64, fd, unsafe.Pointer(unsafe.SliceData(buf)), uintptr(len(buf)), 0, nil)
		if errno == 0 && n == 0 && !first {
			return out, nil
		}
		filled := n > 0 && binary.NativeEndian.Uint16(buf[recordSize:]) != 0
		if err := c.settle(callGetdents, shown, errno, filled); err != nil {
			return out, err
		}
		out = appendNumbers(out, buf[:n])
		if len(out) > maxEntries {
			return out, c.fail(callGetdents, shown, unix.E2BIG)
		}
	}
}

// recordSize is where a linux_dirent64 has its own length.
const recordSize = 16

// appendNumbers walks the linux_dirent64 records of getdents64(2): inode and
// offset of 8 bytes each, length of 2, type of 1, name up to its NUL.
func appendNumbers(out []int, b []byte) []int {
	const head = 19
	for len(b) > head {
		size := int(binary.NativeEndian.Uint16(b[recordSize:]))
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
		return -1, c.fail(callOpenTree, shown, errnoOf(err))
	}
	return tree, nil
}

// Major and Minor take a device number apart: makedev(3).
func Major(dev uint64) uint32 { return unix.Major(dev) }

// Minor is the other half of Major.
func Minor(dev uint64) uint32 { return unix.Minor(dev) }
