package profiles

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture/inside"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/probes"
)

// The commands of the document.
const (
	jailCommand  = "setpriv --reuid 65532 --regid 65532 --clear-groups DIR/jail -dir DIR/root -bind DIR/sleeper DIR/sleeper"
	bwrapCommand = "setpriv --reuid 65532 --regid 65532 --clear-groups bwrap --unshare-all --unshare-user --disable-userns --cap-drop ALL --new-session --ro-bind DIR/sleeper /sleeper --proc /proc --remount-ro / /sleeper"
)

// jailHole is the jail with one thing undone.
type jailHole struct {
	name string
	// without and leave are what the jail's flags of these names say.
	without, leave string
	// asRoot starts it as the machine's root, which some of it takes.
	asRoot bool
	// bind is bound into it beside.
	bind string
	// terminal gives it a controlling terminal.
	terminal bool
	// open returns a descriptor that it inherits.
	open func() (*os.File, error)
	gaps because
	// inside are those of the gaps that only the jail itself can tell.
	inside []string
}

const nested = "it can make user namespaces"

var jailHoles = []jailHole{
	{name: "user namespace", without: "user", asRoot: true, gaps: because{
		"namespace user": "it is in the machine's", "idmap": "all ids are there",
		"probe.userns": nested, "probe.userns-clone": nested, "probe.userns-clone3": nested,
	}},
	{name: "pid namespace", without: "pid", gaps: because{"namespace pid": "it sees the machine's processes"}},
	{name: "ipc namespace", without: "ipc", gaps: because{"namespace ipc": "it shares System V IPC"}},
	{name: "mount namespace", without: "mnt", gaps: machineRoot(because{"namespace mnt": "it has the machine's mounts"})},
	{name: "uts namespace", without: "uts", gaps: because{"namespace uts": "it shares the host name"}},
	{name: "network namespace", without: "net", gaps: because{"namespace net": "it has the machine's network", "network.abstract": "and its abstract sockets", "network.egress": "and its routes"}},
	{name: "two ids", leave: "id", asRoot: true, gaps: because{"idmap": "two are mapped"}},
	{name: "host root", asRoot: true, gaps: because{"idmap": "its one id is the machine's 0"}},
	{name: "pivot_root never called", without: "pivot", gaps: machineRoot(because{})},
	{name: "plain chroot", leave: "chroot", gaps: because{"filesystem.root": "the machine's root is still beneath"}},
	{name: "a runtime's socket", bind: "DIR/docker.sock:/run/docker.sock", gaps: because{"network.control-socket": "whoever speaks to it starts containers"}},
	{name: "session", without: "session", terminal: true, gaps: because{"process.tty": "it keeps the terminal of whoever started it"}},
	{name: "noexec", without: "noexec", gaps: because{"filesystem.executable": "it can write to its root"}},
	{name: "the old root", without: "chdir", gaps: because{"filesystem.cwd": "the working directory lies in it", "probe.fd-escape": "and .. leads through it"}},
	{name: "bounding set", without: "bounding", gaps: because{"capabilities.bounding": "it is full"}},
	{name: "no_new_privs", without: "no-new-privs", gaps: because{"privilege.no_new_privs": "it is not set"}},
	{name: "bounding set and no_new_privs", without: "bounding,no-new-privs", gaps: because{
		"capabilities.bounding": "it is full", "privilege.no_new_privs": "it is not set",
		"capabilities.exec": "uid 0 gets all back",
	}, inside: []string{"capabilities.exec"}},
	{name: "inheritable set", leave: "inheritable", gaps: because{"capabilities.inheritable": "one is left"}},
	{name: "ambient set", leave: "ambient", gaps: because{
		"capabilities.ambient": "one was raised", "capabilities.inheritable": "which takes it inheritable", "capabilities.permitted": "and permitted",
		"capabilities.effective": "here effective too", "capabilities.exec": "every program gets it", "probe.ambient-raise": "it is raised once more",
	}, inside: []string{"probe.ambient-raise"}},
	{name: "the sets", without: "capset", gaps: held(because{})},
	{name: "the sets of all threads but one", leave: "thread", gaps: held(because{"threads.uniform": "one is empty"})},
	{name: "user namespaces below", without: "limit", gaps: because{"probe.userns": nested, "probe.userns-clone": nested, "probe.userns-clone3": nested}},
	{name: "a directory", open: func() (*os.File, error) { return os.Open("/") }, gaps: because{"fds.directory": "inherited", "probe.fd-escape": "and .. leads out"}},
	{name: "a file for writing", open: func() (*os.File, error) { return os.CreateTemp("/var/tmp", "selfaudit-profiles-") }, gaps: because{"fds.writable": "inherited"}},
	{name: "a device", open: func() (*os.File, error) { return os.Open("/dev/kmsg") }, gaps: because{"fds.device": "inherited"}},
	{name: "a raw socket", open: rawSocket, gaps: because{"fds.socket": "inherited", "network.raw": "which is as good as making one"}},
	{name: "a namespace", open: func() (*os.File, error) { return os.Open("/proc/self/ns/net") }, gaps: because{"fds.namespace": "inherited"}},
	{name: "another's memory", open: func() (*os.File, error) { return os.Open("/proc/self/mem") }, gaps: because{"fds.kernel": "inherited", "probe.process-vm-readv": "which is the same"}},
}

