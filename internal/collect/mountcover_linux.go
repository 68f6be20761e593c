package collect

import (
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// reachMounts fills Reachable: whether the mount point, as a path from the root
// directory, leads to the mount. It is computed from the table, since to go there
// could mean to wait for a file system that never answers.
//
// A mount lies on its parent. It is covered where another lies on its own root,
// and where one lies on a directory of the parent on the way. The root directory
// itself is where paths begin, and what is mounted on it covers nothing: /.. alone
// leads there.
func reachMounts(mounts []posture.Mount, root *posture.Fact[uint64]) {
	top, known := root.Get()
	if !known {
		for i := range mounts {
			mounts[i].Reachable.Fail(root.Source, root.Why())
		}
		return
	}
	on := make(map[uint64][]laid, len(mounts))
	queue := []*posture.Mount{{ID: top, Point: "/"}}
	for i := range mounts {
		m := &mounts[i]
		m.Reachable = posture.Of(false, "mountinfo", "covered by another mount")
		if m.ID == top {
			m.Reachable = posture.Of(true, root.Source, "")
			queue[0] = m
		} else {
			on[m.Parent] = append(on[m.Parent], laid{m, sortable(m.Point)})
		}
	}
	// Each mount has one parent and so is taken once, whatever the table says.
	for first := true; len(queue) > 0; first = false {
		at := queue[0]
		queue = append(queue[1:], uncovered(at, on[at.ID], first)...)
	}
}

// laid is a mount on another, with its mount point as a word to sort by.
type laid struct {
	*posture.Mount
	key string
}

// sortable makes what lies below a path follow it at once: no path has a NUL.
func sortable(path string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path, "/"), "/", "\x00")
}

// uncovered marks those of the mounts on one that paths lead to, and returns them.
func uncovered(at *posture.Mount, on []laid, isRoot bool) (out []*posture.Mount) {
	slices.SortStableFunc(on, func(a, b laid) int { return strings.Compare(a.key, b.key) })
	own, last := sortable(at.Point), ""
	covering := false
	for i, m := range on {
		if covering && strings.HasPrefix(m.key, last+"\x00") {
			continue
		}
		if m.key != own || !isRoot {
			covering, last = true, m.key
		}
		if i > 0 && on[i-1].key == m.key || i+1 < len(on) && on[i+1].key == m.key {
			m.Reachable.Fail("mountinfo", "two mounts lie at one place of the same mount")
			continue
		}
		if m.key == own && !isRoot {
			at.Reachable = posture.Of(false, "mountinfo", "covered by another mount")
		}
		m.Reachable = posture.Of(true, "mountinfo", "")
		out = append(out, m.Mount)
	}
	return out
}
