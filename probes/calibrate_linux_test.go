//go:build linux && (amd64 || arm64)

package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"github.com/selfaudit/selfaudit/internal/names"
)

// asPosture is the variable that makes the test binary take on a posture, try
// everything in it and print what came of it.
const asPosture = "SELFAUDIT_TEST_POSTURE"

// asRoot is the variable that names the directory it changes its root to.
const asRoot = "SELFAUDIT_TEST_ROOT"

func TestMain(m *testing.M) {
	if spec := os.Getenv(asScan); spec != "" {
		if err := inScan(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	if spec := os.Getenv(asTries); spec != "" {
		if err := inTries(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	if name := os.Getenv(asPosture); name != "" {
		if err := inPosture(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// testPosture is how the test binary confines itself before it tries all.
type testPosture struct {
	name   string
	drop   bool   // to user 65534 without capabilities
	userns bool   // in a new user namespace without any id
	mounts bool   // and in a new mount namespace of that, where mounts are locked
	fixed  bool   // the root is read-only
	lower  bool   // effective capabilities emptied, permitted ones kept
	chroot bool   // into a directory that holds one directory
	action uint32 // of a filter on every call of the catalogue
	filter bool
	// calls are what the filter is on instead.
	calls []string
	// exact: the filter is on unshare(2) and clone(2) whose flags are
	// CLONE_NEWUSER and nothing else.
	exact bool
}

var testPostures = []testPosture{
	{name: "allowed"},
	{name: "permission", drop: true},
	{name: "unmapped", userns: true},
	{name: "locked", userns: true, mounts: true},
	{name: "read-only", fixed: true, drop: true},
	{name: "read-only root", fixed: true},
	{name: "lowered", lower: true},
	{name: "chrooted", chroot: true},
	{name: "errno", filter: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
	{name: "kill", filter: true, action: unix.SECCOMP_RET_KILL_PROCESS},
	{name: "kill-thread", filter: true, action: unix.SECCOMP_RET_KILL_THREAD},
	{name: "trap", filter: true, action: unix.SECCOMP_RET_TRAP},
	{name: "errno-dropped", filter: true, drop: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
	{name: "enosys-dropped", filter: true, drop: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
	{name: "fake-dropped", filter: true, drop: true, action: unix.SECCOMP_RET_ERRNO},
	{name: "kill-dropped", filter: true, drop: true, action: unix.SECCOMP_RET_KILL_PROCESS},
	{name: "blinded", lower: true, filter: true, action: unix.SECCOMP_RET_ERRNO, calls: readBacks},
	{name: "uses refused", drop: true, filter: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), calls: []string{"chroot", "unshare", "prctl", "mount", "bind"}},
	{name: "binds", drop: true, filter: true, action: unix.SECCOMP_RET_KILL_PROCESS, calls: []string{"capget", "chroot", "unshare", "prctl", "mount"}},
	{name: "binds nothing", drop: true, filter: true, action: unix.SECCOMP_RET_KILL_PROCESS, calls: []string{"capget", "chroot", "unshare", "prctl", "mount", "getsockname"}},
	{name: "refused alike", filter: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL), calls: []string{"open_tree"}},
	{name: "directories refused", chroot: true, filter: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), calls: climbing},
	{name: "directories killed for", chroot: true, filter: true, action: unix.SECCOMP_RET_KILL_PROCESS, calls: climbing},
	{name: "directories made up", chroot: true, filter: true, action: unix.SECCOMP_RET_ERRNO, calls: climbing},
	{name: "looks made up", chroot: true, filter: true, action: unix.SECCOMP_RET_ERRNO, calls: []string{"statx"}},
	{name: "one way left", chroot: true, filter: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), calls: []string{"openat"}},
	{name: "compared as a whole", drop: true, filter: true, action: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), calls: []string{}, exact: true},
}

// inPosture takes the posture on the locked main thread only, tries all
// attempts from there, and prints them.
func inPosture(name string) error {
	switch name {
	case "no-trace":
		return traceRun()
	case "no-trace-scan":
		return scanTraceRun()
	}
	runtime.LockOSThread()
	k := slices.IndexFunc(testPostures, func(p testPosture) bool { return p.name == name })
	if k < 0 {
		return fmt.Errorf("unknown posture %q", name)
	}
	want := testPostures[k]
	peer, directory := &Peer{PID: 1, Why: "process 1"}, -1
	if want.chroot {
		// From before the root changes.
		var err error
		if directory, err = syscall.Open("/", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0); err != nil {
			return err
		}
	}
	if !want.drop && !want.userns {
		// As root with all capabilities, on a process of its own.
		victim := exec.Command("sleep", "60")
		victim.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNS}
		if err := victim.Start(); err != nil {
			return err
		}
		defer victim.Process.Kill()
		peer = &Peer{PID: victim.Process.Pid, Why: "a process of user 65534"}
	}
	if err := want.take(); err != nil {
		return err
	}
	p, err := facts(want.filter)
	if err != nil {
		return err
	}
	if want.filter {
		calls := filteredCalls
		if want.calls != nil {
			calls = want.calls
		}
		if err := load(want.action, calls, want.calls == nil, want.exact); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all []string
	for _, a := range names.Attempts() {
		all = append(all, a.Name)
	}
	attempts, err := Run(ctx, Input{Names: all, Process: p, Peer: peer, moreUses: bindIn})
	if err != nil {
		return err
	}
	beyond, err := Run(ctx, Input{Names: all, Process: p, Beyond: beyondHere(peer, directory)})
	if err != nil {
		return err
	}
	attempts = append(attempts, beyond...)
	return json.NewEncoder(os.Stdout).Encode(attempts)
}

// climbing are the calls by which a directory is left upwards.
var climbing = []string{"openat", "fchdir", "chdir"}

// beyondHere is one process of another user, with a mount namespace of its own
// where that is not process 1, and perhaps a directory.
func beyondHere(peer *Peer, directory int) *Beyond {
	on := NewBeyond()
	on.NotTried, on.NotOpened, on.NotSeen, on.NoRoots = "", "", "", ""
	on.Processes = []OtherProcess{{PID: peer.PID, What: peer.Why, OtherUser: true}}
	on.Procs = []ProcMount{{Path: "/proc"}}
	on.Roots = []OtherRoot{{PID: peer.PID, Ours: peer.PID, What: peer.Why}}
	on.Directories = []Directory{{FD: WorkingDirectory, What: "the working directory", Inside: true}}
	if directory >= 0 {
		on.Directories = append(on.Directories, Directory{FD: directory, What: "a directory"})
	}
	return on
}

func (p testPosture) take() error {
	if p.fixed {
		if err := readOnlyRoot(); err != nil {
			return err
		}
	}
	switch {
	case p.chroot:
		return errors.Join(unix.Chroot(os.Getenv(asRoot)), unix.Chdir("/"))
	case p.lower:
		return lowerEffective()
	case p.drop:
		return dropAll()
	}
	return nil
}

// readOnlyRoot gives the calling thread a mount namespace whose root is mounted
// read-only.
func readOnlyRoot() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := mounts.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return mounts.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

func lowerEffective() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&header, &d[0]); err != nil {
		return err
	}
	d[0].Effective, d[1].Effective = 0, 0
	return unix.Capset(&header, &d[0])
}

func dropAll() error {
	for _, c := range [][4]uintptr{
		{unix.SYS_SETGROUPS, 0, 0, 0},
		{unix.SYS_SETRESGID, 65534, 65534, 65534},
		{unix.SYS_SETRESUID, 65534, 65534, 65534},
	} {
		if _, _, e := syscall.RawSyscall(c[0], c[1], c[2], c[3]); e != 0 {
			return e
		}
	}
	return nil
}

// facts asks the kernel for what the attempts need to know.
func facts(filtered bool) (*posture.Process, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&header, &d[0]); err != nil {
		return nil, err
	}
	set := func(lo, hi uint32) posture.Fact[posture.CapSet] {
		return posture.Of(posture.CapSet(lo)|posture.CapSet(hi)<<32, "capget(2)", "")
	}
	uid := uint32(syscall.Getuid())
	id := posture.ID{Value: uid, Outside: uid}
	mode := 0
	if filtered {
		mode = 2
	}
	return &posture.Process{Self: true, PID: os.Getpid(), LastCapability: posture.Of(40, "", ""), Kernel: []posture.Thread{{
		TID:         syscall.Gettid(),
		UID:         posture.Of(posture.IDs{Real: id, Effective: id, Saved: id, FS: id}, "", ""),
		GID:         posture.Of(posture.IDs{Real: id, Effective: id, Saved: id, FS: id}, "", ""),
		SeccompMode: posture.Of(mode, "", ""),
		Securebits:  posture.Of(uint32(0), "", ""),
		Caps: posture.CapFacts{
			Effective:   set(d[0].Effective, d[1].Effective),
			Permitted:   set(d[0].Permitted, d[1].Permitted),
			Inheritable: set(d[0].Inheritable, d[1].Inheritable),
		},
	}}}, nil
}

// filteredCalls are all calls that the catalogue attempts, but those that the
// Go runtime cannot do without.
var filteredCalls = []string{
	"setuid", "setgid", "setresuid", "setresgid", "setreuid", "setregid", "setfsuid", "setfsgid", "setgroups", "capset",
	"mount", "umount2", "pivot_root", "fsopen", "fspick", "open_tree", "move_mount", "mount_setattr", "chroot", "setns", "open_by_handle_at",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
	"reboot", "swapon", "swapoff", "settimeofday", "clock_adjtime", "sethostname", "setdomainname", "acct", "keyctl", "add_key", "quotactl_fd", "syslog",
	"socket", "ptrace", "process_vm_readv", "kill", "execve", "execveat", "memfd_create", "personality", "fanotify_init", "iopl", "unshare", "clone3", "prctl", "bind",
}

// readBacks are the calls by which effects are read back.
var readBacks = []string{"capget", "getresuid", "getresgid", "getgroups"}

// load puts a filter on the calling thread that answers action to every call of
// the catalogue, to clone(2) with CLONE_NEWUSER, to mmap(2) of pages that can be
// written and executed, and to the other ABIs.
func load(action uint32, calls []string, rest, exact bool) error {
	var f []unix.SockFilter
	stmt := func(code uint16, k uint32) { f = append(f, unix.SockFilter{Code: code, K: k}) }
	const ld, jeq, jset, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ, unix.BPF_JMP | unix.BPF_JSET, unix.BPF_RET
	arch := uint32(unix.AUDIT_ARCH_X86_64)
	if runtime.GOARCH == "arm64" {
		arch = unix.AUDIT_ARCH_AARCH64
	}
	stmt(ld, 4)
	f = append(f, unix.SockFilter{Code: jeq, Jt: 1, K: arch})
	stmt(ret, action)
	stmt(ld, 0)
	if runtime.GOARCH == "amd64" {
		f = append(f, unix.SockFilter{Code: jset, Jf: 1, K: 0x40000000})
		stmt(ret, action)
	}
	for _, name := range calls {
		nr, ok := number(name)
		if !ok {
			continue
		}
		if name == "openat" {
			// Go opens a file too, with O_CLOEXEC, while it waits for a child that
			// is slow, and no attempt does.
			f = append(f, unix.SockFilter{Code: jeq, Jf: 4, K: nr})
			stmt(ld, 16+16)
			f = append(f, unix.SockFilter{Code: jset, Jt: 1, K: unix.O_CLOEXEC})
			stmt(ret, action)
			stmt(ld, 0)
			continue
		}
		f = append(f, unix.SockFilter{Code: jeq, Jf: 1, K: nr})
		stmt(ret, action)
	}
	if rest {
		f = append(f, unix.SockFilter{Code: jeq, Jf: 3, K: unix.SYS_CLONE})
		stmt(ld, 16)
		f = append(f, unix.SockFilter{Code: jset, Jt: 0, Jf: 5, K: cloneNewUser})
		stmt(ret, action)
		f = append(f, unix.SockFilter{Code: jeq, Jf: 3, K: unix.SYS_MMAP})
		stmt(ld, 16+16)
		f = append(f, unix.SockFilter{Code: jeq, Jf: 1, K: 7})
		stmt(ret, action)
	}
	if exact {
		for _, nr := range []uint32{unix.SYS_UNSHARE, unix.SYS_CLONE} {
			stmt(ld, 0)
			f = append(f, unix.SockFilter{Code: jeq, Jf: 3, K: nr})
			stmt(ld, 16)
			f = append(f, unix.SockFilter{Code: jeq, Jf: 1, K: cloneNewUser})
			stmt(ret, action)
		}
	}
	stmt(ret, unix.SECCOMP_RET_ALLOW)
	// Without CAP_SYS_ADMIN a filter needs no_new_privs.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	_, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	return nil
}

// try runs the test binary in a posture and returns the attempts by name.
func try(t *testing.T, name string) map[string]posture.Attempt {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	// By the parent: a process with threads cannot do it itself.
	switch name {
	case "unmapped":
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	case "locked":
		ids := []syscall.SysProcIDMap{{Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: ids, GidMappings: ids}
	}
	root := t.TempDir()
	if err := os.Mkdir(root+"/empty", 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), asPosture+"="+name, asRoot+"="+root)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("posture %s: %v\n%s", name, err, stderr.String())
	}
	var list []posture.Attempt
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	byName := map[string]posture.Attempt{}
	for _, a := range list {
		byName[a.Name] = a
	}
	for _, a := range names.Attempts() {
		if _, ok := byName[a.Name]; !ok {
			t.Errorf("posture %s: %s was not tried", name, a.Name)
		}
	}
	return byName
}

// needRoot skips a test that only root can run. Where the variable says that
// everything must run, root that cannot is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: takes on postures with and without privileges")
	}
}

