package profiles

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// The command of the document: the mounts, and the service that does the rest by
// itself.
const (
	readOnlyRoot   = "mount -o remount,bind,ro /"
	temporary      = "mount -t tmpfs -o noexec,nosuid,nodev,size=64m tmpfs /tmp"
	serviceMounts  = "unshare -m sh -e -c '" + temporary + "; " + readOnlyRoot + "; exec \"$0\" \"$@\"' "
	serviceCommand = serviceMounts + "DIR/service -listen 127.0.0.1:80"
)

// serviceHole is a service with one thing undone.
type serviceHole struct {
	name string
	// set changes the posture that the service gives itself.
	set func(*fixture.Settings)
	// old and new are a part of the command, and what stands there instead.
	old, new string
	// gone removes the program after it has started.
	gone bool
	gaps because
}

const (
	netBindService = 1 << 10
	netRaw         = 1 << 13
)

// service is what the service of the document comes to, with the capability
// that it may keep.
func service() fixture.Settings {
	s := fixture.Clean()
	s.Effective, s.Permitted, s.Bounding = netBindService, netBindService, netBindService
	s.Deny = []string{"execve", "execveat", "mount", "ptrace"}
	return s
}

// deny leaves one call out of what the filter denies.
func deny(s *fixture.Settings, but string) {
	s.Deny = strings.Fields(strings.Replace(strings.Join(s.Deny, " ")+" ", but+" ", "", 1))
}

var serviceHoles = []serviceHole{
	{name: "user", set: func(s *fixture.Settings) { s.UID.Saved = 0 }, gaps: because{"identity.uid": "the saved id is 0",
		"probe.setuid-root": "which can be taken", "probe.setresuid-root": "which can be taken", "probe.setreuid-root": "which can be taken", "probe.setfsuid-root": "which can be taken"}},
	{name: "group", set: func(s *fixture.Settings) { s.GID.Saved = 0 }, gaps: because{"identity.gid": "the saved id is 0",
		"probe.setgid-root": "which can be taken", "probe.setresgid-root": "which can be taken"}},
	{name: "groups", set: func(s *fixture.Settings) { s.Groups = []uint32{0} }, gaps: because{"identity.groups": "group 0 is left"}},
	{name: "effective", set: func(s *fixture.Settings) { s.Effective |= netRaw; s.Permitted |= netRaw }, gaps: because{
		"capabilities.effective": "CAP_NET_RAW", "capabilities.permitted": "CAP_NET_RAW", "probe.raw-socket": "CAP_NET_RAW", "probe.packet-socket": "CAP_NET_RAW", "network.raw": "CAP_NET_RAW"}},
	{name: "permitted", set: func(s *fixture.Settings) { s.Permitted |= netRaw }, gaps: because{"capabilities.permitted": "CAP_NET_RAW", "probe.capset": "and it can be raised", "network.raw": "CAP_NET_RAW"}},
	{name: "inheritable", set: func(s *fixture.Settings) { s.Inheritable = netBindService }, gaps: because{"capabilities.inheritable": "one is left"}},
	{name: "ambient", set: func(s *fixture.Settings) { s.Inheritable, s.Ambient = netBindService, netBindService }, gaps: because{
		"capabilities.inheritable": "it takes that", "capabilities.ambient": "one is left"}},
	{name: "exec", set: func(s *fixture.Settings) {
		s.Effective, s.Permitted, s.Inheritable, s.Ambient = netRaw, netRaw, netRaw, netRaw
	}, gaps: because{
		"capabilities.effective": "CAP_NET_RAW", "capabilities.permitted": "CAP_NET_RAW", "capabilities.inheritable": "CAP_NET_RAW", "capabilities.ambient": "CAP_NET_RAW",
		"capabilities.exec": "every program gets it", "probe.raw-socket": "CAP_NET_RAW", "probe.packet-socket": "CAP_NET_RAW", "network.raw": "CAP_NET_RAW"}},
	{name: "bounding", set: func(s *fixture.Settings) { s.Bounding |= netRaw }, gaps: because{"capabilities.bounding": "CAP_NET_RAW"}},
	{name: "no_new_privs", set: func(s *fixture.Settings) { s.NoNewPrivs = false }, gaps: because{"privilege.no_new_privs": "it is not set"}},
	{name: "one thread", set: func(s *fixture.Settings) { s.Odd = fixture.OddGroups }, gaps: because{"threads.uniform": "its groups are others", "identity.groups": "group 0 is left to it"}},
	{name: "no filter", set: func(s *fixture.Settings) { s.Filter = false }, gaps: because{
		"seccomp.mode": "none is loaded", "seccomp.filter": "none is loaded", "seccomp.abi": "and so every ABI is open", "seccomp.syscall execve": "all is let through",
		"seccomp.syscall execveat": "all is let through", "seccomp.syscall mount": "all is let through", "seccomp.syscall ptrace": "all is let through",
		"probe.userns": nested, "probe.userns-clone": nested, "probe.userns-clone3": nested,
		"probe.io-uring-setup": "it is open to all", "probe.perf-event-open": "one may measure oneself", "probe.keyctl": "keyrings are open to all", "probe.add-key": "keyrings are open to all"}},
	{name: "a filter that logs", set: func(s *fixture.Settings) { s.Log = []string{"execve"} }, gaps: because{"seccomp.syscall execve": "it is only logged", "seccomp.filter": "it does not enforce that"}},
	{name: "another ABI", set: func(s *fixture.Settings) { s.Leave = []string{"abi"} }, gaps: because{"seccomp.abi": "its numbers are let through"}},
	{name: "execve", set: func(s *fixture.Settings) { deny(s, "execve") }, gaps: because{"seccomp.syscall execve": "it is let through"}},
	{name: "execveat", set: func(s *fixture.Settings) { deny(s, "execveat") }, gaps: because{"seccomp.syscall execveat": "it is let through"}},
	{name: "mount", set: func(s *fixture.Settings) { deny(s, "mount") }, gaps: because{"seccomp.syscall mount": "it is let through"}},
	{name: "ptrace", set: func(s *fixture.Settings) { deny(s, "ptrace") }, gaps: because{"seccomp.syscall ptrace": "it is let through"}},
	{name: "root", old: readOnlyRoot, new: "true", gaps: because{"filesystem.root": "it can be written to"}},
	{name: "noexec", old: "noexec,nosuid", new: "nosuid", gaps: because{"filesystem.executable": "what is written to /tmp", "filesystem.mount /tmp": "the option"}},
	{name: "program", gone: true, gaps: because{"process.executable": "it was removed after the start"}},
	{name: "a directory", old: temporary, new: temporary + "; mkdir /tmp/a; mount -t tmpfs tmpfs /tmp/a; exec 7</tmp/a; umount -l /tmp/a", gaps: because{"fds.directory": "it lies on a mount that is gone"}},
	{name: "the working directory", old: temporary, new: temporary + "; mkdir /tmp/a; mount -t tmpfs tmpfs /tmp/a; cd /tmp/a; umount -l /tmp/a", gaps: because{"filesystem.cwd": "it lies on a mount that is gone"}},
	{name: "a device", set: func(s *fixture.Settings) { s.Hold = []string{"device"} }, gaps: because{"fds.device": "it is open"}},
	{name: "a raw socket", set: func(s *fixture.Settings) { s.Hold = []string{"raw"} }, gaps: because{"fds.socket": "it is open", "network.raw": "which is as good as making one"}},
	{name: "a namespace", set: func(s *fixture.Settings) { s.Hold = []string{"namespace"} }, gaps: because{"fds.namespace": "it is open"}},
	{name: "a kernel object", set: func(s *fixture.Settings) { s.Hold = []string{"bpf"} }, gaps: because{"fds.kernel": "it is open"}},
}

