package collect

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
)

func init() {
	acts["programs"] = func() error {
		hostileRoot(os.Getenv("TMPDIR"))
		p, err := self(walkAll)
		if err != nil {
			return err
		}
		return hostileFound(p)
	}
	// Kernels before 6.13, filters that know no call so new, and one that lies.
	for name, errno := range map[string]unix.Errno{"enosys": unix.ENOSYS, "eperm": unix.EPERM, "fake": 0} {
		acts["programs-"+name] = func() error {
			hostileRoot(os.Getenv("TMPDIR"))
			must(filterFor(unix.SECCOMP_RET_ERRNO|uint32(errno), unix.SYS_GETXATTRAT))
			p, err := self(walkAll)
			if err != nil {
				return err
			}
			return hostileFound(p)
		}
	}
	// Without either call nothing says that a program is plain.
	acts["programs-unread"] = func() error {
		hostileRoot(os.Getenv("TMPDIR"))
		must(filterFor(unix.SECCOMP_RET_ERRNO, unix.SYS_GETXATTRAT, unix.SYS_GETXATTR))
		p, err := self(walkAll)
		if err != nil {
			return err
		}
		programs := p.Reach().Programs.Value.Programs
		i := slices.IndexFunc(programs, func(p posture.Program) bool { return path.Base(p.Path) == "plain" })
		if i < 0 || programs[i].Capabilities.State != posture.Unreadable {
			return fmt.Errorf("%+v", programs)
		}
		return nil
	}
	acts["programs-wait"] = func() error {
		hostileRoot(os.Getenv("TMPDIR"))
		return wait()
	}
	acts["programs-chroot"] = func() error { return chrootWalk(false) }
	acts["programs-chroot-nosuid"] = func() error { return chrootWalk(true) }
	acts["mounts-many"] = func() error {
		must(private())
		dir := os.Getenv("TMPDIR")
		must(mounts.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID, ""))
		// Mounts that lie one upon the other cost the kernel far more: it goes up
		// through all of them to print the name of each.
		// So each step copies all that there are to a place of its own.
		for i := range manySteps {
			at := filepath.Join(dir, "a b\n"+strconv.Itoa(i))
			must(os.Mkdir(at, 0o755))
			must(mounts.Mount(dir, at, "", syscall.MS_BIND|syscall.MS_REC, ""))
		}
		return wait()
	}
	acts["mounts-flux"] = func() error {
		must(private())
		dir := os.Getenv("TMPDIR")
		must(mounts.Mount("tmpfs", dir, "tmpfs", 0, ""))
		go func() {
			for {
				must(mounts.Mount("tmpfs", dir, "tmpfs", 0, ""))
				must(syscall.Unmount(dir, syscall.MNT_DETACH))
			}
		}()
		return wait()
	}
}

const (
	manySteps  = 15
	manyMounts = 1 << manySteps
)

var walkAll = Options{Reach: func(s *Site) { s.Programs() }}

// wait tells the parent that all is there, and lives until it has seen it.
func wait() error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// put makes a program. Its owner is root.
func put(path string, mode uint32) {
	must(os.WriteFile(path, []byte("\x7fELF"), 0o600))
	must(unix.Chmod(path, mode))
}

const hostileName = "a b\n\x1b[31m\\\xff"

// deepest is a path with one directory more than a walk goes down.
const deepest = maxDepth + 1

// hostileRoot makes a root directory with all that a walk may come upon, and makes
// it the process's own.
func hostileRoot(root string) {
	must(private())
	must(mounts.Mount("tmpfs", root, "tmpfs", 0, "mode=755"))
	in := func(path string) string { return filepath.Join(root, path) }
	for _, dir := range []string{"bin", "again", "over", "nosuid", "noexec", "closed", "fuse", "proc", "deep"} {
		must(os.Mkdir(in(dir), 0o755))
	}
	put(in("bin/suid"), 0o4755)
	put(in("bin/sgid"), 0o2755)
	put(in("bin/plain"), 0o755)
	put(in("bin/not-executable"), 0o6644)
	put(in("bin/"+hostileName), 0o4711)
	put(in("bin/capable"), 0o755)
	put(in("bin/anothers"), 0o755)
	must(unix.Setxattr(in("bin/capable"), "security.capability", capabilityAttribute(2, 1<<13, 0), 0))
	must(unix.Setxattr(in("bin/anothers"), "security.capability", capabilityAttribute(3, 1<<13, 100_000), 0))
	must(unix.Mkfifo(in("bin/fifo"), 0o6777))
	must(unix.Mknod(in("bin/device"), syscall.S_IFCHR|0o6777, int(unix.Mkdev(1, 3))))
	must(os.Symlink("suid", in("bin/link")))
	put(in("closed/suid"), 0o4755)
	must(os.Chmod(in("closed"), 0o700))
	put(in("single"), 0o644)
	deep := in("deep")
	for range deepest {
		deep += "/d"
		must(os.Mkdir(deep, 0o755))
	}
	must(mounts.Mount(in("bin"), in("again"), "", syscall.MS_BIND, ""))
	must(mounts.Mount(in("bin/suid"), in("single"), "", syscall.MS_BIND, ""))
	must(mounts.Mount("tmpfs", in("nosuid"), "tmpfs", syscall.MS_NOSUID, ""))
	must(mounts.Mount("tmpfs", in("noexec"), "tmpfs", syscall.MS_NOEXEC, ""))
	must(mounts.Mount("tmpfs", in("over"), "tmpfs", 0, ""))
	for _, dir := range []string{"nosuid", "noexec", "over"} {
		put(in(dir+"/suid"), 0o4755)
	}
	must(mounts.Mount("tmpfs", in("over"), "tmpfs", 0, ""))
	must(mounts.Mount("proc", in("proc"), "proc", 0, ""))
	// Nobody will ever answer for it.
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR, 0)
	must(err)
	must(mounts.Mount("never", in("fuse"), "fuse", 0, "fd="+strconv.Itoa(fd)+",rootmode=40000,user_id=0,group_id=0"))
	must(syscall.Chroot(root))
	must(os.Chdir("/"))
}

