package procfs

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
)

func TestParseOpenInfo(t *testing.T) {
	const head = "pos:\t0\nflags:\t02100002\nmnt_id:\t29\nino:\t4411\n"
	for _, c := range []struct {
		name, in string
		want     OpenInfo
		rest     string
		err      error
	}{
		{"a file", head, OpenInfo{Flags: 0o2100002, MountID: 29, Ino: 4411, HasIno: true}, "", nil},
		{"no inode", "pos:\t-1\nflags:\t00\nmnt_id:\t3\n", OpenInfo{MountID: 3}, "", nil},
		{"no inode, and more", "pos:\t0\nflags:\t02\nmnt_id:\t3\neventfd-count: 0\n", OpenInfo{Flags: 2, MountID: 3}, "eventfd-count: 0\n", nil},
		{"a pidfd", head + "Pid:\t17\nNSpid:\t17\n", OpenInfo{Flags: 0o2100002, MountID: 29, Ino: 4411, HasIno: true, Pidfd: true, PID: 17}, "Pid:\t17\nNSpid:\t17\n", nil},
		{"one of a process that has ended", head + "Pid:\t-1\n", OpenInfo{Flags: 0o2100002, MountID: 29, Ino: 4411, HasIno: true, Pidfd: true, PID: -1}, "Pid:\t-1\n", nil},
		{"cut in the rest", head + "tfd: 5\ntfd: 6", OpenInfo{Flags: 0o2100002, MountID: 29, Ino: 4411, HasIno: true}, "tfd: 5\n", nil},
		{"empty", "", OpenInfo{}, "", ErrCut},
		{"cut in the head", "pos:\t0\nflags:\t02100002\nmnt_id:\t2", OpenInfo{}, "", ErrCut},
		{"cut in the inode", "pos:\t0\nflags:\t02\nmnt_id:\t2\nino:\t44", OpenInfo{}, "", ErrCut},
		{"flags in decimal", "pos:\t0\nflags:\t9\nmnt_id:\t2\n", OpenInfo{}, "", ErrMalformed},
		{"another order", "flags:\t02\npos:\t0\nmnt_id:\t2\n", OpenInfo{}, "", ErrMalformed},
		{"a mount below zero", "pos:\t0\nflags:\t02\nmnt_id:\t-1\n", OpenInfo{}, "", ErrMalformed},
		{"a pidfd of no number", head + "Pid:\tx\n", OpenInfo{}, "", ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseOpenInfo([]byte(c.in))
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if string(got.Rest) != c.rest {
				t.Errorf("rest %q, want %q", got.Rest, c.rest)
			}
			got.Rest = nil
			if got.Flags != c.want.Flags || got.MountID != c.want.MountID || got.Ino != c.want.Ino || got.HasIno != c.want.HasIno || got.Pidfd != c.want.Pidfd || got.PID != c.want.PID {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestOpenInfoLine(t *testing.T) {
	info := OpenInfo{Rest: []byte("SqThreadCpu:\t3\nSqThread:\t-1\nUserFiles:\t2\nPersonalities:\n")}
	for name, want := range map[string]string{"SqThread": "-1", "UserFiles": "2", "Personalities": ""} {
		if got, ok := info.Line(name); !ok || string(got) != want {
			t.Errorf("%s: %q %v, want %q", name, got, ok, want)
		}
	}
	if got, ok := info.Line("Sq"); ok {
		t.Errorf("part of a name: %q", got)
	}
}

func TestParentOf(t *testing.T) {
	for in, want := range map[string]int{
		"7 (a) S 3 7 7 0 -1": 3, "7 (a) S 9) R 1 7 0": 1, "7 (x) S 0 0 0": 0,
		"": -1, "7 (a) S": -1, "7 (a) S 3": -1, "7 (a) S -3 1": -1,
	} {
		if got, ok := ParentOf([]byte(in)); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d %v, want %d", in, got, ok, want)
		}
	}
}

func TestSharedDevice(t *testing.T) {
	const maps = "00400000-00452000 r-xp 00000000 08:02 173521 /usr/bin/dbus\n7f00-7f10 r--s 00000000 00:1a 12 /dev/zero (deleted)\n7f20-7f30 r--s\n"
	if a, b, ok := SharedDevice([]byte(maps), 0x7f00); !ok || a != 0 || b != 0x1a {
		t.Errorf("%d:%d %v", a, b, ok)
	}
	for _, address := range []uint64{0x7f20, 0x7f05, 0} {
		if a, b, ok := SharedDevice([]byte(maps), address); ok {
			t.Errorf("%x: %d:%d", address, a, b)
		}
	}
}

// FuzzOpenInfo: what is parsed stands in the input as the kernel writes it, and
// no line is made up.
func FuzzOpenInfo(f *testing.F) {
	f.Add([]byte("pos:\t0\nflags:\t02100002\nmnt_id:\t29\nino:\t4411\n"), uint64(0x7f00))
	f.Add([]byte("pos:\t0\nflags:\t02\nmnt_id:\t4\nino:\t1\nPid:\t17\nNSpid:\t17\t2\n"), uint64(1))
	f.Add([]byte("pos:\t0\nflags:\t02\nmnt_id:\t4\nSqThread:\t-1\nUserFiles:\t0\n"), uint64(2))
	f.Add([]byte("1 (a) b) S 17 1\n7f00-7f10 r--s 00000000 00:01 12 /dev/zero (deleted)\n"), uint64(0x7f00))
	f.Fuzz(func(t *testing.T, data []byte, address uint64) {
		_, _ = ParentOf(data)
		if a, b, ok := SharedDevice(data, address); ok && !strings.Contains(strings.ToLower(string(data)), strconv.FormatUint(uint64(a), 16)+":") && !bytes.Contains(data, []byte("+")) {
			t.Errorf("device %x:%x stands nowhere", a, b)
		}
		info, err := ParseOpenInfo(data)
		if err != nil {
			return
		}
		if !bytes.Contains(data, info.Rest) || len(info.Rest) > 0 && info.Rest[len(info.Rest)-1] != '\n' {
			t.Errorf("rest %q", info.Rest)
		}
		if info.Pidfd != bytes.Contains(append([]byte("\n"), info.Rest...), []byte("\nPid:")) {
			t.Errorf("pidfd %v: %q", info.Pidfd, data)
		}
		if info.PID < -1 {
			t.Errorf("pid %d", info.PID)
		}
	})
}
