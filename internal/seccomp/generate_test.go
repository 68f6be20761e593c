package seccomp

import (
	"math/rand/v2"
	"slices"
)

// randomSource returns random numbers that a seed repeats.
func randomSource(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5eccc0)) }

// edges are numbers at which arithmetic, shifts and comparisons turn.
var edges = []uint32{0, 1, 2, 3, 4, 15, 16, 30, 31, 32, 33, 63, 64, 65, 127, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x40000000, 0x7fc00000, 0x7fff0000, 0x50001}

var (
	loadCodes       = []uint16{opLdAbs, opLdAbs, opLdAbs, opLdLen, opLdxLen, opLdImm, opLdImm, opLdxImm, opLdxImm, opLdMem, opLdxMem}
	storeCodes      = []uint16{opSt, opStx}
	moveCodes       = []uint16{opTax, opTax, opTxa, opNeg}
	arithmeticCodes = []uint16{opAddK, opAddX, opSubK, opSubX, opMulK, opMulX, opDivK, opDivX, opOrK, opOrX, opAndK, opAndX,
		opLshK, opLshX, opRshK, opRshX, opXorK, opXorX}
	branchCodes = []uint16{opJeqK, opJeqX, opJgtK, opJgtX, opJgeK, opJgeX, opJsetK, opJsetX}
)

// pick returns one of the elements.
func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// number returns an edge, a neighbour of one, a word of the data that the
// program will see, or anything.
func number(r *rand.Rand, data []uint32) uint32 {
	switch r.IntN(6) {
	case 0, 1:
		return pick(r, edges)
	case 2:
		return pick(r, edges) + uint32(r.IntN(5)) - 2
	case 3, 4:
		if len(data) > 0 {
			return pick(r, data)
		}
	}
	return r.Uint32()
}

// generate returns a random valid program of at most most+16 instructions. The
// numbers in it are often those of data. It reports too how many attempts were
// not valid.
func generate(r *rand.Rand, most int, data []uint32) (Program, int) {
	for refused := 0; ; refused++ {
		if p := attempt(r, 1+r.IntN(most), data); p.Validate() == nil {
			return p, refused
		}
	}
}

// attempt returns a random program that is valid but for, now and then, scratch
// memory that it loads and may not have stored.
func attempt(r *rand.Rand, n int, data []uint32) Program {
	var p Program
	var cells []uint32
	for range r.IntN(6) {
		cell := uint32(r.IntN(scratchWords))
		cells = append(cells, cell)
		p = append(p, body(r, loadCodes[:9], nil, 1, data), Instruction{Code: pick(r, storeCodes), K: cell})
	}
	end := len(p) + n
	for len(p) < end {
		left := end - len(p)
		switch w := r.IntN(100); {
		case w < 25:
			p = append(p, body(r, loadCodes, cells, left, data))
		case w < 33:
			cell := uint32(r.IntN(scratchWords))
			if r.IntN(2) == 0 {
				cells = append(cells, cell)
			}
			p = append(p, Instruction{Code: pick(r, storeCodes), K: cell})
		case w < 43:
			p = append(p, Instruction{Code: pick(r, moveCodes)})
		case w < 75:
			p = append(p, body(r, arithmeticCodes, nil, left, data))
		case w < 94:
			p = append(p, body(r, branchCodes, nil, left, data))
		case w < 97:
			p = append(p, Instruction{Code: opJa, K: uint32(r.IntN(min(left, 4)))})
		case w < 98:
			p = append(p, Instruction{Code: opRetK, K: number(r, data)})
		default:
			p = append(p, Instruction{Code: opRetA})
		}
	}
	if r.IntN(8) == 0 {
		return append(p, Instruction{Code: opRetK, K: number(r, data)})
	}
	return append(p, Instruction{Code: opRetA})
}

