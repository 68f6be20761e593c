package kernel

import "golang.org/x/sys/unix"

// NamespaceOwner opens the user namespace that owns the namespace open at fd:
// ioctl_ns(2) with NS_GET_USERNS, Linux 4.9. It fails with EPERM where that is
// neither the caller's nor below it.
func NamespaceOwner(fd int, shown string) (int, error) {
	owner, err := unix.IoctlRetInt(fd, unix.NS_GET_USERNS)
	if err != nil {
		return -1, fail("ioctl(2) NS_GET_USERNS", shown, errnoOf(err))
	}
	return owner, nil
}

// NamespaceParent opens the namespace above the pid or user namespace open at fd:
// ioctl_ns(2) with NS_GET_PARENT, Linux 4.9. It fails with EPERM where that is
// neither the caller's nor below it.
func NamespaceParent(fd int, shown string) (int, error) {
	parent, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
	if err != nil {
		return -1, fail("ioctl(2) NS_GET_PARENT", shown, errnoOf(err))
	}
	return parent, nil
}
