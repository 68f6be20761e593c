package procfs

import (
	"bytes"
	"strconv"
)

// StatMore is what else /proc/<pid>/stat says: proc_pid_stat(5).
type StatMore struct {
	PID int
	// TTY is the device number of the controlling terminal, or 0.
	TTY uint32
	// Flags are PF_* of the kernel.
	Flags uint32
	// EnvStart and EnvEnd are where the initial environment is. The kernel shows
	// them, as 0, to whom it does not let read the process's memory.
	EnvStart, EnvEnd uint64
}

// Randomized says whether the address space was laid out at random: PF_RANDOMIZE.
func (s StatMore) Randomized() bool { return s.Flags&0x00400000 != 0 }

// TTYMajor and TTYMinor take the number of the terminal apart, as the kernel puts
// one together for programs: the minor number has its lower 8 bits below the
// major number, and the others above.
func (s StatMore) TTYMajor() uint32 { return s.TTY >> 8 & 0xfff }

// TTYMinor is the other half of TTYMajor.
func (s StatMore) TTYMinor() uint32 { return s.TTY&0xff | s.TTY>>12&0xfff00 }

// ParseStatMore parses the bytes of a stat file.
func ParseStatMore(data []byte) (StatMore, error) {
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return StatMore{}, ErrCut
	}
	open, end := bytes.Index(data, []byte(" (")), bytes.LastIndex(data, []byte(") "))
	if open < 1 || end < open+2 || end-open > maxComm {
		return StatMore{}, malformed("comm")
	}
	var s StatMore
	var ok bool
	if s.PID, ok = parseInt(data[:open]); !ok {
		return StatMore{}, malformed("pid")
	}
	// Fields are counted from 3, as in the manual page. Later kernels add more.
	const first, tty, flags, envStart, envEnd = 3, 7, 9, 50, 51
	words := bytes.Split(data[end+2:len(data)-1], []byte{' '})
	if len(words) <= envEnd-first {
		return StatMore{}, malformed("number of fields")
	}
	if s.TTY, ok = parseSigned(words[tty-first]); !ok {
		return StatMore{}, malformed("tty_nr")
	}
	if s.Flags, ok = parseUint32(words[flags-first]); !ok {
		return StatMore{}, malformed("flags")
	}
	for n, at := range map[int]*uint64{envStart: &s.EnvStart, envEnd: &s.EnvEnd} {
		var err error
		if *at, err = strconv.ParseUint(string(words[n-first]), 10, 64); err != nil {
			return StatMore{}, malformed("env_start or env_end")
		}
	}
	return s, nil
}

// parseSigned reads a number that the kernel prints with a sign and that means
// its 32 bits.
func parseSigned(v []byte) (uint32, bool) {
	n, err := strconv.ParseInt(string(v), 10, 32)
	return uint32(n), err == nil
}

// ParsePersonality parses the bytes of a personality file: personality(2).
func ParsePersonality(data []byte) (uint32, error) {
	const digits = 8
	if len(data) != digits+1 || data[digits] != '\n' {
		return 0, malformed("personality")
	}
	n, err := strconv.ParseUint(string(data[:digits]), 16, 32)
	if err != nil {
		return 0, malformed("personality")
	}
	return uint32(n), nil
}

// ParseStackPointer parses the bytes of a syscall file: proc_pid_syscall(5). Of a
// thread that runs the kernel shows none.
func ParseStackPointer(data []byte) (sp uint64, waits bool, err error) {
	line, found := bytes.CutSuffix(data, []byte{'\n'})
	if !found {
		return 0, false, ErrCut
	}
	if string(line) == "running" {
		return 0, false, nil
	}
	// The number of the call, six arguments, and the two pointers; a thread that
	// is blocked outside a call has -1 and the two pointers.
	words := bytes.Fields(line)
	if len(words) != 9 && (len(words) != 3 || string(words[0]) != "-1") {
		return 0, false, malformed("number of fields")
	}
	word, found := bytes.CutPrefix(words[len(words)-2], []byte("0x"))
	if !found {
		return 0, false, malformed("stack pointer")
	}
	if sp, err = strconv.ParseUint(string(word), 16, 64); err != nil {
		return 0, false, malformed("stack pointer")
	}
	return sp, true, nil
}
