package collect

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// TestControlLook: links are followed within the root and nowhere else, whatever
// lies outside, and every end of a path is one.
func TestControlLook(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "root")
	for _, dir := range []string{"run/deep", "var", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{filepath.Join(base, "outside.sock"), filepath.Join(root, "run/a.sock")} {
		l, err := net.Listen("unix", at)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	if err := os.WriteFile(filepath.Join(root, "etc/token"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"run/out.sock": "../../../../outside.sock", "run/absolute.sock": filepath.Join(base, "outside.sock"),
		"run/loop.sock": "loop.sock", "run/within.sock": "/run/deep/../../../run/a.sock", "var/run": "../run",
		"run/dir.sock": "deep", "run/long.sock": strings.Repeat("deep/../", 500) + "a.sock",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]error{
		"/run/a.sock": nil, "/var/run/a.sock": nil, "/run/within.sock": nil, "/../../run/a.sock": nil,
		"/run/out.sock": syscall.ENOENT, "/run/absolute.sock": syscall.ENOENT, "/run/none.sock": syscall.ENOENT,
		"/run/loop.sock": syscall.ELOOP, "/run/long.sock": syscall.ELOOP, "/run/dir.sock": syscall.ENOENT,
		"/run/a.sock/x": syscall.ENOTDIR, "/etc/token": nil, "/proc/self/x": syscall.ENOENT,
	} {
		l := look(t, root)
		g := &resolver{controlLook: l, at: []step{{fd: l.root}}}
		if _, err := g.follow(path); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		g.close()
		kernel.Close(l.root)
	}
	l := look(t, root)
	l.paths = []controlPath{
		{path: "/run/a.sock", what: "A"}, {path: "/var/run/a.sock", what: "A"}, {path: "/etc/token", what: "T", secret: true},
		{path: "/etc/token", what: "no socket"}, {path: "/run/out.sock", what: "out"}, {path: "/run/loop.sock", what: "loop"},
	}
	l.all()
	if found := l.found.Found; l.failed != nil || len(found) != 2 || found[0].Path != "/run/a.sock" || found[1].Path != "/etc/token" {
		t.Errorf("%+v %v", found, l.failed)
	}
	if unseen := l.out.Unseen; len(unseen) != 1 || unseen[0].Place != "/run/loop.sock" {
		t.Errorf("unseen %+v", unseen)
	}
}

// look is one that looks below a directory.
func look(t *testing.T, root string) *controlLook {
	t.Helper()
	fd, err := kernel.Open(kernel.CurrentDir, root, kernel.OpenPath|kernel.OpenDirectory, "")
	if err != nil {
		t.Fatal(err)
	}
	all := posture.Of([]posture.MapEntry{{Size: 1<<32 - 1}}, "uid_map", "")
	v := &views{uid: idView{same: true, m: &all, own: &all}, gid: idView{same: true, m: &all, own: &all}}
	return &controlLook{self: true, walker: &walker{
		c: kernel.New(nil), ctx: context.Background(), view: v, root: fd, source: root, attr: make([]byte, 4<<10),
	}}
}
