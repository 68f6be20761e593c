package procfs

import (
	"io"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Net hands a file of net/ below the directory to f, one of the parsers of this
// package.
func (d *Dir) Net(name string, f func(io.Reader) error) error {
	fd, err := d.Open(name, 0)
	if err != nil {
		return err
	}
	defer kernel.Close(fd)
	if err := f(&file{fd, d.path, name}); err != nil {
		return about(kernel.Within(d.path, name), err)
	}
	return nil
}
