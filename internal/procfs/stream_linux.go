package procfs

import (
	"errors"
	"io"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Stream calls f with a reader of a file below the directory.
func (d *Dir) Stream(name string, f func(io.Reader) error) error {
	fd, err := d.Open(name, 0)
	if err != nil {
		return err
	}
	defer kernel.Close(fd)
	if err := f(&file{fd, d.path, name}); err != nil {
		var e *kernel.Error
		if errors.As(err, &e) {
			return err
		}
		return about(kernel.Within(d.path, name), err)
	}
	return nil
}

// Sysctl reads a file below sys of the root of a procfs. Container runtimes mount
// that directory over itself, to make it read-only: what lies on the very same
// procfs is read all the same.
func (d *Dir) Sysctl(name string, b *Buffer) ([]byte, error) {
	path := "sys/" + name
	data, err := d.Read(path, b)
	if !errors.Is(err, ErrMountedOver) {
		return data, err
	}
	own, err := d.c.Stat(d.fd, d.path)
	if err != nil {
		return nil, err
	}
	look, err := kernel.Open(d.fd, path, kernel.OpenPath|kernel.OpenNoFollow, d.path)
	if err != nil {
		return nil, err
	}
	st, err := d.c.Stat(look, kernel.Within(d.path, path))
	kernel.Close(look)
	switch {
	case err != nil:
		return nil, err
	case st.Dev != own.Dev:
		return nil, about(kernel.Within(d.path, path), ErrMountedOver)
	}
	fd, err := kernel.Open(d.fd, path, kernel.OpenNonblock|kernel.OpenNoFollow, d.path)
	if err != nil {
		return nil, err
	}
	defer kernel.Close(fd)
	if again, err := d.c.Stat(fd, kernel.Within(d.path, path)); err != nil || again.Dev != own.Dev {
		return nil, about(kernel.Within(d.path, path), ErrMountedOver)
	}
	return b.read(fd, d.path, path)
}

// OpenFile opens for reading what a magic link below the directory leads to. The
// caller knows that it is a regular file on a file system that answers.
func (d *Dir) OpenFile(name string) (int, error) { return d.follow(name, kernel.OpenNonblock) }