// notShownHere are calls that the kernel of this machine may lack. What it
// lacks is decided by asking it, and named.
var notShownHere = []string{"kexec-load", "kexec-file-load", "init-module", "finit-module", "delete-module", "quotactl", "x32", "iopl", "int80"}

// unguarded are attempts that the kernel lets every process make: only a
// filter, a sysctl or a lock stops them.
var unguarded = []string{
	"keep-caps", "userns", "userns-clone", "userns-clone3", "perf-event-open", "io-uring-setup", "keyctl", "add-key",
	"execve", "mmap-write-exec", "memfd-exec", "personality", "int80", "x32",
}

// needsOther are attempts that root without a filter cannot show: each has a
// posture of its own below.
var needsOther = []string{"capset", "exec-gain", "chroot-escape", "fd-escape"}

func kernelLacks(a posture.Attempt) bool {
	return slices.Contains(notShownHere, a.Name) && a.Outcome == posture.Stopped && a.By == posture.StoppedByKernel
}

func describeAttempt(a posture.Attempt) string {
	text := fmt.Sprintf("%s: %s by %s: %s", a.Name, a.Outcome, a.By, a.Detail)
	for _, e := range a.Evidence {
		text += "; " + e.Value
	}
	return text
}

// perfNeedsCapability says that a sysctl guards perf_event_open(2): above 2, as
// some distributions have it, every event takes a capability.
func perfNeedsCapability(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n > 2
}

