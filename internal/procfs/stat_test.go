package procfs

import (
	"errors"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
)

const tail = " 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 2200 3 4\n"

func TestStat(t *testing.T) {
	for _, comm := range []string{"sh", "", "a b", ") R 1", "((", "x\ny", "\x1b[31m", "kworker/0:1H-kblockd"} {
		s, err := ParseStat([]byte("42 (" + comm + ") S" + tail))
		want := Stat{PID: 42, Comm: comm, State: 'S', Flags: 4194560, Threads: 3, Start: 22 * time.Second}
		if err != nil || s != want {
			t.Errorf("comm %q: %+v %v", comm, s, err)
		}
	}
	for _, bad := range []string{"", "42 (sh) S" + tail[:len(tail)-1], "42 sh S" + tail, "-1 (sh) S" + tail, "42 (sh) S 0 1\n", "42 (sh) Sx" + tail, "42 (sh" + tail} {
		if s, err := ParseStat([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, s)
		}
	}
	if s, _ := ParseStat([]byte("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 0 0\n")); !s.KernelThread() {
		t.Error("a kernel thread is not known for one")
	}
}

func TestIDMap(t *testing.T) {
	m, err := ParseIDMap([]byte("         0     100000      65536\n     65536 4294967295          1\n"))
	want := []posture.MapEntry{{Inside: 0, Outside: 100000, Size: 65536}, {Inside: 65536, Outside: 4294967295, Size: 1}}
	if err != nil || len(m) != 2 || m[0] != want[0] || m[1] != want[1] {
		t.Errorf("%v %v", m, err)
	}
	if m, err := ParseIDMap(nil); err != nil || m == nil || len(m) != 0 {
		t.Errorf("a map of nothing: %v %v", m, err)
	}
	for bad, want := range map[string]error{
		"0 0 1": ErrCut, "0 0\n": ErrMalformed, "0 0 0\n": ErrMalformed, "0 0 1 1\n": ErrMalformed, "a 0 1\n": ErrMalformed,
		"4294967295 0 2\n": ErrMalformed, "0 0 5\n4 9 1\n": ErrMalformed, "-1 0 1\n": ErrMalformed,
	} {
		if m, err := ParseIDMap([]byte(bad)); !errors.Is(err, want) {
			t.Errorf("%q: %v %v", bad, m, err)
		}
	}
}

func TestFDInfo(t *testing.T) {
	info, err := ParseFDInfo([]byte("pos:\t123\nflags:\t0100000\nmnt_id:\t22\nino:\t1\nPid:\t7\nNSpid:\t7\t1\n"))
	if err != nil || info.Pos != 123 || info.MountID != 22 || info.PID != 7 || len(info.NSpid) != 2 {
		t.Errorf("%+v %v", info, err)
	}
	if info, err := ParseFDInfo([]byte("pos:\t0\n")); err != nil || info.MountID != -1 || info.PID != -1 {
		t.Errorf("what is not there: %+v %v", info, err)
	}
	for _, bad := range []string{"", "pos:\t1", "Pid:\tx\n", "mnt_id:\t1\nmnt_id:\t2\n", "pos:\t-5\n"} {
		if info, err := ParseFDInfo([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, info)
		}
	}
}
