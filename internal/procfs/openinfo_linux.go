package procfs

import "github.com/selfaudit/selfaudit/internal/kernel"

// ReadFirst is Read for the first bytes of a file, as many as one read(2) gives:
// of a file that the kernel makes that is the beginning, up to a whole buffer.
func (d *Dir) ReadFirst(name string, b *Buffer) ([]byte, error) {
	fd, err := d.Open(name, 0)
	if err != nil {
		return nil, err
	}
	defer kernel.Close(fd)
	buf := b.room()
	n, err := kernel.Read(fd, buf, d.path, name)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
