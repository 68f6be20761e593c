package procfs

import (
	"bytes"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// limitLines are the lines of a limits file in the kernel's order, with the
// resource that each is about: proc_pid_limits(5), getrlimit(2).
var limitLines = [...]struct{ line, name, unit string }{
	{"Max cpu time", "RLIMIT_CPU", "seconds"},
	{"Max file size", "RLIMIT_FSIZE", "bytes"},
	{"Max data size", "RLIMIT_DATA", "bytes"},
	{"Max stack size", "RLIMIT_STACK", "bytes"},
	{"Max core file size", "RLIMIT_CORE", "bytes"},
	{"Max resident set", "RLIMIT_RSS", "bytes"},
	{"Max processes", "RLIMIT_NPROC", "processes"},
	{"Max open files", "RLIMIT_NOFILE", "files"},
	{"Max locked memory", "RLIMIT_MEMLOCK", "bytes"},
	{"Max address space", "RLIMIT_AS", "bytes"},
	{"Max file locks", "RLIMIT_LOCKS", "locks"},
	{"Max pending signals", "RLIMIT_SIGPENDING", "signals"},
	{"Max msgqueue size", "RLIMIT_MSGQUEUE", "bytes"},
	{"Max nice priority", "RLIMIT_NICE", ""},
	{"Max realtime priority", "RLIMIT_RTPRIO", ""},
	{"Max realtime timeout", "RLIMIT_RTTIME", "us"},
}

// ParseLimits parses the bytes of a limits file. It wants every limit that
// Linux has, in whatever order; lines of limits that it does not know are left out.
func ParseLimits(data []byte) ([]posture.Limit, error) {
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return nil, ErrCut
	}
	out := make([]posture.Limit, len(limitLines))
	for line := range bytes.Lines(data) {
		for i := range limitLines {
			l := &limitLines[i]
			rest, found := bytes.CutPrefix(line, []byte(l.line+" "))
			if !found {
				continue
			}
			words := bytes.Fields(rest)
			if len(words) < 2 || out[i].Name != "" {
				return nil, malformed("line " + l.line)
			}
			soft, ok1 := parseLimit(words[0])
			hard, ok2 := parseLimit(words[1])
			if !ok1 || !ok2 || soft > hard {
				return nil, malformed("line " + l.line)
			}
			out[i] = posture.Limit{Name: l.name, Unit: l.unit, Soft: soft, Hard: hard}
		}
	}
	for i := range out {
		if out[i].Name == "" {
			return nil, malformed("no line " + limitLines[i].line)
		}
	}
	return out, nil
}

// parseLimit reads "unlimited" or a number.
func parseLimit(word []byte) (uint64, bool) {
	if string(word) == "unlimited" {
		return posture.RlimInfinity, true
	}
	n, err := strconv.ParseUint(string(word), 10, 64)
	return n, err == nil
}
