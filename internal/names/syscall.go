package names

import "sort"

// Columns of the table of system calls.
const (
	archAMD64 = iota
	arch386
	archARM64
	archARM
	archX32
	archCount
)

// noCall marks a call that an architecture does not have.
const noCall = ^uint32(0)

// syscallRow is one name with its number on every architecture.
type syscallRow struct {
	name string
	nr   [archCount]uint32
}

var archNames = [archCount]string{archAMD64: "amd64", arch386: "386", archARM64: "arm64", archARM: "arm", archX32: "x32"}

// archColumn returns the column of an architecture, or -1.
func archColumn(arch string) int {
	for i, name := range archNames {
		if name == arch {
			return i
		}
	}
	return -1
}

// SyscallArches returns the architectures that the table knows: Go's words, and
// "x32" for the second ABI of amd64. The slice is the caller's.
func SyscallArches() []string { return append([]string(nil), archNames[:]...) }

// Syscall returns the number of a system call, named as syscalls(2) does, on an
// architecture: "amd64", "386", "arm64", "arm" or "x32". Numbers of x32 include
// bit 30, __X32_SYSCALL_BIT, as the kernel sees them.
func Syscall(arch, name string) (uint32, bool) {
	column := archColumn(arch)
	i := sort.Search(len(syscallRows), func(i int) bool { return syscallRows[i].name >= name })
	if column < 0 || i == len(syscallRows) || syscallRows[i].name != name {
		return 0, false
	}
	nr := syscallRows[i].nr[column]
	return nr, nr != noCall
}

// SyscallName returns the name of a system call by its number on an
// architecture, as Syscall takes them.
func SyscallName(arch string, nr uint32) (string, bool) {
	column := archColumn(arch)
	if column < 0 || nr == noCall {
		return "", false
	}
	order := syscallOrder[column]
	i := sort.Search(len(order), func(i int) bool { return syscallRows[order[i]].nr[column] >= nr })
	if i == len(order) || syscallRows[order[i]].nr[column] != nr {
		return "", false
	}
	return syscallRows[order[i]].name, true
}

// IsSyscall says whether any architecture has a system call of that name.
func IsSyscall(name string) bool {
	i := sort.Search(len(syscallRows), func(i int) bool { return syscallRows[i].name >= name })
	return i < len(syscallRows) && syscallRows[i].name == name
}

// SyscallNames returns the names that any architecture has, sorted. The slice
// is the caller's.
func SyscallNames() []string {
	out := make([]string, len(syscallRows))
	for i := range syscallRows {
		out[i] = syscallRows[i].name
	}
	return out
}

// LastSyscall returns the highest number that an architecture has, as Syscall
// takes them: with bit 30 on x32, and on 32-bit ARM without the private calls
// from 0xf0000 on, which PrivateSyscalls lists. It is 0 for others.
func LastSyscall(arch string) uint32 {
	column := archColumn(arch)
	if column < 0 {
		return 0
	}
	order := syscallOrder[column]
	for i := len(order) - 1; i >= 0; i-- {
		if nr := syscallRows[order[i]].nr[column]; column != archARM || nr < armPrivateBase {
			return nr
		}
	}
	return 0
}

// armPrivateBase is __ARM_NR_BASE of 32-bit ARM.
const armPrivateBase = 0x0f0000

// PrivateSyscalls returns the numbers of calls that lie apart from the table of
// an architecture, ascending: those that 32-bit ARM has from 0xf0001 on.
func PrivateSyscalls(arch string) []uint32 {
	if arch != archNames[archARM] {
		return nil
	}
	var out []uint32
	for _, row := range syscallOrder[archARM] {
		if nr := syscallRows[row].nr[archARM]; nr >= armPrivateBase {
			out = append(out, nr)
		}
	}
	return out
}
