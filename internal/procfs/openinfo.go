package procfs

import (
	"bytes"
	"strconv"
)

// OpenInfo is the head of /proc/<pid>/fdinfo/<fd>: proc_pid_fdinfo(5).
type OpenInfo struct {
	// Flags are those of open(2) and of the descriptor, as open(2) numbers them.
	Flags uint32
	// MountID is the mount that it was opened by: Linux 3.15.
	MountID uint64
	// Ino is the file's inode where HasIno is true: Linux 5.14.
	Ino    uint64
	HasIno bool
	// Pidfd is true for a pidfd, and PID is the process: 0 where it has no number
	// in the procfs's pid namespace, -1 where it has ended.
	Pidfd bool
	PID   int
	// Rest are the lines after those, of which there may be more than were read.
	// What they say depends on what the descriptor is of.
	Rest []byte
}

// openLines are the lines that every fdinfo begins with, in the kernel's order.
var openLines = [...]string{"pos:\t", "flags:\t", "mnt_id:\t", "ino:\t"}

// ParseOpenInfo parses the first bytes of an fdinfo file. What follows the lines
// that every such file has may be cut anywhere: a last line without its newline
// is left out. Rest points into data.
func ParseOpenInfo(data []byte) (OpenInfo, error) {
	var info OpenInfo
	for i, name := range openLines {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			if i == len(openLines)-1 && len(data) == 0 {
				break // a kernel that shows no inode
			}
			return OpenInfo{}, ErrCut
		}
		value, ok := bytes.CutPrefix(data[:end], []byte(name))
		if !ok && i == len(openLines)-1 {
			break
		}
		if !ok || !info.set(i, value) {
			return OpenInfo{}, about("line "+strconv.Itoa(i+1), malformed(string(bytes.TrimSpace([]byte(name)))))
		}
		data = data[end+1:]
	}
	info.Rest = data[:bytes.LastIndexByte(data, '\n')+1]
	return info, info.pidfd()
}

// set sets what the line of openLines[i] says.
func (info *OpenInfo) set(i int, value []byte) bool {
	base := 10
	switch i {
	case 0:
		_, err := strconv.ParseInt(string(value), 10, 64)
		return err == nil
	case 1:
		base = 8
	}
	n, err := strconv.ParseUint(string(value), base, 64)
	switch i {
	case 1:
		info.Flags = uint32(n)
		return err == nil && n <= 1<<32-1
	case 2:
		info.MountID = n
	default:
		info.Ino, info.HasIno = n, true
	}
	return err == nil
}

// pidfd looks for the line that only a pidfd has.
func (info *OpenInfo) pidfd() error {
	value, ok := info.Line("Pid")
	if !ok {
		return nil
	}
	info.Pidfd = true
	if string(value) == "-1" {
		info.PID = -1
		return nil
	}
	if info.PID, ok = parseInt(value); !ok {
		return malformed("line Pid")
	}
	return nil
}

// Line returns the value of the first of the further lines with that name.
func (info *OpenInfo) Line(name string) ([]byte, bool) {
	for rest := info.Rest; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok && len(value) > 0 && value[0] == ':' {
			return bytes.Trim(value[1:], "\t "), true
		}
	}
	return nil, false
}

// SharedDevice finds the mapping that begins at an address in the bytes of
// /proc/<pid>/maps, proc_pid_maps(5), and returns the number of the device that
// it is of.
func SharedDevice(maps []byte, address uint64) (major, minor uint32, ok bool) {
	for len(maps) > 0 {
		var line []byte
		line, maps, _ = bytes.Cut(maps, []byte{'\n'})
		from, _, _ := bytes.Cut(line, []byte{'-'})
		if n, err := strconv.ParseUint(string(from), 16, 64); err != nil || n != address {
			continue
		}
		fields := bytes.Fields(line)
		if len(fields) < 5 {
			return 0, 0, false
		}
		a, b, _ := bytes.Cut(fields[3], []byte{':'})
		x, err1 := strconv.ParseUint(string(a), 16, 32)
		y, err2 := strconv.ParseUint(string(b), 16, 32)
		return uint32(x), uint32(y), err1 == nil && err2 == nil
	}
	return 0, 0, false
}

// ParentOf returns the parent that the bytes of /proc/<pid>/stat name:
// proc_pid_stat(5). It is 0 where that has no number in the procfs's pid
// namespace.
func ParentOf(stat []byte) (pid int, ok bool) {
	// Comm may hold anything but NUL. The last bracket is the kernel's.
	end := bytes.LastIndex(stat, []byte(") "))
	if end < 0 {
		return 0, false
	}
	_, rest, _ := bytes.Cut(stat[end+2:], []byte{' '})
	word, _, more := bytes.Cut(rest, []byte{' '})
	pid, ok = parseInt(word)
	return pid, ok && more
}
