package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenNoAtime reads without a change of the access time: open(2). It takes the
// file's owner or CAP_FOWNER, else EPERM.
const OpenNoAtime = unix.O_NOATIME

// Attributes of files that an audit asks for: xattr(7).
const (
	AttrCapability = "security.capability"
	AttrACL        = "system.posix_acl_access"
)

// Inode is what a walk asks of a file.
type Inode struct {
	FileStat
	// UID and GID are its owner and group as the caller's user namespace sees
	// them, through the mount's own map of ids where it has one.
	UID, GID uint32
	// Major and Minor tell which device a device node is for.
	Major, Minor uint32
}

// OpenInRoot opens a path as a process would whose root directory is open at
// root, by openat2(2), Linux 5.6. A symbolic link on the way is ELOOP.
func (c *Calls) OpenInRoot(root int, path string, flags int, under string) (int, error) {
	return c.openInRoot(root, path, flags, unix.RESOLVE_NO_SYMLINKS, under)
}

// FollowInRoot is OpenInRoot that follows symbolic links, as far as they do not
// lead through a process's directory in /proc: those are ELOOP.
func (c *Calls) FollowInRoot(root int, path string, flags int, under string) (int, error) {
	return c.openInRoot(root, path, flags, 0, under)
}

func (c *Calls) openInRoot(root int, path string, flags int, resolve uint64, under string) (int, error) {
	if err := c.gate(callOpenat2); err != nil {
		return -1, err
	}
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | resolve,
	}
	var room pathRoom
	p := room.terminated(path)
	for try := 0; ; try++ {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT2, uintptr(root), uintptr(p), uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		switch {
		case errno == 0:
			return int(fd), nil
		// EAGAIN: a rename or mount elsewhere raced with the lookup.
		case errno != unix.EINTR && errno != unix.EAGAIN, try == 64:
			return -1, c.fail(callOpenat2, Within(under, path), errno)
		}
	}
}

// Inode asks statx(2), Linux 4.11, about name in a directory, or about the
// directory itself where name is empty. It follows no link, triggers no
// automount, and takes what the kernel has cached, as Stat does.
func (c *Calls) Inode(dir int, name, under string) (Inode, error) {
	if err := c.allowed(callStatx); err != nil {
		return Inode{}, err
	}
	var room pathRoom
	var x unix.Statx_t
	flags := unix.AT_EMPTY_PATH | unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_DONT_SYNC
	_, errno := invoke(unix.SYS_STATX, dir, room.terminated(name), uintptr(flags), unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, unsafe.Pointer(&x))
	const always = unix.STATX_INO | unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_UID | unix.STATX_GID
	if err := c.settle(callStatx, Within(under, name), errno, x.Mask&always == always); err != nil {
		return Inode{}, err
	}
	return Inode{fromStatx(&x), x.Uid, x.Gid, x.Rdev_major, x.Rdev_minor}, nil
}

// Types of directory entries: readdir(3).
const (
	EntryUnknown   = unix.DT_UNKNOWN
	EntryDirectory = unix.DT_DIR
	EntryRegular   = unix.DT_REG
	EntryCharacter = unix.DT_CHR
	EntryBlock     = unix.DT_BLK
)

// Entries calls each for the entries of the directory open at fd, from its
// present position on, until that returns false. "." and ".." are left out. The
// name is valid only during the call. buf is room for getdents64(2).
func (c *Calls) Entries(fd int, buf []byte, shown string, each func(name []byte, kind byte) bool) error {
	if err := c.allowed(callGetdents); err != nil {
		return err
	}
	for first := true; ; first = false {
		binary.NativeEndian.PutUint16(buf[recordSize:], 0)
		n, errno := invoke(unix.SYS_GETDENTS64, fd, unsafe.Pointer(unsafe.SliceData(buf)), uintptr(len(buf)), 0, nil)
		if errno == 0 && n == 0 && !first {
			return nil
		}
		filled := n > 0 && binary.NativeEndian.Uint16(buf[recordSize:]) != 0
		if err := c.settle(callGetdents, shown, errno, filled); err != nil {
			return err
		}
		more, whole := eachEntry(buf[:n], each)
		switch {
		case !whole:
			return c.fail(callGetdents, shown, unix.EIO)
		case !more:
			return nil
		}
	}
}

// eachEntry walks the records of one getdents64(2), as appendNumbers does. whole
// is false for records that the kernel does not make.
func eachEntry(b []byte, each func(name []byte, kind byte) bool) (more, whole bool) {
	const head = 19
	for len(b) > 0 {
		if len(b) <= head {
			return false, false
		}
		size := int(binary.NativeEndian.Uint16(b[recordSize:]))
		if size <= head || size > len(b) {
			return false, false
		}
		name, kind := b[head:size], b[head-1]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if len(name) == 0 || bytes.IndexByte(name, '/') >= 0 {
			return false, false
		}
		if s := string(name); s != "." && s != ".." && !each(name, kind) {
			return false, true
		}
		b = b[size:]
	}
	return true, true
}

