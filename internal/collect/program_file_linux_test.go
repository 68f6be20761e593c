package collect

import (
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// TestOtherWay: a mount that is read-only protects nothing that another mount of
// the same file system shows and lets be written.
func TestOtherWay(t *testing.T) {
	app := posture.Mount{ID: 2, Major: 8, Root: "/srv/app", Point: "/app", Options: "ro"}
	for _, c := range []struct {
		name, path string
		other      posture.Mount
		want       bool
	}{
		{"all of it", "/app/bin/service", posture.Mount{ID: 3, Major: 8, Root: "/", Options: "rw"}, true},
		{"the directory", "/app/bin/service", posture.Mount{ID: 3, Major: 8, Root: "/srv/app", Options: "rw"}, true},
		{"the file", "/app/bin/service", posture.Mount{ID: 3, Major: 8, Root: "/srv/app/bin/service", Options: "rw"}, true},
		{"the directory itself", "/app", posture.Mount{ID: 3, Major: 8, Root: "/srv/app", Options: "rw"}, true},
		{"a path that is not known", "", posture.Mount{ID: 3, Major: 8, Root: "/srv/app/bin", Options: "rw"}, true},
		{"what lies elsewhere", "/app/bin/service", posture.Mount{ID: 3, Major: 8, Root: "/srv/data", Options: "rw"}, false},
		{"a name that begins alike", "/app/bin/service", posture.Mount{ID: 3, Major: 8, Root: "/srv/app/bi", Options: "rw"}, false},
		{"what lies below a directory", "/app", posture.Mount{ID: 3, Major: 8, Root: "/srv/app/data", Options: "rw"}, false},
		{"read-only as well", "/app/bin/service", posture.Mount{ID: 3, Major: 8, Root: "/", Options: "ro"}, false},
		{"a file system that is read-only", "/app/bin/service", posture.Mount{ID: 3, Major: 8, Root: "/", Options: "rw", SuperOptions: "ro,x"}, false},
		{"another file system", "/app/bin/service", posture.Mount{ID: 3, Major: 9, Root: "/", Options: "rw"}, false},
	} {
		if top := (posture.Mount{ID: 1, Major: 8, Root: "/", Point: "/", Options: "ro"}); otherWay([]posture.Mount{top, c.other}, &top, "") == nil && c.want {
			t.Errorf("%s: not seen where the path is not known", c.name)
		}
		if got := otherWay([]posture.Mount{app, c.other}, &app, c.path); (got != nil) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
