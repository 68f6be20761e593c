package seccomp

import (
	"io"
	"strconv"

	"github.com/selfaudit/selfaudit/internal/names"
)

// Disassemble writes one line for each instruction: its offset, what it does in
// the words of tcpdump -d, with jumps to absolute offsets, and after a semicolon
// what its numbers mean. abis are the ABIs whose calls may be meant; where the
// program told which one by a comparison with the architecture, names are those
// of that one alone. Any program can be written, a valid one or not. The error
// is the writer's.
func Disassemble(w io.Writer, p Program, abis []names.ABI) error {
	notes := annotate(p, abis)
	width := len(strconv.Itoa(len(p) - 1))
	var out []byte
	for pc, in := range p {
		start := len(out)
		out = pad(out, width-len(strconv.Itoa(pc)))
		out = strconv.AppendInt(out, int64(pc), 10)
		out = append(out, "  "...)
		out = in.append(out, pc, width)
		if notes[pc] != "" {
			out = pad(out, max(2, noteColumn-(len(out)-start)))
			out = append(append(out, "; "...), notes[pc]...)
		}
		out = append(out, '\n')
	}
	_, err := w.Write(out)
	return err
}

// Columns of the listing, in characters.
const (
	operandColumn = 6 // after the mnemonic's first
	targetColumn  = 13
	noteColumn    = 44
)

// pad appends n spaces.
func pad(out []byte, n int) []byte {
	for range n {
		out = append(out, ' ')
	}
	return out
}

// mnemonics are the words of the codes, without the source of the operand.
var mnemonics = [256]string{
	opLdAbs: "ld", opLdLen: "ld", opLdImm: "ld", opLdMem: "ld", opLdxLen: "ldx", opLdxImm: "ldx", opLdxMem: "ldx",
	opSt: "st", opStx: "stx", opTax: "tax", opTxa: "txa",
	opAddK: "add", opSubK: "sub", opMulK: "mul", opDivK: "div", opOrK: "or", opAndK: "and", opXorK: "xor",
	opAddX: "add", opSubX: "sub", opMulX: "mul", opDivX: "div", opOrX: "or", opAndX: "and", opXorX: "xor",
	opLshK: "lsh", opLshX: "lsh", opRshK: "rsh", opRshX: "rsh", opNeg: "neg",
	opJa:   "ja",
	opJeqK: "jeq", opJgtK: "jgt", opJgeK: "jge", opJsetK: "jset",
	opJeqX: "jeq", opJgtX: "jgt", opJgeX: "jge", opJsetX: "jset",
	opRetK: "ret", opRetA: "ret",
}

// append writes the instruction that stands at offset pc of a program whose
// offsets are width characters wide.
func (in Instruction) append(out []byte, pc, width int) []byte {
	form := in.form()
	if form == formUnknown {
		out = append(append(out, ".code "...), hex(uint32(in.Code))...)
		out = append(append(out, " jt "...), strconv.Itoa(int(in.JT))...)
		out = append(append(out, " jf "...), strconv.Itoa(int(in.JF))...)
		return append(append(out, " k "...), hex(in.K)...)
	}
	start := len(out)
	out = append(out, mnemonics[in.Code]...)
	operand := in.operand(pc)
	if operand == "" {
		return out
	}
	out = pad(out, operandColumn-(len(out)-start))
	out = append(out, operand...)
	if form == formBranchK || form == formBranchX {
		out = pad(out, max(2, operandColumn+targetColumn-(len(out)-start)))
		yes := target(pc, uint32(in.JT))
		out = append(append(out, "jt "...), yes...)
		out = pad(out, width-len(yes))
		out = append(append(out, "  jf "...), target(pc, uint32(in.JF))...)
	}
	return out
}

// operand returns what an instruction of a known code works with.
func (in Instruction) operand(pc int) string {
	switch in.form() {
	case formK, formDivisor, formShift, formBranchK:
		return "#" + hex(in.K)
	case formX, formBranchX:
		return "x"
	case formData:
		return "[" + strconv.FormatUint(uint64(in.K), 10) + "]"
	case formLoad, formStore:
		return "M[" + strconv.FormatUint(uint64(in.K), 10) + "]"
	case formJump:
		return target(pc, in.K)
	}
	switch in.Code {
	case opLdLen, opLdxLen:
		return "len"
	case opRetA:
		return "a"
	}
	return ""
}

// target returns the offset that a jump over some instructions leads to.
func target(pc int, over uint32) string {
	return strconv.FormatUint(uint64(pc)+1+uint64(over), 10)
}

func hex(v uint32) string { return "0x" + strconv.FormatUint(uint64(v), 16) }