// xattrArgs is struct xattr_args.
type xattrArgs struct {
	value uint64
	size  uint32
	flags uint32
}

// Attribute reads an extended attribute of name in a directory into buf, and
// returns how long it is: getxattrat(2), Linux 6.13, else getxattr(2) by way of
// the caller's own /proc. None is ENODATA, and EOPNOTSUPP where the file system
// has no such attributes. The file is not opened for reading.
func (c *Calls) Attribute(dir int, name, attr string, buf []byte, under string) (int, error) {
	n, err := c.getxattrat(dir, name, attr, buf, under)
	if _, denied := err.(*DeniedError); denied || errors.Is(err, unix.ENOSYS) {
		return c.getxattr(dir, name, attr, buf, under)
	}
	return n, err
}

func (c *Calls) getxattrat(dir int, name, attr string, buf []byte, under string) (int, error) {
	if err := c.allowed(callGetxattrat); err != nil {
		return 0, err
	}
	var room, room2 pathRoom
	a := xattrArgs{value: uint64(uintptr(unsafe.Pointer(&buf[0]))), size: uint32(len(buf))}
	n, _, errno := unix.Syscall6(unix.SYS_GETXATTRAT, uintptr(dir), uintptr(room.terminated(name)), unix.AT_SYMLINK_NOFOLLOW,
		uintptr(room2.terminated(attr)), uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a))
	runtime.KeepAlive(buf)
	return c.attribute(callGetxattrat, int(n), errno, Within(under, name))
}

// attribute is the answer of a call for an attribute. Those that are asked for
// are never empty.
func (c *Calls) attribute(call, n int, errno syscall.Errno, shown string) (int, error) {
	if errno == unix.ENODATA && c.gate(call) == nil {
		return 0, errnoNoData
	}
	if err := c.settle(call, shown, errno, n > 0); err != nil {
		return 0, err
	}
	return n, nil
}

// errnoNoData is the answer for most files, so it is made once.
var errnoNoData error = &Error{Call: "getxattr(2)", Errno: unix.ENODATA}

// getxattr names the file by the descriptor that it is held by. Another file
// under that name, in a /proc that is not genuine, is refused.
func (c *Calls) getxattr(dir int, name, attr string, buf []byte, under string) (int, error) {
	if err := c.allowed(callGetxattr); err != nil {
		return 0, err
	}
	fd, err := c.OpenBeneath(dir, name, OpenPath|OpenNoFollow, under)
	if err != nil {
		return 0, err
	}
	defer Close(fd)
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	again, err := Open(CurrentDir, path, OpenPath, "")
	if err != nil {
		return 0, err
	}
	defer Close(again)
	want, err := c.Stat(fd, under)
	if err != nil {
		return 0, err
	}
	if got, err := c.Stat(again, path); err != nil || got != want {
		return 0, fail("getxattr(2)", path, unix.ESTALE)
	}
	var room, room2 pathRoom
	n, _, errno := unix.Syscall6(unix.SYS_GETXATTR, uintptr(room.terminated(path)), uintptr(room2.terminated(attr)),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	return c.attribute(callGetxattr, int(n), errno, Within(under, name))
}

// MountFlags are options of a mount, and the type of its file system.
type MountFlags struct {
	ReadOnly, NoSuid, NoDev, NoExec bool
	// Magic is the type's number: statfs(2).
	Magic uint32
}

// MountFlags asks fstatfs(2), which some file systems pass on to a server.
func (c *Calls) MountFlags(fd int, shown string) (MountFlags, error) {
	if err := c.allowed(callFstatfs); err != nil {
		return MountFlags{}, err
	}
	st := unix.Statfs_t{Type: -1}
	err := unix.Fstatfs(fd, &st)
	for err == unix.EINTR {
		err = unix.Fstatfs(fd, &st)
	}
	if err := c.settle(callFstatfs, shown, errnoOf(err), st.Type != -1); err != nil {
		return MountFlags{}, err
	}
	has := func(flag int) bool { return int(st.Flags)&flag != 0 }
	return MountFlags{has(unix.ST_RDONLY), has(unix.ST_NOSUID), has(unix.ST_NODEV), has(unix.ST_NOEXEC), uint32(st.Type)}, nil
}

// MountsChanged says whether mounts of a namespace came, went or changed since
// the mountinfo file at fd was opened: proc_pid_mounts(5).
func (c *Calls) MountsChanged(fd int, shown string) (bool, error) {
	if err := c.gate(callPpoll); err != nil {
		return false, err
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
	for {
		_, err := unix.Ppoll(fds, &unix.Timespec{}, nil)
		switch err {
		case nil:
			return fds[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0, nil
		case unix.EINTR:
		default:
			return false, c.fail(callPpoll, shown, errnoOf(err))
		}
	}
}
