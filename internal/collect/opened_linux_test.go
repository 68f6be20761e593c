package collect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"golang.org/x/sys/unix"
)

// lookingAtFiles asks for the open files too.
func lookingAtFiles(o Options) Options {
	o.Reach = (*Site).OpenFiles
	return o
}

func selfOpened(deny map[string]string) (*posture.Process, error) {
	return self(lookingAtFiles(Options{Deny: deny}))
}

func openedFile(p *posture.Process, fd int) (*posture.OpenFile, error) {
	for i := range p.MakeReach().OpenFiles.Seen {
		if f := &p.MakeReach().OpenFiles.Seen[i]; f.FD == fd {
			return f, nil
		}
	}
	return nil, fmt.Errorf("descriptor %d is not listed: %s", fd, p.MakeReach().OpenFiles.Whole.Why())
}

func fd(n int, err error) int {
	must(err)
	return n
}

// sight is what is to be seen of one descriptor.
type sight struct {
	fd     int
	kind   posture.FileKind
	flags  posture.OpenFlags
	object string
	// own, outside and readOnly are "yes", "no" or "?", or empty where nobody asks.
	own, outside, readOnly string
	protocol               string
}

func word(f posture.Fact[bool]) string {
	v, known := f.Get()
	switch {
	case !known:
		return "?"
	case v:
		return "yes"
	default:
		return "no"
	}
}

func (s sight) compare(p *posture.Process) error {
	f, err := openedFile(p, s.fd)
	if err != nil {
		return err
	}
	wrong := func(what string, got, want any) error {
		return fmt.Errorf("%q: %s %v, want %v: %+v", f.Path, what, got, want, f)
	}
	if f.Kind.Value != s.kind || f.Kind.State != posture.Known {
		return wrong("kind", f.Kind.Value, s.kind)
	}
	if f.Flags.Value != s.flags || f.Flags.State != posture.Known {
		return wrong("flags", f.Flags.Value, s.flags)
	}
	if s.object != "" && f.Object != s.object {
		return wrong("object", f.Object, s.object)
	}
	if s.protocol != "" && (f.Protocol.Value != s.protocol || f.Protocol.State != posture.Known) {
		return wrong("protocol", f.Protocol, s.protocol)
	}
	for _, c := range []struct {
		what, want string
		got        posture.Fact[bool]
	}{{"own", s.own, f.Own}, {"outside", s.outside, f.OutsideRoot}, {"read-only", s.readOnly, f.ReadOnly}} {
		if c.want != "" && word(c.got) != c.want {
			return wrong(c.what, word(c.got), c.want)
		}
	}
	return nil
}

// everyKind opens something of each kind.
func everyKind(dir string) []sight {
	open := func(path string, flags int) int { return fd(syscall.Open(path, flags|syscall.O_CLOEXEC, 0o600)) }
	flags := func(write bool) posture.OpenFlags { return posture.OpenFlags{Write: write, CloseOnExec: true} }
	var pipe [2]int
	must(syscall.Pipe2(pipe[:], 0))
	must(syscall.Mkfifo(dir+"/fifo", 0o600))
	listener := fd(syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0))
	must(syscall.Bind(listener, &syscall.SockaddrUnix{Name: dir + "/socket"}))
	must(os.Symlink("fifo", dir+"/link"))
	must(os.WriteFile(dir+"/anon_inode:[eventfd]", nil, 0o600))
	must(os.WriteFile(dir+"/memfd:x", nil, 0o600))
	path := posture.OpenFlags{Path: true, CloseOnExec: true}
	var epoll, event, memory = fd(unix.EpollCreate1(0)), fd(unix.Eventfd(0, 0)), fd(unix.MemfdCreate("/etc/passwd\n\x1b[2J", unix.MFD_CLOEXEC))
	inherited := posture.OpenFlags{Write: true}
	return []sight{
		{fd: open(dir, syscall.O_DIRECTORY), kind: posture.FileDirectory, flags: flags(false)},
		{fd: open(dir+"/a", syscall.O_CREAT|syscall.O_RDWR), kind: posture.FileRegular, flags: flags(true), outside: "no", readOnly: "no"},
		{fd: open(dir+"/a", syscall.O_WRONLY|syscall.O_APPEND), kind: posture.FileRegular, flags: flags(true), outside: "no", readOnly: "no"},
		{fd: open(dir+"/a", syscall.O_RDONLY), kind: posture.FileRegular, flags: flags(false), outside: "?"},
		{fd: open(dir+"/anon_inode:[eventfd]", syscall.O_RDWR), kind: posture.FileRegular, flags: flags(true), outside: "no", readOnly: "no"},
		{fd: open(dir+"/memfd:x", syscall.O_RDWR), kind: posture.FileRegular, flags: flags(true), outside: "no", readOnly: "no"},
		{fd: open(dir+"/fifo", unix.O_PATH), kind: posture.FileFIFO, flags: path},
		{fd: open(dir+"/fifo", syscall.O_RDWR), kind: posture.FileFIFO, flags: flags(true), outside: "no", readOnly: "no"},
		{fd: open(dir+"/socket", unix.O_PATH), kind: posture.FileLink, flags: path},
		{fd: open(dir+"/link", unix.O_PATH|unix.O_NOFOLLOW), kind: posture.FileLink, flags: path},
		{fd: open("/dev/null", syscall.O_RDWR), kind: posture.FileCharacter, flags: flags(true)},
		{fd: open("/proc/self/ns/net", syscall.O_RDONLY), kind: posture.FileNamespace, flags: flags(false), own: "yes", object: "net"},
		{fd: open("/proc/self/maps", syscall.O_RDONLY), kind: posture.FileProcess, flags: flags(false), own: "yes", object: "maps"},
		{fd: open("/proc/self/status", syscall.O_RDONLY), kind: posture.FileRegular, flags: flags(false)},
		{fd: pipe[1], kind: posture.FilePipe, flags: inherited},
		{fd: listener, kind: posture.FileSocket, flags: inherited, protocol: "UNIX-STREAM"},
		{fd: epoll, kind: posture.FileKernel, flags: inherited, object: "[eventpoll]"},
		{fd: event, kind: posture.FileKernel, flags: inherited, object: "[eventfd]"},
		{fd: memory, kind: posture.FileMemory, flags: flags(true)},
		{fd: fd(unix.PidfdOpen(os.Getpid(), 0)), kind: posture.FilePidfd, flags: flags(true), own: "yes"},
		{fd: fd(unix.PidfdOpen(os.Getppid(), 0)), kind: posture.FilePidfd, flags: flags(true), own: "no"},
	}
}

