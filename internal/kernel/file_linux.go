package kernel

import "io"

// OpenedFile reads an open file at any place. It moves the file's position.
type OpenedFile struct {
	c     *Calls
	fd    int
	shown string
}

// File is an OpenedFile of a descriptor, which stays the caller's.
func (c *Calls) File(fd int, shown string) OpenedFile { return OpenedFile{c, fd, shown} }

// ReadAt reads as io.ReaderAt says, by lseek(2) and read(2).
func (f OpenedFile) ReadAt(b []byte, at int64) (int, error) {
	if err := f.c.Seek(f.fd, at, f.shown); err != nil {
		return 0, err
	}
	done := 0
	for done < len(b) {
		n, err := Read(f.fd, b[done:], "", f.shown)
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}
