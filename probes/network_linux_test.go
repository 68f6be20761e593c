//go:build amd64 || arm64

package probes_test

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// ether makes an interface that is up, with an address next to the one that is
// connected to. What is sent by it, or to look for a neighbour, can be read.
func ether(t *testing.T) int {
	// IPv6 would greet its neighbours soon after the interface is up, whoever tries
	// what. /proc/sys/net is that of the thread's own network namespace.
	err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0o644)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	tap, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := unix.NewIfreq("tap0")
	if err != nil {
		t.Fatal(err)
	}
	r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(tap, unix.TUNSETIFF, r); err != nil {
		t.Fatalf("TUNSETIFF: %v", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
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
	return tap
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

// sent reads a frame that went out by the interface.
func sent(tap int) ([]byte, error) {
	b := make([]byte, 2048)
	n, err := unix.Read(tap, b)
	return b[:max(n, 0)], err
}

// whatIsSentShows sends a datagram, for which a neighbour is looked for.
func whatIsSentShows(t *testing.T, tap int) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{203, 0, 113, 1}}); err != nil {
		t.Fatal(err)
	}
	if frame, err := sent(tap); err != nil || len(frame) == 0 {
		t.Errorf("a datagram was sent, and shows as % x, %v", frame, err)
	}
}

// TestEgress: what comes of the attempt where it succeeds, has no route, and is
// stopped by filters of several kinds. No packet is sent, and none looks for a
// neighbour.
func TestEgress(t *testing.T) {
	launch.NeedRoot(t)
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		launch.Skip(t, "no /dev/net/tun to make an interface by: "+err.Error())
	}
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
				tap := -1
				if c.routed {
					tap = ether(t)
					defer unix.Close(tap)
				}
				if c.calls != nil {
					filter(t, c.ret, c.calls)
				}
				got, err := probes.Run(context.Background(), probes.Input{Names: []string{names.EgressAttempt}, Beyond: probes.NewNetwork()})
				if err != nil || len(got) != 1 {
					t.Errorf("%+v %v", got, err)
					return
				}
				if got[0].Outcome != c.outcome || got[0].By != c.by {
					t.Errorf("%s by %s: %s\n%+v", got[0].Outcome, got[0].By, got[0].Detail, got[0].Evidence)
				}
				if frame, err := sent(tap); c.routed && err != unix.EAGAIN {
					t.Errorf("sent % x, %v", frame, err)
				}
				if c.routed && c.calls == nil {
					whatIsSentShows(t, tap)
				}
			}()
			<-done
		})
	}
}
