package policyfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is one thing that is wrong with a policy file.
type Error struct {
	// File is the file's path as it was given.
	File string
	// Line and Column count from 1, columns in characters. Both are 0 where
	// the file as a whole is meant.
	Line, Column int
	// Message says what is wrong. It holds no control characters.
	Message string

	cause error
}

// Error returns "FILE:LINE:COLUMN: message" without control characters.
func (e *Error) Error() string {
	if e.Line == 0 {
		return printable(e.File) + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", printable(e.File), e.Line, e.Column, e.Message)
}

// Unwrap returns the error that lies beneath, if there is one: that of open(2),
// or policy.ErrEmpty.
func (e *Error) Unwrap() error { return e.cause }

// maxShown bounds what is quoted of a file, in characters.
const maxShown = 40

// quoted returns text from a file in quotes, shortened and without control
// characters.
func quoted(text string) string {
	if utf8.RuneCountInString(text) > maxShown {
		return strconv.Quote(string([]rune(text)[:maxShown]) + "…")
	}
	return strconv.Quote(text)
}

// isPrintable says whether text holds nothing that a terminal would not show as
// a character of its own.
func isPrintable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// printable returns text with everything else escaped.
func printable(text string) string {
	if isPrintable(text) {
		return text
	}
	q := strconv.Quote(text)
	return q[1 : len(q)-1]
}