func TestAllowed(t *testing.T) {
	needRoot(t)
	for name, a := range try(t, "allowed") {
		switch {
		case slices.Contains(needsOther, name):
		case kernelLacks(a):
			t.Logf("not calibrated on this kernel: %s", describeAttempt(a))
		case a.Outcome != posture.Succeeded:
			t.Errorf("root, no filter: %s", describeAttempt(a))
		}
	}
	if a := try(t, "lowered")["capset"]; a.Outcome != posture.Succeeded {
		t.Errorf("permitted and not effective: %s", describeAttempt(a))
	}
	if a := try(t, "lowered")["exec-gain"]; a.Outcome != posture.Undecided {
		t.Errorf("a program has in effect what is permitted, and none was executed: %s", describeAttempt(a))
	}
	if a := try(t, "chrooted")["fd-escape"]; a.Outcome != posture.Succeeded {
		t.Errorf("in a chroot with a directory from outside: %s", describeAttempt(a))
	}
	if a := try(t, "chrooted")["chroot-escape"]; a.Outcome != posture.Succeeded {
		t.Errorf("in a chroot with CAP_SYS_CHROOT: %s", describeAttempt(a))
	}
}

func TestStoppedByPermission(t *testing.T) {
	needRoot(t)
	for name, a := range try(t, "permission") {
		switch {
		case kernelLacks(a):
			t.Logf("not calibrated on this kernel: %s", describeAttempt(a))
		case (name == "fd-escape" || name == "exec-gain") && a.Outcome == posture.NoObject:
		case slices.Contains(unguarded, name) && !(name == "perf-event-open" && perfNeedsCapability(t)):
			if a.Outcome != posture.Succeeded {
				t.Errorf("nothing guards it: %s", describeAttempt(a))
			}
		case a.Outcome != posture.Stopped || a.By != posture.StoppedByCapability && a.By != posture.StoppedByPermission:
			t.Errorf("no capability, no filter: %s", describeAttempt(a))
		}
	}
}