// withoutCalls are calls that may be refused, which leaves other ways to the same answer.
var withoutCalls = [][]string{nil, {"getxattrat"}, {"statx"}, {"openat2"}, {"kcmp"}, {"lseek"}, {"getxattrat", "statx", "openat2"}}

func TestOpenFiles(t *testing.T) {
	runAct(t, command(t, "every-kind"))
}

func init() {
	acts["every-kind"] = func() error {
		dir, err := os.MkdirTemp("", "opened")
		must(err)
		want := everyKind(dir)
		for _, refused := range withoutCalls {
			deny := map[string]string{}
			for _, call := range refused {
				deny[call] = "test"
			}
			p, err := selfOpened(deny)
			if err != nil {
				return err
			}
			if whole, known := p.MakeReach().OpenFiles.Whole.Get(); !known || !whole {
				return fmt.Errorf("without %v: %s", refused, p.MakeReach().OpenFiles.Whole.Why())
			}
			for _, s := range want {
				if err := s.compare(p); err != nil {
					return fmt.Errorf("without %v: %w", refused, err)
				}
			}
			if f, err := openedFile(p, want[0].fd); err != nil || f.TID != os.Getpid() {
				return fmt.Errorf("the table is that of %+v %v", f, err)
			}
		}
		return nil
	}
	acts["chroot-files"] = func() error {
		want, err := chrootScene()
		if err != nil {
			return err
		}
		p, err := selfOpened(nil)
		if err != nil {
			return err
		}
		for _, s := range want {
			if err := s.compare(p); err != nil {
				return err
			}
		}
		return nil
	}
	acts["stay-chroot"] = func() error {
		want, err := chrootScene()
		if err != nil {
			return err
		}
		var fds []int
		for _, s := range want {
			fds = append(fds, s.fd)
		}
		return stay(fds...)
	}
	acts["flux"] = flux
	acts["long-path"] = longPath
	acts["other-files"] = func() error {
		must(dropAll())
		p, err := PID(context.Background(), 1, lookingAtFiles(Options{}))
		if err != nil {
			return err
		}
		if f := &p.MakeReach().OpenFiles; f.Whole.State != posture.Unreadable || f.Whole.Err == "" || len(f.Seen) != 0 {
			return fmt.Errorf("%+v", f)
		}
		return nil
	}
}

// chrootScene opens files on the mount that the root directory is a directory
// of, on another within it, and on one that is outside.
func chrootScene() ([]sight, error) {
	must(private())
	dir, err := newRoot()
	must(err)
	sub := filepath.Join(dir, "sub")
	must(os.MkdirAll(sub+"/own", 0o755))
	must(os.MkdirAll(sub+"/covered", 0o755))
	must(os.MkdirAll(sub+"/twice", 0o755))
	must(os.MkdirAll(dir+"/twice", 0o755))
	must(mounts.Mount("tmpfs", sub+"/own", "tmpfs", 0, ""))
	create := func(path string) int { return fd(syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR, 0o600)) }
	write := posture.OpenFlags{Write: true}
	file := func(n int, outside, readOnly string) sight {
		return sight{fd: n, kind: posture.FileRegular, flags: write, outside: outside, readOnly: readOnly}
	}
	want := []sight{
		file(create(sub+"/in"), "no", "no"),
		file(create(sub+"/own/in"), "no", "no"),
		file(create(sub+"/name (deleted)"), "no", "no"),
		file(create(dir+"/out"), "yes", ""),
		file(create(dir+"/old/\x1b[2J\nout"), "yes", ""),
		file(create(os.TempDir()+"/far"), "yes", ""),
		// Both have the name /twice/f where they are seen from.
		file(create(sub+"/twice/f"), "no", "no"),
		file(create(dir+"/twice/f"), "yes", ""),
		file(create(sub+"/removed"), "?", ""),
		file(create(dir+"/removed"), "?", ""),
		file(create(sub+"/covered/f"), "?", ""),
		file(fd(unix.MemfdCreate("x", 0)), "?", ""),
	}
	want[len(want)-1].kind = posture.FileMemory
	must(os.Remove(sub + "/removed"))
	must(os.Remove(dir + "/removed"))
	must(mounts.Mount("tmpfs", sub+"/covered", "tmpfs", 0, ""))
	return want, chroot(sub)
}

