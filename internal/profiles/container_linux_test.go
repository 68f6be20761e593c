package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/profiles/seccomp"

	"github.com/selfaudit/selfaudit/internal/fixture/container"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// The commands of the document. FILTER is the file of Docker's current default
// filter, for engines that have an older one.
const (
	hardenedFlags = "--cap-drop ALL --cap-add NET_BIND_SERVICE --read-only --tmpfs /tmp:noexec,nosuid --security-opt no-new-privileges"
	limitFlags    = "--memory 256m --cpus 1.0 --ulimit nproc=128 --ulimit nofile=1024:2048"
	podmanFlags   = "--network none --read-only-tmpfs=false --security-opt seccomp=FILTER"
	userFlags     = "--user 65532:65532"
)

// containerHole is the container with one flag undone.
type containerHole struct {
	name string
	// without is a flag that is left out, with its value where it has one; with are
	// flags that are there instead.
	without, with string
	// open returns a descriptor that it inherits.
	open func() (*os.File, error)
	gaps because
}

const all11 = "podman's default capabilities"

var containerHoles = []containerHole{
	{name: "cap-drop", without: "--cap-drop ALL", gaps: because{
		"capabilities.effective": all11, "capabilities.permitted": all11, "capabilities.bounding": all11,
		"probe.setgroups": "CAP_SETGID", "probe.chroot": "CAP_SYS_CHROOT",
	}},
	{name: "one capability more, for a user", with: "--user 65532:65532 --cap-add NET_RAW", gaps: because{
		"capabilities.effective": "CAP_NET_RAW", "capabilities.permitted": "CAP_NET_RAW", "capabilities.inheritable": "CAP_NET_RAW",
		"capabilities.ambient": "CAP_NET_RAW", "capabilities.bounding": "CAP_NET_RAW", "capabilities.exec": "CAP_NET_RAW",
		"probe.raw-socket": "CAP_NET_RAW", "probe.packet-socket": "CAP_NET_RAW", "network.raw": "CAP_NET_RAW",
	}},
	{name: "read-only", without: "--read-only", gaps: because{
		"filesystem.root": "it can be written to", "filesystem.writable": "it can be written to", "filesystem.executable": "and what is written can be executed",
		"process.executable": "the program too"}},
	{name: "noexec", without: "--tmpfs /tmp:noexec,nosuid", with: "--tmpfs /tmp:exec,nosuid", gaps: because{"filesystem.executable": "what is written to /tmp", "filesystem.mount /tmp": "the option"}},
	{name: "a volume", with: "-v DIR/programs:/programs:rw,noexec", gaps: because{"filesystem.writable": "it is one"}},
	{name: "a runtime's socket", with: "-v DIR/docker.sock:/run/docker.sock", gaps: because{"network.control-socket": "whoever speaks to it starts containers"}},
	{name: "masked paths", with: "--security-opt unmask=ALL", gaps: because{"filesystem.masked": "they are there, and can be written to"}},
	{name: "device", with: "--device /dev/kmsg", gaps: because{"filesystem.device": "it is none of OCI's"}},
	{name: "no-new-privileges", without: "--security-opt no-new-privileges", gaps: because{"privilege.no_new_privs": "it is not set"}},
	{name: "a setuid program", without: "--security-opt no-new-privileges", with: "-v DIR/programs:/programs:ro,suid,exec", gaps: because{
		"privilege.no_new_privs": "it is not set", "filesystem.setuid": "one becomes user 65532"}},
	{name: "seccomp", without: "--security-opt seccomp=FILTER", with: "--security-opt seccomp=unconfined", gaps: because{
		"seccomp.mode": "no filter is loaded",
		"probe.userns": nested, "probe.userns-clone": nested, "probe.userns-clone3": nested,
		"probe.io-uring-setup": "it is open to all", "probe.perf-event-open": "one may measure oneself", "probe.keyctl": "keyrings are open to all", "probe.add-key": "keyrings are open to all",
	}},
	{name: "network", without: "--network none", with: "--network host", gaps: because{"namespace net": "it has the machine's", "network.abstract": "and its abstract sockets"}},
	{name: "pid", with: "--pid host", gaps: because{"namespace pid": "it sees the machine's processes"}},
	{name: "ipc", with: "--ipc host", gaps: because{"namespace ipc": "it shares System V IPC"}},
	{name: "uts", with: "--uts host", gaps: because{"namespace uts": "it shares the host name"}},
	{name: "a directory", open: func() (*os.File, error) { return os.Open("/") }, gaps: because{"fds.directory": "inherited"}},
	{name: "a file for writing", open: func() (*os.File, error) { return os.CreateTemp("/var/tmp", "selfaudit-profiles-") }, gaps: because{"fds.writable": "inherited"}},
	{name: "a device", open: func() (*os.File, error) { return os.Open("/dev/kmsg") }, gaps: because{"fds.device": "inherited"}},
	{name: "a raw socket", open: rawSocket, gaps: because{"fds.socket": "inherited", "network.raw": "which is as good as making one"}},
	{name: "a namespace", open: func() (*os.File, error) { return os.Open("/proc/self/ns/net") }, gaps: because{"fds.namespace": "inherited"}},
	{name: "another's memory", open: func() (*os.File, error) { return os.Open("/proc/self/mem") }, gaps: because{"fds.kernel": "inherited", "probe.process-vm-readv": "which is the same"}},
}