// TestUnmapped: in a user namespace that maps no id there is no id 0 to take,
// and the capabilities in it are worth nothing outside.
func TestUnmapped(t *testing.T) {
	needRoot(t)
	attempts := try(t, "unmapped")
	for _, name := range []string{"setuid-root", "setgid-root", "setresuid-root", "setresgid-root", "setreuid-root", "setregid-root", "setgroups", "bpf", "reboot", "settimeofday", "open-by-handle-at"} {
		if a := attempts[name]; a.Outcome != posture.Stopped {
			t.Errorf("%s", describeAttempt(a))
		}
	}
}

// TestLockedMounts: the mounts of a mount namespace that was made along with a
// user namespace are locked, so that the kernel refuses to clone one of them by
// itself, once it has seen the capability.
func TestLockedMounts(t *testing.T) {
	needRoot(t)
	for name, want := range map[string]posture.Outcome{"locked": posture.Succeeded, "unmapped": posture.Stopped, "allowed": posture.Succeeded} {
		if a := try(t, name)["open-tree"]; a.Outcome != want {
			t.Errorf("%s: %s", name, describeAttempt(a))
		}
	}
	if a := try(t, "refused alike")["open-tree"]; a.Outcome != posture.Stopped || a.By != posture.StoppedByFilter {
		t.Errorf("a filter answers what the kernel answers for locked mounts: %s", describeAttempt(a))
	}
}

