package cgroup

import (
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

func TestHolds(t *testing.T) {
	v1 := posture.Mount{Type: "cgroup", SuperOptions: "rw,cpu,cpuacct"}
	named := posture.Mount{Type: "cgroup", SuperOptions: "rw,xattr,name=systemd"}
	v2 := posture.Mount{Type: "cgroup2", SuperOptions: "rw,nsdelegate"}
	other := posture.Mount{Type: "tmpfs", SuperOptions: "rw,cpu"}
	for _, c := range []struct {
		m    *posture.Mount
		h    string
		want bool
	}{
		{&v1, "cpu,cpuacct", true}, {&v1, "cpuacct,cpu", true}, {&v1, "cpu", true}, {&v1, "cpuset", false}, {&v1, "cpu,memory", false}, {&v1, "", false},
		{&named, "name=systemd", true}, {&named, "name=other", false}, {&v2, "", true}, {&v2, "cpu", false}, {&other, "cpu", false}, {&other, "", false},
	} {
		if got := Holds(c.m, procfs.Cgroup{Controllers: c.h}); got != c.want {
			t.Errorf("%+v holds %q: %v", c.m, c.h, got)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		root, path, rest string
		found            bool
	}{
		{"/", "/", "", true}, {"/", "/a/b", "/a/b", true}, {"/a", "/a", "", true}, {"/a", "/a/b", "/b", true}, {"/a", "/ab", "", false},
		{"/a", "/", "", false}, {"/", "/../b", "", false}, {"/..", "/../b", "/b", true}, {"/..", "/..", "", true}, {"/..", "/../..", "", false},
		{"/..", "/../../b", "", false}, {"/..", "/a", "", false}, {"/../..", "/../../b", "/b", true}, {"/a", "/a/../b", "", false}, {"/", "/a..b/..c", "/a..b/..c", true},
	} {
		rest, found := Below(&posture.Mount{Root: c.root}, c.path)
		if rest != c.rest || found != c.found {
			t.Errorf("%q below %q: %q %v", c.path, c.root, rest, found)
		}
	}
}
