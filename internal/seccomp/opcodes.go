package seccomp

// Codes of linux/bpf_common.h, put together as seccomp takes them: the class,
// then the operation, then where the operand comes from (K or X). Any other
// code is refused when a filter is loaded; so is MOD, which sockets have.
const (
	opLdAbs  = 0x20 // A = 32 bits of seccomp_data at K
	opLdLen  = 0x80 // A = size of seccomp_data
	opLdxLen = 0x81 // X = size of seccomp_data
	opLdImm  = 0x00 // A = K
	opLdxImm = 0x01 // X = K
	opLdMem  = 0x60 // A = M[K]
	opLdxMem = 0x61 // X = M[K]
	opSt     = 0x02 // M[K] = A
	opStx    = 0x03 // M[K] = X

	opAddK = 0x04
	opAddX = 0x0c
	opSubK = 0x14
	opSubX = 0x1c
	opMulK = 0x24
	opMulX = 0x2c
	opDivK = 0x34
	opDivX = 0x3c
	opOrK  = 0x44
	opOrX  = 0x4c
	opAndK = 0x54
	opAndX = 0x5c
	opLshK = 0x64
	opLshX = 0x6c
	opRshK = 0x74
	opRshX = 0x7c
	opNeg  = 0x84
	opXorK = 0xa4
	opXorX = 0xac

	opJa    = 0x05
	opJeqK  = 0x15
	opJeqX  = 0x1d
	opJgtK  = 0x25
	opJgtX  = 0x2d
	opJgeK  = 0x35
	opJgeX  = 0x3d
	opJsetK = 0x45
	opJsetX = 0x4d

	opRetK = 0x06
	opRetA = 0x16
	opTax  = 0x07
	opTxa  = 0x87
)

// scratchWords is BPF_MEMWORDS, the size of the scratch memory M.
const scratchWords = 16

// Parts of a code.
const (
	classMask = 0x07
	classJmp  = 0x05
	sourceX   = 0x08
)

// isConditional says that an instruction jumps by JT and JF.
func (in Instruction) isConditional() bool {
	switch in.Code {
	case opJeqK, opJeqX, opJgtK, opJgtX, opJgeK, opJgeX, opJsetK, opJsetX:
		return true
	}
	return false
}
