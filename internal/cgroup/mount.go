// Package cgroup finds the directories of the cgroups that a thread is in, and
// of those above them: cgroups(7).
package cgroup

import (
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// In returns the cgroup that a list has in the hierarchy of another one.
func In(list []procfs.Cgroup, h procfs.Cgroup) (procfs.Cgroup, bool) {
	for _, o := range list {
		if o.Controllers == h.Controllers {
			return o, true
		}
	}
	return procfs.Cgroup{Controllers: h.Controllers}, false
}

// Holds says whether a mount is of the cgroup's hierarchy.
func Holds(m *posture.Mount, h procfs.Cgroup) bool {
	if h.Controllers == "" {
		return m.Type == "cgroup2"
	}
	if m.Type != "cgroup" {
		return false
	}
	options := "," + m.SuperOptions + ","
	for c := range strings.SplitSeq(h.Controllers, ",") {
		if !strings.Contains(options, ","+c+",") {
			return false
		}
	}
	return true
}

// Below returns the path in the mount of a cgroup that lies there: empty, or
// beginning with a slash. Both the path and what is mounted must be as one
// cgroup namespace sees them.
func Below(m *posture.Mount, path string) (string, bool) {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(m.Root, "/"))
	if !found || rest != "" && rest[0] != '/' || strings.Contains(rest+"/", "/../") {
		return "", false
	}
	return strings.TrimSuffix(rest, "/"), true
}