// TestWebService starts the service by the command of the document.
func TestWebService(t *testing.T) {
	dir := bench(t)
	documented(t, serviceCommand)
	launch.Static(t, filepath.Join(dir, "service"), "../../examples/service")
	at := fmt.Sprintf("127.%d.%d.9:80", 1+time.Now().UnixNano()>>8&0x7f, time.Now().UnixNano()>>16&0xff)
	line := words(dir, strings.Replace(serviceCommand, "127.0.0.1:80", at, 1))
	pid := begin(t, exec.Command(line[0], line[1:]...), "service")
	// It listens before it drops anything, and answers once it is confined.
	served(t, at)
	clean(t, "outside", outside(t, pid, profile(t, "web-service")), nil)
}

// served waits until a service answers.
func served(t *testing.T, at string) {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err = net.Dial("tcp", at)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 64)
	if n, err := conn.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.0 200") {
		t.Fatalf("%q, %v", answer[:n], err)
	}
}

// start starts a service that gives itself the posture, and returns its process.
func (h serviceHole) start(t *testing.T, dir string) int {
	t.Helper()
	program := filepath.Join(dir, "holed")
	if h.gone {
		old := program
		program = filepath.Join(dir, "gone")
		if err := os.Link(old, program); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := os.Remove(program); err != nil {
				t.Error(err)
			}
		}()
	}
	s := service()
	if h.set != nil {
		h.set(&s)
	}
	mounts := serviceMounts
	if h.old != "" {
		mounts = strings.Replace(mounts, h.old, h.new, 1)
		if mounts == serviceMounts {
			t.Fatalf("no %s in %s", h.old, serviceMounts)
		}
	}
	line := append(words(dir, mounts), program, "-settings", launch.JSON(t, s))
	return wait(t, exec.Command(line[0], line[1:]...))
}

// TestWebServiceHoles undoes one thing at a time.
func TestWebServiceHoles(t *testing.T) {
	dir := bench(t)
	launch.Static(t, filepath.Join(dir, "holed"), "../fixture/cmd/holed")
	pol := profile(t, "web-service")
	var opened []because
	for _, h := range serviceHoles {
		opened = append(opened, h.gaps)
		t.Run(h.name, func(t *testing.T) { holed(t, outside(t, h.start(t, dir), pol), h.gaps) })
	}
	pid := serviceHole{}.start(t, dir)
	opened = append(opened, because{"process.tracer": "one seizes it"})
	traced(t, pid, func() { holed(t, outside(t, pid, pol), opened[len(opened)-1]) })
	r := outside(t, pid, pol)
	clean(t, "outside", r, nil)
	covered(t, r, opened, nil)
}
