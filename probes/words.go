package probes

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/child"
)

// word is one argument of a call. It is small and plain, so that a table of
// them is data and no code.
type word struct {
	kind wordKind
	// n is the number, the size, the step or the place in the shared memory.
	n int32
	// s is the text or the bytes; of a number, its name.
	s string
}

// words are the arguments of one call.
type words []word

type wordKind uint8

const (
	plainNumber wordKind = iota
	text                 // address of a string
	blob                 // address of a copy of s
	zeros                // address of n zero bytes
	fromStep             // what an earlier call returned
	place                // an address in the shared memory
)

// bad is all ones: as an address, a descriptor or a set of flags it means
// nothing to any call it is given to here.
var bad = word{n: -1}

func i(n int) word              { return word{n: int32(n)} }
func c(name string, n int) word { return word{n: int32(n), s: name} }
func s(str string) word         { return word{kind: text, s: str} }
func data(b []byte) word        { return word{kind: blob, s: string(b)} }
func room(n int) word           { return word{kind: zeros, n: int32(n)} }
func result(m *made) word       { return word{kind: fromStep, n: int32(m.step)} }
func args(list ...word) words   { return list }

// arg places the word in the program.
func (w word) arg(b *builder) child.Arg {
	switch w.kind {
	case text:
		return b.String(w.s)
	case blob:
		return b.Addr(b.Bytes([]byte(w.s)))
	case zeros:
		return b.Addr(b.Buffer(int(w.n)))
	case fromStep:
		return child.Result(child.Step(w.n))
	case place:
		return b.Addr(child.BufferAt(int(w.n)))
	default:
		return child.Int(int(w.n))
	}
}

// describe writes arguments for a person.
func describe(list words) string {
	parts := make([]string, len(list))
	for k, w := range list {
		switch w.kind {
		case text:
			parts[k] = strconv.Quote(w.s)
		case blob, zeros, place:
			parts[k] = "{…}"
		case fromStep:
			parts[k] = "…"
		default:
			if parts[k] = w.s; w.s == "" {
				parts[k] = number10or16(int(w.n))
			}
		}
	}
	return strings.Join(parts, ", ")
}

func number10or16(n int) string {
	if n >= -100 && n < 4096 {
		return strconv.Itoa(n)
	}
	return "0x" + strconv.FormatUint(uint64(uint(n)), 16)
}

// at is a piece of shared memory that a plan reads back.
func (b *builder) at(buf child.Buffer) word { return word{kind: place, n: int32(buf.Offset())} }

// ones returns shared memory full of ones. A filter that answers success
// without making the call leaves them, and they never read as an empty set.
func (b *builder) ones(size int) child.Buffer {
	buf := b.Buffer(size)
	for k := range b.Read(buf) {
		b.Read(buf)[k] = 0xff
	}
	return buf
}
