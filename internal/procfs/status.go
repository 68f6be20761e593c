package procfs

import (
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
