//go:build linux && (amd64 || arm64)

package probes

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// onThread calls do on a thread of its own that drops root and loads a filter
// first, and ends with it.
func onThread(t *testing.T, nobody bool, filter []byte, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and what it did to itself.
		runtime.LockOSThread()
		err := func() error {
			if nobody {
				const id = 65531
				if _, _, e := syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
					return fmt.Errorf("setgroups: %w", e)
				}
				if _, _, e := syscall.RawSyscall(unix.SYS_SETRESGID, id, id, id); e != 0 {
					return fmt.Errorf("setresgid: %w", e)
				}
				if _, _, e := syscall.RawSyscall(unix.SYS_SETRESUID, id, id, id); e != 0 {
					return fmt.Errorf("setresuid: %w", e)
				}
			}
			if filter != nil {
				if err := (&scanSpec{Own: filter}).confine(); err != nil {
					return err
				}
			}
			do()
			return nil
		}()
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// inMounts calls do on a thread in a mount namespace of its own.
func inMounts(t *testing.T, do func()) {
	t.Helper()
	onThread(t, false, nil, func() {
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			t.Error(err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Error(err)
			return
		}
		do()
	})
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
		onThread(t, true, nil, func() {
			got := tryOne(t, p, false)
			if got.Outcome != c.want || got.Executable != c.exec || !strings.Contains(got.Detail, c.says) {
				t.Errorf("%s for %b: %+v, want %v, %v, %q", c.name, c.use, got, c.want, c.exec, c.says)
			}
		})
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
			must(t, unix.Mount("tmpfs", path, "tmpfs", flags, "mode=1777"))
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
		must(t, unix.Mount("/dev/null", filepath.Join(null, "masked"), "", unix.MS_BIND, ""))
		defer unix.Unmount(filepath.Join(null, "masked"), 0)
		p = placeAt(t, filepath.Join(null, "masked"), posture.UseMasked)
		p.Kind = posture.KindRegular // as before it was mounted over
		if got := tryOne(t, p, false); got.Outcome != no || !strings.Contains(got.Detail, "shows nothing") {
			t.Errorf("null: %+v", got)
		}
	})
}

// TestAccessUnderFilters: a filter that answers a call, or kills for it, decides
// nothing; one of other calls changes nothing.
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
		{"openat killed", []string{"openat"}, unix.SECCOMP_RET_KILL_PROCESS, writes, "shared", openOnly},
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
		onThread(t, true, filter, func() {
			if got := tryOne(t, p, true); got.Outcome != c.want {
				t.Errorf("%s, %s for %b: %+v, want %v", c.name, c.file, c.use, got, c.want)
			}
		})
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
	onThread(t, true, nil, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if _, _, err := Access(ctx, places, false, nil); err != nil {
			t.Error(err)
		}
	})
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
