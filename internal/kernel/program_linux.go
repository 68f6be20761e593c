package kernel

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// executeOnly lets everybody execute a file, and only its owner's privileges
// read or change it.
const executeOnly = 0o111

// ProgramFile returns a descriptor, closed on execve(2), of a file in memory
// that holds a program and can be neither changed nor read by others:
// memfd_create(2), Linux 3.17. The error is EACCES where vm.memfd_noexec is 2,
// and ErrNoProgram for an empty one.
func ProgramFile(name string, program []byte) (int, error) {
	if len(program) == 0 {
		return -1, ErrNoProgram
	}
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) {
		// Before Linux 6.3 every such file can be executed.
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fail("memfd_create(2)", "", errnoOf(err))
	}
	n, err := unix.Write(fd, program)
	switch {
	case err != nil:
		err = fail("write(2)", name, errnoOf(err))
	case n != len(program):
		err = fail("write(2)", name, unix.EIO)
	default:
		if err = unix.Fchmod(fd, executeOnly); err != nil {
			err = fail("fchmod(2)", name, errnoOf(err))
			break
		}
		const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
		if _, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
			err = fail("fcntl(F_ADD_SEALS)", name, errnoOf(err))
		}
	}
	if err != nil {
		Close(fd)
		return -1, err
	}
	return fd, nil
}

// OwnMemory copies what lies at an address of the own process. The caller knows
// that it is mapped and readable.
func OwnMemory(start, end uint64) []byte {
	at := uintptr(start)
	p := *(*unsafe.Pointer)(unsafe.Pointer(&at))
	return append([]byte(nil), unsafe.Slice((*byte)(p), int(end-start))...)
}
