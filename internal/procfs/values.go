package procfs

import (
	"bytes"

	"github.com/selfaudit/selfaudit/checks/posture"
)

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
