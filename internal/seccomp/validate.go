package seccomp

import "strconv"

// InvalidError says why the kernel refuses a program.
type InvalidError struct {
	// Offset is the instruction at fault, -1 where it is the length.
	Offset int
	Why    string
}

func (e *InvalidError) Error() string {
	if e.Offset < 0 {
		return "seccomp: invalid filter: " + e.Why
	}
	return "seccomp: invalid filter: instruction " + strconv.Itoa(e.Offset) + ": " + e.Why
}

// form is what the operands of a code mean, and so what can be wrong with them.
type form uint8

const (
	formUnknown form = iota
	formNone         // no operand: LEN, TAX, TXA, NEG, RET A
	formK            // any K
	formX            // the operand is X
	formData         // K is an offset in seccomp_data
	formLoad         // K is a word of scratch memory, read
	formStore        // K is a word of scratch memory, written
	formDivisor      // K is a divisor
	formShift        // K is a number of bits
	formJump         // K is how many instructions to leave out
	formBranchK      // JT and JF are, by a comparison with K
	formBranchX      // JT and JF are, by a comparison with X
)

// forms are the codes that seccomp takes, of those that sockets have.
var forms = [256]form{
	opLdAbs: formData, opLdLen: formNone, opLdxLen: formNone, opLdImm: formK, opLdxImm: formK,
	opLdMem: formLoad, opLdxMem: formLoad, opSt: formStore, opStx: formStore,
	opAddK: formK, opSubK: formK, opMulK: formK, opOrK: formK, opAndK: formK, opXorK: formK,
	opAddX: formX, opSubX: formX, opMulX: formX, opOrX: formX, opAndX: formX, opXorX: formX,
	opDivK: formDivisor, opDivX: formX, opNeg: formNone,
	opLshK: formShift, opLshX: formX, opRshK: formShift, opRshX: formX,
	opJa:   formJump,
	opJeqK: formBranchK, opJgtK: formBranchK, opJgeK: formBranchK, opJsetK: formBranchK,
	opJeqX: formBranchX, opJgtX: formBranchX, opJgeX: formBranchX, opJsetX: formBranchX,
	opRetK: formK, opRetA: formNone, opTax: formNone, opTxa: formNone,
}

// form returns formUnknown for a code that seccomp refuses.
func (in Instruction) form() form {
	if int(in.Code) >= len(forms) {
		return formUnknown
	}
	return forms[in.Code]
}

// Validate returns an *InvalidError where seccomp(2) refuses the program with
// EINVAL, whoever asks, and nil where it would load it. The rules are those
// for all classic BPF and, within them, those for filters of system calls.
func (p Program) Validate() error {
	if len(p) == 0 || len(p) > MaxInstructions {
		return &InvalidError{-1, strconv.Itoa(len(p)) + " instructions, not 1 to " + strconv.Itoa(MaxInstructions)}
	}
	for pc, in := range p {
		if why := in.wrong(len(p) - pc - 1); why != "" {
			return &InvalidError{pc, why}
		}
	}
	last := len(p) - 1
	if code := p[last].Code; code != opRetK && code != opRetA {
		return &InvalidError{last, "the last instruction is not a return"}
	}
	return p.checkScratch()
}

// wrong says what is wrong with an instruction that left others follow, or
// returns "". Operands that a code has no use for may hold anything.
func (in Instruction) wrong(left int) string {
	n := uint64(left)
	switch in.form() {
	case formUnknown:
		return "code 0x" + strconv.FormatUint(uint64(in.Code), 16) + " is none that seccomp takes"
	case formData:
		if in.K >= sizeOfData || in.K%4 != 0 {
			return "loads from offset " + strconv.FormatUint(uint64(in.K), 10) + " of seccomp_data"
		}
	case formLoad, formStore:
		if in.K >= scratchWords {
			return "there is no scratch memory word " + strconv.FormatUint(uint64(in.K), 10)
		}
	case formDivisor:
		if in.K == 0 {
			return "divides by 0"
		}
	case formShift:
		if in.K >= 32 {
			return "shifts by " + strconv.FormatUint(uint64(in.K), 10)
		}
	case formJump:
		if uint64(in.K) >= n {
			return "jumps out of the program"
		}
	case formBranchK, formBranchX:
		if uint64(in.JT) >= n || uint64(in.JF) >= n {
			return "jumps out of the program"
		}
	}
	return ""
}

// checkScratch refuses a load from scratch memory that no instruction stored to
// on some way there, as the kernel sees the ways: it takes every branch for
// possible, and lets what stands before a return hold for what comes after it.
func (p Program) checkScratch() error {
	// One bit for each word that was stored, on every jump to an instruction.
	stored := make([]uint16, len(p))
	for i := range stored {
		stored[i] = ^uint16(0)
	}
	now := uint16(0)
	for pc, in := range p {
		now &= stored[pc]
		switch in.form() {
		case formStore:
			now |= 1 << in.K
		case formLoad:
			if now&(1<<in.K) == 0 {
				return &InvalidError{pc, "loads scratch memory word " + strconv.FormatUint(uint64(in.K), 10) + ", which may not be stored"}
			}
		case formJump:
			stored[pc+1+int(in.K)] &= now
			now = ^uint16(0)
		case formBranchK, formBranchX:
			stored[pc+1+int(in.JT)] &= now
			stored[pc+1+int(in.JF)] &= now
			now = ^uint16(0)
		}
	}
	return nil
}
