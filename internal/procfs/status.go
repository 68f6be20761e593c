package procfs

import (
	"bytes"
	"io"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// Status is what /proc/<pid>/task/<tid>/status says of a thread, as the
// reader's user and pid namespaces see it. A line that is not there is
// absent, one that is malformed or there twice unreadable.
type Status struct {
	// Name is escaped by the kernel: no newline, no backslash of its own.
	Name  posture.Fact[string]
	State posture.Fact[byte]
	TGID  posture.Fact[int]
	PID   posture.Fact[int]
	// UID and GID are real, effective, saved and file system id.
	UID    posture.Fact[[4]uint32]
	GID    posture.Fact[[4]uint32]
	Groups posture.Fact[[]uint32]
	Caps   posture.CapFacts

	NoNewPrivs     posture.Fact[bool]
	SeccompMode    posture.Fact[int]
	SeccompFilters posture.Fact[int]

	NSpid          posture.Fact[[]int]
	TracerPID      posture.Fact[int]
	Umask          posture.Fact[uint32]
	CoreDumping    posture.Fact[bool]
	StoreBypass    posture.Fact[string]
	IndirectBranch posture.Fact[string]
	Threads        posture.Fact[int]
	KernelThread   posture.Fact[bool] // Linux 6.8
}

// ParseStatus reads a status file. source names it in the facts. What cannot
// be read as a whole leaves every fact unreadable, with the reason.
func ParseStatus(r io.Reader, source string) Status {
	var l Lines
	data, err := readAll(r)
	if err != nil {
		l.err = err
	} else {
		l.Scan(data)
	}
	return l.Parse(source)
}

// Parse makes facts of the lines. The facts do not point into the scanned bytes.
func (l *Lines) Parse(source string) Status {
	l.copyRaw()
	return Status{
		Name:   parse(l, fieldName, source, parseText),
		State:  parse(l, fieldState, source, parseState),
		TGID:   parse(l, fieldTgid, source, parseInt),
		PID:    parse(l, fieldPid, source, parseInt),
		UID:    parse(l, fieldUID, source, parseFour),
		GID:    parse(l, fieldGID, source, parseFour),
		Groups: parse(l, fieldGroups, source, parseGroups),
		Caps: posture.CapFacts{
			Inheritable: parse(l, fieldCapInh, source, parseCaps),
			Permitted:   parse(l, fieldCapPrm, source, parseCaps),
			Effective:   parse(l, fieldCapEff, source, parseCaps),
			Bounding:    parse(l, fieldCapBnd, source, parseCaps),
			Ambient:     parse(l, fieldCapAmb, source, parseCaps),
		},
		NoNewPrivs:     parse(l, fieldNoNewPrivs, source, parseBool),
		SeccompMode:    parse(l, fieldSeccomp, source, parseMode),
		SeccompFilters: parse(l, fieldSeccompFilters, source, parseInt),
		NSpid:          parse(l, fieldNSpid, source, parsePids),
		TracerPID:      parse(l, fieldTracerPid, source, parseInt),
		Umask:          parse(l, fieldUmask, source, parseUmask),
		CoreDumping:    parse(l, fieldCoreDumping, source, parseBool),
		StoreBypass:    parse(l, fieldStoreBypass, source, parseText),
		IndirectBranch: parse(l, fieldIndirectBranch, source, parseText),
		Threads:        parse(l, fieldThreads, source, parseInt),
		KernelThread:   parse(l, fieldKthread, source, parseBool),
	}
}

func parse[T any](l *Lines, f field, source string, read func([]byte) (T, bool)) posture.Fact[T] {
	v, state, why := l.look(f, source)
	fact := posture.Fact[T]{Origin: posture.Origin{State: state, Source: source, Raw: l.raw[f], Err: why}}
	if state == posture.Known {
		var ok bool
		if fact.Value, ok = read(v); !ok {
			fact = posture.Fact[T]{Origin: posture.Origin{Source: source, Raw: l.raw[f], Err: malformedLine(f, source)}}
		}
	}
	return fact
}

// look returns the value of a line, or why there is none.
func (l *Lines) look(f field, source string) (v []byte, state posture.State, why string) {
	switch {
	case l.err != nil:
		return nil, posture.Unreadable, strings.TrimPrefix(source+": "+l.err.Error(), ": ")
	case l.line[f] == nil:
		return nil, posture.Absent, source + ": no line " + fieldNames[f]
	case l.more[f]:
		return nil, posture.Unreadable, source + ": more than one line " + fieldNames[f]
	}
	v, ok := l.value(f)
	if !ok {
		return nil, posture.Unreadable, malformedLine(f, source)
	}
	return v, posture.Known, ""
}

func malformedLine(f field, source string) string {
	return source + ": malformed line " + fieldNames[f]
}

// copyRaw copies the lines for a person to read, all in one piece: the
// kernel's tabs as spaces.
func (l *Lines) copyRaw() {
	var size int
	for _, line := range l.line {
		size += len(line)
	}
	all := make([]byte, 0, size)
	for _, line := range l.line {
		all = append(all, line...)
	}
	for i, c := range all {
		if c == '\t' {
			all[i] = ' '
		}
	}
	rest := string(all)
	for f, line := range l.line {
		l.raw[f] = strings.TrimRight(rest[:len(line)], " ")
		rest = rest[len(line):]
	}
}

func parseText(v []byte) (string, bool) { return string(v), true }

// parseState wants a letter and its word in brackets: "S (sleeping)".
func parseState(v []byte) (byte, bool) {
	if len(v) < 5 || v[1] != ' ' || v[2] != '(' || v[len(v)-1] != ')' {
		return 0, false
	}
	return v[0], v[0] >= 'A' && v[0] <= 'Z' || v[0] >= 'a' && v[0] <= 'z'
}

// parseUint32 wants decimal digits as printf's %u writes them.
func parseUint32(v []byte) (uint32, bool) {
	if len(v) == 0 || len(v) > 10 || len(v) > 1 && v[0] == '0' {
		return 0, false
	}
	var n uint64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n <= 1<<32-1
}

func parseInt(v []byte) (int, bool) {
	n, ok := parseUint32(v)
	return int(n), ok && n <= 1<<31-1
}

func parseBool(v []byte) (bool, bool) {
	if len(v) != 1 || v[0] != '0' && v[0] != '1' {
		return false, false
	}
	return v[0] == '1', true
}

// parseMode knows disabled, strict and filter: seccomp(2).
func parseMode(v []byte) (int, bool) {
	if len(v) != 1 || v[0] < '0' || v[0] > '2' {
		return 0, false
	}
	return int(v[0] - '0'), true
}

func parseFour(v []byte) (out [4]uint32, ok bool) {
	for i := range out {
		word, rest, more := bytes.Cut(v, []byte{'\t'})
		if out[i], ok = parseUint32(word); !ok || more != (i < len(out)-1) {
			return [4]uint32{}, false
		}
		v = rest
	}
	return out, true
}

// parseGroups reads numbers with a space after each; the line may end with
// one space more.
func parseGroups(v []byte) ([]uint32, bool) {
	v = bytes.TrimRight(v, " ")
	out := []uint32{}
	if len(v) == 0 {
		return out, true
	}
	for {
		word, rest, more := bytes.Cut(v, []byte{' '})
		n, ok := parseUint32(word)
		if !ok {
			return nil, false
		}
		out = append(out, n)
		if !more {
			return out, true
		}
		v = rest
	}
}

// maxPidLevels is how deep the kernel nests pid namespaces, and one.
const maxPidLevels = 33

func parsePids(v []byte) ([]int, bool) {
	var out []int
	for {
		word, rest, more := bytes.Cut(v, []byte{'\t'})
		n, ok := parseInt(word)
		if !ok || len(out) == maxPidLevels {
			return nil, false
		}
		out = append(out, n)
		if !more {
			return out, true
		}
		v = rest
	}
}

// parseCaps wants the sixteen digits that the kernel writes, lower case.
func parseCaps(v []byte) (posture.CapSet, bool) {
	if len(v) != 16 {
		return 0, false
	}
	var n uint64
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return posture.CapSet(n), true
}

// parseUmask wants octal digits after a leading 0, as "%#04o" writes them.
func parseUmask(v []byte) (uint32, bool) {
	if len(v) < 4 || len(v) > 5 || v[0] != '0' {
		return 0, false
	}
	var n uint32
	for _, c := range v {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | uint32(c-'0')
	}
	return n, n <= 0o7777
}

// Unreadable returns the status of a thread whose file could not be read.
func Unreadable(err error) Status {
	l := Lines{err: err}
	return l.Parse("")
}
