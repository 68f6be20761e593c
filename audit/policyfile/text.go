package policyfile

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

const byteOrderMark = '\ufeff'

// checkText refuses bytes that make a file read otherwise than it looks:
// anything but UTF-8, control characters, and what breaks lines or reverses the
// direction of text for some programs only.
func checkText(text []byte) *Error {
	line, column := 1, 1
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if message := badRune(r, size, rest, len(rest) == len(text)); message != "" {
			return &Error{Line: line, Column: column, Message: message}
		}
		rest = rest[size:]
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return nil
}

// badRune says what is wrong with the first character of rest, or "".
func badRune(r rune, size int, rest []byte, first bool) string {
	switch {
	case r == '\n' || r == '\t':
		return ""
	case r == utf8.RuneError && size <= 1:
		return fmt.Sprintf("not UTF-8: byte %#02x", rest[0])
	case r == '\r' && !bytes.HasPrefix(rest, []byte("\r\n")):
		return "a carriage return without a line feed"
	case r == '\r', r == byteOrderMark && first:
		return ""
	case unicode.Is(unicode.Cc, r), r == '\u2028', r == '\u2029', r == byteOrderMark, unicode.Is(unicode.Bidi_Control, r):
		return fmt.Sprintf("character %U is not allowed here", r)
	default:
		return ""
	}
}
