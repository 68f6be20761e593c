package kernel

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenWrite makes Open open a file for writing.
const OpenWrite = unix.O_WRONLY

// The types of cgroup file systems of both versions: statfs(2).
const (
	CgroupMagic  = unix.CGROUP_SUPER_MAGIC
	Cgroup2Magic = unix.CGROUP2_SUPER_MAGIC
)

// Where in a cgroup BPF programs can be attached: bpf(2), BPF_PROG_TYPE_CGROUP_*.
const (
	CgroupSocketCreate = unix.BPF_CGROUP_INET_SOCK_CREATE
	CgroupDevice       = unix.BPF_CGROUP_DEVICE
	CgroupBind4        = unix.BPF_CGROUP_INET4_BIND
	CgroupBind6        = unix.BPF_CGROUP_INET6_BIND
	CgroupBound4       = unix.BPF_CGROUP_INET4_POST_BIND
	CgroupBound6       = unix.BPF_CGROUP_INET6_POST_BIND
	CgroupLSM          = unix.BPF_LSM_CGROUP
)

// maxCgroupPrograms is more than can be in effect at a cgroup of usual depth: 64
// at each level.
const maxCgroupPrograms = 512

// progQuery is the part of union bpf_attr that BPF_PROG_QUERY takes.
type progQuery struct {
	target, attach, flags, attachFlags uint32
	ids                                uint64
	count, _                           uint32
	_                                  [4]uint64
}

// CgroupPrograms returns the ids of the BPF programs that are in effect in the
// cgroup v2 whose directory is open at fd, those of the cgroups above included:
// bpf(2) with BPF_PROG_QUERY and BPF_F_QUERY_EFFECTIVE, Linux 4.15. attach is
// one of the places above; one that the kernel does not know is EINVAL. It needs
// CAP_NET_ADMIN and changes nothing.
func CgroupPrograms(fd int, attach uint32, shown string) ([]uint32, error) {
	ids := make([]uint32, maxCgroupPrograms)
	q := progQuery{
		target: uint32(fd), attach: attach, flags: unix.BPF_F_QUERY_EFFECTIVE,
		ids: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(ids)))), count: maxCgroupPrograms,
	}
	if attach == CgroupLSM {
		// Its list is told with flags of each program, and these not of what is
		// in effect. Their number says enough: none is their usual number.
		q.ids, q.count = 0, 0
	}
	_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_QUERY, uintptr(unsafe.Pointer(&q)), unsafe.Sizeof(q))
	runtime.KeepAlive(ids)
	switch {
	case errno != 0:
		return nil, fail("bpf(2) BPF_PROG_QUERY", shown, errno)
	case q.count > maxCgroupPrograms:
		return nil, fail("bpf(2) BPF_PROG_QUERY", shown, unix.ENOSPC)
	}
	return ids[:q.count], nil
}