// held adds what a process with all capabilities of its user namespace can do.
func held(gaps because) because {
	gaps["capabilities.effective"], gaps["capabilities.permitted"] = "they are full", "they are full"
	for _, attempt := range strings.Fields("chroot fsopen fspick mount mount-setattr move-mount open-tree packet-socket pivot-root raw-socket reboot setdomainname sethostname setns umount2") {
		gaps["probe."+attempt] = "in a user namespace of its own it may"
	}
	gaps["network.raw"] = "in a user namespace of its own it may"
	return gaps
}

// machineRoot adds what a process in the machine's root has.
func machineRoot(gaps because) because {
	gaps["filesystem.root"] = "it is the machine's"
	gaps["filesystem.device"] = "its devices that every user may open"
	gaps["filesystem.executable"] = "its directories that every user may write to"
	return gaps
}

func rawSocket() (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMP)
	return os.NewFile(uintptr(fd), "raw"), err
}

// fromWithin are what a process in a PID namespace of its own cannot tell.
var fromWithin = because{
	"namespace mnt": "older kernels number the machine's like any other", "namespace net": "the same",
	"filesystem.root": "the machine's cannot be compared with",
	"idmap":           "whose ids those outside are cannot be told from within",
}

// unknownWithin is fromWithin on this kernel: where it fixes the numbers of the
// machine's first namespaces the process can tell.
func unknownWithin(t *testing.T) because {
	t.Helper()
	of := maps.Clone(fromWithin)
	if fixed, known := probes.FixedNamespaces(t.Context(), false).Get(); known && fixed {
		delete(of, "namespace mnt")
		delete(of, "namespace net")
	}
	return of
}

// newJail builds the jail and a program to put into it.
func newJail(t *testing.T) string {
	t.Helper()
	launch.Need(t, "setpriv")
	dir := bench(t)
	launch.Static(t, filepath.Join(dir, "jail"), "../fixture/cmd/jail")
	launch.Static(t, filepath.Join(dir, "sleeper"), "../fixture/cmd/sleeper", "-ldflags=-E=main.pause")
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	runtimeSocket(t, dir)
	return dir
}

// jail prepares the command of the document with further flags. The program is
// left out where the jail is to stay itself.
func jail(t *testing.T, dir string, h jailHole) *exec.Cmd {
	t.Helper()
	line := words(dir, jailCommand)
	line = line[:len(line)-1]
	if h.asRoot {
		line = line[slices.Index(line, filepath.Join(dir, "jail")):]
	}
	if h.bind != "" {
		i := slices.Index(line, "-bind") + 1
		line[i] += "," + strings.ReplaceAll(h.bind, "DIR", dir)
	}
	line = append(line, "-without", h.without, "-leave", h.leave)
	cmd := exec.Command(line[0], line[1:]...)
	if h.terminal {
		cmd.ExtraFiles = []*os.File{terminal(t)}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	}
	if h.open == nil {
		return cmd
	}
	cmd.ExtraFiles = []*os.File{opened(t, h.open)}
	return cmd
}

