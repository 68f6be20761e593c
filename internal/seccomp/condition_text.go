package seccomp

import (
	"strconv"
	"strings"
)

// String returns the condition as it would stand in C or Go: && binds before
// ||, & before ==. It is empty for one that always holds.
func (c Condition) String() string {
	if c.Always() {
		return ""
	}
	text, _ := c.text(c.size())
	return text
}

// text writes the first tests of a condition and says how many it left out.
func (c Condition) text(most int) (string, int) {
	var b strings.Builder
	written := 0
	for i, all := range c.any {
		for j := range all {
			switch {
			case written == most:
				return b.String(), c.size() - written
			case j > 0:
				b.WriteString(" && ")
			case i > 0:
				b.WriteString(" || ")
			}
			b.WriteString(all[j].String())
			written++
		}
	}
	return b.String(), 0
}

// String returns one test in words.
func (c clause) String() string {
	switch c.kind {
	case testEqual:
		return c.left.text(c.narrow) + c.sign(" == ", " != ") + c.right.text(c.narrow)
	case testNotLess:
		return c.left.text(c.narrow) + c.sign(" >= ", " < ") + c.right.text(c.narrow)
	case testMask:
		return c.masked()
	case testLow:
		return c.atLeast(c.half("low32"), c.want)
	}
	if c.narrow && c.of.index < variableIP {
		return c.atLeast(c.half("high32"), c.want>>32)
	}
	return c.atLeast(c.of.text(c.narrow), c.want)
}

func (c clause) sign(holds, fails string) string {
	if c.not {
		return fails
	}
	return holds
}

func (c clause) atLeast(of string, want uint64) string {
	if want == 1 {
		return of + c.sign(" != 0", " == 0")
	}
	return of + c.sign(" >= ", " < ") + numeral(want)
}

func (c clause) masked() string {
	of, mask, want := c.of.text(c.narrow), c.mask, c.want
	full := ^uint64(0)
	switch {
	case c.of.index >= variableNR:
		full = lowWord
	case mask&highWord == 0 && (c.narrow || mask == lowWord):
		of, full = c.half("low32"), lowWord
	case mask&lowWord == 0 && (c.narrow || mask == highWord):
		of, mask, want, full = c.half("high32"), mask>>32, want>>32, lowWord
	}
	if mask != full {
		of += " & " + hex64(mask)
		switch {
		case want != 0:
			return of + c.sign(" == ", " != ") + hex64(want)
		case c.not:
			return of
		}
	}
	return of + c.sign(" == ", " != ") + numeral(want)
}

// half names one word of the variable. The arguments of a 32-bit ABI are their
// low words.
func (c clause) half(which string) string {
	if c.narrow && which == "low32" && c.of.index < variableIP {
		return c.of.text(c.narrow)
	}
	return which + "(" + c.of.text(c.narrow) + ")"
}

func (v variable) text(narrow bool) string {
	switch v.index {
	case variableIP:
		return "instruction pointer"
	case variableNR:
		return "number"
	case variableTerm:
		return v.t.text(narrow)
	}
	return "arg" + strconv.Itoa(int(v.index))
}

// numeral returns small numbers as people write them, and great ones, which are
// mostly flags, in hexadecimal.
func numeral(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10)
	}
	return hex64(n)
}

func hex64(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }

// sign returns how C writes an arithmetic instruction.
func sign(op uint16) string {
	switch op {
	case opAddK:
		return " + "
	case opSubK:
		return " - "
	case opMulK:
		return " * "
	case opDivK:
		return " / "
	case opOrK:
		return " | "
	case opAndK:
		return " & "
	case opXorK:
		return " ^ "
	case opLshK:
		return " << "
	default:
		return " >> "
	}
}

func (t *term) text(narrow bool) string {
	switch {
	case t.op == opNeg:
		return "-" + t.a.text(narrow)
	case t.op != opLdAbs:
		return "(" + t.a.text(narrow) + sign(t.op) + t.b.text(narrow) + ")"
	}
	of, shift := variableOf(t)
	switch {
	case of.index == variableNR || shift == 0 && narrow && of.index < variableIP:
		return of.text(narrow)
	case shift == 0:
		return "low32(" + of.text(narrow) + ")"
	}
	return "high32(" + of.text(narrow) + ")"
}

func (v value) text(narrow bool) string {
	if v.t == nil {
		return numeral(uint64(v.c))
	}
	return v.t.text(narrow)
}
