package probes

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/child"
)

// word is one argument of a call, as a table can hold it.
type word struct {
	kind wordKind
	n    int
	s    string
	b    []byte
	step child.Step
}

type wordKind uint8

const (
	wordInt    wordKind = iota
	wordString          // address of a string
	wordBytes           // address of a copy of b
	wordRoom            // address of n zero bytes
	wordResult          // what an earlier call returned
	wordAddr            // an address in the shared memory
)

// bad is all ones: as an address, a descriptor or a set of flags it means
// nothing to any call it is given to here.
var bad = word{kind: wordInt, n: -1}

func i(n int) word                 { return word{kind: wordInt, n: n} }
func c(name string, n int) word    { return word{kind: wordInt, n: n, s: name} }
func s(text string) word           { return word{kind: wordString, s: text} }
func data(b []byte) word           { return word{kind: wordBytes, b: b} }
func room(n int) word              { return word{kind: wordRoom, n: n} }
func result(m made) word           { return word{kind: wordResult, step: m.step} }
func args(words ...word) []word    { return words }
func acts(list ...[]word) [][]word { return list }

// arg places the word in the program.
func (w word) arg(b *builder) child.Arg {
	switch w.kind {
	case wordString:
		return b.String(w.s)
	case wordBytes:
		return b.Addr(b.Bytes(w.b))
	case wordRoom:
		return b.Addr(b.Buffer(w.n))
	case wordResult:
		return child.Result(w.step)
	default:
		return child.Int(w.n)
	}
}

// describe writes arguments for a person.
func describe(words []word) string {
	parts := make([]string, len(words))
	for k, w := range words {
		switch w.kind {
		case wordString:
			parts[k] = strconv.Quote(w.s)
		case wordBytes, wordRoom, wordAddr:
			parts[k] = "{…}"
		case wordResult:
			parts[k] = "…"
		default:
			if parts[k] = w.s; w.s == "" {
				parts[k] = number10or16(w.n)
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
func (b *builder) at(buf child.Buffer) word { return word{kind: wordAddr, n: int(b.Addr(buf).Value())} }

// ones returns shared memory full of ones. A filter that answers success
// without making the call leaves them, and they never read as an empty set.
func (b *builder) ones(size int) child.Buffer {
	buf := b.Buffer(size)
	for k := range b.Read(buf) {
		b.Read(buf)[k] = 0xff
	}
	return buf
}
