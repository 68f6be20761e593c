package probes

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// A filter is ruled out only where no source names one.
func TestFiltered(t *testing.T) {
	// The facts are about this very thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := syscall.Gettid()
	thread := func(mode posture.Fact[int]) posture.Thread { return posture.Thread{TID: tid, SeccompMode: mode} }
	unknown := posture.Failed[int]("", "not asked")
	for _, c := range []struct {
		name         string
		file, kernel posture.Fact[int]
		want         bool
	}{
		{"both say none", posture.Of(0, "", ""), posture.Of(0, "", ""), false},
		{"only the file says none", posture.Of(0, "", ""), unknown, false},
		{"the file says filter, the call none", posture.Of(2, "", ""), posture.Of(0, "", ""), true},
		{"the call says filter, the file none", posture.Of(0, "", ""), posture.Of(2, "", ""), true},
		{"neither says", unknown, unknown, true},
	} {
		p := &posture.Process{
			Classes: []posture.Class{{Thread: thread(c.file), TIDs: []int{tid}}},
			Kernel:  []posture.Thread{thread(c.kernel)},
		}
		if got := newEnv(Input{Process: p}).filtered; got != c.want {
			t.Errorf("%s: filtered %v, want %v", c.name, got, c.want)
		}
	}
	if !newEnv(Input{}).filtered {
		t.Error("without facts a filter is ruled out")
	}
}
