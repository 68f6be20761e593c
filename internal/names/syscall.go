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
const noCall = ^uint16(0)

// syscallRow is one name with its number on every architecture. The table is
// linked into every program that audits itself, so it is kept small: names lie in
// one string, and numbers without what all of their kind have in common.
type syscallRow struct {
	// at is where the name begins in syscallWords.
	at uint16
	// low is the number: of x32 without bit 30, of the private calls of 32-bit
	// ARM with armPrivate in place of their base.
	low [archCount]uint16
}

const (
	x32Bit = 1 << 30
	// armPrivateBase is __ARM_NR_BASE of 32-bit ARM.
	armPrivateBase = 0x0f0000
	armPrivate     = 0xf000
)

// syscallWord returns the name of a row.
func syscallWord(row int) string {
	end := len(syscallWords)
	if row+1 < len(syscallRows) {
		end = int(syscallRows[row+1].at)
	}
	return syscallWords[syscallRows[row].at:end]
}

// syscallRowOf returns the row of a name.
func syscallRowOf(name string) (int, bool) {
	i := sort.Search(len(syscallRows), func(i int) bool { return syscallWord(i) >= name })
	return i, i < len(syscallRows) && syscallWord(i) == name
}

// syscallNumber returns the number of a row on an architecture.
func syscallNumber(row, column int) (uint32, bool) {
	low := syscallRows[row].low[column]
	switch {
	case low == noCall:
		return 0, false
	case column == archX32:
		return uint32(low) | x32Bit, true
	case column == archARM && low >= armPrivate:
		return armPrivateBase + uint32(low-armPrivate), true
	default:
		return uint32(low), true
	}
}

// orderedNumber is syscallNumber of a row that the architecture is known to have.
func orderedNumber(row uint16, column int) uint32 {
	nr, _ := syscallNumber(int(row), column)
	return nr
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
	row, ok := syscallRowOf(name)
	if column < 0 || !ok {
		return 0, false
	}
	return syscallNumber(row, column)
}

// SyscallName returns the name of a system call by its number on an
// architecture, as Syscall takes them.
func SyscallName(arch string, nr uint32) (string, bool) {
	column := archColumn(arch)
	if column < 0 {
		return "", false
	}
	order := syscallOrder[column]
	i := sort.Search(len(order), func(i int) bool { return orderedNumber(order[i], column) >= nr })
	if i == len(order) || orderedNumber(order[i], column) != nr {
		return "", false
	}
	return syscallWord(int(order[i])), true
}

// IsSyscall says whether any architecture has a system call of that name.
func IsSyscall(name string) bool {
	_, ok := syscallRowOf(name)
	return ok
}

// SyscallNames returns the names that any architecture has, sorted. The slice
// is the caller's.
func SyscallNames() []string {
	out := make([]string, len(syscallRows))
	for i := range syscallRows {
		out[i] = syscallWord(i)
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
		if nr := orderedNumber(order[i], column); column != archARM || nr < armPrivateBase {
			return nr
		}
	}
	return 0
}

// PrivateSyscalls returns the numbers of calls that lie apart from the table of
// an architecture, ascending: those that 32-bit ARM has from 0xf0001 on.
func PrivateSyscalls(arch string) []uint32 {
	if arch != archNames[archARM] {
		return nil
	}
	var out []uint32
	for _, row := range syscallOrder[archARM] {
		if nr := orderedNumber(row, archARM); nr >= armPrivateBase {
			out = append(out, nr)
		}
	}
	return out
}
