package procfs

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Cgroup is one line of a cgroup file: in which cgroup of a hierarchy a thread
// is, cgroups(7).
type Cgroup struct {
	// Controllers are those of a hierarchy of version 1 apart by commas, or
	// "name=…"; none for version 2.
	Controllers string
	// Path is as the reader's cgroup namespace sees it: one beside that begins
	// with "/..". It may hold bytes that the target chose.
	Path string
}

// Name is how a sentence calls the hierarchy.
func (c Cgroup) Name() string {
	if c.Controllers == "" {
		return "unified"
	}
	return c.Controllers
}

// Has says whether the hierarchy is one of version 1 with that controller.
func (c Cgroup) Has(controller string) bool {
	for word := range strings.SplitSeq(c.Controllers, ",") {
		if word == controller && word != "" {
			return true
		}
	}
	return false
}

// ParseCgroup parses the bytes of /proc/PID/cgroup: cgroups(7). A line that is
// not as the kernel writes it, and a hierarchy that stands there twice, are
// errors that name the line. No line is as it is where no hierarchy is mounted.
func ParseCgroup(data []byte) ([]Cgroup, error) {
	switch {
	case len(data) > maxFile:
		return nil, ErrTooLong
	case len(data) > 0 && data[len(data)-1] != '\n':
		return nil, ErrCut
	}
	out := make([]Cgroup, 0, min(bytes.Count(data, []byte{'\n'}), 64))
	for line := range bytes.Lines(data) {
		c, what := parseCgroupLine(string(line[:len(line)-1]))
		if what == "" && slices.ContainsFunc(out, func(o Cgroup) bool { return shared(o.Controllers, c.Controllers) }) {
			what = "a hierarchy that stands there twice"
		}
		if what != "" {
			return nil, about("line "+strconv.Itoa(len(out)+1), malformed(what))
		}
		out = append(out, c)
	}
	return out, nil
}

// parseCgroupLine parses "8:pids:/path", and says what is wrong with it. What
// follows the second colon is the path, whatever it holds.
func parseCgroupLine(line string) (c Cgroup, what string) {
	id, rest, ok1 := strings.Cut(line, ":")
	controllers, path, ok2 := strings.Cut(rest, ":")
	if !ok1 || !ok2 {
		return c, "too few fields"
	}
	n, ok := parseUint32([]byte(id))
	if !ok {
		return c, "hierarchy's number"
	}
	// Version 2 has the number 0 and no list; none of version 1 has either.
	if (n == 0) != (controllers == "") {
		return c, "list of controllers"
	}
	if path == "" || path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
		return c, "path"
	}
	return Cgroup{controllers, path}, ""
}

// shared says that two lists of controllers have one in common.
func shared(a, b string) bool {
	for word := range strings.SplitSeq(a, ",") {
		if word == b || (Cgroup{Controllers: b}).Has(word) {
			return true
		}
	}
	return false
}
