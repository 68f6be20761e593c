package procfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// FuzzStatus: whatever is known stands in exactly one line of the input, and
// written as the kernel writes it makes that line again.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(render(rand.New(rand.NewPCG(1, 1))).text))
	f.Add([]byte("Uid:\t0\t0\t0\t0\nUid:\t1\t1\t1\t1\n"))
	f.Add([]byte("CapEff:\t000001ffffffffff\nSeccomp:\t2"))
	f.Add([]byte("Groups:\t \nNSpid:\t1\t2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := ParseStatus(bytes.NewReader(data), "status")
		line := func(name, value string, state posture.State) {
			t.Helper()
			n, whole := 0, 0
			for l := range bytes.Lines(data) {
				if bytes.HasPrefix(l, []byte(name+":")) {
					n++
				}
				if string(l) == name+":\t"+value+"\n" {
					whole++
				}
			}
			switch {
			case state == posture.Known && (n != 1 || whole != 1):
				t.Errorf("%s %q is known, from %d lines, %d as the kernel writes it", name, value, n, whole)
			case state == posture.Absent && n != 0:
				t.Errorf("%s is absent, and there are %d lines", name, n)
			}
		}
		tabs := func(v [4]uint32) string { return fmt.Sprintf("%d\t%d\t%d\t%d", v[0], v[1], v[2], v[3]) }
		bit := func(b bool) string { return map[bool]string{true: "1", false: "0"}[b] }
		line("Uid", tabs(four(s.UID.Value)), s.UID.State)
		line("Gid", tabs(four(s.GID.Value)), s.GID.State)
		for name, c := range map[string]posture.Fact[posture.CapSet]{"CapInh": s.Caps.Inheritable, "CapPrm": s.Caps.Permitted, "CapEff": s.Caps.Effective, "CapBnd": s.Caps.Bounding, "CapAmb": s.Caps.Ambient} {
			line(name, fmt.Sprintf("%016x", uint64(c.Value)), c.State)
		}
		line("NoNewPrivs", bit(s.NoNewPrivs.Value), s.NoNewPrivs.State)
		line("CoreDumping", bit(s.CoreDumping.Value), s.CoreDumping.State)
		line("Seccomp", fmt.Sprint(s.SeccompMode.Value), s.SeccompMode.State)
		line("Seccomp_filters", fmt.Sprint(s.SeccompFilters.Value), s.SeccompFilters.State)
		line("TracerPid", fmt.Sprint(s.TracerPID.Value), s.TracerPID.State)
		line("NSpid", strings.Trim(strings.ReplaceAll(fmt.Sprint(s.NSpid.Value), " ", "\t"), "[]"), s.NSpid.State)
		if s.Groups.State == posture.Known {
			want := strings.Trim(fmt.Sprint(list(s.Groups.Value)), "[]")
			if !strings.Contains("\n"+string(data), "\nGroups:\t"+want) {
				t.Errorf("groups %q are known, and no line has them", want)
			}
		}
		if (len(data) == 0 || data[len(data)-1] != '\n') && s.UID.State != posture.Unreadable {
			t.Error("a file that was cut short has a line Uid")
		}
	})
}

// FuzzStat: what is parsed, written again, parses to the same.
func FuzzStat(f *testing.F) {
	f.Add([]byte("1 (sh) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 22 3 4\n"))
	f.Add([]byte("7 (a) R (b) \n) S 0 1 1 0 -1 2097152 1 2 3 4 5 6 7 8 20 0 1 0 9999 3 4\n"))
	f.Add([]byte("7 () Z 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseStat(data)
		if err != nil {
			if s != (Stat{}) && strings.Contains(err.Error(), "cut") {
				t.Errorf("%v with a result", err)
			}
			return
		}
		again := fmt.Sprintf("%d (%s) %c 0 0 0 0 -1 %d 0 0 0 0 0 0 0 0 20 0 %d 0 %d 0\n", s.PID, s.Comm, s.State, s.Flags, s.Threads, s.Start/clockTick)
		if b, err := ParseStat([]byte(again)); err != nil || b != s {
			t.Errorf("%q: %+v, written again %+v %v", data, s, b, err)
		}
		if s.Start < 0 || s.PID < 0 || len(s.Comm) > maxComm {
			t.Errorf("%+v", s)
		}
	})
}

// FuzzIDMap: what is parsed has no id twice, and written again is the same.
func FuzzIDMap(f *testing.F) {
	f.Add([]byte("         0          0 4294967295\n"))
	f.Add([]byte("0 100000 65536\n65536 4294967295 1\n"))
	f.Add([]byte("0 0 2\n1 5 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseIDMap(data)
		if err != nil {
			return
		}
		var b strings.Builder
		seen := map[uint32]bool{}
		for _, e := range m {
			if e.Size == 0 || seen[e.Inside] || uint64(e.Inside)+uint64(e.Size) > 1<<32 {
				t.Errorf("entry %+v", e)
			}
			seen[e.Inside] = true
			fmt.Fprintf(&b, "%10d %10d %10d\n", e.Inside, e.Outside, e.Size)
		}
		if again, err := ParseIDMap([]byte(b.String())); err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
			t.Errorf("%v, written again %v %v", m, again, err)
		}
	})
}

// FuzzFDInfo: what is parsed stands in the input, once.
func FuzzFDInfo(f *testing.F) {
	f.Add([]byte("pos:\t0\nflags:\t02000002\nmnt_id:\t4\nino:\t20130\nPid:\t20129\nNSpid:\t20129\t3\n"))
	f.Add([]byte("Pid:\t-1\nNSpid:\t-1\n"))
	f.Add([]byte("mnt_id:\t4\nmnt_id:\t5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := ParseFDInfo(data)
		if err != nil {
			return
		}
		once := func(name string, v int64) {
			t.Helper()
			if v != -1 && strings.Count("\n"+string(data), fmt.Sprintf("\n%s:\t%d\n", name, v)) != 1 {
				t.Errorf("%s %d is not in one line of %q", name, v, data)
			}
		}
		once("pos", info.Pos)
		once("mnt_id", info.MountID)
		once("Pid", int64(info.PID))
	})
}
