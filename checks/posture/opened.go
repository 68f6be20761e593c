package posture

import (
	"strconv"
	"strings"
)

// OpenFiles are the open descriptors of a process, in every table that its
// threads have. Those that do not share one (CLONE_FILES of clone(2)) have
// tables of their own.
type OpenFiles struct {
	// Seen are the descriptors that were looked at.
	Seen []OpenFile
	// Whole is true where each table was listed once more in the end and held
	// no other. It is unreadable where a table could not be read or kept
	// changing: then there may be more than those seen.
	Whole Fact[bool]
}

// FileKind says what a descriptor is of. The zero value is no kind.
type FileKind uint8

// The kinds of what descriptors are of.
const (
	FileNoKind    FileKind = iota
	FileDirectory          // a directory, or a mount by fsmount(2) or open_tree(2)
	FileRegular            // a file with a name, or one that had it
	FileBlock              // a block device
	FileCharacter          // a character device
	FileFIFO               // a pipe with a name
	FilePipe               // a pipe without
	FileSocket             // a socket
	FileLink               // a symbolic link or a socket's name, by O_PATH
	FileMemory             // memfd_create(2) and the like: memory that has no place
	FileNamespace          // a namespace: namespaces(7)
	FilePidfd              // a process: pidfd_open(2)
	FileProcess            // a file of /proc that opens a process's memory
	FileKernel             // any other kernel object: eventfd(2), bpf(2), io_uring_setup(2)
)

// OpenFile is one open descriptor, with what it is of.
type OpenFile struct {
	FD int
	// TID is a thread whose table holds it.
	TID int
	// Path is what the kernel prints for it. The target chose its bytes, but
	// for kernel objects.
	Path string
	Kind Fact[FileKind]
	// Flags are those it was opened with.
	Flags Fact[OpenFlags]
	// FileSystem is the device number of its file system: st_dev of stat(2). It
	// is 0 where Kind is not known.
	FileSystem uint64
	// Major and Minor are a device's number.
	Major, Minor uint32
	// Object names a kernel object as the kernel does, without "anon_inode:";
	// of FileProcess it is the name of the file, of FileNamespace the type.
	Object string
	// Detail is what else is known of a kernel object, in words.
	Detail string
	// Protocol is the kernel's name of a socket's protocol: "TCP", "RAWv6".
	Protocol Fact[string]
	// Own is true for the process's own namespaces and memory, and for a pidfd
	// of itself, of a child of its own, or of a process that has ended.
	Own Fact[bool]
	// OutsideRoot and ReadOnly are asked of what is open for writing and has a
	// place: whether that lies outside the root directory, and whether the mount
	// that it was opened by, or that its path leads to, is read-only.
	OutsideRoot, ReadOnly Fact[bool]
}

// OpenFlags are flags of open(2), as proc_pid_fdinfo(5) shows them.
type OpenFlags struct {
	// Write is true where it is open for writing, Path where it was opened by
	// O_PATH.
	Write, Path bool
	CloseOnExec bool
}

// SocketInode returns the number of a socket, by which /proc/net lists it.
func (f *OpenFile) SocketInode() (inode uint64, is bool) {
	const before, after = "socket:[", "]"
	if kind, known := f.Kind.Get(); !known || kind != FileSocket || !strings.HasPrefix(f.Path, before) || !strings.HasSuffix(f.Path, after) {
		return 0, false
	}
	n, err := strconv.ParseUint(f.Path[len(before):len(f.Path)-len(after)], 10, 64)
	return n, err == nil
}
