// Package render writes a report as text or as JSON. It prints and never
// decides: the verdict, the order and the words are the report's.
//
// Whatever the audited process could have chosen is escaped on its way out.
package render

import (
	"errors"
	"io"
)

var errNoReport = errors.New("render: no report")

// writeAll writes b at once, so that a full disk or a closed pipe is noticed
// and never leaves half a report with a success behind it.
func writeAll(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err != nil {
		return err
	}
	if n < len(b) {
		return io.ErrShortWrite
	}
	return nil
}
