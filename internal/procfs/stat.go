package procfs

import (
	"bytes"
	"time"
)

// Stat is what /proc/<pid>/stat says: proc_pid_stat(5).
type Stat struct {
	PID int
	// Comm holds raw bytes that the process chose, brackets and newlines
	// among them.
	Comm  string
	State byte
	Flags uint32
	// Threads is the number of threads, those that are just ending included.
	Threads int
	// Start is the start time since boot, in steps of 10 ms.
	Start time.Duration
}

// KernelThread says whether it is a thread of the kernel: PF_KTHREAD.
func (s Stat) KernelThread() bool { return s.Flags&0x00200000 != 0 }

// Zombie says whether the thread has ended and only its entry is left.
func (s Stat) Zombie() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }

// clockTick is a second by USER_HZ, which is 100 on every architecture that
// Go has.
const clockTick = 10 * time.Millisecond

// maxComm bounds comm: 15 bytes, and 64 for a worker of the kernel.
const maxComm = 128

// ParseStat parses the bytes of a stat file.
func ParseStat(data []byte) (Stat, error) {
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return Stat{}, ErrCut
	}
	data = data[:len(data)-1]
	// Comm may hold anything but NUL. The last bracket is the kernel's.
	open, end := bytes.Index(data, []byte(" (")), bytes.LastIndex(data, []byte(") "))
	if open < 1 || end < open+2 || end-open > maxComm {
		return Stat{}, malformed("comm")
	}
	var s Stat
	var ok bool
	if s.PID, ok = parseInt(data[:open]); !ok {
		return Stat{}, malformed("pid")
	}
	s.Comm = string(data[open+2 : end])
	// Fields are counted from 3, the state, as in the manual page.
	const state, flags, threads, start = 3, 9, 20, 22
	rest := data[end+2:]
	for n := state; n <= start; n++ {
		word, after, more := bytes.Cut(rest, []byte{' '})
		rest = after
		bad := ""
		if !more && n < start {
			bad = "number of fields"
		}
		switch n {
		case state:
			if len(word) != 1 || word[0] < 'A' || word[0] > 'z' {
				bad = "state"
				break
			}
			s.State = word[0]
		case flags:
			if s.Flags, ok = parseUint32(word); !ok {
				bad = "flags"
			}
		case threads:
			if s.Threads, ok = parseInt(word); !ok {
				bad = "num_threads"
			}
		case start:
			ticks, ok := parseTicks(word)
			if !ok {
				bad = "starttime"
			}
			s.Start = time.Duration(ticks) * clockTick
		}
		if bad != "" {
			return Stat{}, malformed(bad)
		}
	}
	return s, nil
}

// parseTicks reads a start time. A thousand years of ticks is more than any
// that fits, and less than what would overflow.
func parseTicks(v []byte) (uint64, bool) {
	const most = 100 * 60 * 60 * 24 * 365 * 200
	if len(v) == 0 || len(v) > 15 || len(v) > 1 && v[0] == '0' {
		return 0, false
	}
	var n uint64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n <= most
}
