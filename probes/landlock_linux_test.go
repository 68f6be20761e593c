//go:build amd64 || arm64

package probes_test

import (
	"context"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/probes"
)

const (
	sysLandlockCreate   = 444
	sysLandlockRestrict = 446
	prSetNoNewPrivs     = 38
)

// enterDomains puts the calling thread into Landlock domains, one in another.
func enterDomains(t *testing.T, n int) {
	t.Helper()
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); e != 0 {
		t.Fatalf("prctl: %v", e)
	}
	execute := uint64(1)
	fd, _, e := syscall.RawSyscall(sysLandlockCreate, uintptr(unsafe.Pointer(&execute)), unsafe.Sizeof(execute), 0)
	if e != 0 {
		t.Fatalf("landlock_create_ruleset: %v", e)
	}
	defer syscall.Close(int(fd))
	for range n {
		if _, _, e := syscall.RawSyscall(sysLandlockRestrict, fd, 0, 0); e != 0 {
			t.Fatalf("landlock_restrict_self: %v", e)
		}
	}
}

// TestLandlock: domains are counted, from none to as many as there can be, and
// the thread that asks enters none by it.
func TestLandlock(t *testing.T) {
	if _, _, e := syscall.RawSyscall(sysLandlockCreate, 0, 0, 1); e != 0 {
		launch.Skip(t, "no Landlock here: "+e.Error())
	}
	for _, n := range []int{0, 1, 2, 16} {
		done := make(chan posture.Fact[int])
		go func() {
			// Never unlocked: the thread ends with the goroutine, and its domains.
			runtime.LockOSThread()
			if n > 0 {
				enterDomains(t, n)
			}
			first := probes.Landlock(context.Background(), false)
			if again := probes.Landlock(context.Background(), false); again != first {
				t.Errorf("%+v, and then %+v", first, again)
			}
			done <- first
		}()
		f := <-done
		if got, known := f.Get(); !known || got != n {
			t.Errorf("in %d domains: %+v", n, f)
		}
	}
}
