package procfs

import (
	"io"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// UnixSockets reads a file net/unix below the directory: see ParseUnix.
func (d *Dir) UnixSockets(name string) (sockets []UnixSocket, more int, err error) {
	fd, err := d.Open(name, 0)
	if err != nil {
		return nil, 0, err
	}
	defer kernel.Close(fd)
	if sockets, more, err = ParseUnix(&file{fd, d.path, name}); err != nil {
		err = about(kernel.Within(d.path, name), err)
	}
	return sockets, more, err
}

// file reads an open file. under and name tell it in errors.
type file struct {
	fd          int
	under, name string
}

// Read reads as io.Reader says.
func (f *file) Read(b []byte) (int, error) {
	n, err := kernel.Read(f.fd, b, f.under, f.name)
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return n, err
}
