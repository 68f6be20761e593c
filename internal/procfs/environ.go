package procfs

import (
	"bytes"
	"io"
)

const (
	// maxEnviron bounds an initial environment. The kernel takes at most 6 MiB of
	// arguments and environment together; who moves its borders, by PR_SET_MM,
	// can make it look longer.
	maxEnviron = 8 << 20
	// maxVariable bounds what is kept of one variable's name.
	maxVariable = 128
)

// Environment reads an environ file: proc_pid_environ(5). It calls each with the
// name of each variable, cut where it is long, and whether its value is empty.
// Nothing of any value is kept. It returns how many variables there are.
func Environment(r io.Reader, each func(name []byte, empty bool)) (count int, err error) {
	var name []byte
	named, began, empty := false, false, true
	end := func() {
		if began {
			count++
			if named {
				each(name, empty)
			}
		}
		name, named, began, empty = name[:0], false, false, true
	}
	buf := make([]byte, 16<<10)
	for total := 0; ; {
		n, err := r.Read(buf)
		if total += n; total > maxEnviron {
			return count, ErrTooLong
		}
		for rest := buf[:n]; len(rest) > 0; {
			at := bytes.IndexByte(rest, 0)
			part := rest
			if at >= 0 {
				part, rest = rest[:at], rest[at+1:]
			} else {
				rest = nil
			}
			began = began || len(part) > 0
			if !named {
				var word []byte
				word, part, named = bytes.Cut(part, []byte{'='})
				name = append(name, word[:min(len(word), maxVariable-len(name))]...)
			}
			empty = empty && len(part) == 0
			if at >= 0 {
				end()
			}
		}
		switch err {
		case nil:
		case io.EOF:
			end()
			return count, nil
		default:
			return count, err
		}
	}
}
