package collect

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
)

// reachAll asks for everything that there is to ask.
var reachAll = Options{Reach: func(s *Site) {
	s.Access(AccessAsked{
		Masked: []string{"/proc/kcore", "/nothing", "/closed/file", "/link", "/masked", "/leads", "/proc/self/attr"}, ReadOnly: []string{"/ro", "/data"},
		Bounds: map[posture.Use][]string{
			posture.UseWrite: {"/allowed"}, posture.UseExecute: {"/exec"}, posture.UseRead: {"/usr", "/proc"}, posture.UseDevice: nil,
		},
		Shells: []string{"/usr/bin/sh", "/usr/bin/plain", "/noexec/sh", "/usr/bin/none"},
	})
}}

const actorID = 64321

// accessRoot makes a root directory with all that a walk may come upon, and
// becomes a user there that owns some of it.
func accessRoot(root string) {
	must(private())
	must(mounts.Mount("tmpfs", root, "tmpfs", 0, "mode=711"))
	in := func(name string) string { return filepath.Join(root, name) }
	dir := func(name string, mode uint32) {
		must(os.MkdirAll(in(name), 0o755))
		must(unix.Chmod(in(name), mode))
	}
	file := func(name string, mode uint32) {
		must(os.MkdirAll(filepath.Dir(in(name)), 0o755))
		put(in(name), mode)
	}
	node := func(name string, mode, major, minor uint32) {
		must(unix.Mknod(in(name), mode, int(unix.Mkdev(major, minor))))
		must(unix.Chmod(in(name), mode&permBits))
	}
	dir("data", 0o733)
	dir("data/below", 0o777)
	dir("allowed", 0o777)
	dir("exec", 0o777)
	dir("closed", 0o700)
	file("closed/file", 0o666)
	dir("mine", 0o700)
	must(os.Chown(in("mine"), actorID, actorID))
	dir("own", 0o555)
	must(os.Chown(in("own"), actorID, actorID))
	dir("group", 0o770)
	must(os.Chown(in("group"), 0, actorID+1))
	dir("kept out", 0o707)
	must(os.Chown(in("kept out"), 0, actorID+1))
	dir("list", 0o711)
	must(unix.Setxattr(in("list"), "system.posix_acl_access", aclFor(actorID), 0))
	file("etc/file", 0o646)
	must(unix.Chmod(in("etc"), 0o711))
	file("etc/"+hostileName, 0o662)
	file("usr/bin/sh", 0o755)
	file("usr/bin/plain", 0o644)
	file("usr/bin/written", 0o757)
	dir("dev", 0o711)
	must(mounts.Mount("tmpfs", in("dev"), "tmpfs", 0, "mode=711"))
	node("dev/null", syscall.S_IFCHR|0o666, 1, 3)
	node("dev/whiteout", syscall.S_IFCHR|0o666, 0, 0)
	node("dev/mem", syscall.S_IFCHR|0o666, 1, 1)
	node("dev/tty", syscall.S_IFBLK|0o646, 1, 3)
	node("dev/sda", syscall.S_IFBLK|0o660, 8, 0)
	for name, flags := range map[string]uintptr{"ro": syscall.MS_RDONLY, "nodev": syscall.MS_NODEV, "noexec": syscall.MS_NOEXEC} {
		dir(name, 0o755)
		must(mounts.Mount("tmpfs", in(name), "tmpfs", 0, "mode=733"))
		node(name+"/mem", syscall.S_IFCHR|0o666, 1, 1)
		file(name+"/sh", 0o755)
		must(mounts.Mount("", in(name), "", syscall.MS_REMOUNT|flags, "mode=733"))
	}
	dir("proc", 0o711)
	must(mounts.Mount("proc", in("proc"), "proc", 0, ""))
	file("masked", 0o600)
	must(mounts.Mount("/dev/null", in("masked"), "", syscall.MS_BIND, ""))
	must(os.Symlink("/masked", in("link")))
	must(os.Symlink("/proc/self/none", in("leads")))
	dir("fuse", 0o755)
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR, 0)
	must(err)
	must(mounts.Mount("never", in("fuse"), "fuse", 0, "fd="+fmt.Sprint(fd)+",rootmode=40000,user_id=0,group_id=0"))
	must(os.Chdir(root))
	must(syscall.PivotRoot(".", "."))
	must(syscall.Unmount(".", syscall.MNT_DETACH))
	must(os.Chdir("/"))
	must(syscall.Setgroups([]int{actorID + 1}))
	must(syscall.Setresgid(actorID, actorID, actorID))
	must(syscall.Setresuid(actorID, actorID, actorID))
	must(unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0))
}

