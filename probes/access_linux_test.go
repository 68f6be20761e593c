//go:build linux && (amd64 || arm64)

package probes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
)

// asTries has the test binary try one place and print what became of it.
const asTries = "SELFAUDIT_TEST_TRIES"

// triesSpec is one try, as user 65531 and with a filter of its own, or neither.
type triesSpec struct {
	Place  posture.Place
	Nobody bool
	Own    []byte
}

func inTries(spec string) error {
	runtime.LockOSThread()
	var s triesSpec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	if s.Nobody {
		const id = 65531
		for _, err := range []error{syscall.Setgroups(nil), syscall.Setresgid(id, id, id), syscall.Setresuid(id, id, id)} {
			if err != nil {
				return err
			}
		}
	}
	if s.Own != nil {
		if err := (&scanSpec{Own: s.Own}).confine(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, _, err := Access(ctx, []posture.Place{s.Place}, s.Own != nil, nil)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out[0])
}

// tryAs is the other side.
func tryAs(t *testing.T, s triesSpec) (got posture.Try) {
	t.Helper()
	spec, err := json.Marshal(s)
	must(t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asTries+"="+string(spec))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	must(t, json.Unmarshal(out, &got))
	return got
}

// inMounts calls do on a thread in a mount namespace of its own.
func inMounts(t *testing.T, do func()) {
	t.Helper()
	must(t, mounts.OnThread(func() error { do(); return nil }))
}

// placeAt is a place as a walk would have found it.
func placeAt(t *testing.T, path string, use posture.Use) posture.Place {
	t.Helper()
	p := posture.Place{Path: path, Use: use, Kind: posture.KindRegular}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case st.IsDir():
		p.Kind = posture.KindDirectory
	case st.Mode()&os.ModeDevice != 0:
		p.Kind = posture.KindCharacter
	case !st.Mode().IsRegular():
		p.Kind = posture.KindOther
	}
	return p
}

// tryOne tries a place from the calling thread.
func tryOne(t *testing.T, p posture.Place, filtered bool) posture.Try {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, _, err := Access(ctx, []posture.Place{p}, filtered, nil)
	if err != nil {
		t.Errorf("%s: %v", p.Path, err)
	}
	return out[0]
}

// openTree is a directory that everybody may search, with files in it.
func openTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	for name, mode := range map[string]os.FileMode{"file": 0o666, "closed": 0o600, "empty": 0o644, "program": 0o755, "appended": 0o222} {
		text := "text"
		if name == "empty" {
			text = ""
		}
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		must(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	for name, mode := range map[string]os.FileMode{"shared": 0o777, "mine": 0o755, "hollow": 0o755} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		must(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	must(t, os.WriteFile(filepath.Join(dir, "mine", "entry"), nil, 0o600))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666))
	must(t, os.Chmod(filepath.Join(dir, "pipe"), 0o666))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	writes   = posture.UseWrite | posture.UseExecute
	ok       = posture.Succeeded
	no       = posture.Stopped
	openOnly = posture.Undecided
)

