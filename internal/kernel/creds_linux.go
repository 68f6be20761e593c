package kernel

import (
	"strconv"
	"syscall"
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
	if err := c.allowed(callCapget); err != nil {
		return CapData{}, err
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(tid)}
	data := [6]uint32{untouched, untouched, untouched, untouched, untouched, untouched}
	_, _, errno := unix.RawSyscall(unix.SYS_CAPGET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data)), 0)
	if errno != 0 || data[0]&data[3] == untouched {
		return CapData{}, c.settle(callCapget, "thread "+strconv.Itoa(tid), errno, false)
	}
	join := func(i int) uint64 { return uint64(data[i+3])<<32 | uint64(data[i]) }
	return CapData{Effective: join(0), Permitted: join(1), Inheritable: join(2)}, nil
}

// Getresuid returns the real, effective and saved user id of the calling
// thread: getresuid(2).
func (c *Calls) Getresuid() ([3]uint32, error) { return c.threeIDs(callGetresuid) }

// Getresgid returns the real, effective and saved group id of the calling
// thread: getresgid(2).
func (c *Calls) Getresgid() ([3]uint32, error) { return c.threeIDs(callGetresgid) }

func (c *Calls) threeIDs(call int) (id [3]uint32, err error) {
	if err := c.allowed(call); err != nil {
		return id, err
	}
	id = [3]uint32{untouched, untouched, untouched}
	_, _, errno := unix.RawSyscall(auditCalls[call].NR, uintptr(unsafe.Pointer(&id[0])), uintptr(unsafe.Pointer(&id[1])), uintptr(unsafe.Pointer(&id[2])))
	filled := id[0] != untouched && id[1] != untouched && id[2] != untouched
	return id, c.settle(call, "", errno, filled)
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
		return nil, c.fail(callGetgroups, "", errno)
	}
	if n == 0 {
		return []uint32{}, nil
	}
	out := make([]uint32, n)
	n, _, errno = unix.RawSyscall(sysGetgroups, n, uintptr(unsafe.Pointer(&out[0])), 0)
	if errno != 0 || int(n) > len(out) {
		return nil, c.fail(callGetgroups, "", errno)
	}
	return out[:n], nil
}

// FSUID reads the file system user id of the calling thread. setfsuid(2)
// always answers the id from before, and -1 is not an id that it would set.
func (c *Calls) FSUID() (uint32, error) {
	r, err := c.ask(callSetfsuid)
	return uint32(r), err
}

// FSGID reads the file system group id of the calling thread: setfsgid(2).
func (c *Calls) FSGID() (uint32, error) {
	r, err := c.ask(callSetfsgid)
	return uint32(r), err
}

// ask makes a call with the very arguments of the table, so that it is its own
// gate.
func (c *Calls) ask(call int) (int, error) {
	if err := c.allowed(call); err != nil {
		return 0, err
	}
	a := &auditCalls[call]
	r, _, errno := unix.RawSyscall6(a.NR, a.Args[0], a.Args[1], a.Args[2], a.Args[3], 0, 0)
	return int(r), c.settle(call, "", errno, true)
}

// prctl makes prctl(2) with the option that the table has for the call.
func prctl(call int, arg2, arg3 uintptr) (int, syscall.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, auditCalls[call].Args[0], arg2, arg3, 0, 0, 0)
	return int(r), errno
}

// BoundingSet returns the bounding set of the calling thread and the highest
// capability number that the kernel knows: prctl(2), PR_CAPBSET_READ.
func (c *Calls) BoundingSet() (set uint64, last int, err error) {
	if err := c.allowed(callCapbset); err != nil {
		return 0, 0, err
	}
	for n := range 64 {
		r, errno := prctl(callCapbset, uintptr(n), 0)
		switch {
		case errno == unix.EINVAL && n > 0: // so the kernel answers, and no filter
			return set, n - 1, nil
		case errno != 0:
			return 0, 0, c.settle(callCapbset, "", errno, false)
		}
		set |= uint64(r&1) << n
	}
	return set, 63, c.gate(callCapbset)
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
		r, errno := prctl(callAmbient, unix.PR_CAP_AMBIENT_IS_SET, uintptr(n))
		if errno != 0 {
			return 0, c.fail(callAmbient, "", errno)
		}
		set |= uint64(r&1) << n
	}
	return set, nil
}

// Securebits returns the securebits of the calling thread: prctl(2),
// PR_GET_SECUREBITS, Linux 2.6.26.
func (c *Calls) Securebits() (uint32, error) {
	r, err := c.ask(callSecurebits)
	return uint32(r), err
}

// NoNewPrivs returns no_new_privs of the calling thread: prctl(2),
// PR_GET_NO_NEW_PRIVS, Linux 3.5.
func (c *Calls) NoNewPrivs() (bool, error) {
	if err := c.gate(callNoNewPrivs); err != nil {
		return false, err
	}
	r, errno := prctl(callNoNewPrivs, 0, 0)
	return r == 1, c.settle(callNoNewPrivs, "", errno, true)
}

// SeccompMode returns the seccomp mode of the calling thread: prctl(2),
// PR_GET_SECCOMP, Linux 2.6.23. A thread in strict mode is killed for asking.
func (c *Calls) SeccompMode() (int, error) {
	return c.ask(callSeccomp)
}

// Dumpable returns whether the process can be traced and dumped: prctl(2),
// PR_GET_DUMPABLE: 0 no, 1 yes, 2 by root only.
func (c *Calls) Dumpable() (int, error) {
	return c.ask(callDumpable)
}
