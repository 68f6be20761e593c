package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const someMaps = `00400000-0065d000 r-xp 00000000 fe:01 1048602                            /usr/bin/service
c000000000-c000400000 rw-p 00000000 00:00 0                              [anon: Go: heap]
7f0000000000-7f0000001000 rw-s 00000000 00:01 1024                       /memfd:jit (deleted)
7f0000001000-7f0000002000 r-xs 00000000 00:01 1024                       /memfd:jit (deleted)
7f0000002000-7f0000003000 rwxp 00000000 00:00 0
7ffc0e7d1000-7ffc0e7f2000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`

func TestMaps(t *testing.T) {
	text := strings.Replace(someMaps, "00:00 0\n", "00:00 0 \n", 1)
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
		m, _, err := ParseMaps(r)
		if err != nil || m.Count != 7 || len(m.WriteExecute) != 1 || m.WriteExecute[0].Start != 0x7f0000002000 || m.WriteExecute[0].Name != "" ||
			len(m.Twice) != 1 || m.Twice[0].Name != "/memfd:jit (deleted)" || m.Stack == nil || m.Stack.Permissions != "rw-p" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestMapsSharedMemory: the first segment of System V shared memory has the number
// 0, as what is of no file at all has.
func TestMapsSharedMemory(t *testing.T) {
	const text = `7f0000000000-7f0000002000 r-xs 00000000 00:01 0                          /SYSV00000000 (deleted)
7f0000002000-7f0000004000 rw-s 00000000 00:01 0                          /SYSV00000000 (deleted)
7f0000004000-7f0000005000 r-xp 00000000 00:00 0 
7f0000005000-7f0000006000 rw-s 00000000 00:00 0 
`
	m, _, err := ParseMaps(strings.NewReader(text))
	if err != nil || len(m.Twice) != 1 || m.Twice[0].Name != "/SYSV00000000 (deleted)" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestMapsNames: a file's name cannot pass for the stack, nor break a line.
func TestMapsNames(t *testing.T) {
	long := "/" + strings.Repeat("x", 64<<10)
	var b strings.Builder
	for i, name := range []string{"/tmp/[stack]", "/tmp/a\\012b rwxp [stack]", long, "/tmp/\x1b[2J", "[anon:[stack"} {
		fmt.Fprintf(&b, "%08x-%08x rwxp 00000000 fe:01 %d                            %s\n", (i+1)<<12, (i+2)<<12, i+1, name)
	}
	m, _, err := ParseMaps(strings.NewReader(b.String()))
	if err != nil || m.Stack != nil || len(m.WriteExecute) != 5 || len(m.WriteExecute[2].Name) > maxMapName {
		t.Errorf("%+v, %v", m.Stack, err)
	}
}

// TestMapsMany: however many mappings there are, what is kept is bounded, and
// what is left out is counted.
func TestMapsMany(t *testing.T) {
	var b bytes.Buffer
	const n = 65530
	for i := range n {
		fmt.Fprintf(&b, "%08x-%08x rwxp 00000000 00:00 0 \n", (2*i+1)<<12, (2*i+2)<<12)
	}
	m, _, err := ParseMaps(&b)
	if err != nil || m.Count != n || len(m.WriteExecute) != maxKeptMaps || m.More != n-maxKeptMaps {
		t.Errorf("%d, %d kept, %d more, %v", m.Count, len(m.WriteExecute), m.More, err)
	}
	for i := range maxMappedFiles + 1 {
		fmt.Fprintf(&b, "%x-%x rw-s 00000000 fe:01 %d /f\n", (2*i+1)<<12, (2*i+2)<<12, i+1)
	}
	if m, _, err = ParseMaps(&b); err != nil || m.Unwatched != 1 {
		t.Errorf("%d unwatched, %v", m.Unwatched, err)
	}
}

func TestMapsMalformed(t *testing.T) {
	line := "00400000-0065d000 r-xp 00000000 fe:01 1048602 /usr/bin/service\n"
	for name, bad := range map[string]string{
		"nothing":            "",
		"no newline":         strings.TrimSuffix(line, "\n"),
		"an empty line":      line + "\n",
		"permissions":        strings.Replace(line, "r-xp", "rxwp", 1),
		"short permissions":  strings.Replace(line, "r-xp", "r-x", 1),
		"addresses in turn":  strings.Replace(line, "00400000-0065d000", "0065d000-00400000", 1),
		"addresses twice":    line + line,
		"an empty mapping":   strings.Replace(line, "0065d000", "00400000", 1),
		"inode":              strings.Replace(line, "1048602", "x", 1),
		"device":             strings.Replace(line, "fe:01", "fe01", 1),
		"a line without end": strings.Repeat("x", maxMapLine+2),
	} {
		if m, _, err := ParseMaps(strings.NewReader(bad)); err == nil || m.Count != 0 {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	broken := errors.New("EIO")
	if _, _, err := ParseMaps(io.MultiReader(strings.NewReader(line), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// FuzzMaps: no memory that a line calls writable and executable is lost.
func FuzzMaps(f *testing.F) {
	f.Add([]byte(someMaps))
	f.Add([]byte("1000-2000 rwxp 0 00:00 0 \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, err := ParseMaps(bytes.NewReader(data))
		if err != nil {
			return
		}
		both, lines := 0, 0
		for line := range bytes.Lines(data) {
			lines++
			if words := bytes.SplitN(line, []byte(" "), 3); words[1][1] == 'w' && words[1][2] == 'x' {
				both++
			}
		}
		if m.Count != lines || len(m.WriteExecute)+m.More != both {
			t.Errorf("%d of %d lines, %d and %d of %d", m.Count, lines, len(m.WriteExecute), m.More, both)
		}
	})
}

func TestEnvironment(t *testing.T) {
	text := "PATH=/bin\x00LD_PRELOAD=/x=y\x00EMPTY=\x00NOTHING\x00\x00=odd\x00" + strings.Repeat("L", 4000) + "=1\x00LAST=cut"
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
		var got []string
		n, err := Environment(r, func(name []byte, empty bool) { got = append(got, fmt.Sprint(string(name), empty)) })
		want := []string{"PATHfalse", "LD_PRELOADfalse", "EMPTYtrue", "false", strings.Repeat("L", maxVariable) + "false", "LASTfalse"}
		if err != nil || n != 7 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %d %q, %v", name, n, got, err)
		}
	}
	if n, err := Environment(io.LimitReader(neverEnding('x'), 1<<30), func([]byte, bool) {}); !errors.Is(err, ErrTooLong) {
		t.Errorf("without end: %d, %v", n, err)
	}
}

type neverEnding byte

func (c neverEnding) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(c)
	}
	return len(b), nil
}

// FuzzEnvironment: a variable is found wherever the pieces are cut.
func FuzzEnvironment(f *testing.F) {
	f.Add([]byte("A=1\x00B=2\x00"))
	f.Add([]byte("\x00\x00=\x00LD_PRELOAD=x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(r io.Reader) (out string) {
			n, err := Environment(r, func(name []byte, empty bool) { out += fmt.Sprintf("%q %v\n", name, empty) })
			return out + fmt.Sprint(n, err)
		}
		whole, cut := read(bytes.NewReader(data)), read(iotest.OneByteReader(bytes.NewReader(data)))
		if whole != cut {
			t.Errorf("%q\n%s\nbyte by byte\n%s", data, whole, cut)
		}
		found := strings.Contains(whole, `"LD_PRELOAD" false`)
		if want := bytes.HasPrefix(data, []byte("LD_PRELOAD=x")) || bytes.Contains(data, []byte("\x00LD_PRELOAD=x")); want && !found {
			t.Errorf("%q: not found", data)
		}
	})
}

func TestStatMore(t *testing.T) {
	const rest = " S 1 2 3 34820 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 100 4096 100 18446744073709551615 1 2 3 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 5 6 7 8 9 140 150 0\n"
	for _, comm := range []string{"(web)", "(a) S 9 9 9 0 (x)", "(\n)"} {
		s, err := ParseStatMore([]byte("12 " + comm + rest))
		if err != nil || s.PID != 12 || s.TTYMajor() != 136 || s.TTYMinor() != 4 || !s.Randomized() || s.EnvStart != 140 || s.EnvEnd != 150 {
			t.Errorf("%q: %+v, %v", comm, s, err)
		}
	}
	for name, bad := range map[string]string{"nothing": "", "cut": "12 (web) S 1 2 3 34820 -1 4194304\n", "no newline": "12 (web)" + strings.TrimSuffix(rest, "\n"), "tty": "12 (web)" + strings.Replace(rest, "34820", "x", 1), "flags": "12 (web)" + strings.Replace(rest, "4194304", "-1", 1)} {
		if s, err := ParseStatMore([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// A minor number above 255: 136:1000, as the kernel puts it together.
	if s := (StatMore{TTY: 1000&0xff | 136<<8 | (1000&^0xff)<<12}); s.TTYMajor() != 136 || s.TTYMinor() != 1000 {
		t.Errorf("%d:%d", s.TTYMajor(), s.TTYMinor())
	}
}

func TestStackPointer(t *testing.T) {
	for text, want := range map[string]uint64{
		"running\n": 0, "202 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffc0e7d1000 0x45\n": 0x7ffc0e7d1000, "-1 0x7f00 0x45\n": 0x7f00,
	} {
		if sp, waits, err := ParseStackPointer([]byte(text)); err != nil || sp != want || waits != (want != 0) {
			t.Errorf("%q: %x %v %v", text, sp, waits, err)
		}
	}
	for _, bad := range []string{"", "running", "1 2 3\n", "-1 7f00 0x45\n", "-1 0xzz 0x45\n", "202 0x1\n"} {
		if sp, _, err := ParseStackPointer([]byte(bad)); err == nil {
			t.Errorf("%q: %x", bad, sp)
		}
	}
	for text, want := range map[string]uint32{"00040000\n": 0x40000, "ffffffff\n": 0xffffffff} {
		if n, err := ParsePersonality([]byte(text)); err != nil || n != want {
			t.Errorf("%q: %x %v", text, n, err)
		}
	}
	for _, bad := range []string{"", "0\n", "0004000x\n", "000400000\n"} {
		if n, err := ParsePersonality([]byte(bad)); err == nil {
			t.Errorf("%q: %x", bad, n)
		}
	}
}
