package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// rendered is a status file made of random values, and the values.
type rendered struct {
	text     string
	uid, gid [4]uint32
	groups   []uint32
	caps     [5]uint64
	nnp      bool
	mode     int
	filters  int
	nspid    []int
	tracer   int
	umask    uint32
	core     bool
	pid      int
}

// render writes a status file as the kernel does.
func render(r *rand.Rand) rendered {
	v := rendered{nnp: r.IntN(2) == 1, mode: r.IntN(3), filters: r.IntN(40), tracer: r.IntN(1 << 22), umask: uint32(r.IntN(0o1000)), core: r.IntN(2) == 1, pid: 1 + r.IntN(1<<22)}
	for i := range 4 {
		v.uid[i], v.gid[i] = r.Uint32(), r.Uint32()
	}
	for range r.IntN(20) {
		v.groups = append(v.groups, r.Uint32())
	}
	for i := range v.caps {
		v.caps[i] = r.Uint64()
	}
	v.nspid = []int{v.pid}
	for range r.IntN(4) {
		v.nspid = append(v.nspid, 1+r.IntN(1<<22))
	}
	var b strings.Builder
	bit := func(x bool) int {
		if x {
			return 1
		}
		return 0
	}
	fmt.Fprintf(&b, "Name:\tsh\nUmask:\t%#04o\nState:\tS (sleeping)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t1\nTracerPid:\t%d\n", v.umask, v.pid, v.pid, v.tracer)
	fmt.Fprintf(&b, "Uid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nFDSize:\t64\nGroups:\t", v.uid[0], v.uid[1], v.uid[2], v.uid[3], v.gid[0], v.gid[1], v.gid[2], v.gid[3])
	for _, g := range v.groups {
		fmt.Fprintf(&b, "%d ", g)
	}
	b.WriteString(" \nNStgid:\t1\nNSpid:")
	for _, n := range v.nspid {
		fmt.Fprintf(&b, "\t%d", n)
	}
	fmt.Fprintf(&b, "\nKthread:\t0\nVmPeak:\t 3060 kB\nCoreDumping:\t%d\nThreads:\t3\n", bit(v.core))
	for i, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		fmt.Fprintf(&b, "%s:\t%016x\n", name, v.caps[i])
	}
	fmt.Fprintf(&b, "NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%d\n", bit(v.nnp), v.mode, v.filters)
	b.WriteString("Speculation_Store_Bypass:\tthread vulnerable\nSpeculationIndirectBranch:\talways enabled\nnonvoluntary_ctxt_switches:\t1\n")
	v.text = b.String()
	return v
}

// four are four ids as numbers. It wants them untranslated.
func four(ids posture.IDs) (out [4]uint32) {
	for i, id := range []posture.ID{ids.Real, ids.Effective, ids.Saved, ids.FS} {
		out[i] = list([]posture.ID{id})[0]
	}
	return out
}

func list(ids []posture.ID) (out []uint32) {
	for _, id := range ids {
		if id != seen(id.Outside) {
			panic("an id was translated")
		}
		out = append(out, id.Outside)
	}
	return out
}

