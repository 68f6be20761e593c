package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SafeLimit is the most bytes that Safe returns for the text itself; quotes
// and the note that something was left out come on top of it.
const SafeLimit = 512

// Safe makes bytes that a process chose harmless for a terminal and for a
// reader: valid UTF-8 without control, format, bidirectional, combining and
// invisible characters. Those are written as \xNN for a byte and \u{NNNN} for
// a character, and a backslash is doubled, so that different bytes stay
// different. Anything but a plain word is put in double quotes, so that it
// cannot be taken for words of the report.
//
// What is longer than SafeLimit is cut, and says so outside the quotes.
func Safe(s string) string {
	if isWord(s) {
		return s
	}
	text, rest := escape(s, SafeLimit, style{keep: terminal, double: true})
	quoted := `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
	if rest > 0 {
		return fmt.Sprintf("%s… (%d bytes more)", quoted, rest)
	}
	return quoted
}

// isWord says whether s can stand without quotes: short, ASCII, no spaces and
// nothing that the report uses as punctuation around it.
func isWord(s string) bool {
	if s == "" || len(s) > SafeLimit {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("_./:@%+=-", rune(c)) {
			return false
		}
	}
	return true
}

// style says how bytes are escaped.
type style struct {
	// keep says which characters stand as they are.
	keep func(rune) bool
	// double writes a backslash as two, so that what was escaped can be told
	// from what merely looks so. Sentences of the checks go without: names
	// inside them were quoted when they were written.
	double bool
}

// escape writes every character that is not kept as an escape, and stops
// before the output grows over limit bytes. It returns how many bytes of s it
// left out.
func escape(s string, limit int, how style) (text string, rest int) {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		piece := s[i : i+size]
		switch {
		case r == utf8.RuneError && size == 1:
			piece = fmt.Sprintf(`\x%02x`, s[i])
		case r == '\\' && how.double:
			piece = `\\`
		case r < 0x80 && !how.keep(r):
			piece = fmt.Sprintf(`\x%02x`, r)
		case !how.keep(r):
			piece = fmt.Sprintf(`\u{%x}`, r)
		}
		if b.Len()+len(piece) > limit {
			return b.String(), len(s) - i
		}
		b.WriteString(piece)
		i += size
	}
	return b.String(), 0
}

// document says which characters a JSON string keeps: every one that neither
// steers a terminal nor hides when the string is printed.
func document(r rune) bool {
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs)
}

// terminal says which characters a terminal is given as they are. Marks
// combine with what stands before them, and letters written from right to
// left reorder the text around them, so neither is kept.
func terminal(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.M, unicode.Other_Default_Ignorable_Code_Point, rightToLeft) &&
		r != brailleBlank && r != utf8.RuneError
}

// brailleBlank is a symbol that shows nothing.
const brailleBlank = 0x2800

// rightToLeft are the blocks that Unicode sets aside for scripts written from
// right to left.
var rightToLeft = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x0590, Hi: 0x08ff, Stride: 1}, {Lo: 0xfb1d, Hi: 0xfdff, Stride: 1}, {Lo: 0xfe70, Hi: 0xfeff, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x10800, Hi: 0x10fff, Stride: 1}, {Lo: 0x1e800, Hi: 0x1efff, Stride: 1}},
}

// Sentence makes a line of our own words, in which bytes that a process chose
// may stand quoted, harmless for a terminal. It is bounded.
func Sentence(s string) string { return printable(s, style{keep: terminal}) }