func capabilityAttribute(version, set, rootID uint32) []byte {
	words := []uint32{version<<24 | 1, set, 0, 0, 0}
	if version == 3 {
		words = append(words, rootID)
	}
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// hostileFound says whether a walk over that root found what there is.
func hostileFound(p *posture.Process) error {
	w, known := p.Reach().Programs.Get()
	if !known {
		return errors.New(p.Reach().Programs.Why())
	}
	got := map[string]posture.Program{}
	for _, program := range w.Programs {
		if _, twice := got[program.Path]; twice {
			return fmt.Errorf("%q is there twice", program.Path)
		}
		// The same directory by two paths is walked by either.
		path := strings.Replace(program.Path, "/again/", "/bin/", 1)
		program.Path = path
		got[path] = program
	}
	want := []string{"/bin/anothers", "/bin/capable", "/bin/sgid", "/bin/suid", "/bin/" + hostileName, "/closed/suid", "/single"}
	if paths := slices.Sorted(maps.Keys(got)); !slices.Equal(paths, slices.Sorted(slices.Values(want))) {
		return fmt.Errorf("found %q", paths)
	}
	if c := got["/bin/capable"].Capabilities.Value; c.Permitted != 1<<13 || !c.Effective || !c.Counts.Value || c.Counts.State != posture.Known {
		return fmt.Errorf("capable: %+v", c)
	}
	if c := got["/bin/anothers"].Capabilities.Value; c.RootID != 100_000 || c.Counts.Value || c.Counts.State != posture.Known {
		return fmt.Errorf("another's: %+v", c)
	}
	if through := got["/closed/suid"].Through; len(through) != 1 || through[0].Mode != 0o700 || len(got["/bin/suid"].Through) != 0 {
		return fmt.Errorf("through %+v", through)
	}
	if m := got["/bin/suid"].Permission; m.Mode != 0o4755 || m.UID.Value.Value != 0 || m.UID.State != posture.Known || m.ACL.State != posture.Known || m.ACL.Value {
		return fmt.Errorf("suid: %+v", m)
	}
	if len(w.Unseen) != 2 || places(w.Unseen, "too deep") != "/deep"+strings.Repeat("/d", deepest-1) || places(w.Unseen, "fuse") != "/fuse" {
		return fmt.Errorf("unseen %+v", w.Unseen)
	}
	if len(w.Idle) != 2 || places(w.Idle, "nosuid") != "/nosuid" || places(w.Idle, "noexec") != "/noexec" {
		return fmt.Errorf("idle %+v", w.Idle)
	}
	if w.Counts.State != posture.Known || !w.Counts.Value {
		return fmt.Errorf("counts: %+v", w.Counts)
	}
	return covered(p)
}

// covered says whether of the two mounts at one place one is told to be covered.
func covered(p *posture.Process) error {
	var reached []bool
	for _, m := range p.Reach().Mounts.Value {
		if m.Point == "/over" {
			if m.Reachable.State != posture.Known {
				return errors.New(m.Reachable.Why())
			}
			reached = append(reached, m.Reachable.Value)
		}
	}
	if !slices.Equal(reached, []bool{false, true}) {
		return fmt.Errorf("/over is reached: %v", reached)
	}
	return nil
}

// places are those left for that reason.
func places(left []posture.Left, why string) string {
	var out []string
	for _, l := range left {
		if strings.Contains(l.Why, why) {
			out = append(out, l.Place)
		}
	}
	return strings.Join(out, " ")
}

// chrootWalk walks from a root directory that is on no mount that it can see.
func chrootWalk(nosuid bool) error {
	must(private())
	root, flags := os.Getenv("TMPDIR"), uintptr(0)
	if nosuid {
		flags = syscall.MS_NOSUID
	}
	must(mounts.Mount("tmpfs", root, "tmpfs", flags, ""))
	jail := filepath.Join(root, "jail")
	must(os.MkdirAll(jail+"/proc", 0o755))
	put(jail+"/suid", 0o4755)
	put(root+"/outside", 0o4755)
	must(mounts.Mount("proc", jail+"/proc", "proc", 0, ""))
	must(syscall.Chroot(jail))
	must(os.Chdir("/"))
	p, err := self(walkAll)
	if err != nil {
		return err
	}
	w, known := p.Reach().Programs.Get()
	if !known || len(w.Unseen) != 0 {
		return fmt.Errorf("%s %+v", p.Reach().Programs.Why(), w)
	}
	if nosuid && (len(w.Programs) != 0 || len(w.Idle) != 1) || !nosuid && (len(w.Programs) != 1 || w.Programs[0].Path != "/suid") {
		return fmt.Errorf("%+v", w)
	}
	return nil
}

func TestProgramsOfOwnProcess(t *testing.T) {
	needRoot(t)
	for _, act := range []string{"programs", "programs-enosys", "programs-eperm", "programs-fake", "programs-unread", "programs-chroot", "programs-chroot-nosuid"} {
		t.Run(act, func(t *testing.T) { runAct(t, privateMounts(command(t, act))) })
	}
}

// outside starts an act that waits, and observes it.
func outside(t *testing.T, act string, o Options, timeout time.Duration) (*posture.Process, error) {
	t.Helper()
	cmd := privateMounts(command(t, act))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q: %v", line, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return PID(ctx, cmd.Process.Pid, o)
}

func TestProgramsOfAnotherProcess(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "programs-wait", walkAll, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := hostileFound(p); err != nil {
		t.Error(err)
	}
}

// TestManyMounts: more than twenty thousand mounts with names that the kernel escapes.
func TestManyMounts(t *testing.T) {
	needRoot(t)
	var took time.Duration
	p, err := outside(t, "mounts-many", Options{Reach: func(s *Site) {
		start := time.Now()
		s.Mounts()
		took = time.Since(start)
	}}, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	mounts, known := p.Reach().Mounts.Get()
	if !known || len(mounts) < manyMounts {
		t.Fatalf("%d mounts: %s", len(mounts), p.Reach().Mounts.Why())
	}
	if last := &mounts[len(mounts)-1]; !strings.Contains(last.Point, "/a b\n"+strconv.Itoa(manySteps-1)) || !last.Has("nosuid") || last.Type != "tmpfs" {
		t.Errorf("the last: %+v", last)
	}
	t.Logf("%d mounts, read and parsed in %v", len(mounts), took)
	if took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestMountsInFlux: a table that never stands still is not taken for known, or
// the walk for whole.
func TestMountsInFlux(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "mounts-flux", walkAll, 8*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	w, known := p.Reach().Programs.Get()
	t.Logf("mounts: %q, programs: %q, unseen %v", p.Reach().Mounts.Why(), p.Reach().Programs.Why(), w.Unseen)
	if known && places(w.Unseen, "came or went") != "/" {
		t.Error("the walk is taken for whole")
	}
}

// TestWalkEndsInTime: a walk that has no time left says so.
func TestWalkEndsInTime(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "mounts-flux", Options{Reach: func(s *Site) {
		ctx, cancel := context.WithCancel(s.Ctx)
		cancel()
		s.by.ctx = ctx
		s.Programs()
		s.by.ctx = s.Ctx
	}}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if w, known := p.Reach().Programs.Get(); known && len(w.Unseen) == 0 {
		t.Errorf("%+v", w)
	}
}

func TestDecodeCapabilities(t *testing.T) {
	for name, row := range map[string]struct {
		in   []byte
		want posture.FileCapabilities
		ok   bool
	}{
		"version 1": {[]byte{1, 0, 0, 1, 1, 0, 0, 0, 2, 0, 0, 0}, posture.FileCapabilities{Version: 1, Effective: true, Permitted: 1, Inheritable: 2}, true},
		"version 2": {capabilityAttribute(2, 1<<13, 0), posture.FileCapabilities{Version: 2, Effective: true, Permitted: 1 << 13}, true},
		"version 3": {capabilityAttribute(3, 1, 7), posture.FileCapabilities{Version: 3, Effective: true, Permitted: 1, RootID: 7}, true},
		"high half": {[]byte{0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, posture.FileCapabilities{Version: 2, Permitted: 1 << 32, Inheritable: 2 << 32}, true},
		"version 4": {capabilityAttribute(4, 1, 0), posture.FileCapabilities{}, false},
		"too short": {capabilityAttribute(3, 1, 7)[:20], posture.FileCapabilities{}, false},
		"too long":  {append(capabilityAttribute(2, 1, 0), 0, 0, 0, 0), posture.FileCapabilities{}, false},
		"odd":       {[]byte{1, 0, 0, 2, 5}, posture.FileCapabilities{}, false},
		"nothing":   {nil, posture.FileCapabilities{}, false},
	} {
		got, ok := decodeCapabilities(row.in)
		if ok != row.ok || ok && got != row.want {
			t.Errorf("%s: %+v %v", name, got, ok)
		}
	}
}