// wait starts a jail that waits, and returns its process.
func wait(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", cmd, err, &stderr)
		}
	})
	if line, err := bufio.NewReader(io.LimitReader(stdout, 64)).ReadString('\n'); err != nil || line != inside.Ready {
		t.Fatalf("%s: %q, %v\n%s", cmd, line, err, &stderr)
	}
	all := launch.Descendants(cmd.Process.Pid)
	return all[len(all)-1]
}

// terminal makes one, and returns the end that a process has.
func terminal(t *testing.T) *os.File {
	t.Helper()
	const unlock, number = 0x40045431, 0x80045430 // TIOCSPTLCK, TIOCGPTN
	keeper, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keeper.Close() })
	var n, zero uint32
	for request, argument := range map[uintptr]*uint32{unlock: &zero, number: &n} {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, keeper.Fd(), request, uintptr(unsafe.Pointer(argument))); e != 0 {
			t.Fatalf("ioctl %#x: %v", request, e)
		}
	}
	end, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end.Close() })
	return end
}

// within has a jail audit itself.
func within(t *testing.T, cmd *exec.Cmd, pol *policy.Policy) *report.Report {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Args = append(cmd.Args, "-audit", launch.JSON(t, inside.Request{Policy: pol}))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	r := launch.Decode(t, stdout.Bytes())
	if r.Reports[0] == nil {
		t.Fatalf("%s: %s", cmd, r.Errors[0])
	}
	return r.Reports[0]
}

// TestJail makes the jail by the command of the document, and by bubblewrap.
func TestJail(t *testing.T) {
	dir := newJail(t)
	pol := profile(t, "jail")
	for name, command := range map[string]string{"jail": jailCommand, "bwrap": bwrapCommand} {
		t.Run(name, func(t *testing.T) {
			documented(t, command+" | cat")
			line := words(dir, command)
			launch.Need(t, line[0])
			if name == "bwrap" {
				launch.Need(t, name)
			}
			clean(t, "outside", outside(t, begin(t, exec.Command(line[0], line[1:]...), "sleeper"), pol), nil)
		})
	}
	t.Run("inside", func(t *testing.T) {
		clean(t, "inside", within(t, jail(t, dir, jailHole{}), pol), unknownWithin(t))
	})
}

// TestJailHoles undoes one thing at a time.
func TestJailHoles(t *testing.T) {
	abstractSocket(t)
	dir := newJail(t)
	pol := profile(t, "jail")
	var opened []because
	for _, h := range jailHoles {
		opened = append(opened, h.gaps)
		t.Run(h.name, func(t *testing.T) {
			holed(t, outside(t, wait(t, jail(t, dir, h)), pol), h.gaps.without(h.inside))
			in := within(t, jail(t, dir, h), pol)
			for _, f := range in.Gaps() {
				if h.gaps[key(f)] == "" {
					t.Errorf("inside: false alarm: %s %s: %s", f.ID, f.Subject, f.Message)
				}
			}
			for _, id := range h.inside {
				if !slices.ContainsFunc(in.Gaps(), func(f report.Finding) bool { return key(f) == id }) {
					t.Errorf("inside: hole not found: %s, though %s%s", id, h.gaps[id], said(in, id))
				}
			}
			if in.Verdict == report.Confined {
				t.Errorf("inside: verdict %s", in.Verdict)
			}
		})
	}
	pid := wait(t, jail(t, dir, jailHole{}))
	opened = append(opened, because{"process.tracer": "one seizes it"})
	traced(t, pid, func() { holed(t, outside(t, pid, pol), opened[len(opened)-1]) })
	covered(t, outside(t, pid, pol), opened, nil)
}