// TestAccess: what each kind of try says of what may be reached and what may not.
func TestAccess(t *testing.T) {
	needRoot(t)
	dir := openTree(t)
	for _, c := range []struct {
		name       string
		use        posture.Use
		want, exec posture.Outcome
		says       string
	}{
		{"shared", writes, ok, ok, "PROT_EXEC succeeds"},
		{"mine", writes, no, no, "EACCES"},
		{"file", writes, ok, ok, "PROT_EXEC succeeds"},
		{"closed", writes, no, no, "EACCES"},
		{"appended", writes, ok, openOnly, "O_APPEND"},
		{"file", posture.UseRead, ok, 0, "succeeds"},
		{"closed", posture.UseRead, no, 0, "EACCES"},
		{"mine", posture.UseRead, ok, 0, "succeeds"},
		{"file", posture.UseMasked, ok, 0, "shows something"},
		{"empty", posture.UseMasked, no, 0, "shows nothing"},
		{"closed", posture.UseMasked, no, 0, "EACCES"},
		{"mine", posture.UseMasked, ok, 0, "getdents64(2) shows something"},
		{"hollow", posture.UseMasked, no, 0, "getdents64(2) shows nothing"},
		{"pipe", posture.UseMasked, openOnly, 0, "never opened"},
		{"pipe", writes, openOnly, openOnly, "never opened"},
		{"program", posture.UseShell, ok, 0, "X_OK"},
		{"file", posture.UseShell, no, 0, "EACCES"},
		{"mine", posture.UseReadOnly, no, 0, "EACCES"},
		{"file", posture.UseReadOnly, ok, 0, "succeeds"},
	} {
		p := placeAt(t, filepath.Join(dir, c.name), c.use)
		got := tryAs(t, triesSpec{Place: p, Nobody: true})
		if got.Outcome != c.want || got.Executable != c.exec || !strings.Contains(got.Detail, c.says) {
			t.Errorf("%s for %b: %+v, want %v, %v, %q", c.name, c.use, got, c.want, c.exec, c.says)
		}
	}
}

// TestAccessOfMounts: a read-only mount, and one without execution.
func TestAccessOfMounts(t *testing.T) {
	needRoot(t)
	inMounts(t, func() {
		dir := t.TempDir()
		mount := func(name string, flags uintptr) string {
			path := filepath.Join(dir, name)
			must(t, os.Mkdir(path, 0o755))
			must(t, mounts.Mount("tmpfs", path, "tmpfs", flags, "mode=1777"))
			return path
		}
		readonly, noexec, null := mount("ro", unix.MS_RDONLY), mount("noexec", unix.MS_NOEXEC), mount("null", 0)
		defer func() {
			for _, path := range []string{readonly, noexec, null} {
				must(t, unix.Unmount(path, 0))
			}
		}()
		for _, use := range []posture.Use{writes, posture.UseReadOnly} {
			if got := tryOne(t, placeAt(t, readonly, use), false); got.Outcome != no || !strings.Contains(got.Detail, "EROFS") {
				t.Errorf("read-only, for %b: %+v", use, got)
			}
		}
		p := placeAt(t, noexec, writes)
		p.NoExec = true
		if got := tryOne(t, p, false); got.Outcome != ok || got.Executable != no {
			t.Errorf("noexec: %+v", got)
		}
		p.NoExec = false
		if got := tryOne(t, p, false); got.Outcome != ok || got.Executable != no || !strings.Contains(got.Detail, "EPERM") {
			t.Errorf("noexec, by trying: %+v", got)
		}
		must(t, os.WriteFile(filepath.Join(null, "masked"), nil, 0o600))
		must(t, mounts.Mount("/dev/null", filepath.Join(null, "masked"), "", unix.MS_BIND, ""))
		defer unix.Unmount(filepath.Join(null, "masked"), 0)
		p = placeAt(t, filepath.Join(null, "masked"), posture.UseMasked)
		p.Kind = posture.KindRegular // as before it was mounted over
		if got := tryOne(t, p, false); got.Outcome != no || !strings.Contains(got.Detail, "shows nothing") {
			t.Errorf("null: %+v", got)
		}
	})
}

