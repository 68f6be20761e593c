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
	"github.com/selfaudit/selfaudit/probes"
)

// tellsID asks the kernel itself.
func tellsID(t *testing.T) bool {
	t.Helper()
	f, err := os.Open("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const getID = 0x8008b70d
	var id uint64
	_, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), getID, uintptr(unsafe.Pointer(&id)))
	return e == 0
}

// TestFixedNamespaces: the child learns what the kernel tells, and what that
// means is so here: the machine's first namespaces have their numbers.
func TestFixedNamespaces(t *testing.T) {
	want := tellsID(t)
	f := probes.FixedNamespaces(context.Background(), false)
	if got, known := f.Get(); known != want || got != want {
		t.Fatalf("%+v, want %v", f, want)
	}
	link, err := os.Readlink("/proc/1/ns/net")
	pid, errPID := os.Readlink("/proc/self/ns/pid")
	if !want || err != nil || errPID != nil || pid != "pid:[4026531836]" {
		t.Logf("not compared with process 1: %v %v", err, errPID)
		return
	}
	if link != "net:[4026531833]" {
		t.Errorf("the machine's network namespace is %s", link)
	}
}

// TestFixedNamespacesFiltered: whatever a filter does to the ioctl, nothing is
// known, and nobody but the child dies of it.
func TestFixedNamespacesFiltered(t *testing.T) {
	for name, action := range map[string]uint32{
		"EPERM": unix.SECCOMP_RET_ERRNO | uint32(syscall.EPERM), "ENOTTY": unix.SECCOMP_RET_ERRNO | uint32(syscall.ENOTTY),
		"made-up success": unix.SECCOMP_RET_ERRNO, "kill process": unix.SECCOMP_RET_KILL_PROCESS, "kill thread": unix.SECCOMP_RET_KILL_THREAD, "trap": unix.SECCOMP_RET_TRAP,
	} {
		done := make(chan posture.Fact[bool])
		var errLoad error
		go func() {
			runtime.LockOSThread() // never unlocked: the filter ends with the thread
			if errLoad = denyIoctl(action); errLoad != nil {
				done <- posture.Fact[bool]{}
				return
			}
			done <- probes.FixedNamespaces(context.Background(), true)
		}()
		f := <-done
		if errLoad != nil {
			launch.Skip(t, "cannot load a filter: "+errLoad.Error())
		}
		if f.State == posture.Known || f.Err == "" {
			t.Errorf("%s: %+v", name, f)
		}
		if name == "EPERM" && !strings.Contains(f.Err, "EPERM") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// denyIoctl loads a filter on the calling thread that does that to ioctl(2).
func denyIoctl(action uint32) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_IOCTL},
		{Code: unix.BPF_RET | unix.BPF_K, K: action},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	f := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&f))); e != 0 {
		return e
	}
	runtime.KeepAlive(prog)
	return nil
}
