package names

// argumentRow is what one architecture declares otherwise than the others.
type argumentRow struct {
	column uint8
	row    uint16
	code   uint16
}

// argumentKnown is set in a row of which the arguments are known.
const argumentKnown = 1 << 15

// maxArguments is how many arguments a system call can have: syscall(2).
const maxArguments = 6

// argumentBits are the widths that two bits of a row stand for.
var argumentBits = [4]int{0, 16, 32, 64}

// argumentCode returns the row of a call on an architecture, 0 where the
// architecture has no such call or nothing is known.
func argumentCode(arch, name string) (code uint16, column int) {
	if _, ok := Syscall(arch, name); !ok {
		return 0, -1
	}
	column = archColumn(arch)
	row, _ := syscallRowOf(name)
	for _, own := range argumentOwn {
		if int(own.column) == column && int(own.row) == row {
			return own.code, column
		}
	}
	return argumentRows[row], column
}

// ArgBits returns how many of an argument's bits decide what a system call does:
// 64 for pointers, sizes and unsigned long, 32 for int and the like, 16 for a
// file's mode and for the user and group ids of the oldest calls of 386 and arm
// (there setuid reads 16 bits, setuid32 reads 32). On 386 and arm it is 32 at
// most. It is 0 where the call has no such argument, or nothing is known of it.
//
// Arguments are counted from 0; arch and name are as Syscall takes them. What a
// filter compares beyond these bits, a caller can set as it likes.
func ArgBits(arch, name string, arg int) int {
	code, column := argumentCode(arch, name)
	if arg < 0 || arg >= maxArguments {
		return 0
	}
	bits := argumentBits[code>>(2*arg)&3]
	if column == arch386 || column == archARM {
		return min(bits, 32)
	}
	return bits
}

// ArgCount returns how many arguments a system call has on an architecture, as
// the kernel declares it. A value of 64 bits counts twice on 386 and arm. It is
// false where nothing is known.
func ArgCount(arch, name string) (int, bool) {
	code, _ := argumentCode(arch, name)
	n := 0
	for n < maxArguments && code>>(2*n)&3 != 0 {
		n++
	}
	return n, code&argumentKnown != 0
}
