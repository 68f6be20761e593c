package procfs

import (
	"errors"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// ErrMountedOver means that what was to be read does not lie on the verified
// procfs itself: something is mounted over it.
var ErrMountedOver = errors.New("something is mounted over it")

// Dir is a directory of a verified procfs, held open. Nothing that is mounted
// over anything below it is read through it.
type Dir struct {
	c    *kernel.Calls
	fd   int
	path string
	// guard checks mount ids. It is nil where openat2(2) does that.
	guard *guard
	// listed is true once the directory's position may not be its start.
	listed bool
}

// guard knows the mount that every file must lie on.
type guard struct {
	want    uint64
	mountID func(fd int, shown string) (uint64, error)
	// dir is a descriptor that the guard holds, or -1.
	dir int
}

func (g *guard) check(fd int, shown string) error {
	id, err := g.mountID(fd, shown)
	if err != nil {
		return about(shown+": mount id", err)
	}
	if id != g.want {
		return about(shown, ErrMountedOver)
	}
	return nil
}

// Path is the directory's name in sources and errors.
func (d *Dir) Path() string { return d.path }

// FD is the directory's descriptor, which stays the Dir's.
func (d *Dir) FD() int { return d.fd }

// Close closes the directory.
func (d *Dir) Close() { kernel.Close(d.fd) }

// Open opens a file below the directory for reading. It does not follow a
// link in the last place, and none of /proc's magic links anywhere.
func (d *Dir) Open(name string, flags int) (int, error) {
	if d.guard != nil {
		return d.walk(name, flags, d.path+"/"+name)
	}
	fd, err := d.c.OpenBeneath(d.fd, name, flags|kernel.OpenNoFollow, d.path)
	if errors.Is(err, syscall.EXDEV) {
		return -1, because(ErrMountedOver, err)
	}
	return fd, err
}

// walk opens name component by component and compares mount ids.
func (d *Dir) walk(name string, flags int, shown string) (int, error) {
	at := d.fd
	defer func() {
		if at != d.fd {
			kernel.Close(at)
		}
	}()
	for {
		part, rest, more := strings.Cut(name, "/")
		if part == ".." || part == "" {
			return -1, malformed(shown)
		}
		look, err := d.guarded(at, part, kernel.OpenPath, shown)
		if err != nil {
			return -1, err
		}
		if !more {
			if flags&kernel.OpenPath != 0 {
				return look, nil
			}
			// It was looked at first, since opening what someone mounted
			// there for reading could block or have an effect.
			kernel.Close(look)
			return d.guarded(at, part, flags|kernel.OpenNonblock, shown)
		}
		if at != d.fd {
			kernel.Close(at)
		}
		at, name = look, rest
	}
}

func (d *Dir) guarded(at int, part string, flags int, shown string) (int, error) {
	fd, err := kernel.Open(at, part, flags|kernel.OpenNoFollow, strings.TrimSuffix(shown, "/"+part))
	if err != nil {
		return -1, err
	}
	if err := d.guard.check(fd, shown); err != nil {
		kernel.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Sub opens a directory below this one.
func (d *Dir) Sub(name string) (*Dir, error) {
	fd, err := d.Open(name, kernel.OpenDirectory)
	if err != nil {
		return nil, err
	}
	return &Dir{c: d.c, fd: fd, path: d.path + "/" + name, guard: d.guard}, nil
}

// Read reads a file below the directory into b. The result is valid until the
// next use of b.
func (d *Dir) Read(name string, b *Buffer) ([]byte, error) {
	fd, err := d.Open(name, 0)
	if err != nil {
		return nil, err
	}
	defer kernel.Close(fd)
	return b.read(fd, d.path, name)
}

// Readlink reads a link below the directory, a magic one too, without
// following it.
func (d *Dir) Readlink(name string) (string, error) {
	fd, err := d.Open(name, kernel.OpenPath)
	if err != nil {
		return "", err
	}
	defer kernel.Close(fd)
	link, err := d.c.Readlink(fd, "", "")
	if e, ok := err.(*kernel.Error); ok {
		e.File = kernel.Within(d.path, name)
	}
	return link, err
}

// Follow opens what a magic link below the directory leads to, with O_PATH
// only: nothing is asked of the driver or the file system behind it.
func (d *Dir) Follow(name string) (int, error) { return d.follow(name, kernel.OpenPath) }

// OpenNamespace opens a namespace by its magic link, for setns(2). What lies
// behind such a link is no device or pipe, whoever's process it is.
func (d *Dir) OpenNamespace(name string) (int, error) { return d.follow(name, 0) }

func (d *Dir) follow(name string, flags int) (int, error) {
	link, err := d.Open(name, kernel.OpenPath)
	if err != nil {
		return -1, err
	}
	kernel.Close(link)
	return kernel.Open(d.fd, name, flags, d.path)
}

// Numbers lists the numeric names in the directory: threads, descriptors.
func (d *Dir) Numbers(b *Buffer, out []int) ([]int, error) {
	fresh := !d.listed
	d.listed = true
	if fresh || d.c.Seek(d.fd, 0, d.path) == nil {
		return d.c.ReadNumbers(d.fd, b.room(), out, d.path)
	}
	fd, err := d.Open(".", kernel.OpenDirectory)
	if err != nil {
		return out, err
	}
	defer kernel.Close(fd)
	return d.c.ReadNumbers(fd, b.room(), out, d.path)
}

// ReadlinkPlain reads a link below the directory without a look at what is
// mounted over it: for what is shown and not relied on.
func (d *Dir) ReadlinkPlain(name string) (string, error) {
	return d.c.Readlink(d.fd, name, d.path)
}

// Buffer is room for the bytes of one file, used again for the next.
type Buffer struct{ b []byte }

// firstRoom takes any status file without hundreds of groups.
const firstRoom = 4 << 10

func (b *Buffer) room() []byte {
	if b.b == nil {
		b.b = make([]byte, firstRoom)
	}
	return b.b
}

// read reads a file to its end. under and name tell it in errors.
func (b *Buffer) read(fd int, under, name string) ([]byte, error) {
	buf, n := b.room(), 0
	for {
		if n == len(buf) {
			if n > maxFile {
				return nil, about(kernel.Within(under, name), ErrTooLong)
			}
			buf = append(buf, make([]byte, len(buf))...)
			b.b = buf
		}
		m, err := kernel.Read(fd, buf[n:], under, name)
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return buf[:n], nil
		}
		n += m
	}
}

// ReadUnverified reads a file by its path, with no calls but openat(2),
// read(2) and close(2). Nothing shows that the kernel wrote what it returns.
func ReadUnverified(path string) ([]byte, error) {
	fd, err := kernel.Open(kernel.CurrentDir, path, kernel.OpenNonblock, "")
	if err != nil {
		return nil, err
	}
	defer kernel.Close(fd)
	var b Buffer
	return b.read(fd, "", path)
}
