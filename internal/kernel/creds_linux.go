package kernel

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// untouched is what results are preset to: a filter may answer success
// without making the call, and what it left untouched is no answer. As an id
// it is -1, which no process has.
const untouched = ^uint32(0)

// Capget is capget(2) of a thread in our pid namespace. It needs no
// privilege. Zero stands for the calling thread.
func (c *Calls) Capget(tid int) (CapData, error) {
	if err := c.gate(callCapget); err != nil {
		return CapData{}, err
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(tid)}
	data := [2]unix.CapUserData{
		{Effective: untouched, Permitted: untouched, Inheritable: untouched},
		{Effective: untouched, Permitted: untouched, Inheritable: untouched},
	}
	_, _, errno := unix.RawSyscall(unix.SYS_CAPGET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return CapData{}, fail("capget(2)", "thread "+strconv.Itoa(tid), errno)
	}
	join := func(lo, hi uint32) uint64 { return uint64(hi)<<32 | uint64(lo) }
	out := CapData{
		Effective:   join(data[0].Effective, data[1].Effective),
		Permitted:   join(data[0].Permitted, data[1].Permitted),
		Inheritable: join(data[0].Inheritable, data[1].Inheritable),
	}
	if out.Effective == ^uint64(0) {
		return CapData{}, &DeniedError{"capget", "success without an answer: a seccomp filter stands before it"}
	}
	return out, nil
}

// Getresuid returns the real, effective and saved user id of the calling
// thread: getresuid(2).
func (c *Calls) Getresuid() ([3]uint32, error) {
	return c.threeIDs(callGetresuid, sysGetresuid, "getresuid")
}

// Getresgid returns the real, effective and saved group id of the calling
// thread: getresgid(2).
func (c *Calls) Getresgid() ([3]uint32, error) {
	return c.threeIDs(callGetresgid, sysGetresgid, "getresgid")
}

func (c *Calls) threeIDs(call int, nr uintptr, name string) ([3]uint32, error) {
	if err := c.gate(call); err != nil {
		return [3]uint32{}, err
	}
	id := [3]uint32{untouched, untouched, untouched}
	_, _, errno := unix.RawSyscall(nr, uintptr(unsafe.Pointer(&id[0])), uintptr(unsafe.Pointer(&id[1])), uintptr(unsafe.Pointer(&id[2])))
	if errno != 0 {
		return [3]uint32{}, fail(name+"(2)", "", errno)
	}
	for _, v := range id {
		if v == untouched {
			return [3]uint32{}, &DeniedError{name, "success without an answer: a seccomp filter stands before it"}
		}
	}
	return id, nil
}

// Getgroups returns the supplementary groups of the calling thread:
// getgroups(2).
func (c *Calls) Getgroups() ([]uint32, error) {
	if err := c.gate(callGetgroups); err != nil {
		return nil, err
	}
	const most = 1 << 16 // NGROUPS_MAX
	n, _, errno := unix.RawSyscall(sysGetgroups, 0, 0, 0)
	if errno != 0 || n > most {
		return nil, fail("getgroups(2)", "", errno)
	}
	if n == 0 {
		return []uint32{}, nil
	}
	out := make([]uint32, n)
	n, _, errno = unix.RawSyscall(sysGetgroups, n, uintptr(unsafe.Pointer(&out[0])), 0)
	if errno != 0 || int(n) > len(out) {
		return nil, fail("getgroups(2)", "", errno)
	}
	return out[:n], nil
}

// FSUID reads the file system user id of the calling thread. setfsuid(2)
// always answers the id from before, and -1 is not an id that it would set.
func (c *Calls) FSUID() (uint32, error) {
	return c.fsID(callSetfsuid, sysSetfsuid)
}

// FSGID reads the file system group id of the calling thread: setfsgid(2).
func (c *Calls) FSGID() (uint32, error) {
	return c.fsID(callSetfsgid, sysSetfsgid)
}

func (c *Calls) fsID(call int, nr uintptr) (uint32, error) {
	if err := c.gate(call); err != nil {
		return 0, err
	}
	r, _, errno := unix.RawSyscall(nr, ^uintptr(0), 0, 0)
	if errno != 0 {
		return 0, fail(auditCalls[call].Name+"(2)", "", errno)
	}
	return uint32(r), nil
}

func (c *Calls) prctl(call int, option, arg2, arg3 uintptr) (int, error) {
	if err := c.gate(call); err != nil {
		return 0, err
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, option, arg2, arg3, 0, 0, 0)
	if errno != 0 {
		return 0, fail(auditCalls[call].Name, "", errno)
	}
	return int(r), nil
}

// BoundingSet returns the bounding set of the calling thread and the highest
// capability number that the kernel knows: prctl(2), PR_CAPBSET_READ.
func (c *Calls) BoundingSet() (set uint64, last int, err error) {
	for n := range 64 {
		r, err := c.prctl(callCapbset, unix.PR_CAPBSET_READ, uintptr(n), 0)
		if e, ok := err.(*Error); ok && e.Errno == unix.EINVAL && n > 0 {
			return set, n - 1, nil
		}
		if err != nil {
			return 0, 0, err
		}
		set |= uint64(r&1) << n
	}
	return set, 63, nil
}

// AmbientSet returns the ambient set of the calling thread, of the
// capabilities up to last: prctl(2), PR_CAP_AMBIENT, Linux 4.3. Where among is
// given only those in it are asked for.
func (c *Calls) AmbientSet(last int, among ...uint64) (set uint64, err error) {
	if err := c.gate(callAmbient); err != nil {
		return 0, err
	}
	for n := range last + 1 {
		if len(among) > 0 && among[0]&(1<<n) == 0 {
			continue
		}
		r, err := c.prctl(callAmbient, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(n))
		if err != nil {
			return 0, err
		}
		set |= uint64(r&1) << n
	}
	return set, nil
}

// Securebits returns the securebits of the calling thread: prctl(2),
// PR_GET_SECUREBITS, Linux 2.6.26.
func (c *Calls) Securebits() (uint32, error) {
	r, err := c.prctl(callSecurebits, unix.PR_GET_SECUREBITS, 0, 0)
	return uint32(r), err
}

// NoNewPrivs returns no_new_privs of the calling thread: prctl(2),
// PR_GET_NO_NEW_PRIVS, Linux 3.5.
func (c *Calls) NoNewPrivs() (bool, error) {
	r, err := c.prctl(callNoNewPrivs, unix.PR_GET_NO_NEW_PRIVS, 0, 0)
	return r == 1, err
}

// SeccompMode returns the seccomp mode of the calling thread: prctl(2),
// PR_GET_SECCOMP, Linux 2.6.23. A thread in strict mode is killed for asking.
func (c *Calls) SeccompMode() (int, error) {
	return c.prctl(callSeccomp, unix.PR_GET_SECCOMP, 0, 0)
}

// Dumpable returns whether the process can be traced and dumped: prctl(2),
// PR_GET_DUMPABLE: 0 no, 1 yes, 2 by root only.
func (c *Calls) Dumpable() (int, error) {
	return c.prctl(callDumpable, unix.PR_GET_DUMPABLE, 0, 0)
}
