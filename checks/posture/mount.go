package posture

import "strings"

// Mount is one mount as the process sees it: proc_pid_mountinfo(5). All strings
// but Options may hold bytes that the target chose.
type Mount struct {
	// ID and Parent are the kernel's numbers. They are used again after a mount
	// is gone.
	ID, Parent uint64
	// Major and Minor are the device number of its file system.
	Major, Minor uint32
	// Root is the directory, or the file, of the file system that is mounted.
	Root string
	// Point is where, as a path from the root directory of the process.
	Point string
	// Options are those of this mount, joined by commas: "ro,nosuid".
	Options string
	// Type is the file system's: "ext4", "fuse.sshfs".
	Type string
	// Source is what was mounted: a device, or any word.
	Source string
	// SuperOptions are those of the file system, as the kernel printed them: it
	// escapes commas within a value.
	SuperOptions string
	Propagation  Propagation
	// Reachable is true where the mount point leads to it, and false where
	// another mount covers it. Unreadable where nobody asked.
	Reachable Fact[bool]
}

// Has says whether the mount itself has an option: "nosuid".
func (m *Mount) Has(option string) bool {
	for rest, more := m.Options, true; more; {
		var one string
		if one, rest, more = strings.Cut(rest, ","); one == option {
			return true
		}
	}
	return false
}

// ReadOnly says whether nothing can be written through it: its own option, or
// that of the whole file system.
func (m *Mount) ReadOnly() bool {
	super, _, _ := strings.Cut(m.SuperOptions, ",")
	return m.Has("ro") || super == "ro"
}

// MountTable is what threads see of their mount namespace from their root
// directory.
type MountTable struct {
	// TID is the first of those threads.
	TID int
	// Mounts are those below the root directory, in the kernel's order.
	Mounts Fact[[]Mount]
	// Root is the number of the mount that the root directory lies on. After
	// chroot(2) that need not be one of Mounts.
	Root Fact[uint64]
	// Owned is true where the user namespace of the thread owns the mount
	// namespace, as whoever changes a mount must have CAP_SYS_ADMIN over the owner:
	// ioctl_ns(2), Linux 4.9.
	Owned Fact[bool]
	// Disagree is in what listmount(2) and statmount(2), Linux 6.8, say otherwise:
	// the first of it. Absent where this kernel has no such calls, or where they
	// see the mounts from another place.
	Disagree Fact[[]MountDisagreement]
}

// MountDisagreement is one thing that two sources say otherwise of a mount.
type MountDisagreement struct {
	// Point is where it lies, by mountinfo where that has it.
	Point string
	// What names the thing: "root", "options".
	What string
	// Shown is what mountinfo has, Asked what statmount(2) answered.
	Shown, Asked string
}

// Propagation is how mounts and unmounts below a mount spread:
// mount_namespaces(7). The zero value is private.
type Propagation struct {
	// Shared is its peer group, or 0.
	Shared uint32
	// Master is the peer group that it is a slave of, or 0, and From the one
	// nearest to that which the process can see, or 0.
	Master, From uint32
	Unbindable   bool
}

// String returns the words of mount(8): "private", "shared", "slave",
// "shared,slave", "unbindable".
func (p Propagation) String() string {
	switch {
	case p.Shared != 0 && p.Master != 0:
		return "shared,slave"
	case p.Shared != 0:
		return "shared"
	case p.Master != 0:
		return "slave"
	case p.Unbindable:
		return "unbindable"
	default:
		return "private"
	}
}
