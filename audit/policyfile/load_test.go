package policyfile

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var goodText = one("process: {noNewPrivileges: true}")

// write makes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadFile(t *testing.T) {
	path := write(t, "web.yaml", goodText)
	link := filepath.Join(filepath.Dir(path), "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for file, name := range map[string]string{path: "web", link: "link"} {
		p, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != name || p.Source != file || !p.Process.NoNewPrivileges || len(p.SHA256) != 64 {
			t.Errorf("%s: %+v", file, p)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	bad := write(t, "bad.yaml", head+"process: {threads: x}\n")
	missing := filepath.Join(dir, "missing\x1b.yaml")
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // a test's
	for _, c := range []struct {
		path, want string
		is         error
	}{
		{dir, dir + ": a regular file or a pipe is wanted: it is a directory", nil},
		{"/dev/null", "/dev/null: a regular file or a pipe is wanted: it is a character device", nil},
		{socket, socket + ": a regular file or a pipe is wanted: it is a socket", nil},
		{missing, dir + `/missing\x1b.yaml: stat: no such file or directory`, fs.ErrNotExist},
		{"", ": stat: no such file or directory", fs.ErrNotExist},
		{"a\x00b", `a\x00b: stat: invalid argument`, nil},
		{loop, loop + ": stat: too many levels of symbolic links", syscall.ELOOP},
		{bad, bad + `:3:20: process.threads: uniform is wanted, not "x"`, nil},
		{write(t, "big.yaml", goodText+strings.Repeat("#", maxSize)), "larger than 1048576 bytes", nil},
	} {
		p, err := Load(c.path)
		var typed *Error
		if err == nil || p != nil || !strings.HasSuffix(err.Error(), c.want) || !errors.As(err, &typed) || typed.File != c.path || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%q: got %v, want %s", c.path, err, c.want)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	path := write(t, "secret.yaml", goodText)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	p, err := Load(path)
	if err == nil && os.Geteuid() == 0 {
		t.Log("root may read it all the same")
		return
	}
	if !errors.Is(err, fs.ErrPermission) || p != nil {
		t.Errorf("%v", err)
	}
}

// fifo makes a named pipe.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadPipeWithoutWriter(t *testing.T) {
	path := fifo(t)
	start := time.Now()
	_, err := load(path, 200*time.Millisecond)
	if err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// TestLoadPipe reads a pipe that is written in two pieces, as a slow command
// behind the shell's <(…) does.
func TestLoadPipe(t *testing.T) {
	path := fifo(t)
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err1 := writer.WriteString(goodText[:10])
		time.Sleep(50 * time.Millisecond)
		_, err2 := writer.WriteString(goodText[10:])
		time.Sleep(50 * time.Millisecond)
		done <- errors.Join(err1, err2, writer.Close())
	}()
	p, err := Load(path)
	if err != nil || !p.Process.NoNewPrivileges || p.Name != "pipe" {
		t.Errorf("%+v, %v", p, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLoadPipeNeverClosed must not take what came so far for the whole policy.
func TestLoadPipeNeverClosed(t *testing.T) {
	path := fifo(t)
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close() //nolint:errcheck // a test's
	if _, err := writer.WriteString(goodText); err != nil {
		t.Fatal(err)
	}
	p, err := load(path, 100*time.Millisecond)
	if want := path + ": read: the pipe was not closed within 100ms"; err == nil || err.Error() != want || p != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestLoadDescriptor reads /dev/fd, which is what the shell hands over.
func TestLoadDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // a test's
	if _, err := w.WriteString(goodText); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	fd := r.Fd()
	path := "/dev/fd/" + strconv.FormatUint(uint64(fd), 10)
	if _, err := os.Stat(path); err != nil {
		skip(t, "no /dev/fd here: "+err.Error())
	}
	if p, err := Load(path); err != nil || !p.Process.NoNewPrivileges || p.Source != path {
		t.Errorf("%+v, %v", p, err)
	}
}
