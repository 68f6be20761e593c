package procfs

import (
	"bytes"
	"context"
	"errors"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// ErrChanging means that a file was never twice the same when it was read.
var ErrChanging = errors.New("kept changing while it was read")

// maxMountReadings is how often a mountinfo file is read for two readings that
// agree.
const maxMountReadings = 16

// MountInfo reads a mountinfo file below the directory. The kernel hands such a
// file out in pieces, and mounts may come and go between them, so it is read
// until two readings in a row are the same: else the error is ErrChanging.
func (d *Dir) MountInfo(ctx context.Context, name string) ([]byte, error) {
	var before, now []byte
	for range maxMountReadings {
		var err error
		if now, err = d.readLong(ctx, name, now[:0]); err != nil {
			return nil, err
		}
		if before != nil && bytes.Equal(before, now) {
			return now, nil
		}
		before, now = now, before
	}
	return nil, about(kernel.Within(d.path, name), ErrChanging)
}

// readLong reads a file that may be longer than those of a thread are, into the
// room that buf has. Of mounts that lie upon each other in thousands the kernel
// takes seconds to tell, so each piece is a chance to give up.
func (d *Dir) readLong(ctx context.Context, name string, buf []byte) ([]byte, error) {
	fd, err := d.Open(name, 0)
	if err != nil {
		return nil, err
	}
	defer kernel.Close(fd)
	if cap(buf) == 0 {
		buf = make([]byte, 0, 64<<10)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, about(kernel.Within(d.path, name), err)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := kernel.Read(fd, buf[len(buf):cap(buf)], d.path, name)
		switch {
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		}
		if buf = buf[:len(buf)+n]; len(buf) > maxMountInfo {
			return nil, about(kernel.Within(d.path, name), ErrTooLong)
		}
	}
}