// uptoProgram are what no flag undoes.
var uptoProgram = because{
	"threads.uniform": "threads differ by what the program does",
	"filesystem.cwd":  "the engine sets it",
	"namespace mnt":   "there is no flag for it",
}

// yard starts containers.
type yard struct {
	*container.Engine
	dir, filter string
	started     int
}

func newYard(t *testing.T) *yard {
	t.Helper()
	dir := bench(t)
	sleeper := filepath.Join(dir, "sleeper")
	launch.Static(t, sleeper, "../fixture/cmd/sleeper", "-ldflags=-E=main.pause")
	y := &yard{Engine: container.New(t, map[string]string{"sleeper": sleeper}), dir: dir, filter: filepath.Join(dir, "default.json")}
	text, err := json.Marshal(seccomp.DefaultProfile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(y.filter, text, 0o600); err != nil {
		t.Fatal(err)
	}
	runtimeSocket(t, dir)
	program := filepath.Join(dir, "programs", "program")
	if err := os.Mkdir(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("\x7fELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(program, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	return y
}

// start starts a container that sleeps, and returns its process.
func (y *yard) start(t *testing.T, h containerHole, flags string) int {
	t.Helper()
	if h.without != "" && !strings.Contains(flags, h.without) {
		t.Fatalf("no flag %s", h.without)
	}
	flags = strings.TrimSpace(strings.Replace(flags, h.without, "", 1) + " " + h.with)
	flags = strings.NewReplacer("FILTER", y.filter, "DIR", y.dir).Replace(flags)
	y.started++
	name := fmt.Sprintf("profiles-%d-%d", os.Getpid(), y.started)
	file := filepath.Join(y.dir, name)
	line := append([]string{"--name", name, "--pidfile", file}, strings.Fields(flags)...)
	var inherited []*os.File
	if h.open != nil {
		inherited = append(inherited, opened(t, h.open))
		line = append(line, "--preserve-fds", "1")
	}
	cmd := y.Podman(context.Background(), slices.Concat([]string{"run", "--rm", "--log-driver", "none"}, explicit(flags), line, []string{container.Image, "/sleeper"})...)
	cmd.ExtraFiles = inherited
	ended := launch.Start(t, cmd)
	t.Cleanup(func() {
		if out, err := y.Podman(context.Background(), "rm", "--force", "--time", "0", name).CombinedOutput(); err != nil {
			t.Errorf("podman rm: %v\n%s", err, out)
		}
	})
	return await(t, cmd, file, ended)
}

// explicit are limits that podman has to be given where root lacks
// CAP_SYS_RESOURCE: it raises all that are not.
func explicit(flags string) (out []string) {
	for _, limit := range []string{"nofile", "nproc"} {
		if !strings.Contains(flags, limit+"=") {
			out = append(out, "--ulimit", limit+"=4096:4096")
		}
	}
	return out
}

// await waits until the container's process is the sleeper: before that it is
// the runtime, which has more privileges.
func await(t *testing.T, cmd *exec.Cmd, file string, ended func() (error, bool)) int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(file) // not there yet
		var pid int
		if _, err := fmt.Sscan(string(text), &pid); err == nil {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == "/sleeper" {
				return pid
			}
		}
		if err, over := ended(); over {
			t.Fatalf("%s ended: %v", cmd, err)
		}
	}
	t.Fatalf("%s: the sleeper did not come up", cmd)
	return 0
}

// opened opens what is to be inherited, until the test ends.
func opened(t *testing.T, open func() (*os.File, error)) *os.File {
	t.Helper()
	file, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(file.Name(), "/var/tmp/selfaudit-profiles-") {
			if err := os.Remove(file.Name()); err != nil {
				t.Error(err)
			}
		}
	})
	return file
}

