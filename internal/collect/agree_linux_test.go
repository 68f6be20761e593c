package collect

import (
	"context"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"golang.org/x/sys/unix"
)

func init() {
	// Raises and lowers a capability until its input ends.
	acts["flap"] = func() error {
		end := make(chan bool)
		go func() { _ = stay(1); close(end) }()
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		must(unix.Capget(&hdr, &data[0]))
		for {
			select {
			case <-end:
				return nil
			default:
				for range 1000 {
					data[0].Effective ^= 1 << unix.CAP_SYS_ADMIN
					must(unix.Capset(&hdr, &data[0]))
				}
			}
		}
	}
}

// What changes all the time is no contradiction between kernel and /proc.
func TestFlappingCapability(t *testing.T) {
	needRoot(t)
	pid, _ := talk(t, command(t, "flap"), 1)
	for range 100 {
		p, err := PID(context.Background(), pid, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !agree(p) {
			t.Fatalf("effective %+v, the kernel: %+v", p.Classes[0].Caps.Effective, p.Kernel[0].Caps.Effective)
		}
	}
}

func TestUnsettle(t *testing.T) {
	sets := func(effective, permitted posture.CapSet) posture.Thread {
		th := posture.Thread{TID: 7}
		th.Caps.Effective = posture.Of(effective, "status", "")
		th.Caps.Permitted = posture.Of(permitted, "status", "")
		return th
	}
	reading := func(th posture.Thread) *posture.Process {
		return &posture.Process{Classes: []posture.Class{{Thread: th, TIDs: []int{7}}}}
	}
	var earlier readings
	earlier.keep(new(posture.Process)) // before the first
	earlier.keep(reading(sets(1, 3)))
	earlier.keep(reading(sets(0, 3)))
	p := reading(sets(0, 3))
	p.Kernel = []posture.Thread{sets(1, 2)}
	earlier.unsettle(p)
	if f := &p.Kernel[0].Caps.Effective; f.State != posture.Unreadable || f.Err != "status: changed while it was read" {
		t.Errorf("what changed: %+v", f)
	}
	if f := &p.Kernel[0].Caps.Permitted; f.State != posture.Known || f.Value != 2 {
		t.Errorf("a contradiction: %+v", f)
	}
	if agree(p) {
		t.Error("the contradiction is gone")
	}
	p.Kernel = []posture.Thread{sets(0, 3)}
	if earlier.unsettle(p); p.Kernel[0].Caps.Effective.State != posture.Known {
		t.Errorf("what agrees in the end: %+v", p.Kernel[0].Caps.Effective)
	}
}
