package procfs

import (
	"bytes"
	"io"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// Status is what /proc/<pid>/task/<tid>/status says of a thread, as the
// reader's user and pid namespaces see it. A line that is not there is
// absent, one that is malformed or there twice unreadable.
type Status struct {
	// Thread has no TID. Its ids are all as the reader's user namespace sees
	// them: nothing is known of the target's.
	posture.Thread
	// Name is escaped by the kernel: no newline, no backslash of its own.
	Name         posture.Fact[string]
	State        posture.Fact[byte]
	TGID         posture.Fact[int]
	PID          posture.Fact[int]
	Threads      posture.Fact[int]
	KernelThread posture.Fact[bool] // Linux 6.8
}

// fact returns where the value of a line belongs, and its origin.
func (s *Status) fact(f field) (value any, origin *posture.Origin) {
	switch f {
	case fieldName:
		return &s.Name.Value, &s.Name.Origin
	case fieldUmask:
		return &s.Umask.Value, &s.Umask.Origin
	case fieldState:
		return &s.State.Value, &s.State.Origin
	case fieldTgid:
		return &s.TGID.Value, &s.TGID.Origin
	case fieldPid:
		return &s.PID.Value, &s.PID.Origin
	case fieldTracerPid:
		return &s.TracerPID.Value, &s.TracerPID.Origin
	case fieldUID:
		return &s.UID.Value, &s.UID.Origin
	case fieldGID:
		return &s.GID.Value, &s.GID.Origin
	case fieldGroups:
		return &s.Groups.Value, &s.Groups.Origin
	case fieldNSpid:
		return &s.NSpid.Value, &s.NSpid.Origin
	case fieldKthread:
		return &s.KernelThread.Value, &s.KernelThread.Origin
	case fieldCoreDumping:
		return &s.CoreDumping.Value, &s.CoreDumping.Origin
	case fieldThreads:
		return &s.Threads.Value, &s.Threads.Origin
	case fieldCapInh:
		return &s.Caps.Inheritable.Value, &s.Caps.Inheritable.Origin
	case fieldCapPrm:
		return &s.Caps.Permitted.Value, &s.Caps.Permitted.Origin
	case fieldCapEff:
		return &s.Caps.Effective.Value, &s.Caps.Effective.Origin
	case fieldCapBnd:
		return &s.Caps.Bounding.Value, &s.Caps.Bounding.Origin
	case fieldCapAmb:
		return &s.Caps.Ambient.Value, &s.Caps.Ambient.Origin
	case fieldNoNewPrivs:
		return &s.NoNewPrivs.Value, &s.NoNewPrivs.Origin
	case fieldSeccomp:
		return &s.SeccompMode.Value, &s.SeccompMode.Origin
	case fieldSeccompFilters:
		return &s.SeccompFilters.Value, &s.SeccompFilters.Origin
	case fieldStoreBypass:
		return &s.StoreBypass.Value, &s.StoreBypass.Origin
	default:
		return &s.IndirectBranch.Value, &s.IndirectBranch.Origin
	}
}

// ParseStatus reads a status file. source names it in the facts. What cannot
// be read as a whole leaves every fact unreadable, with the reason.
func ParseStatus(r io.Reader, source string) *Status {
	data, err := readAll(r)
	if err != nil {
		l := Lines{err: err}
		return l.Parse(source)
	}
	return StatusOf(data, source)
}

// StatusOf parses the bytes of a status file, as ParseStatus does.
func StatusOf(data []byte, source string) *Status {
	var l Lines
	l.Scan(data)
	return l.Parse(source)
}

// Unreadable returns the status of a thread whose file could not be read.
func Unreadable(err error) *Status {
	l := Lines{err: err}
	return l.Parse("")
}

// Parse makes facts of the lines. The facts do not point into the scanned bytes.
func (l *Lines) Parse(source string) *Status {
	s := new(Status)
	raw := l.text()
	why := ""
	if l.err != nil {
		if why = l.err.Error(); source != "" {
			why = source + ": " + why
		}
	}
	for f := field(1); f < numFields; f++ {
		value, origin := s.fact(f)
		origin.Source = source
		n := len(l.line(f))
		origin.Raw, raw = trimSpaces(raw[:n]), raw[n:]
		switch v, ok := l.value(f); {
		case l.err != nil:
			origin.Err = why
		case l.at[f].to == 0:
			origin.State, origin.Err = posture.Absent, source+": no line "+fieldNames[f]
		case l.more[f]:
			origin.Err = source + ": more than one line " + fieldNames[f]
		case !ok || !parse(f, v, value):
			origin.Err = source + ": malformed line " + fieldNames[f]
		default:
			origin.State = posture.Known
		}
	}
	return s
}

// text copies the lines for a person to read, all in one piece: the kernel's
// tabs as spaces.
func (l *Lines) text() string {
	all := make([]byte, 0, 512) // without groups they are shorter
	for f := range numFields {
		all = append(all, l.line(f)...)
	}
	for i, c := range all {
		if c == '\t' {
			all[i] = ' '
		}
	}
	return string(all)
}

func trimSpaces(s string) string {
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// parse reads the value of a line into what Status.fact returned for it.
func parse(f field, v []byte, value any) (ok bool) {
	switch p := value.(type) {
	case *string:
		*p, ok = string(v), true
	case *byte:
		*p, ok = parseState(v)
	case *bool:
		*p, ok = parseBool(v)
	case *int:
		*p, ok = parseInt(v)
		// Disabled, strict and filter: seccomp(2).
		ok = ok && (f != fieldSeccomp || *p <= 2)
	case *uint32:
		*p, ok = parseUmask(v)
	case *posture.CapSet:
		*p, ok = parseCaps(v)
	case *posture.IDs:
		*p, ok = parseFour(v)
	case *[]posture.ID:
		*p, ok = parseGroups(v)
	case *[]int:
		*p, ok = parsePids(v)
	}
	return ok
}

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

// seen is an id as the reader's user namespace sees it.
func seen(v uint32) posture.ID { return posture.ID{Value: v, Outside: v} }

func parseFour(v []byte) (ids posture.IDs, ok bool) {
	for i, id := range []*posture.ID{&ids.Real, &ids.Effective, &ids.Saved, &ids.FS} {
		word, rest, more := bytes.Cut(v, []byte{'\t'})
		n, ok := parseUint32(word)
		if !ok || more != (i < 3) {
			return posture.IDs{}, false
		}
		*id, v = seen(n), rest
	}
	return ids, true
}

// parseGroups reads numbers with a space after each; the line may end with
// one space more.
func parseGroups(v []byte) ([]posture.ID, bool) {
	for len(v) > 0 && v[len(v)-1] == ' ' {
		v = v[:len(v)-1]
	}
	out := []posture.ID{}
	for more := len(v) > 0; more; {
		var word []byte
		word, v, more = bytes.Cut(v, []byte{' '})
		n, ok := parseUint32(word)
		if !ok {
			return nil, false
		}
		out = append(out, seen(n))
	}
	return out, true
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
