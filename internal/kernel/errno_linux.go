package kernel

import "syscall"

// errnoNames are those that an audit's calls can meet: errno(3). The whole table
// of names stands in a room that this one does not import.
var errnoNames = [...]struct {
	errno syscall.Errno
	name  string
}{
	{syscall.EPERM, "EPERM"}, {syscall.ENOENT, "ENOENT"}, {syscall.ESRCH, "ESRCH"}, {syscall.EINTR, "EINTR"}, {syscall.EIO, "EIO"},
	{syscall.EBADF, "EBADF"}, {syscall.ECHILD, "ECHILD"}, {syscall.EAGAIN, "EAGAIN"}, {syscall.ENOMEM, "ENOMEM"}, {syscall.EACCES, "EACCES"},
	{syscall.EFAULT, "EFAULT"}, {syscall.EXDEV, "EXDEV"}, {syscall.ENOTDIR, "ENOTDIR"}, {syscall.EINVAL, "EINVAL"}, {syscall.ENFILE, "ENFILE"},
	{syscall.EMFILE, "EMFILE"}, {syscall.ENOSPC, "ENOSPC"}, {syscall.EROFS, "EROFS"}, {syscall.ENAMETOOLONG, "ENAMETOOLONG"},
	{syscall.ENOSYS, "ENOSYS"}, {syscall.ELOOP, "ELOOP"}, {syscall.EOPNOTSUPP, "EOPNOTSUPP"},
}

// errnoName returns the name of an errno, or the system's words for it.
func errnoName(e syscall.Errno) string {
	for i := range errnoNames {
		if errnoNames[i].errno == e {
			return errnoNames[i].name
		}
	}
	return e.Error()
}
