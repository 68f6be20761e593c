package procfs

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// maxMountInfo bounds what is read of one mountinfo file: a namespace has at
// most 100,000 mounts unless a sysctl says more, and a line is seldom longer
// than 600 bytes.
const maxMountInfo = 64 << 20

// ReadMountInfo is ParseMountInfo for what r yields to its end. A source of more
// than 64 MiB is ErrTooLong.
func ReadMountInfo(r io.Reader) ([]posture.Mount, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxMountInfo+1))
	if err != nil {
		return nil, err
	}
	return ParseMountInfo(data)
}

// ParseMountInfo parses the bytes of a mountinfo file: proc_pid_mountinfo(5).
// A line that is not as the kernel writes it, and a mount that stands there
// twice, are errors that name the line.
func ParseMountInfo(data []byte) ([]posture.Mount, error) {
	switch {
	case len(data) > maxMountInfo:
		return nil, ErrTooLong
	case len(data) > 0 && data[len(data)-1] != '\n':
		return nil, ErrCut
	}
	out := make([]posture.Mount, 0, bytes.Count(data, []byte{'\n'}))
	seen := make(map[uint64]struct{}, cap(out))
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		out = append(out, posture.Mount{})
		m := &out[len(out)-1]
		what := parseMount(string(data[:end]), m)
		if _, twice := seen[m.ID]; twice && what == "" {
			what = "a mount that stands there twice"
		}
		if what != "" {
			return nil, about("line "+strconv.Itoa(len(out)), malformed(what))
		}
		seen[m.ID] = struct{}{}
		data = data[end+1:]
	}
	return out, nil
}

// parseMount parses one line, and says what is wrong with it. Each string is a
// part of the line, but for those with escapes.
func parseMount(line string, m *posture.Mount) (what string) {
	var head [6]string
	for i := range head {
		var more bool
		if head[i], line, more = strings.Cut(line, " "); !more || head[i] == "" {
			return "too few fields"
		}
	}
	major, minor, _ := strings.Cut(head[2], ":")
	var ok [6]bool
	m.ID, ok[0] = parseID(head[0])
	m.Parent, ok[1] = parseID(head[1])
	m.Major, ok[2] = parseUint32([]byte(major))
	m.Minor, ok[3] = parseUint32([]byte(minor))
	m.Root, ok[4] = decodeOctal(head[3])
	m.Point, ok[5] = decodeOctal(head[4])
	m.Options = head[5]
	for i, part := range [...]string{"mount id", "parent's id", "device number", "device number", "root", "mount point"} {
		if !ok[i] {
			return part
		}
	}
	if m.Point[0] != '/' {
		return "mount point that is no absolute path"
	}
	rest, what := parseOptional(line, &m.Propagation)
	if what != "" {
		return what
	}
	return parseSuper(rest, m)
}

// parseOptional parses the optional fields, up to the hyphen that ends them, and
// returns what follows. Those with other tags are for later kernels.
func parseOptional(line string, p *posture.Propagation) (rest, what string) {
	for {
		word, after, more := strings.Cut(line, " ")
		if !more {
			return "", "no hyphen after the optional fields"
		}
		line = after
		if word == "-" {
			return line, ""
		}
		tag, value, _ := strings.Cut(word, ":")
		var group *uint32
		switch tag {
		case "unbindable":
			p.Unbindable = true
			continue
		case "shared":
			group = &p.Shared
		case "master":
			group = &p.Master
		case "propagate_from":
			group = &p.From
		default:
			continue
		}
		var ok bool
		if *group, ok = parseUint32([]byte(value)); !ok || *group == 0 {
			return "", "peer group"
		}
	}
}

// parseSuper parses what follows the hyphen. The source may be empty, and the
// file system's options may be anything.
func parseSuper(line string, m *posture.Mount) (what string) {
	kind, line, more := strings.Cut(line, " ")
	source, super, more2 := strings.Cut(line, " ")
	if !more || !more2 || kind == "" || super == "" {
		return "too few fields after the hyphen"
	}
	var ok, ok2 bool
	m.Type, ok = decodeOctal(kind)
	m.Source, ok2 = decodeOctal(source)
	if m.SuperOptions = super; !ok || !ok2 {
		return "escape in the type or the source"
	}
	return ""
}

// parseID wants a number as printf's %u writes it; ids are never negative.
func parseID(word string) (uint64, bool) {
	n, ok := parseUint32([]byte(word))
	return uint64(n), ok
}

// decodeOctal decodes \040 and its kind. The kernel writes every backslash that
// way, so any other is an error.
func decodeOctal(s string) (string, bool) {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s, true
	}
	out := make([]byte, at, len(s))
	copy(out, s)
	for i := at; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if len(s)-i < 4 {
			return "", false
		}
		a, b, c := s[i+1]-'0', s[i+2]-'0', s[i+3]-'0'
		if a > 3 || b > 7 || c > 7 {
			return "", false
		}
		out = append(out, a<<6|b<<3|c)
		i += 3
	}
	return string(out), true
}
