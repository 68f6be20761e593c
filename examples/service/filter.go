//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data of seccomp(2). Arguments are 64 bits wide;
// the kernel reads only the lower half of clone(2)'s flags, and so does the
// filter. Both architectures that this program is for are little-endian.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetFlags  = 16
)

// namespaceFlags are the flags of clone(2) that make namespaces. A service
// needs clone(2) for threads only.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// answers are what the filter says to what it does not allow.
type answers struct {
	denied uint32
	// noClone3 is ENOSYS, since callers then fall back to clone(2), whose
	// flags a filter can see. Those of clone3(2) lie in memory.
	noClone3 uint32
}

var (
	enforcing = answers{
		denied:   unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM),
		noClone3: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS),
	}
	killing = answers{denied: unix.SECCOMP_RET_KILL_PROCESS, noClone3: enforcing.noClone3}
)

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func ret(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

// unless skips so many instructions where the loaded word is not k.
func unless(k uint32, skip uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: skip}
}

// unlessAny skips so many instructions where the loaded word has none of the bits.
func unlessAny(bits uint32, skip uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: bits, Jf: skip}
}

// when skips so many instructions where the loaded word is k.
func when(k uint32, skip uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: skip}
}

// assemble makes a program that allows the listed calls, and clone(2) without
// new namespaces. Numbers mean something else in every other ABI, so a call
// made through one ends the process. x32 calls have bit 30 in their numbers
// and so are on no list.
func assemble(allow []uint32, otherwise answers) []unix.SockFilter {
	p := []unix.SockFilter{
		load(offsetArch),
		when(nativeArch, 1), ret(unix.SECCOMP_RET_KILL_PROCESS),
		load(offsetNumber),
		unless(unix.SYS_CLONE3, 1), ret(otherwise.noClone3),
		unless(unix.SYS_CLONE, 4),
		load(offsetFlags), unlessAny(namespaceFlags, 1), ret(otherwise.denied), ret(unix.SECCOMP_RET_ALLOW),
	}
	for _, nr := range allow {
		p = append(p, unless(nr, 1), ret(unix.SECCOMP_RET_ALLOW))
	}
	return append(p, ret(otherwise.denied))
}

// install loads a program. With SECCOMP_FILTER_FLAG_TSYNC every thread gets
// it at once (Linux 3.17); without, the calling thread alone.
func install(program []unix.SockFilter, flags uintptr) error {
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	tid, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&f)))
	if errno != 0 {
		return fmt.Errorf("seccomp(SECCOMP_SET_MODE_FILTER): %w", errno)
	}
	if tid != 0 {
		return fmt.Errorf("seccomp(SECCOMP_SET_MODE_FILTER): thread %d cannot be brought into line", tid)
	}
	return nil
}

func loadFilter(s *service) error {
	otherwise := enforcing
	if s.kill {
		otherwise = killing
	}
	return install(assemble(allowed, otherwise), unix.SECCOMP_FILTER_FLAG_TSYNC)
}
