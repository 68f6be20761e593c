package kernel

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MountStat is what statmount(2) says of one mount.
type MountStat struct {
	// ID and Parent are the numbers that mountinfo has.
	ID, Parent   uint32
	Major, Minor uint32
	// SuperReadOnly: the whole file system is.
	SuperReadOnly bool
	// Attributes are MOUNT_ATTR_* of mount_setattr(2).
	Attributes        uint64
	Unbindable        bool
	PeerGroup, Master uint64
	// Type is without a subtype.
	Type, Root, Point string
}

// Attributes of mounts: mount_setattr(2).
const (
	MountReadOnly      = unix.MOUNT_ATTR_RDONLY
	MountNoSuid        = unix.MOUNT_ATTR_NOSUID
	MountNoDev         = unix.MOUNT_ATTR_NODEV
	MountNoExec        = unix.MOUNT_ATTR_NOEXEC
	MountNoAtime       = unix.MOUNT_ATTR_NOATIME
	MountStrictAtime   = unix.MOUNT_ATTR_STRICTATIME
	MountNoDirAtime    = unix.MOUNT_ATTR_NODIRATIME
	MountNoSymFollow   = unix.MOUNT_ATTR_NOSYMFOLLOW
	MountIDMapped      = unix.MOUNT_ATTR_IDMAP
	mountIDRequestSize = 24 // MNT_ID_REQ_SIZE_VER0; with a namespace it is 32
)

// What statmount(2) is asked for, and where its answer has it: struct statmount
// of linux/mount.h.
const (
	statMountWanted = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 // SB_BASIC, MNT_BASIC, MNT_ROOT, MNT_POINT, FS_TYPE

	statMountMask       = 8
	statMountMajor      = 16
	statMountMinor      = 20
	statMountSuper      = 32
	statMountType       = 36
	statMountID         = 40
	statMountOldID      = 56
	statMountOldParent  = 60
	statMountAttributes = 64
	statMountSpreads    = 72
	statMountPeerGroup  = 80
	statMountMaster     = 88
	statMountRoot       = 104
	statMountPoint      = 108
	statMountStrings    = 512
)

// mountIDRequest is struct mnt_id_req of linux/mount.h.
type mountIDRequest struct {
	size, _   uint32
	id, param uint64
	namespace uint64
}

func newMountIDRequest(namespace, id, param uint64) mountIDRequest {
	r := mountIDRequest{size: mountIDRequestSize, id: id, param: param, namespace: namespace}
	if namespace != 0 {
		r.size = uint32(unsafe.Sizeof(r))
	}
	return r
}

// MountNamespaceID returns the number by which the mount namespace open at fd is
// asked about: ioctl_nsfs(2) with NS_GET_MNTNS_ID, Linux 6.11.
func MountNamespaceID(fd int, shown string) (uint64, error) {
	var id uint64
	if _, errno := invokeIoctl(fd, unix.NS_GET_MNTNS_ID, unsafe.Pointer(&id)); errno != 0 {
		return 0, fail("ioctl(2) NS_GET_MNTNS_ID", shown, errno)
	}
	if id == 0 {
		return 0, fail("ioctl(2) NS_GET_MNTNS_ID", shown, unix.EINVAL)
	}
	return id, nil
}

func invokeIoctl(fd int, request uintptr, p unsafe.Pointer) (int, unix.Errno) {
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(p))
	return int(r), errno
}

// ListMounts fills ids with mounts below the root of a mount namespace, those
// after the one given, and returns how many: listmount(2), Linux 6.8. Namespace 0
// is the caller's own, seen from the caller's root directory; another needs Linux
// 6.11 and CAP_SYS_ADMIN over it. A filter that answers in the kernel's place
// leaves zeros, which is ENOSYS.
func ListMounts(namespace, after uint64, ids []uint64) (int, error) {
	const belowRoot = ^uint64(0) // LSMT_ROOT
	clear(ids)
	r := newMountIDRequest(namespace, belowRoot, after)
	n, _, errno := unix.Syscall6(unix.SYS_LISTMOUNT, uintptr(unsafe.Pointer(&r)), uintptr(unsafe.Pointer(&ids[0])), uintptr(len(ids)), 0, 0, 0)
	runtime.KeepAlive(&r)
	if errno == 0 && (int(n) > len(ids) || n > 0 && ids[n-1] == 0) {
		errno = unix.ENOSYS
	}
	if errno != 0 {
		return 0, fail("listmount(2)", "mounts", errno)
	}
	return int(n), nil
}

// StatMount describes one of them: statmount(2), Linux 6.8. The room may be made
// larger, and is returned for the next call. EPERM is the answer for a mount
// that is out of reach of the root directory.
func StatMount(namespace, id uint64, room []byte) (MountStat, []byte, error) {
	const most = 1 << 20
	for {
		if len(room) < statMountStrings+1 {
			room = make([]byte, 16<<10)
		}
		r := newMountIDRequest(namespace, id, statMountWanted)
		clear(room[:statMountStrings])
		_, _, errno := unix.Syscall6(unix.SYS_STATMOUNT, uintptr(unsafe.Pointer(&r)), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)), 0, 0, 0)
		runtime.KeepAlive(&r)
		if errno == unix.EOVERFLOW && len(room) < most {
			room = make([]byte, 2*len(room))
			continue
		}
		m, ok := decodeStatMount(room, id)
		if errno == 0 && !ok {
			errno = unix.ENOSYS
		}
		if errno != 0 {
			return MountStat{}, room, fail("statmount(2)", "a mount", errno)
		}
		return m, room, nil
	}
}

// decodeStatMount is false for an answer that does not have all that was asked.
func decodeStatMount(b []byte, id uint64) (m MountStat, ok bool) {
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	long := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	mask := long(statMountMask)
	if mask&statMountWanted != statMountWanted || long(statMountID) != id {
		return m, false
	}
	text := func(at int) string {
		return unix.ByteSliceToString(b[min(statMountStrings+uint64(word(at)), uint64(len(b))):])
	}
	m = MountStat{
		ID: word(statMountOldID), Parent: word(statMountOldParent), Major: word(statMountMajor), Minor: word(statMountMinor),
		SuperReadOnly: word(statMountSuper)&1 != 0, Attributes: long(statMountAttributes), Unbindable: long(statMountSpreads)&unix.MS_UNBINDABLE != 0,
		PeerGroup: long(statMountPeerGroup), Master: long(statMountMaster),
		Type: text(statMountType), Root: text(statMountRoot), Point: text(statMountPoint),
	}
	return m, true
}