// TestAccessUnderFilters: a filter that answers a call, or kills for it, decides
// nothing; one of other calls changes nothing. None kills for openat(2): the Go
// runtime makes it too.
func TestAccessUnderFilters(t *testing.T) {
	needRoot(t)
	dir := openTree(t)
	for _, c := range []struct {
		name   string
		calls  []string
		action uint32
		use    posture.Use
		file   string
		want   posture.Outcome
	}{
		{"openat denied", []string{"openat"}, unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES), writes, "shared", openOnly},
		{"openat faked", []string{"openat"}, unix.SECCOMP_RET_ERRNO, writes, "mine", openOnly},
		{"openat denied", []string{"openat"}, unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES), posture.UseMasked, "file", openOnly},
		{"statx denied", []string{"statx"}, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), writes, "shared", openOnly},
		{"statx faked", []string{"statx"}, unix.SECCOMP_RET_ERRNO, writes, "shared", openOnly},
		{"faccessat2 denied", []string{"faccessat2"}, unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES), posture.UseShell, "program", openOnly},
		{"faccessat2 faked", []string{"faccessat2"}, unix.SECCOMP_RET_ERRNO, posture.UseShell, "file", openOnly},
		{"faccessat2 killed", []string{"faccessat2"}, unix.SECCOMP_RET_KILL_PROCESS, posture.UseShell, "program", openOnly},
		{"another call denied", []string{"mkdirat"}, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), writes, "shared", ok},
		{"another call denied", []string{"mkdirat"}, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), posture.UseShell, "file", no},
		{"another call denied", []string{"mkdirat"}, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), posture.UseMasked, "closed", no},
	} {
		p := placeAt(t, filepath.Join(dir, c.file), c.use)
		filter := rule{list: c.calls, action: c.action}.program()
		if got := tryAs(t, triesSpec{Place: p, Nobody: true, Own: filter}); got.Outcome != c.want {
			t.Errorf("%s, %s for %b: %+v, want %v", c.name, c.file, c.use, got, c.want)
		}
	}
}

// TestAccessLeavesNothing: not a name, not a changed time, not a descriptor, not a child.
func TestAccessLeavesNothing(t *testing.T) {
	needRoot(t)
	dir := openTree(t)
	look := func() map[string]string {
		seen := map[string]string{}
		must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			var st unix.Stat_t
			if err == nil {
				err = unix.Lstat(path, &st)
			}
			seen[path] = fmt.Sprint(st.Mode, st.Nlink, st.Size, st.Mtim, st.Ctim, st.Ino)
			return err
		}))
		fds, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		seen["descriptors"] = fmt.Sprint(len(fds))
		return seen
	}
	var places []posture.Place
	for _, name := range []string{"shared", "mine", "file", "closed", "appended", "empty", "program"} {
		for _, use := range []posture.Use{writes, posture.UseRead, posture.UseMasked, posture.UseShell, posture.UseReadOnly} {
			places = append(places, placeAt(t, filepath.Join(dir, name), use))
		}
	}
	before := look()
	time.Sleep(20 * time.Millisecond) // more than a tick of the kernel's clock for times
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	runtime.LockOSThread()
	_, _, err := Access(ctx, places, false, nil)
	runtime.UnlockOSThread()
	must(t, err)
	if after := look(); !maps.Equal(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
	var st syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &st, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

// TestAccessOfMany: more places than one program holds, and paths longer than one
// that can be opened.
func TestAccessOfMany(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte("text"), 0o600))
	deep := strings.Repeat("/"+strings.Repeat("d", 200), 20)
	var places []posture.Place
	for range 100 {
		places = append(places, placeAt(t, file, posture.UseRead),
			posture.Place{Path: dir + deep[:3900], Use: posture.UseRead, Kind: posture.KindRegular},
			posture.Place{Path: strings.Repeat(deep, 16), Use: writes, Kind: posture.KindDirectory},
			posture.Place{Path: "/a\x00b", Use: writes, Kind: posture.KindDirectory})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, _, err := Access(ctx, places, false, nil)
	must(t, err)
	for i := 0; i < len(out); i += 4 {
		if out[i].Outcome != ok || out[i+1].Outcome != openOnly || !strings.Contains(out[i+1].Detail, "ENOENT") ||
			out[i+2].Outcome != openOnly || !strings.Contains(out[i+2].Detail, "longer") || out[i+3].Outcome != openOnly {
			t.Fatalf("%d: %+v", i, out[i:i+4])
		}
	}
}
