// Package procfs reads /proc, and believes it only where it has shown to be
// the kernel's own: a procfs, its root, counting processes as we do, with
// nothing mounted over what is read. The parsers take an io.Reader or bytes
// and work on every system.
package procfs

import (
	"errors"
	"io"
)

// maxFile bounds what is read of one file of /proc. The longest status has
// 65536 groups of at most 11 bytes each.
const maxFile = 2 << 20

// ErrTooLong means that a file of /proc is longer than any that the kernel makes.
var ErrTooLong = errors.New("longer than any that the kernel makes")

// ErrCut means that a file does not end with a newline, so that its last line
// may not be whole.
var ErrCut = errors.New("cut short: no newline at its end")

// ErrMalformed means that a file is not as the kernel writes it.
var ErrMalformed = errors.New("not as the kernel writes it")

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, ErrTooLong
	}
	return b, nil
}

// because returns an error that is both: a kind of error, and what brought it
// about. Out of line, since errors are made in many places.
//
//go:noinline
func because(kind, cause error) error { return &causedError{kind, cause} }

// about puts before an error what it is about.
//
//go:noinline
func about(what string, err error) error { return because(errors.New(what), err) }

type causedError struct{ kind, cause error }

func (e *causedError) Error() string   { return e.kind.Error() + ": " + e.cause.Error() }
func (e *causedError) Unwrap() []error { return []error{e.kind, e.cause} }

func malformed(what string) error { return about(what, ErrMalformed) }
