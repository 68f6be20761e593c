package seccomp

// Registers as bits: 0 to 15 are the words of scratch memory.
const (
	liveA = 1 << (scratchWords + iota)
	liveX
)

// liveness returns, for each instruction, the registers whose values can still
// matter when it is reached.
func liveness(p Program) []uint32 {
	live := make([]uint32, len(p)+1)
	after := func(pc int) uint32 { return live[min(uint(pc), uint(len(p)))] }
	for pc := len(p) - 1; pc >= 0; pc-- {
		in := &p[pc]
		switch {
		case in.Code == opRetK:
		case in.Code == opRetA:
			live[pc] = liveA
		case in.Code == opJa:
			live[pc] = after(pc + 1 + int(in.K))
		case in.isConditional():
			reads, _ := in.registers()
			live[pc] = reads | after(pc+1+int(in.JT)) | after(pc+1+int(in.JF))
		default:
			reads, writes := in.registers()
			live[pc] = reads | after(pc+1)&^writes
		}
	}
	return live
}

// registers returns what an instruction reads and what it overwrites.
func (in *Instruction) registers() (reads, writes uint32) {
	cell := uint32(1) << (in.K % scratchWords)
	switch in.Code {
	case opLdAbs, opLdLen, opLdImm:
		return 0, liveA
	case opLdxLen, opLdxImm:
		return 0, liveX
	case opLdMem:
		return cell, liveA
	case opLdxMem:
		return cell, liveX
	case opSt:
		return liveA, cell
	case opStx:
		return liveX, cell
	case opTax:
		return liveA, liveX
	case opTxa:
		return liveX, liveA
	case opNeg:
		return liveA, liveA
	}
	reads = liveA
	if in.Code&sourceX != 0 {
		reads |= liveX
	}
	return reads, liveA
}

// only returns the machine without what does not matter.
func (m machine) only(live uint32) machine {
	if live&liveA == 0 {
		m.a = value{}
	}
	if live&liveX == 0 {
		m.x = value{}
	}
	for i := range m.m {
		if live>>i&1 == 0 {
			m.m[i] = value{}
		}
	}
	return m
}
