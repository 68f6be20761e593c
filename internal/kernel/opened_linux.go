package kernel

import (
	"errors"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Opened is what statx(2) says of the file behind a descriptor.
type Opened struct {
	FileStat
	// Device is the number of the device that a device file stands for.
	Device uint64
	// Size is the file's. That of /proc/PID/fd is the number of descriptors since
	// Linux 6.2, and 0 before.
	Size int64
}

// Types of files, as the mode has them: inode(7).
const (
	TypeMask      = unix.S_IFMT
	TypeDirectory = unix.S_IFDIR
	TypeRegular   = unix.S_IFREG
	TypeBlock     = unix.S_IFBLK
	TypeCharacter = unix.S_IFCHR
	TypeFIFO      = unix.S_IFIFO
	TypeSocket    = unix.S_IFSOCK
	TypeLink      = unix.S_IFLNK
)

// StatThrough asks statx(2), Linux 4.11, about what a link in the directory open
// at dir leads to, as Stat does about an open file. It opens nothing.
func (c *Calls) StatThrough(dir int, name, under string) (Opened, error) {
	var room pathRoom
	return c.statx(dir, room.terminated(name), 0, func() string { return Within(under, name) })
}

// StatOpened is StatThrough for a file open at fd, and asks fstat(2) where
// statx(2) is missing.
func (c *Calls) StatOpened(fd int, shown string) (Opened, error) {
	var empty pathRoom
	o, err := c.statx(fd, unsafe.Pointer(&empty), unix.AT_EMPTY_PATH, func() string { return shown })
	if _, denied := err.(*DeniedError); err == nil || !denied && !errors.Is(err, unix.ENOSYS) {
		return o, err
	}
	if err := c.gate(callFstat); err != nil {
		return Opened{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Opened{}, c.fail(callFstat, shown, errnoOf(err))
	}
	//nolint:unconvert // the widths of these fields differ between architectures
	return Opened{FileStat{Dev: uint64(st.Dev), Ino: uint64(st.Ino), Mode: uint32(st.Mode), Nlink: uint32(st.Nlink)}, uint64(st.Rdev), int64(st.Size)}, nil
}

func (c *Calls) statx(dir int, path unsafe.Pointer, flags uintptr, shown func() string) (Opened, error) {
	if err := c.allowed(callStatx); err != nil {
		return Opened{}, err
	}
	var x unix.Statx_t
	const always = unix.STATX_INO | unix.STATX_TYPE
	_, errno := invoke(unix.SYS_STATX, dir, path, flags|unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, unsafe.Pointer(&x))
	if errno == 0 && x.Mask&always == always {
		return Opened{fromStatx(&x), unix.Mkdev(x.Rdev_major, x.Rdev_minor), int64(x.Size)}, nil
	}
	return Opened{}, c.settle(callStatx, shown(), errno, false)
}

// SocketProtocol returns the kernel's name of the protocol of the socket that a
// link in the directory open at dir leads to: "TCP", "RAWv6", "PACKET". Every
// socket has it as an attribute, in whatever network namespace it is:
// getxattrat(2), Linux 6.13, else getxattr(2) by way of the caller's own /proc.
func (c *Calls) SocketProtocol(dir int, name, under string) (string, error) {
	const attr = "system.sockprotoname"
	var buf [64]byte
	n, err := c.protocolAt(dir, name, attr, &buf, under)
	if _, denied := err.(*DeniedError); denied || errors.Is(err, unix.ENOSYS) {
		n, err = c.protocolThrough(dir, name, attr, &buf, under)
	}
	if err != nil {
		return "", err
	}
	return unix.ByteSliceToString(buf[:n]), nil
}

func (c *Calls) protocolAt(dir int, name, attr string, buf *[64]byte, under string) (int, error) {
	if err := c.allowed(callGetxattrat); err != nil {
		return 0, err
	}
	var room, room2 pathRoom
	a := xattrArgs{value: uint64(uintptr(unsafe.Pointer(buf))), size: uint32(len(buf))}
	n, _, errno := unix.Syscall6(unix.SYS_GETXATTRAT, uintptr(dir), uintptr(room.terminated(name)), 0,
		uintptr(room2.terminated(attr)), uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a))
	runtime.KeepAlive(buf)
	return int(n), c.settle(callGetxattrat, Within(under, name), errno, errno == 0 && n > 0 && buf[0] != 0)
}

// protocolThrough holds the socket by a descriptor of the caller's own. That
// /proc shows the very socket under its number is verified, since it may not be
// genuine.
func (c *Calls) protocolThrough(dir int, name, attr string, buf *[64]byte, under string) (int, error) {
	if err := c.allowed(callGetxattr); err != nil {
		return 0, err
	}
	fd, err := Open(dir, name, OpenPath, under)
	if err != nil {
		return 0, err
	}
	defer Close(fd)
	want, err := c.Stat(fd, Within(under, name))
	if err != nil {
		return 0, err
	}
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	again, err := Open(CurrentDir, path, OpenPath, "")
	if err != nil {
		return 0, err
	}
	defer Close(again)
	if got, err := c.Stat(again, path); err != nil || got != want {
		return 0, fail("getxattr(2)", path, unix.ESTALE)
	}
	var room, room2 pathRoom
	n, _, errno := unix.Syscall6(unix.SYS_GETXATTR, uintptr(room.terminated(path)), uintptr(room2.terminated(attr)),
		uintptr(unsafe.Pointer(buf)), uintptr(len(buf)), 0, 0)
	return int(n), c.settle(callGetxattr, Within(under, name), errno, errno == 0 && n > 0 && buf[0] != 0)
}

// SharedPage maps a page of shared memory, which the kernel keeps in a file
// system of its own, and calls f with the address. It is unmapped afterwards.
func SharedPage(f func(address uint64) error) error {
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return fail("mmap(2)", "shared memory", errnoOf(err))
	}
	err = f(uint64(uintptr(unsafe.Pointer(&page[0]))))
	if e := unix.Munmap(page); err == nil && e != nil {
		err = fail("munmap(2)", "shared memory", errnoOf(e))
	}
	return err
}

// Device makes one number of a device's two: makedev(3).
func Device(major, minor uint32) uint64 { return unix.Mkdev(major, minor) }
