package procfs

import "bytes"

// FDInfo is what /proc/<pid>/fdinfo/<fd> says: proc_pid_fdinfo(5). What is not
// there is -1, or no NSpid.
type FDInfo struct {
	Pos     int64
	MountID int64
	// PID and NSpid are there for a pidfd. PID is 0 where the process has no
	// number in the procfs's pid namespace, and -1 where it has ended.
	PID   int
	NSpid []int
}

// fdinfoNames are the lines of interest.
var fdinfoNames = [...]string{"pos", "mnt_id", "Pid", "NSpid"}

// ParseFDInfo parses the bytes of an fdinfo file. A line that is malformed or
// there twice is an error.
func ParseFDInfo(data []byte) (FDInfo, error) {
	info := FDInfo{Pos: -1, MountID: -1, PID: -1}
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return FDInfo{}, ErrCut
	}
	var seen [len(fdinfoNames)]bool
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		name, value, ok := bytes.Cut(line, []byte(":\t"))
		for i := range fdinfoNames {
			if !ok || string(name) != fdinfoNames[i] {
				continue
			}
			if seen[i] {
				return FDInfo{}, malformed("second line " + fdinfoNames[i])
			}
			seen[i] = true
			if !info.set(i, value) {
				return FDInfo{}, malformed("line " + fdinfoNames[i])
			}
		}
	}
	return info, nil
}

// set sets what the line of fdinfoNames[i] says.
func (info *FDInfo) set(i int, value []byte) (ok bool) {
	gone := string(value) == "-1"
	var n int
	switch i {
	case 0:
		n, ok = parseInt(value)
		info.Pos = int64(n)
	case 1:
		n, ok = parseInt(value)
		info.MountID = int64(n)
	case 2:
		if !gone {
			info.PID, ok = parseInt(value)
		}
	case 3:
		if !gone {
			info.NSpid, ok = parsePids(value)
		}
	}
	return ok || gone && i >= 2
}