// TestReadOnlyRoot: what asks for quotas does not end at a root that is mounted
// read-only, before the kernel has looked for the capability.
func TestReadOnlyRoot(t *testing.T) {
	needRoot(t)
	dropped, whole := try(t, "read-only")["quotactl"], try(t, "read-only root")["quotactl"]
	if kernelLacks(dropped) && kernelLacks(whole) {
		t.Logf("not calibrated on this root: %s", describeAttempt(dropped))
		return
	}
	if dropped.Outcome != posture.Stopped || dropped.By != posture.StoppedByCapability || whole.Outcome != posture.Succeeded {
		t.Errorf("without capabilities: %s\nwith all: %s", describeAttempt(dropped), describeAttempt(whole))
	}
}

// blind are attempts whose every argument is looked at after the permission,
// so that EPERM from a filter reads as EPERM from the kernel.
var blind = []string{
	"setgroups", "securebits", "pivot-root", "fsopen", "fspick", "move-mount", "kexec-load", "kexec-file-load", "init-module", "finit-module",
	"delete-module", "reboot", "swapoff", "sethostname", "setdomainname", "acct", "syslog", "low-port", "fanotify-init",
}

func TestStoppedByFilter(t *testing.T) {
	needRoot(t)
	for _, p := range testPostures {
		if !p.filter || p.calls != nil {
			continue
		}
		for name, a := range try(t, p.name) {
			byFilter := a.By == posture.StoppedByFilter || a.By == posture.StoppedUnknown && ambiguous(p, name)
			// The clone(2) with CLONE_NEWUSER alone is filtered by its argument.
			byArgument := name == "userns-clone" && a.By != posture.StoppedByCapability
			switch {
			case name == "capset" && a.Outcome == posture.NoObject:
				continue // root has every capability already
			case slices.Contains(byOpening, name):
				continue // no filter here is on the calls that it takes
			case slices.Contains(noEntry[runtime.GOARCH], name) && a.By == posture.StoppedByKernel:
				continue
			}
			if a.Outcome != posture.Stopped || !byFilter && !byArgument {
				t.Errorf("%s: %s", p.name, describeAttempt(a))
			}
			if a.Outcome == posture.Succeeded {
				t.Errorf("%s: a success through a filter that stops it", p.name)
			}
		}
	}
}

