package audit

import (
	"encoding/binary"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// instructions returns struct sock_filter[] of loads at offsets and a return.
func instructions(offsets ...uint32) []byte {
	const load, ret = 0x20, 0x06
	var b []byte
	one := func(code uint16, k uint32) {
		b = binary.NativeEndian.AppendUint16(b, code)
		b = binary.NativeEndian.AppendUint16(b, 0)
		b = binary.NativeEndian.AppendUint32(b, k)
	}
	for _, k := range offsets {
		one(load, k)
	}
	one(ret, 0)
	return b
}

// TestReadsIP: a filter that looks at either half of the instruction pointer,
// alone or behind others.
func TestReadsIP(t *testing.T) {
	plain := instructions(0, 4, 16, 20)
	for _, c := range []struct {
		name     string
		programs [][]byte
		want     bool
	}{
		{"none", nil, false},
		{"number, architecture and arguments", [][]byte{plain}, false},
		{"the low half", [][]byte{instructions(0, 8)}, true},
		{"the high half, in the second filter", [][]byte{plain, instructions(12)}, true},
		{"a return of 8", [][]byte{{0x06, 0, 0, 0, 8, 0, 0, 0}}, false},
	} {
		if got := readsIP(c.programs); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestTracer: a process with CAP_SYS_PTRACE is named, and so is one that could
// get it by executing a program; one that has it nowhere is not.
func TestTracer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it starts processes with and without a capability")
	}
	for _, c := range []struct {
		name  string
		flags []string
		want  bool
	}{
		{"root", nil, true},
		{"in the bounding set", []string{"--reuid=65532", "--clear-groups"}, true},
		{"nowhere", []string{"--reuid=65532", "--clear-groups", "--inh-caps=-all", "--bounding-set=-sys_ptrace"}, false},
	} {
		cmd := exec.Command("setpriv", append(c.flags, "sleep", "60")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		for begin := time.Now(); ; time.Sleep(time.Millisecond) {
			if name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm"); string(name) == "sleep\n" {
				break
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("%s: setpriv did not become sleep", c.name)
			}
		}
		who := tracer(func(other int) bool { return other == pid })
		if got := who == "process "+strconv.Itoa(pid); got != c.want || !got && who != "" {
			t.Errorf("%s: %q", c.name, who)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	if who := tracer(func(int) bool { return false }); who != "" {
		t.Errorf("nobody sees it: %q", who)
	}
	if who := tracer(func(other int) bool { return other == os.Getpid() }); who == "" {
		t.Error("root is not named")
	}
}
