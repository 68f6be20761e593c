//go:build amd64 || arm64

package probes_test

import (
	"context"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// bridge makes an interface that is up, with an address next to the one that is
// connected to.
func bridge(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("br0")
	if err != nil {
		t.Fatal(err)
	}
	name, _ := unix.BytePtrFromString("br0")
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCBRADDBR, uintptr(unsafe.Pointer(name))); e != 0 {
		t.Fatalf("SIOCBRADDBR: %v", e)
	}
	if err := r.SetInet4Addr([]byte{203, 0, 113, 2}); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
		t.Fatalf("SIOCSIFADDR: %v", err)
	}
	r.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		t.Fatalf("SIOCSIFFLAGS: %v", err)
	}
}

// filter loads one on the calling thread that answers ret to some calls.
func filter(t *testing.T, ret uint32, calls []string) {
	t.Helper()
	p := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for _, call := range calls {
		nr, ok := names.Syscall(runtime.GOARCH, call)
		if !ok {
			t.Fatalf("no number of %s", call)
		}
		p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr}, unix.SockFilter{Code: unix.BPF_RET, K: ret})
	}
	p = append(p, unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW})
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); e != 0 {
		t.Fatalf("prctl: %v", e)
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); e != 0 {
		t.Fatalf("seccomp: %v", e)
	}
	runtime.KeepAlive(p)
}

// sent is what went out by the interface, and whom it looked for.
func sent(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, name := range []string{"dev", "arp"} {
		b, err := os.ReadFile("/proc/thread-self/net/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "br0") {
				out.WriteString(line)
			}
		}
	}
	return out.String()
}

// TestEgress: what comes of the attempt where it succeeds, has no route, and is
// stopped by filters of several kinds. No packet is sent, and none looks for a
// neighbour.
func TestEgress(t *testing.T) {
	launch.NeedRoot(t)
	const eperm = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	kill := uint32(unix.SECCOMP_RET_KILL_PROCESS)
	for _, c := range []struct {
		name    string
		routed  bool
		ret     uint32
		calls   []string
		outcome posture.Outcome
		by      posture.Stopper
	}{
		{"no route", false, 0, nil, posture.NoObject, 0},
		{"a route", true, 0, nil, posture.Succeeded, 0},
		{"no sockets", true, eperm, []string{"socket"}, posture.Stopped, posture.StoppedByFilter},
		{"death for sockets", true, kill, []string{"socket"}, posture.Stopped, posture.StoppedByFilter},
		{"no connections, and datagrams", true, eperm, []string{"connect"}, posture.Undecided, 0},
		{"no connections and no datagrams", true, eperm, []string{"connect", "sendto", "sendmsg", "sendmmsg"}, posture.Stopped, posture.StoppedByFilter},
		{"death for both", true, kill, []string{"connect", "sendto", "sendmsg", "sendmmsg"}, posture.Stopped, posture.StoppedByFilter},
		{"a false answer of no route", true, unix.SECCOMP_RET_ERRNO | uint32(unix.ENETUNREACH), []string{"connect"}, posture.Undecided, 0},
		{"a false success", true, unix.SECCOMP_RET_ERRNO, []string{"socket"}, posture.Stopped, posture.StoppedByFilter},
	} {
		t.Run(c.name, func(t *testing.T) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				// Never unlocked: the thread ends with the goroutine.
				runtime.LockOSThread()
				if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
					t.Error(err)
					return
				}
				if c.routed {
					bridge(t)
				}
				if c.calls != nil {
					filter(t, c.ret, c.calls)
				}
				before := sent(t)
				got, err := probes.Run(context.Background(), probes.Input{Names: []string{names.EgressAttempt}, Beyond: probes.NewNetwork()})
				if err != nil || len(got) != 1 {
					t.Errorf("%+v %v", got, err)
					return
				}
				if got[0].Outcome != c.outcome || got[0].By != c.by {
					t.Errorf("%s by %s: %s\n%+v", got[0].Outcome, got[0].By, got[0].Detail, got[0].Evidence)
				}
				if after := sent(t); c.routed && (before == "" || after != before) {
					t.Errorf("before %q, and after %q", before, after)
				}
			}()
			<-done
		})
	}
}