// TestDockerHardened starts containers by the flags of the document, as user 0
// and as another, without limits and with.
func TestDockerHardened(t *testing.T) {
	y := newYard(t)
	for _, c := range []struct{ profile, flags string }{
		{"docker-hardened", hardenedFlags},
		{"docker-hardened", hardenedFlags + " " + userFlags},
		{"docker-hardened", hardenedFlags + " " + limitFlags},
		{"compose-hardened", hardenedFlags + " " + limitFlags},
	} {
		t.Run(c.profile, func(t *testing.T) {
			documented(t, "podman run --rm "+c.flags+" "+podmanFlags+" IMAGE")
			clean(t, "outside", outside(t, y.start(t, containerHole{}, c.flags+" "+podmanFlags), profile(t, c.profile)), nil)
		})
	}
}

// TestDockerHardenedHoles undoes one flag at a time.
func TestDockerHardenedHoles(t *testing.T) {
	y := newYard(t)
	y.holes(t, "docker-hardened", hardenedFlags+" "+podmanFlags, containerHoles, nil)
}

// holes makes each, and takes those of another profile for made.
func (y *yard) holes(t *testing.T, name, flags string, holes, made []containerHole) {
	abstractSocket(t)
	pol := profile(t, name)
	var gaps []because
	for _, h := range made {
		gaps = append(gaps, h.gaps)
	}
	gaps = append(gaps, because{"process.tracer": "one seizes it"})
	t.Run("a tracer", func(t *testing.T) {
		pid := y.start(t, containerHole{}, flags)
		traced(t, pid, func() { holed(t, outside(t, pid, pol), because{"process.tracer": "one seizes it"}) })
	})
	for _, h := range holes {
		gaps = append(gaps, h.gaps)
		t.Run(h.name, func(t *testing.T) { holed(t, outside(t, y.start(t, h, flags), pol), h.gaps) })
	}
	covered(t, outside(t, y.start(t, containerHole{}, flags), pol), gaps, uptoProgram)
}

// limitHoles are those that a profile with limits shows beside.
var limitHoles = []containerHole{
	{name: "memory", without: "--memory 256m", gaps: because{"limit.cgroup memory": "it may have all of the machine's"}},
	{name: "more memory", without: "--memory 256m", with: "--memory 512m", gaps: because{"limit.cgroup memory": "it is more"}},
	{name: "cpus", without: "--cpus 1.0", gaps: because{"limit.cgroup cpu": "it may use all"}},
	{name: "nproc", without: "--ulimit nproc=128", gaps: because{"limit.rlimit RLIMIT_NPROC": "it is the machine's"}},
	{name: "nofile, soft", without: "--ulimit nofile=1024:2048", with: "--ulimit nofile=2048:2048", gaps: because{"limit.rlimit RLIMIT_NOFILE": "the soft limit is higher"}},
	{name: "nofile, hard", without: "--ulimit nofile=1024:2048", with: "--ulimit nofile=1024:4096", gaps: because{"limit.rlimit RLIMIT_NOFILE": "it may raise the soft one"}},
}

// TestComposeHardenedHoles undoes one limit at a time. All else is that of
// docker-hardened.
func TestComposeHardenedHoles(t *testing.T) {
	y := newYard(t)
	y.holes(t, "compose-hardened", hardenedFlags+" "+limitFlags+" "+podmanFlags, limitHoles, containerHoles)
}
