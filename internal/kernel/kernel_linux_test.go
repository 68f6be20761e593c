package kernel

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// skip leaves a test out for the reason given. Where SELFAUDIT_NO_SKIP=1 asks
// for all tests and we are root, that is a failure.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("SELFAUDIT_NO_SKIP") == "1" && os.Geteuid() == 0 {
		t.Fatal("must not be skipped: " + reason)
	}
	t.Skip(reason)
}

// Every call of the table, with its arguments, gets one of its answers from a
// kernel without a filter, and changes nothing.
func TestAuditCallsAreHarmless(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); err != nil || mode != 0 {
		skip(t, "a seccomp filter is loaded, which answers for the kernel")
	}
	before := credentials(t)
	seen := map[string]bool{}
	for _, c := range AuditCalls() {
		if seen[c.Name] || c.Name == "" || c.Why == "" {
			t.Errorf("%q is there twice, or says nothing", c.Name)
		}
		seen[c.Name] = true
		for range 3 {
			_, _, errno := unix.RawSyscall6(c.NR, c.Args[0], c.Args[1], c.Args[2], c.Args[3], c.Args[4], c.Args[5])
			if errno == 0 && c.SuccessIsFake || errno != 0 && !slices.Contains(c.Accept, errno) {
				t.Errorf("%s: %v, which is not among %v", c.Name, errno, c.Accept)
			}
		}
	}
	if after := credentials(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// credentials are the lines of the thread's status that a call could change,
// and its descriptors.
func credentials(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		name, _, _ := strings.Cut(line, ":")
		if slices.Contains([]string{"Umask", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "TracerPid"}, name) {
			out = append(out, line)
		}
	}
	fds, err := os.ReadDir("/proc/thread-self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		out = append(out, fd.Name()+" ")
	}
	return strings.Join(out, "")
}

// What is denied is not made, and says why; what is not denied works.
func TestDeny(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	deny := map[string]string{}
	for _, c := range AuditCalls() {
		deny[c.Name] = "because of the test"
	}
	calls := map[string]func(c *Calls) error{
		"capget":                     func(c *Calls) error { _, err := c.Capget(0); return err },
		"getresuid":                  func(c *Calls) error { _, err := c.Getresuid(); return err },
		"getresgid":                  func(c *Calls) error { _, err := c.Getresgid(); return err },
		"getgroups":                  func(c *Calls) error { _, err := c.Getgroups(); return err },
		"setfsuid":                   func(c *Calls) error { _, err := c.FSUID(); return err },
		"setfsgid":                   func(c *Calls) error { _, err := c.FSGID(); return err },
		"prctl(PR_CAPBSET_READ)":     func(c *Calls) error { _, _, err := c.BoundingSet(); return err },
		"prctl(PR_CAP_AMBIENT)":      func(c *Calls) error { _, err := c.AmbientSet(40); return err },
		"prctl(PR_GET_SECUREBITS)":   func(c *Calls) error { _, err := c.Securebits(); return err },
		"prctl(PR_GET_NO_NEW_PRIVS)": func(c *Calls) error { _, err := c.NoNewPrivs(); return err },
		"prctl(PR_GET_SECCOMP)":      func(c *Calls) error { _, err := c.SeccompMode(); return err },
		"prctl(PR_GET_DUMPABLE)":     func(c *Calls) error { _, err := c.Dumpable(); return err },
		"clock_gettime":              func(c *Calls) error { _, err := c.SinceBoot(); return err },
		"readlinkat":                 func(c *Calls) error { _, err := c.Readlink(CurrentDir, "/proc/self", ""); return err },
	}
	for name, call := range calls {
		if err := call(New(nil)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var denied *DeniedError
		if err := call(New(deny)); !errors.As(err, &denied) || denied.Call != name || denied.Reason != "because of the test" {
			t.Errorf("%s denied: %v", name, err)
		}
	}
}

// The values are those that the standard library gets in its own ways.
func TestCredentials(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := New(nil)
	uid, err := c.Getresuid()
	if err != nil || int(uid[0]) != os.Getuid() || int(uid[1]) != os.Geteuid() {
		t.Errorf("%v %v", uid, err)
	}
	fsuid, err := c.FSUID()
	if err != nil || int(fsuid) != os.Geteuid() {
		t.Errorf("fsuid %d %v", fsuid, err)
	}
	want, _ := os.Getgroups()
	groups, err := c.Getgroups()
	if err != nil || len(groups) != len(want) || groups == nil {
		t.Errorf("%v %v, want %v", groups, err, want)
	}
	if _, last, err := c.BoundingSet(); err != nil || last < 37 {
		t.Errorf("last %d %v", last, err)
	}
}

func TestErrorsNameCallFileAndErrno(t *testing.T) {
	_, err := Open(CurrentDir, "/nonexistent-x", 0, "")
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, syscall.ENOENT) || e.Call != "openat(2)" || e.File != "/nonexistent-x" {
		t.Errorf("%#v", err)
	}
	if got := err.Error(); got != "openat(2) /nonexistent-x: ENOENT" {
		t.Error(got)
	}
}

// The look into a mount namespace leaves no thread, and every thread its root.
func TestNamespaceRootLeavesNothing(t *testing.T) {
	c := New(nil)
	fd, err := Open(CurrentDir, "/proc/self/ns/mnt", 0, "")
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	caps, err := c.Capget(0)
	if err != nil {
		t.Fatal(err)
	}
	const need = 1<<capSysAdmin | 1<<capSysChroot
	for range 20 {
		st, err := c.NamespaceRoot(fd, "ns/mnt")
		if caps.Effective&need != need {
			if !errors.Is(err, syscall.EPERM) {
				t.Fatalf("without the capabilities: %v", err)
			}
			continue
		}
		if err != nil || !st.IsDir() {
			t.Fatalf("%+v %v", st, err)
		}
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, th := range threads {
			mnt, err := os.Readlink("/proc/self/task/" + th.Name() + "/ns/mnt")
			own, _ := os.Readlink("/proc/self/ns/mnt")
			if err == nil && mnt != own {
				t.Errorf("thread %s is left in %s", th.Name(), mnt)
			}
		}
		if threads, err := os.ReadDir("/proc/self/task"); err != nil || len(threads) > 40 {
			t.Fatalf("%d threads, %v", len(threads), err)
		}
	}
}