// same compares what was parsed with what was rendered.
func (v rendered) same(s *Status) error {
	checks := []struct {
		name      string
		got, want any
		state     posture.State
	}{
		{"Uid", four(s.UID.Value), v.uid, s.UID.State},
		{"Gid", four(s.GID.Value), v.gid, s.GID.State},
		{"Groups", fmt.Sprint(list(s.Groups.Value)), fmt.Sprint(v.groups), s.Groups.State},
		{"CapInh", uint64(s.Caps.Inheritable.Value), v.caps[0], s.Caps.Inheritable.State},
		{"CapPrm", uint64(s.Caps.Permitted.Value), v.caps[1], s.Caps.Permitted.State},
		{"CapEff", uint64(s.Caps.Effective.Value), v.caps[2], s.Caps.Effective.State},
		{"CapBnd", uint64(s.Caps.Bounding.Value), v.caps[3], s.Caps.Bounding.State},
		{"CapAmb", uint64(s.Caps.Ambient.Value), v.caps[4], s.Caps.Ambient.State},
		{"NoNewPrivs", s.NoNewPrivs.Value, v.nnp, s.NoNewPrivs.State},
		{"Seccomp", s.SeccompMode.Value, v.mode, s.SeccompMode.State},
		{"Seccomp_filters", s.SeccompFilters.Value, v.filters, s.SeccompFilters.State},
		{"NSpid", fmt.Sprint(s.NSpid.Value), fmt.Sprint(v.nspid), s.NSpid.State},
		{"TracerPid", s.TracerPID.Value, v.tracer, s.TracerPID.State},
		{"Umask", s.Umask.Value, v.umask, s.Umask.State},
		{"CoreDumping", s.CoreDumping.Value, v.core, s.CoreDumping.State},
		{"Pid", s.PID.Value, v.pid, s.PID.State},
		{"Speculation_Store_Bypass", s.StoreBypass.Value, "thread vulnerable", s.StoreBypass.State},
		{"SpeculationIndirectBranch", s.IndirectBranch.Value, "always enabled", s.IndirectBranch.State},
	}
	for _, c := range checks {
		if c.state != posture.Known || c.got != c.want {
			return fmt.Errorf("%s: %v %v, want %v", c.name, c.state, c.got, c.want)
		}
	}
	return nil
}

func TestStatusRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		v := render(r)
		if err := v.same(ParseStatus(strings.NewReader(v.text), "status")); err != nil {
			t.Fatalf("%v in\n%s", err, v.text)
		}
	}
}

// lines are those of a Status by the kernel's names.
func states(s *Status) map[string]posture.State {
	return map[string]posture.State{
		"Uid": s.UID.State, "Gid": s.GID.State, "Groups": s.Groups.State,
		"CapInh": s.Caps.Inheritable.State, "CapPrm": s.Caps.Permitted.State, "CapEff": s.Caps.Effective.State,
		"CapBnd": s.Caps.Bounding.State, "CapAmb": s.Caps.Ambient.State,
		"NoNewPrivs": s.NoNewPrivs.State, "Seccomp": s.SeccompMode.State, "Seccomp_filters": s.SeccompFilters.State,
		"NSpid": s.NSpid.State, "TracerPid": s.TracerPID.State, "Umask": s.Umask.State, "CoreDumping": s.CoreDumping.State,
		"Speculation_Store_Bypass": s.StoreBypass.State, "SpeculationIndirectBranch": s.IndirectBranch.State,
		"Pid": s.PID.State, "Tgid": s.TGID.State, "State": s.State.State, "Threads": s.Threads.State, "Kthread": s.KernelThread.State, "Name": s.Name.State,
	}
}

// A line that is taken away is absent, and one that is there twice unreadable,
// whatever line it is; no other line changes.
func TestStatusMissingAndDoubled(t *testing.T) {
	text := render(rand.New(rand.NewPCG(3, 4))).text
	for name := range states(new(Status)) {
		var without, doubled []string
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, name+":") {
				without = append(without, line)
				doubled = append(doubled, line)
				continue
			}
			doubled = append(doubled, line, line)
		}
		for want, lines := range map[posture.State][]string{posture.Absent: without, posture.Unreadable: doubled} {
			for other, state := range states(ParseStatus(strings.NewReader(strings.Join(lines, "")), "status")) {
				expect := posture.Known
				if other == name {
					expect = want
				}
				if state != expect {
					t.Errorf("%s changed: %s is %v, want %v", name, other, state, expect)
				}
			}
		}
	}
}

