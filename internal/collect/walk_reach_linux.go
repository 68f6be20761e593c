package collect

import (
	"errors"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

var errCovered = errors.New("another mount covers it")

// reached is a file that was opened with O_PATH.
type reached struct {
	fd    int
	inode kernel.Inode
}

// reach goes to a mount point from the root, and returns the directories on the
// way that not everyone may search.
func (w *walker) reach(m *posture.Mount) (through []posture.Permission, at reached, err error) {
	for end := 0; ; {
		prefix := m.Point[:end]
		if prefix == "" {
			prefix = "/"
		}
		if at, err = w.look(prefix); err != nil {
			if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
				err = errCovered
			}
			return nil, at, err
		}
		if end == len(m.Point) || m.Point == "/" {
			break
		}
		through = w.narrow(through, at.fd, &at.inode)
		kernel.Close(at.fd)
		next := strings.IndexByte(m.Point[end+1:], '/')
		if end += next + 1; next < 0 {
			end = len(m.Point)
		}
	}
	if at.inode.MountID != m.ID {
		kernel.Close(at.fd)
		return nil, at, errCovered
	}
	return through, at, nil
}

func (w *walker) look(path string) (reached, error) {
	fd, err := w.c.OpenInRoot(w.root, path, kernel.OpenPath|kernel.OpenNoFollow, w.source)
	if err != nil {
		return reached{}, err
	}
	inode, err := w.c.Inode(fd, "", path)
	if err != nil {
		kernel.Close(fd)
	}
	return reached{fd, inode}, err
}

// narrow adds a directory that not everyone may search.
func (w *walker) narrow(through []posture.Permission, fd int, st *kernel.Inode) []posture.Permission {
	const everyone = 0o111
	if st.Mode&everyone == everyone {
		return through
	}
	return append(through[:len(through):len(through)], w.permission(fd, ".", st))
}