// body returns one instruction with operands that it may have where left
// instructions and a return follow.
func body(r *rand.Rand, codes []uint16, cells []uint32, left int, data []uint32) Instruction {
	in := Instruction{Code: pick(r, codes), K: number(r, data)}
	switch in.form() {
	case formData:
		in.K = 4 * uint32(r.IntN(sizeOfData/4))
	case formLoad:
		in.K = uint32(r.IntN(scratchWords))
		if len(cells) > 0 && r.IntN(20) > 0 {
			in.K = pick(r, cells)
		}
	case formShift:
		in.K = pick(r, []uint32{0, 1, 7, 8, 15, 16, 24, 30, 31})
	case formDivisor:
		in.K = max(in.K, 1)
	case formBranchK, formBranchX:
		far := min(left, 1+r.IntN(12))
		in.JT, in.JF = uint8(r.IntN(far)), uint8(r.IntN(far))
	}
	return in
}

// words returns the data as the 32-bit words that programs load.
func (d *Data) words() []uint32 {
	var out []uint32
	for at := uint32(0); at < sizeOfData; at += 4 {
		out = append(out, Program{{Code: opLdAbs, K: at}, {Code: opRetA}}.Run(d))
	}
	return out
}

// mutate turns bits, or takes instructions away, or puts some in.
func mutate(r *rand.Rand, p Program) Program {
	p = slices.Clone(p)
	for range 1 + r.IntN(2) {
		i := r.IntN(len(p))
		switch r.IntN(6) {
		case 0:
			p[i].Code ^= 1 << r.IntN(9)
		case 1:
			p[i].JT ^= 1 << r.IntN(8)
		case 2:
			p[i].JF ^= 1 << r.IntN(8)
		case 3:
			p[i].K ^= 1 << r.IntN(32)
		case 4:
			if len(p) > 1 {
				p = slices.Delete(p, i, i+1)
			}
		case 5:
			p = slices.Insert(p, i, body(r, slices.Concat(loadCodes, branchCodes, arithmeticCodes), nil, 3, nil))
		}
	}
	return p
}

// wrap returns p made harmless, so that it can be stacked with others in one
// process: it runs for the number nr alone, and instead of returning a value it
// answers with errnos that tell its bits. Of the low word of the sixth
// argument, 0 asks for the low 11 bits, 1 for the next 11, and 2 for the rest. False means that a jump would have become too long.
func wrap(p Program, nr uint32) (Program, bool) {
	out := Program{
		{Code: opLdAbs, K: offsetNR},
		{Code: opJeqK, K: nr, JT: 1},
		{Code: opRetK, K: RetAllow},
		{Code: opLdImm},
	}
	at := make([]int, len(p)) // where each instruction went
	end := len(out)
	for i, in := range p {
		at[i] = end
		end++
		if in.Code == opRetK {
			end++
		}
	}
	for i, in := range p {
		switch in.form() {
		case formJump:
			in.K = uint32(at[i+1+int(in.K)] - at[i] - 1)
		case formBranchK, formBranchX:
			jt, jf := at[i+1+int(in.JT)]-at[i]-1, at[i+1+int(in.JF)]-at[i]-1
			if jt > 255 || jf > 255 {
				return nil, false
			}
			in.JT, in.JF = uint8(jt), uint8(jf)
		}
		switch in.Code {
		case opRetK:
			out = append(out, Instruction{Code: opLdImm, K: in.K}, Instruction{Code: opJa, K: uint32(end - at[i] - 2)})
		case opRetA:
			out = append(out, Instruction{Code: opJa, K: uint32(end - at[i] - 1)})
		default:
			out = append(out, in)
		}
	}
	return slices.Concat(out, slicer()), true
}

// Of a value, sliceBits are told by one errno, which has sliceMark set to keep
// it away from the errnos that make the kernel restart a call.
const (
	sliceBits = 11
	sliceMark = 1 << sliceBits
	slices32  = 3
)

// slicer returns the instructions that answer with bits of A.
func slicer() Program {
	lowOfSixth := uint32(offsetArgs + 5*8)
	if bigEndian() {
		lowOfSixth += 4
	}
	return Program{
		{Code: opSt, K: scratchWords - 1},
		{Code: opLdAbs, K: lowOfSixth},
		{Code: opMulK, K: sliceBits},
		{Code: opTax},
		{Code: opLdMem, K: scratchWords - 1},
		{Code: opRshX},
		{Code: opAndK, K: sliceMark - 1},
		{Code: opOrK, K: RetErrno | sliceMark},
		{Code: opRetA},
	}
}
