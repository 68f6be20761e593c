package procfs

import (
	"bytes"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// maxMapEntries is how many lines a map may have: user_namespaces(7), Linux 4.15.
const maxMapEntries = 340

// ParseIDMap parses the bytes of a uid_map or gid_map file. Outside is
// 4294967295 where the reader's own user namespace has no id for it. A user
// namespace without a map has no entries, which is not an error.
func ParseIDMap(data []byte) ([]posture.MapEntry, error) {
	out := []posture.MapEntry{}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		return nil, ErrCut
	}
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		entry, err := parseMapLine(data[:end])
		if err != nil {
			return nil, err
		}
		data = data[end+1:]
		if out = append(out, entry); len(out) > maxMapEntries {
			return nil, malformed("more than 340 lines")
		}
	}
	return out, overlap(out)
}

// parseMapLine reads three numbers with spaces between and before them.
func parseMapLine(line []byte) (posture.MapEntry, error) {
	var n [3]uint32
	for i := range n {
		for len(line) > 0 && line[0] == ' ' {
			line = line[1:]
		}
		word, rest, more := bytes.Cut(line, []byte{' '})
		var ok bool
		if n[i], ok = parseUint32(word); !ok {
			return posture.MapEntry{}, malformed("number in an id map")
		}
		if more != (i < 2) {
			return posture.MapEntry{}, malformed("line of an id map")
		}
		line = rest
	}
	if n[2] == 0 || uint64(n[0])+uint64(n[2]) > 1<<32 {
		return posture.MapEntry{}, malformed("range in an id map")
	}
	return posture.MapEntry{Inside: n[0], Outside: n[1], Size: n[2]}, nil
}

// overlap refuses maps in which an inner id stands twice, which the kernel
// does not take.
func overlap(m []posture.MapEntry) error {
	for i, a := range m {
		for _, b := range m[i+1:] {
			if uint64(a.Inside) < uint64(b.Inside)+uint64(b.Size) && uint64(b.Inside) < uint64(a.Inside)+uint64(a.Size) {
				return malformed("overlapping ranges in an id map")
			}
		}
	}
	return nil
}