func TestStatusMalformed(t *testing.T) {
	bad := map[string][]string{
		"Uid":             {"", "0", "0\t0\t0", "0\t0\t0\t0\t0", "0 0 0 0", "-1\t0\t0\t0", "00\t0\t0\t0", "4294967296\t0\t0\t0", "0\t0\t0\t0 ", "0x0\t0\t0\t0", "0\t\t0\t0"},
		"Gid":             {"a\t0\t0\t0", "0\t0\t0\t"},
		"Groups":          {"x", "1  2", "1\t2", "4294967296", "-1", "1,2", "01"},
		"CapEff":          {"", "0", "000000000000000g", "00000000000000000", "000000000000000", "0000000000000000 ", "000000000000000A", "0x00000000000000"},
		"NoNewPrivs":      {"", "2", "00", "true", "-0", " 0"},
		"Seccomp":         {"", "3", "-1", "02", "2 "},
		"Seccomp_filters": {"", "-1", "1 ", "2147483648"},
		"NSpid":           {"", "1 2", "1\t", "-1", strings.Repeat("1\t", 33) + "1"},
		"TracerPid":       {"", "x"},
		"Umask":           {"", "22", "0o22", "0088", "1022", "077777"},
		"CoreDumping":     {"", "no"},
	}
	for name, values := range bad {
		for _, v := range values {
			s := ParseStatus(strings.NewReader(name+":\t"+v+"\n"), "status")
			if got := states(s)[name]; got != posture.Unreadable {
				t.Errorf("%s %q: %v, want unreadable", name, v, got)
			}
		}
		if got := states(ParseStatus(strings.NewReader(name+": 0\n"), "status"))[name]; got != posture.Unreadable {
			t.Errorf("%s without a tab: %v", name, got)
		}
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("EIO") }

// What is cut short, too long or not readable says nothing of any line.
func TestStatusNotWhole(t *testing.T) {
	whole := render(rand.New(rand.NewPCG(5, 6))).text
	inputs := map[string]io.Reader{
		"empty":      strings.NewReader(""),
		"no newline": strings.NewReader(strings.TrimSuffix(whole, "\n")),
		"too long":   strings.NewReader(whole + strings.Repeat("X:\t1\n", maxFile/5+1)),
		"error":      io.MultiReader(strings.NewReader(whole), failingReader{}),
	}
	for name, r := range inputs {
		for field, state := range states(ParseStatus(r, "status")) {
			if state != posture.Unreadable {
				t.Errorf("%s: %s is %v", name, field, state)
			}
		}
	}
	// gVisor's file lacks lines; they are absent and not zero.
	s := ParseStatus(strings.NewReader("Name:\tx\nUid:\t0\t0\t0\t0\nSeccomp:\t0\n"), "status")
	if s.NoNewPrivs.State != posture.Absent || s.Groups.State != posture.Absent || s.UID.State != posture.Known {
		t.Errorf("lines that are not there: %v %v %v", s.NoNewPrivs.State, s.Groups.State, s.UID.State)
	}
}

func TestStatusManyGroups(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("Groups:\t")
	for i := range 65536 {
		fmt.Fprintf(&b, "%d ", 4294901760+uint32(i))
	}
	b.WriteString("\n")
	g, known := ParseStatus(&b, "status").Groups.Get()
	if !known || len(g) != 65536 || g[65535] != seen(4294967295) {
		t.Fatalf("%v, %d groups", known, len(g))
	}
}

// Equal keys must mean equal posture: every line but those of the thread
// itself changes the key.
func TestPostureKey(t *testing.T) {
	base := "Umask:\t0022\nPid:\t7\nTgid:\t7\nUid:\t1\t1\t1\t1\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n"
	key := func(text string) string {
		var l Lines
		l.Scan([]byte(text))
		k, ok := l.AppendPosture(nil)
		if !ok {
			t.Fatalf("no key for %q", text)
		}
		return string(k)
	}
	for _, change := range [][2]string{{"0022", "0027"}, {"\t1\t1\t1\t1", "\t1\t1\t0\t1"}, {"0000\n", "0001\n"}, {"NoNewPrivs:\t1", "NoNewPrivs:\t0"}, {"NoNewPrivs:\t1\n", ""}} {
		if key(base) == key(strings.Replace(base, change[0], change[1], 1)) {
			t.Errorf("%q for %q leaves the key the same", change[1], change[0])
		}
	}
	if key(base) != key(strings.Replace(base, "Pid:\t7", "Pid:\t8", 1)) {
		t.Error("the thread's number changes the key")
	}
	var l Lines
	l.Scan([]byte(base + "Uid:\t0\t0\t0\t0\n"))
	if _, ok := l.AppendPosture(nil); ok {
		t.Error("a file with a doubled line has a key")
	}
}
