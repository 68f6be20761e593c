package seccomp

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/names"
)

// holding is what A may be known to hold: a word of seccomp_data, or nothing
// that has a name.
type holding int

const holdsOther holding = -1

// spot is what is known where an instruction is about to run.
type spot struct {
	reached bool
	a       holding
	// abis has one bit for each ABI that the call may still be of.
	abis uint64
}

// join adds another way to get to a spot.
func (to *spot) join(from spot) {
	if !to.reached {
		*to = from
		return
	}
	if to.a != from.a {
		to.a = holdsOther
	}
	to.abis |= from.abis
}

// annotator writes the notes of one program.
type annotator struct {
	program Program
	abis    []names.ABI
	spots   []spot
}

// annotate returns what there is to say about each instruction. It goes over
// the program once, since all jumps lead forward.
func annotate(p Program, abis []names.ABI) []string {
	abis = abis[:min(len(abis), 64)]
	an := annotator{p, abis, make([]spot, len(p))}
	notes := make([]string, len(p))
	an.reach(0, spot{true, holdsOther, uint64(1)<<len(abis) - 1})
	for pc := range p {
		if an.spots[pc].reached {
			notes[pc] = an.note(pc)
			an.leave(pc)
			continue
		}
		an.spots[pc].a = holdsOther
		notes[pc] = "unreachable"
		if note := an.note(pc); note != "" {
			notes[pc] += ", " + note
		}
	}
	return notes
}

// reach notes a way to an instruction, where there is one.
func (an *annotator) reach(pc uint64, from spot) {
	if pc < uint64(len(an.spots)) {
		an.spots[pc].join(from)
	}
}

// leave notes what is known after the instruction where it may lead.
func (an *annotator) leave(pc int) {
	in, now := an.program[pc], an.spots[pc]
	next := uint64(pc) + 1
	switch in.form() {
	case formUnknown:
		return
	case formBranchK, formBranchX:
		yes, no := an.split(in, now)
		an.reach(next+uint64(in.JT), yes)
		an.reach(next+uint64(in.JF), no)
		return
	case formJump:
		an.reach(next+uint64(in.K), now)
		return
	case formData:
		now.a = holding(in.K)
	default:
		switch in.Code {
		case opRetK, opRetA:
			return
		case opLdxImm, opLdxLen, opLdxMem, opSt, opStx, opTax:
			// A stays as it is.
		default:
			now.a = holdsOther
		}
	}
	an.reach(next, now)
}

// split returns what is known where a condition holds, and where it does not.
func (an *annotator) split(in Instruction, now spot) (yes, no spot) {
	yes, no = now, now
	for i, abi := range an.abis {
		bit := uint64(1) << i
		switch {
		case in.Code == opJeqK && now.a == offsetArch && abi.Audit == in.K:
			no.abis &^= bit
		case in.Code == opJeqK && now.a == offsetArch:
			yes.abis &^= bit
		case !an.testsNumberBit(in, now):
		case abi.NumberBit == in.K:
			no.abis &^= bit
		default:
			yes.abis &^= bit
		}
	}
	return yes, no
}

// testsNumberBit says whether a branch tells the numbers of x32 from others.
func (an *annotator) testsNumberBit(in Instruction, now spot) bool {
	if now.a != offsetNR || in.Code != opJsetK && in.Code != opJgeK {
		return false
	}
	for _, abi := range an.abis {
		if abi.NumberBit != 0 && abi.NumberBit == in.K {
			return true
		}
	}
	return false
}

// note says what the numbers of an instruction mean.
func (an *annotator) note(pc int) string {
	in, now := an.program[pc], an.spots[pc]
	if why := in.wrong(len(an.program) - pc - 1); why != "" {
		return "invalid: " + why
	}
	switch in.form() {
	case formData:
		return wordName(in.K)
	case formBranchK:
		switch {
		case now.a == offsetArch && in.Code == opJeqK:
			return an.archNote(in.K)
		case now.a == offsetNR && an.testsNumberBit(in, now):
			return an.numberBitNote(in.K)
		case now.a == offsetNR && in.Code != opJsetK:
			return an.callNote(in.K, now.abis)
		}
	}
	if in.Code == opRetK {
		return returnNote(in.K)
	}
	return ""
}

// wordName names the 32 bits of seccomp_data at an offset that may be loaded.
func wordName(offset uint32) string {
	half := " low"
	if offset&4 != 0 != bigEndian() {
		half = " high"
	}
	switch {
	case offset == offsetNR:
		return "nr"
	case offset == offsetArch:
		return "arch"
	case offset < offsetArgs:
		return "instruction_pointer" + half
	}
	return "arg" + strconv.FormatUint(uint64(offset-offsetArgs)/8, 10) + half
}

// archNote names the ABIs of an AUDIT_ARCH_* number.
func (an *annotator) archNote(audit uint32) string {
	for _, known := range [][]names.ABI{an.abis, names.ABIs("amd64"), names.ABIs("arm64")} {
		var found []string
		for _, abi := range known {
			if abi.Audit == audit {
				found = append(found, abi.Name)
			}
		}
		if found != nil {
			return strings.Join(found, ", ")
		}
	}
	return "another architecture"
}

// numberBitNote names the ABIs whose numbers have the bit.
func (an *annotator) numberBitNote(bit uint32) string {
	var found []string
	for _, abi := range an.abis {
		if abi.NumberBit == bit {
			found = append(found, abi.Name)
		}
	}
	return "the numbers of " + strings.Join(found, ", ")
}

// callNote names the system call of a number: once where all ABIs that are
// possible here have one name for it, else for each.
func (an *annotator) callNote(nr uint32, possible uint64) string {
	var found, all []string
	for i, abi := range an.abis {
		if possible&(1<<i) == 0 {
			continue
		}
		if name, ok := names.SyscallName(abi.Arch, nr); ok {
			if len(found) == 0 || found[0] != name {
				found = append(found, name)
			}
			all = append(all, name+" ("+abi.Name+")")
		}
	}
	if len(found) > 1 {
		return strings.Join(all, ", ")
	}
	return strings.Join(found, "")
}

// returnNote says what the kernel does on a return value.
func returnNote(ret uint32) string {
	action, data := ActionOf(ret), ret&RetData
	number := strconv.FormatUint(uint64(data), 10)
	switch {
	case uint32(action) != ret&RetActionFull:
		return "KILL_PROCESS, for an unknown action"
	case action == RetErrno && data == 0:
		return "ERRNO(0)"
	case action == RetErrno && data > maxErrno:
		return "ERRNO(" + strconv.Itoa(maxErrno) + ")"
	case action == RetErrno:
		name := names.ErrnoName(int(data))
		return "ERRNO(" + strings.TrimPrefix(name, "errno ") + ")"
	case (action == RetTrap || action == RetTrace) && data != 0:
		return action.String() + "(" + number + ")"
	}
	return action.String()
}