// aclFor is an access control list by which one more user may do everything:
// struct posix_acl_xattr_header and its entries.
func aclFor(uid uint32) []byte {
	b := []byte{2, 0, 0, 0}
	const none = ^uint32(0)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 7, none}, {2, 7, uid}, {4, 0, none}, {16, 7, none}, {32, 1, none}} {
		b = append(b, byte(e.tag), byte(e.tag>>8), byte(e.perm), byte(e.perm>>8), byte(e.id), byte(e.id>>8), byte(e.id>>16), byte(e.id>>24))
	}
	return b
}

const written = posture.UseWrite | posture.UseExecute

// wantPlaces are all that is to be found, by path and use.
var wantPlaces = []string{
	"/data write", "/data execute", "/mine write", "/mine execute", "/mine read", "/own write", "/own execute", "/own read", "/group write", "/group execute", "/group read", "/list write", "/list execute", "/list read",
	"/allowed execute", "/exec write", "/etc/file write", "/etc/file execute", "/etc/" + hostileName + " write", "/etc/" + hostileName + " execute",
	"/usr/bin/written write", "/usr/bin/written execute", "/noexec write", "/nodev write", "/nodev execute", "/exec read", "/data/below read", "/nodev/sh read", "/noexec/sh read", "/ro/sh read", "/noexec/mem device", "/ro/mem device", "/allowed read", "/etc/file read",
	"/dev/mem device", "/dev/tty device",
}

var useNames = map[posture.Use]string{posture.UseWrite: "write", posture.UseExecute: "execute", posture.UseRead: "read", posture.UseDevice: "device"}

func accessFound(p *posture.Process) error {
	a, known := p.Reach().Access.Get()
	if !known {
		return fmt.Errorf("not known: %s", p.Reach().Access.Why())
	}
	got := map[string]bool{}
	for _, one := range a.Places {
		for use, name := range useNames {
			if one.Use&use != 0 {
				got[one.Path+" "+name] = true
			}
		}
	}
	want := map[string]bool{}
	for _, one := range wantPlaces {
		want[one] = true
	}
	if !maps.Equal(got, want) {
		var diff []string
		for one := range got {
			if !want[one] {
				diff = append(diff, fmt.Sprintf("+%q", one))
			}
		}
		for one := range want {
			if !got[one] {
				diff = append(diff, fmt.Sprintf("-%q", one))
			}
		}
		slices.Sort(diff)
		return fmt.Errorf("places: %s; unseen %+v", strings.Join(diff, " "), a.Unseen)
	}
	return namedFound(namedPlaces(&a), a.Unseen)
}

// namedPlaces are those that have names.
func namedPlaces(a *posture.Access) map[string]posture.Place {
	named := map[string]posture.Place{}
	for _, one := range a.Places {
		if one.Use&(posture.UseMasked|posture.UseReadOnly|posture.UseShell) != 0 {
			named[one.Path] = one
		}
	}
	return named
}

