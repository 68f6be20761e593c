package seccomp

import "encoding/binary"

// Run returns what the kernel gets from the program for one system call. The
// program must be valid: what no kernel loads denies nothing, so where an
// invalid one leaves its own end or has an unknown code, Run returns RetAllow.
//
// Two answers stand in no manual page, and are the kernel's all the same. A
// division by X where X is 0 ends the program with the value 0, which is
// RetKillThread. A shift by X is one by X modulo 32, on x86-64 and arm64, whose
// instructions do that, and in the kernel's own interpreter; a kernel for 32-bit
// ARM compiles it to a shift by the low byte of X, so that 32 and more leave 0.
func (p Program) Run(d *Data) uint32 {
	var a, x uint32
	var m [scratchWords]uint32
	data := d.bytes()
	for pc := 0; pc < len(p); pc++ {
		in := &p[pc]
		k := in.K
		switch in.Code {
		case opLdAbs:
			at := k & (sizeOfData - 4)
			a = binary.NativeEndian.Uint32(data[at : at+4])
		case opLdLen:
			a = sizeOfData
		case opLdxLen:
			x = sizeOfData
		case opLdImm:
			a = k
		case opLdxImm:
			x = k
		case opLdMem:
			a = m[k%scratchWords]
		case opLdxMem:
			x = m[k%scratchWords]
		case opSt:
			m[k%scratchWords] = a
		case opStx:
			m[k%scratchWords] = x
		case opTax:
			x = a
		case opTxa:
			a = x
		case opRetK:
			return k
		case opRetA:
			return a
		case opJa:
			if uint64(k) >= uint64(len(p)) {
				return RetAllow
			}
			pc += int(k)
		case opJeqK, opJeqX, opJgtK, opJgtX, opJgeK, opJgeX, opJsetK, opJsetX:
			if in.Code&sourceX != 0 {
				k = x
			}
			if holds(in.Code, a, k) {
				pc += int(in.JT)
			} else {
				pc += int(in.JF)
			}
		default:
			if in.Code&sourceX != 0 {
				k = x
			}
			if k == 0 && in.Code&^sourceX == opDivK {
				return 0
			}
			var ok bool
			if a, ok = compute(in.Code, a, k); !ok {
				return RetAllow
			}
		}
	}
	return RetAllow
}

// holds says whether the condition of a jump holds for A and its operand.
func holds(code uint16, a, operand uint32) bool {
	switch code &^ sourceX {
	case opJeqK:
		return a == operand
	case opJgtK:
		return a > operand
	case opJgeK:
		return a >= operand
	default:
		return a&operand != 0
	}
}

// compute returns what an arithmetic instruction makes of A and its operand,
// which is not 0 in a division. It is false for a code that is no arithmetic.
func compute(code uint16, a, operand uint32) (uint32, bool) {
	if code == opNeg {
		return -a, true
	}
	switch code &^ sourceX {
	case opAddK:
		return a + operand, true
	case opSubK:
		return a - operand, true
	case opMulK:
		return a * operand, true
	case opDivK:
		return a / operand, true
	case opOrK:
		return a | operand, true
	case opAndK:
		return a & operand, true
	case opXorK:
		return a ^ operand, true
	case opLshK:
		return a << (operand & 31), true
	case opRshK:
		return a >> (operand & 31), true
	}
	return 0, false
}

// bytes returns the data as struct seccomp_data has it in memory.
func (d *Data) bytes() (b [sizeOfData]byte) {
	binary.NativeEndian.PutUint32(b[offsetNR:], d.NR)
	binary.NativeEndian.PutUint32(b[offsetArch:], d.Arch)
	binary.NativeEndian.PutUint64(b[offsetIP:], d.IP)
	for i, arg := range d.Args {
		binary.NativeEndian.PutUint64(b[offsetArgs+8*i:], arg)
	}
	return b
}

// bigEndian says that the high half of a 64-bit argument comes first.
func bigEndian() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }
