package checks_test

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
)

// askOpened adds to a policy everything that can be asked of open descriptors
// but the first key.
func askOpened(d *policy.Descriptors) {
	d.NoneWritable, d.NoDevices, d.NoRawSockets, d.NoNamespaces, d.NoKernelObjects = true, true, true, true, true
}

const openedSource = "/proc/10/task/10/fd"

// openFile makes one descriptor, open for writing and closed by execve(2).
func openFile(fd int, path string, kind posture.FileKind, change func(*posture.OpenFile)) posture.OpenFile {
	f := posture.OpenFile{
		FD: fd, TID: 10, Path: path, Kind: fact(kind, openedSource, path),
		Flags: fact(posture.OpenFlags{Write: true, CloseOnExec: true}, openedSource, "flags: 02000002"),
	}
	change(&f)
	return f
}

// within places what is open for writing.
func within(f *posture.OpenFile) {
	f.OutsideRoot, f.ReadOnly = fact(false, openedSource, "mount 30"), fact(false, openedSource, "mount 30")
}

// confineOpened gives a process descriptors of many kinds, all its own.
func confineOpened(p *posture.Process) {
	p.MakeReach().OpenFiles.Whole = fact(true, openedSource, "descriptors")
	p.MakeReach().OpenFiles.Seen = []posture.OpenFile{
		openFile(0, "/dev/null", posture.FileCharacter, func(f *posture.OpenFile) { f.Major, f.Minor = 1, 3 }),
		openFile(1, "/data/log", posture.FileRegular, within),
		openFile(2, "socket:[17]", posture.FileSocket, func(f *posture.OpenFile) { f.Protocol = fact("TCP", openedSource, "TCP") }),
		openFile(3, "anon_inode:[eventpoll]", posture.FileKernel, func(f *posture.OpenFile) { f.Object = "[eventpoll]" }),
		openFile(4, "anon_inode:[pidfd]", posture.FilePidfd, func(f *posture.OpenFile) { f.Own = fact(true, openedSource, "Pid: 10") }),
		openFile(5, "/proc/10/mem", posture.FileProcess, func(f *posture.OpenFile) {
			within(f)
			f.Object, f.Own = "mem", fact(true, openedSource, "/proc/10/mem")
		}),
	}
}
