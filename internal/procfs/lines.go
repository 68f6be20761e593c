package procfs

import (
	"bufio"
	"errors"
	"io"
)

// Bounds on the tables of /proc/net, but for net/unix. A host may have a hundred
// thousand sockets or routes.
const (
	maxNet     = 256 << 20
	maxNetLine = 512
)

// eachLine calls f for every line, without its end, numbered from 0. A file that
// does not end with a line's end was cut short.
func eachLine(r io.Reader, f func(n int, line []byte) error) error {
	limited := &io.LimitedReader{R: r, N: maxNet + 1}
	lines := bufio.NewReaderSize(limited, maxNetLine)
	for n := 0; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case limited.N == 0, errors.Is(err, bufio.ErrBufferFull):
			return ErrTooLong
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			return ErrCut
		case err != nil:
			return err
		}
		if err := f(n, line[:len(line)-1]); err != nil {
			return err
		}
	}
}
