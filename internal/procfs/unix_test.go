package procfs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	. "github.com/selfaudit/selfaudit/internal/procfs"
)

const unixHead = "Num       RefCount Protocol Flags    Type St Inode Path\n"

// TestParseUnix: what others can connect or send to, and nothing else.
func TestParseUnix(t *testing.T) {
	data := unixHead +
		"0000000000000000: 00000002 00000000 00010000 0001 01   812 @listens\n" +
		"0000000000000000: 00000003 00000000 00000000 0001 03   813 @listens\n" +
		"0000000000000000: 00000002 00000000 00000000 0001 01   814 @bound only\n" +
		"0000000000000000: 00000002 00000000 00010000 0005 01 123456789 @pack@ets\n" +
		"0000000000000000: 00000002 00000000 00000000 0002 01 99999\n" +
		"0000000000000000: 00000002 00000000 00000000 0002 01 88888 @\x1b\xff\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 77777 /run/a\nb\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 66666 @two\nlines \n\n" +
		"00000000: 00000002 00000000 00010000 0001 01     7 @32 bits\n"
	want := []UnixSocket{
		{812, "listens", "stream"}, {123456789, "pack@ets", "seqpacket"}, {88888, "\x1b\xff", "datagram"}, {66666, "two\nlines \n", "stream"}, {7, "32 bits", "stream"},
	}
	got, more, err := ParseUnix(strings.NewReader(data))
	if err != nil || more != 0 || !slices.Equal(got, want) {
		t.Errorf("%+v, %d more, %v", got, more, err)
	}
}

// TestParseUnixBad: what the kernel never writes is no list of sockets.
func TestParseUnixBad(t *testing.T) {
	one := "0000000000000000: 00000002 00000000 00010000 0001 01   812 @a"
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"nothing":            {"", ErrCut},
		"another header":     {"Num\n" + one + "\n", ErrMalformed},
		"no socket":          {unixHead + "hello\n", ErrMalformed},
		"cut":                {unixHead + one, ErrCut},
		"a line too long":    {unixHead + one + strings.Repeat("a", 600) + "\n", ErrTooLong},
		"a name too long":    {unixHead + one + "\n" + strings.Repeat("b", 108) + "\n", ErrMalformed},
		"more than there is": {unixHead + strings.Repeat(one+"\n", 64<<20/len(one)), ErrTooLong},
	} {
		if got, _, err := ParseUnix(strings.NewReader(c.data)); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %d sockets, %v", name, len(got), err)
		}
	}
}

// TestParseUnixMany: more than are kept are counted.
func TestParseUnixMany(t *testing.T) {
	line := "0000000000000000: 00000002 00000000 00010000 0001 01   812 @a\nb\n"
	got, more, err := ParseUnix(strings.NewReader(unixHead + strings.Repeat(line, 5000)))
	if err != nil || len(got)+more != 5000 || more == 0 || got[0].Name != "a\nb" {
		t.Errorf("%d and %d more, %v", len(got), more, err)
	}
}

// FuzzParseUnix: each line of the kernel's that is written into the file comes
// out, whatever names stand before it.
func FuzzParseUnix(f *testing.F) {
	f.Add("x\n0000000000000000: 00000002 00000000 00010000 0001 01 99999 @fake")
	f.Add("\n\n@\x00")
	f.Add("")
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 107 {
			return
		}
		name = strings.ReplaceAll(name, "\x00", "@")
		data := unixHead + "0000000000000000: 00000002 00000000 00010000 0001 01     5 @" + name +
			"\n0000000000000000: 00000002 00000000 00010000 0001 01   812 @last\n"
		got, _, err := ParseUnix(strings.NewReader(data))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if len(got) < 2 || got[0].Inode != 5 || got[len(got)-1] != (UnixSocket{812, "last", "stream"}) {
			t.Errorf("%q: %+v", name, got)
		}
	})
}
