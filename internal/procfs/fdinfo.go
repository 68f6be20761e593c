package procfs

import (
	"bytes"
	"strings"
)

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

// ParseFDInfo parses the bytes of an fdinfo file. A line that is malformed or
// there twice is an error.
func ParseFDInfo(data []byte) (FDInfo, error) {
	info := FDInfo{Pos: -1, MountID: -1, PID: -1}
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return FDInfo{}, ErrCut
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(data) {
		name, value, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":\t")
		if !ok || name != "pos" && name != "mnt_id" && name != "Pid" && name != "NSpid" {
			continue
		}
		if seen[name] {
			return FDInfo{}, malformed("second line " + name)
		}
		seen[name] = true
		if err := info.set(name, []byte(value)); err != nil {
			return FDInfo{}, err
		}
	}
	return info, nil
}

func (info *FDInfo) set(name string, value []byte) error {
	ok := false
	switch name {
	case "pos":
		var n int
		n, ok = parseInt(value)
		info.Pos = int64(n)
	case "mnt_id":
		var n int
		n, ok = parseInt(value)
		info.MountID = int64(n)
	case "Pid":
		if info.PID, ok = parseInt(value); string(value) == "-1" {
			info.PID, ok = -1, true
		}
	case "NSpid":
		if info.NSpid, ok = parsePids(value); string(value) == "-1" {
			info.NSpid, ok = nil, true
		}
	}
	if !ok {
		return malformed("line " + name)
	}
	return nil
}
