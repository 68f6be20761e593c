package seccomp

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// instructionSize is the size of struct sock_filter, in bytes.
const instructionSize = 8

// ErrLength means that bytes are no list of 1 to MaxInstructions instructions.
var ErrLength = errors.New("seccomp: not a filter's length")

// Decode reads instructions as the kernel hands them out and takes them: struct
// sock_filter, in host byte order. It looks at the length alone; what the
// kernel refuses in the instructions, Validate tells.
func Decode(raw []byte) (Program, error) {
	n := len(raw) / instructionSize
	if len(raw)%instructionSize != 0 || n == 0 || n > MaxInstructions {
		return nil, &lengthError{len(raw)}
	}
	p := make(Program, n)
	for i := range p {
		b := raw[i*instructionSize:][:instructionSize]
		p[i] = Instruction{
			Code: binary.NativeEndian.Uint16(b),
			JT:   b[2],
			JF:   b[3],
			K:    binary.NativeEndian.Uint32(b[4:]),
		}
	}
	return p, nil
}

// Encode returns the program as seccomp(2) takes it, in host byte order.
func (p Program) Encode() []byte {
	raw := make([]byte, 0, len(p)*instructionSize)
	for _, in := range p {
		raw = binary.NativeEndian.AppendUint16(raw, in.Code)
		raw = append(raw, in.JT, in.JF)
		raw = binary.NativeEndian.AppendUint32(raw, in.K)
	}
	return raw
}

// lengthError is ErrLength with the number of bytes.
type lengthError struct{ bytes int }

func (e *lengthError) Error() string {
	return ErrLength.Error() + ": " + strconv.Itoa(e.bytes) + " bytes"
}

// Unwrap makes errors.Is find ErrLength.
func (e *lengthError) Unwrap() error { return ErrLength }