func TestOpenFilesInChroot(t *testing.T) {
	needRoot(t)
	t.Run("self", func(t *testing.T) { runAct(t, privateMounts(command(t, "chroot-files"))) })
	t.Run("another", func(t *testing.T) {
		pid, n := talk(t, privateMounts(command(t, "stay-chroot")), 12)
		p, err := PID(context.Background(), pid, lookingAtFiles(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		// From here the path of a file shows where it is, removed or not.
		for i, want := range []string{"no", "no", "no", "yes", "yes", "yes", "no", "yes", "no", "yes", "?", "?"} {
			f, err := openedFile(p, n[i])
			if err != nil {
				t.Fatal(err)
			}
			if got := word(f.OutsideRoot); got != want {
				t.Errorf("%q: outside %s, want %s: %+v", f.Path, got, want, f)
			}
		}
	})
}

// flux opens, closes and renumbers descriptors all the while. A packet socket
// that moves from number to number is found, or it is said that not all was seen.
func flux() error {
	raw := fd(syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0))
	// Many others make a listing slow, so that the socket moves meanwhile.
	const low, high, others = 500, 600, 3000
	for range others {
		fd(unix.FcntlInt(uintptr(raw), unix.F_DUPFD_CLOEXEC, high))
	}
	raw = fd(syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, 0))
	end, ended := make(chan bool), make(chan bool)
	var moves atomic.Int64
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		at := raw
		for i := low; ; i++ {
			select {
			case <-end:
				return
			default:
			}
			to := low + i%(high-low)
			if to == at {
				continue
			}
			must(unix.Dup3(at, to, 0))
			must(syscall.Close(at))
			at = to
			moves.Add(1)
		}
	}()
	for moves.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	defer func() { close(end); <-ended }()
	unsettled := 0
	for round := 0; round < 10 || moves.Load() < 2000 || unsettled == 0; round++ {
		if round == 200 && moves.Load() >= 2000 {
			// On a machine that is busy the one seldom runs beside the other. What
			// was said to be whole was so each time.
			return nil
		}
		if round == 2000 {
			return fmt.Errorf("it moved %d times", moves.Load())
		}
		began := time.Now()
		p, err := selfOpened(nil)
		if err != nil {
			return err
		}
		if took := time.Since(began); took > 10*time.Second {
			return fmt.Errorf("it took %v", took)
		}
		found := false
		for i := range p.MakeReach().OpenFiles.Seen {
			found = found || p.MakeReach().OpenFiles.Seen[i].Protocol.Value == "PACKET"
		}
		_, whole := p.MakeReach().OpenFiles.Whole.Get()
		if !whole {
			unsettled++
		}
		if whole && !found {
			return fmt.Errorf("all of %d descriptors were seen, and no packet socket", len(p.MakeReach().OpenFiles.Seen))
		}
		if !whole && !strings.Contains(p.MakeReach().OpenFiles.Whole.Err, "chang") {
			return fmt.Errorf("not whole: %s", p.MakeReach().OpenFiles.Whole.Err)
		}
	}
	return nil
}

func TestOpenFilesInFlux(t *testing.T) {
	needRoot(t)
	runAct(t, command(t, "flux"))
}

// longPath opens a file whose path is longer than the kernel prints. It still has
// a place.
func longPath() error {
	dir, err := os.MkdirTemp("", "opened")
	must(err)
	must(os.Chdir(dir))
	name := strings.Repeat("d\n", 120)
	for range 270 { // 64 KiB
		must(os.Mkdir(name, 0o700))
		must(os.Chdir(name))
	}
	n := fd(syscall.Open("f", syscall.O_CREAT|syscall.O_RDWR, 0o600))
	p, err := selfOpened(nil)
	if err != nil {
		return err
	}
	f, err := openedFile(p, n)
	if err != nil {
		return err
	}
	if f.Path != "" || f.Kind.Value != posture.FileRegular || word(f.OutsideRoot) != "no" || word(f.ReadOnly) == "yes" {
		return fmt.Errorf("%+v", f)
	}
	return nil
}

func TestOpenFilesWithLongPaths(t *testing.T) { runAct(t, command(t, "long-path")) }

func TestOpenFilesOutOfReach(t *testing.T) {
	needRoot(t)
	runAct(t, command(t, "other-files"))
}