// byOpening are attempts that take calls which Go cannot do without.
var byOpening = []string{"fd-escape", "proc-root"}

// TestDirectoriesFiltered: what stands before the ways out of a root, and one way
// that is left open.
func TestDirectoriesFiltered(t *testing.T) {
	needRoot(t)
	for name, want := range map[string]posture.Outcome{
		"directories refused": posture.Stopped, "directories killed for": posture.Stopped, "directories made up": posture.Stopped,
		"looks made up": posture.Undecided, "one way left": posture.Succeeded,
	} {
		a := try(t, name)["fd-escape"]
		if a.Outcome != want || want == posture.Stopped && a.By != posture.StoppedByFilter {
			t.Errorf("%s: %s", name, describeAttempt(a))
		}
	}
}

// noEntry are attempts that an architecture has no call or no way in for.
var noEntry = map[string][]string{"arm64": {"x32", "int80", "iopl"}}

// ambiguous says that no answer can tell who stopped the attempt.
func ambiguous(p testPosture, name string) bool {
	return slices.Contains(blind, name) || p.action == unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)
}

// A filter that makes up the answers to what is read back must not turn a
// success into something that was stopped.
func TestBlindedReadBack(t *testing.T) {
	needRoot(t)
	attempts := try(t, "blinded")
	for _, name := range []string{"capset", "setuid-root", "setgid-root", "setresuid-root", "setresgid-root", "setreuid-root", "userns"} {
		if a := attempts[name]; a.Outcome != posture.Succeeded && a.Outcome != posture.Undecided {
			t.Errorf("it works, and the audit was lied to about it: %s", describeAttempt(a))
		}
	}
}

// A filter that refused the uses of a capability that were tried may let the
// next one through, and one that compares flags as a whole lets another
// combination through.
func TestUserNamespaceFilters(t *testing.T) {
	needRoot(t)
	if a := try(t, "uses refused")["userns-clone"]; a.Outcome != posture.Undecided {
		t.Errorf("a namespace was made, and the uses of it refused by a filter: %s", describeAttempt(a))
	}
	// The filter of a network service that kills for every other use.
	for _, name := range []string{"userns-clone", "userns-clone3"} {
		if a := try(t, "binds")[name]; a.Outcome != posture.Succeeded {
			t.Errorf("a port can be bound in the namespace: %s", describeAttempt(a))
		}
		if a := try(t, "binds nothing")[name]; a.Outcome != posture.Undecided {
			t.Errorf("a port is bound, and that it is one cannot be read back: %s", describeAttempt(a))
		}
	}
	attempts := try(t, "compared as a whole")
	for _, name := range []string{"userns", "userns-clone"} {
		if a := attempts[name]; a.Outcome != posture.Succeeded {
			t.Errorf("CLONE_NEWUSER|CLONE_NEWNS is let through: %s", describeAttempt(a))
		}
	}
}

// TestUnsteadyDeathIsUndecided: one signal can come from anyone.
func TestUnsteadyDeathIsUndecided(t *testing.T) {
	e := &env{filtered: true}
	act := &answer{made: &made{ok: true, call: "mount"}, Outcome: child.Outcome{Signal: syscall.SIGSYS}}
	if v := e.judge(&reading{want: efault}, unasked, act); v.outcome != posture.Undecided {
		t.Errorf("one death by SIGSYS: %v", v.outcome)
	}
	act.Repeated = true
	if v := e.judge(&reading{want: efault}, unasked, act); v.outcome != posture.Stopped || v.by != posture.StoppedByFilter {
		t.Errorf("two deaths by SIGSYS: %v by %v", v.outcome, v.by)
	}
	e.filtered = false
	if v := e.judge(&reading{want: efault}, unasked, act); v.outcome != posture.Undecided {
		t.Errorf("deaths by SIGSYS without a filter: %v", v.outcome)
	}
}

func TestCatalogueMatchesNames(t *testing.T) {
	var here []string
	for _, e := range slices.Concat(catalog[:], catalogBeyond[:]) {
		here = append(here, e.name)
	}
	var there []string
	for _, a := range names.Attempts() {
		there = append(there, a.Name)
	}
	if !slices.Equal(here, there) {
		t.Errorf("the catalogue has\n%v\nand the table of names\n%v", here, there)
	}
}
