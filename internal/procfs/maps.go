package procfs

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
)

const (
	// maxMapLines bounds a maps file. vm.max_map_count is 65530 unless it was
	// raised.
	maxMapLines = 4 << 20
	// maxMapLine bounds one line, which ends with a path: each of its bytes may be
	// escaped as four.
	maxMapLine = 1 << 20
	// maxMapName is what is kept of a name.
	maxMapName = 4096
	// maxKeptMaps bounds what is kept of each list.
	maxKeptMaps = 1024
	// maxMappedFiles bounds the mappings that are watched for being of one file.
	maxMappedFiles = 1 << 17
)

// mapLine is one line of a maps file.
type mapLine struct {
	posture.Mapping
	file mappedFile
}

type mappedFile struct {
	device string
	inode  uint64
}

func (l *mapLine) has(i int, c byte) bool { return l.Permissions[i] == c }

// ParseMaps reads a maps file: proc_pid_maps(5). Its digest tells two readings
// apart that differ in what is executable.
func ParseMaps(r io.Reader) (m posture.Mappings, digest uint64, err error) {
	p := mapsParser{shared: map[mappedFile]bool{}, executed: map[mappedFile][]posture.Mapping{}, digest: fnvOffset}
	err = eachMapLine(r, func(line []byte) error {
		if p.m.Count++; p.m.Count > maxMapLines {
			return ErrTooLong
		}
		if what := p.line(line); what != "" {
			return malformed("line " + strconv.Itoa(p.m.Count) + ": " + what)
		}
		return nil
	})
	if err == nil && p.m.Count == 0 {
		err = malformed("no line")
	}
	if err != nil {
		return posture.Mappings{}, 0, err
	}
	p.twice()
	return p.m, p.digest, nil
}

// eachMapLine calls each with every line, without its newline. Of a long line the
// end is left out.
func eachMapLine(r io.Reader, each func(line []byte) error) error {
	buf := make([]byte, 64<<10)
	var line []byte
	length := 0
	for {
		n, err := r.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			at := bytes.IndexByte(rest, '\n')
			part := rest
			if at >= 0 {
				part, rest = rest[:at], rest[at+1:]
			} else {
				rest = nil
			}
			if length += len(part); length > maxMapLine {
				return ErrTooLong
			}
			const room = maxMapName + 256
			line = append(line, part[:min(len(part), room-len(line))]...)
			if at >= 0 {
				if err := each(line); err != nil {
					return err
				}
				line, length = line[:0], 0
			}
		}
		switch {
		case err == io.EOF && length > 0:
			return ErrCut
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

type mapsParser struct {
	m posture.Mappings
	// shared are the files that are mapped shared and writable, executed those
	// that are mapped executable, and end is where the last mapping ends.
	shared   map[mappedFile]bool
	executed map[mappedFile][]posture.Mapping
	end      uint64
	digest   uint64
	watched  int
}

// line takes in one line, and returns what of it is not as the kernel writes it.
func (p *mapsParser) line(line []byte) (what string) {
	l, what := parseMapsLine(line)
	if what != "" {
		return what
	}
	if l.Start < p.end || l.Start >= l.End {
		return "addresses"
	}
	p.end = l.End
	if l.Name == "[stack]" {
		stack := l.Mapping
		p.m.Stack = &stack
		p.mix(line)
	}
	if l.has(1, 'w') && l.has(3, 's') && p.watches(&l) {
		p.shared[l.file] = true
	}
	if !l.has(2, 'x') {
		return ""
	}
	p.mix(line)
	switch {
	case !l.has(1, 'w'):
		if p.watches(&l) {
			p.executed[l.file] = append(p.executed[l.file], l.Mapping)
		}
	case len(p.m.WriteExecute) < maxKeptMaps:
		p.m.WriteExecute = append(p.m.WriteExecute, l.Mapping)
	default:
		p.m.More++
	}
	return ""
}

// watches says whether a mapping is of a file, and there is room to remember it.
// The number of a file may be 0: the kernel shows the identifier of shared memory
// there, shmget(2), of which the first one is. What is of no file has no device.
func (p *mapsParser) watches(l *mapLine) bool {
	if l.file.inode == 0 && strings.Trim(l.file.device, "0:") == "" {
		return false
	}
	if p.watched++; p.watched > maxMappedFiles {
		p.m.Unwatched++
		return false
	}
	return true
}

// FNV-1a, of 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (p *mapsParser) mix(line []byte) {
	for _, c := range line {
		p.digest = (p.digest ^ uint64(c)) * fnvPrime
	}
}

// twice finds the executable mappings of files that are written elsewhere.
func (p *mapsParser) twice() {
	for file, all := range p.executed {
		if !p.shared[file] {
			continue
		}
		for _, m := range all {
			if len(p.m.Twice) < maxKeptMaps {
				p.m.Twice = append(p.m.Twice, m)
			} else {
				p.m.MoreTwice++
			}
		}
	}
}

// parseMapsLine takes a line apart: addresses, permissions, offset, device and
// inode with a blank between them, and after more blanks the name.
func parseMapsLine(line []byte) (l mapLine, what string) {
	var words [5][]byte
	for i := range words {
		var found bool
		words[i], line, found = bytes.Cut(line, []byte{' '})
		if !found && i < len(words)-1 || len(words[i]) == 0 {
			return l, "number of fields"
		}
	}
	from, to, found := bytes.Cut(words[0], []byte{'-'})
	var err1, err2 error
	l.Start, err1 = strconv.ParseUint(string(from), 16, 64)
	l.End, err2 = strconv.ParseUint(string(to), 16, 64)
	if !found || err1 != nil || err2 != nil {
		return l, "addresses"
	}
	l.Permissions = string(words[1])
	if !isPermissions(l.Permissions) {
		return l, "permissions"
	}
	var err error
	if l.file.inode, err = strconv.ParseUint(string(words[4]), 10, 64); err != nil {
		return l, "inode"
	}
	if _, err := strconv.ParseUint(string(words[2]), 16, 64); err != nil {
		return l, "offset"
	}
	l.file.device = string(words[3])
	if major, minor, found := bytes.Cut(words[3], []byte{':'}); !found || len(major) < 2 || len(minor) < 2 {
		return l, "device"
	}
	name := bytes.TrimLeft(line, " ")
	l.Name = string(name[:min(len(name), maxMapName)])
	return l, ""
}

func isPermissions(s string) bool {
	const set = "rwx"
	if len(s) != 4 || s[3] != 'p' && s[3] != 's' {
		return false
	}
	for i := range set {
		if s[i] != set[i] && s[i] != '-' {
			return false
		}
	}
	return true
}