func namedFound(named map[string]posture.Place, unseen []posture.Unseen) error {
	if p := named["/proc/self/attr"]; p.There.State == posture.Absent {
		return fmt.Errorf("%+v", p)
	}
	for path, right := range map[string]func(*posture.Place) bool{
		"/nothing":     func(p *posture.Place) bool { return p.There.State == posture.Absent },
		"/link":        (*posture.Place).IsNull,
		"/masked":      (*posture.Place).IsNull,
		"/proc/kcore":  func(p *posture.Place) bool { return p.There.State == posture.Absent || p.Barred },
		"/ro":          func(p *posture.Place) bool { return p.ReadOnly },
		"/data":        func(p *posture.Place) bool { return p.There.State == posture.Known && !p.ReadOnly },
		"/usr/bin/sh":  func(p *posture.Place) bool { return p.Kind == posture.KindRegular && !p.Barred },
		"/closed/file": func(p *posture.Place) bool { return p.There.State != posture.Absent },
	} {
		if p, there := named[path]; !there || !right(&p) {
			return fmt.Errorf("%s: %t %+v", path, there, p)
		}
	}
	for _, path := range []string{"/usr/bin/plain", "/usr/bin/none", "/noexec/sh"} {
		if p, there := named[path]; there {
			return fmt.Errorf("%+v", p)
		}
	}
	fuse := slices.ContainsFunc(unseen, func(u posture.Unseen) bool { return u.Place == "/fuse" && u.Uses&written == written })
	if !fuse || slices.ContainsFunc(unseen, func(u posture.Unseen) bool { return u.Place == "/closed" && u.Uses&written != 0 }) {
		return fmt.Errorf("unseen: %+v", unseen)
	}
	return nil
}

func init() {
	acts["access"] = func() error {
		accessRoot(os.Getenv("TMPDIR"))
		p, err := self(reachAll)
		if err != nil {
			return err
		}
		// It cannot list its own root directory, and says so.
		a := &p.Reach().Access.Value
		const all = written | posture.UseRead | posture.UseDevice
		if len(a.Unseen) == 0 || a.Unseen[0].Place != "/" || a.Unseen[0].Uses != all {
			return fmt.Errorf("unseen: %+v", a.Unseen)
		}
		return namedFound(namedPlaces(a), a.Unseen)
	}
	acts["access-wait"] = func() error {
		accessRoot(os.Getenv("TMPDIR"))
		return wait()
	}
	// Without openat2(2) nothing is looked at, and nothing passes for that.
	acts["access-denied"] = func() error {
		must(filterFor(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM), unix.SYS_OPENAT2))
		p, err := self(reachAll)
		if err != nil {
			return err
		}
		a, known := p.Reach().Access.Get()
		if known && len(a.Unseen) == 0 {
			return fmt.Errorf("%+v", a)
		}
		return nil
	}
}

// TestAccessOfOwnProcess: what mode bits, lists and mounts let be reached.
func TestAccessOfOwnProcess(t *testing.T) {
	needRoot(t)
	for _, act := range []string{"access", "access-denied"} {
		t.Run(act, func(t *testing.T) { runAct(t, privateMounts(command(t, act))) })
	}
}

// TestAccessOfAnotherProcess: the same from outside, where root looks.
func TestAccessOfAnotherProcess(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "access-wait", reachAll, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := accessFound(p); err != nil {
		t.Error(err)
	}
	for _, one := range p.Reach().Access.Value.Places {
		if one.Path == "/leads" && one.There.State != posture.Unreadable || one.Path == "/own" && one.Use&written != 0 && !one.Taking {
			t.Errorf("%+v", one)
		}
	}
}

// TestAccessEnds: a walk that has no time says so.
func TestAccessEnds(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(context.Background())
	var got posture.Fact[posture.Access]
	_, err := PID(ctx, os.Getppid(), Options{Reach: func(s *Site) {
		cancel()
		s.Access(AccessAsked{Bounds: map[posture.Use][]string{posture.UseDevice: nil}})
		got = s.Process.Reach().Access
	}})
	if err == nil && got.State == posture.Known && len(got.Value.Unseen) == 0 {
		t.Errorf("%+v", got)
	}
}

// TestAccessInFlux: mounts that come and go all the while leave the rest unknown.
func TestAccessInFlux(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "mounts-flux", Options{Reach: func(s *Site) {
		s.Access(AccessAsked{Bounds: map[posture.Use][]string{posture.UseDevice: nil, posture.UseWrite: {"/"}}})
	}}, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f := &p.Reach().Access
	if f.State == posture.Known && !slices.ContainsFunc(f.Value.Unseen, func(u posture.Unseen) bool { return u.Uses&posture.UseDevice != 0 }) {
		t.Errorf("%+v", f)
	}
}
