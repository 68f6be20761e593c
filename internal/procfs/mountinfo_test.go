package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
)

func TestMountInfo(t *testing.T) {
	const text = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
28 27 0:25 /a\040b /mnt/new\012line\011tab\134back ro,nosuid,nodev,noexec master:7 propagate_from:2 later:9 - fuse.ss\040hfs  rw,user_id=0 and more
29 27 0:26 / /run rw shared:5 master:4 - tmpfs tmpfs rw
30 27 0:27 / /srv rw unbindable - tmpfs \043hash rw
31 27 0:28 / /late rw laterword - tmpfs tmpfs rw
`
	got, err := ReadMountInfo(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []posture.Mount{
		{ID: 22, Parent: 27, Minor: 21, Root: "/", Point: "/proc", Options: "rw,relatime", Type: "proc", Source: "proc", SuperOptions: "rw"},
		{ID: 27, Parent: 1, Major: 254, Root: "/", Point: "/", Options: "rw,relatime", Type: "ext4", Source: "/dev/vda", SuperOptions: "rw,discard", Propagation: posture.Propagation{Shared: 1}},
		{ID: 28, Parent: 27, Minor: 25, Root: "/a b", Point: "/mnt/new\nline\ttab\\back", Options: "ro,nosuid,nodev,noexec", Type: "fuse.ss hfs", SuperOptions: "rw,user_id=0 and more",
			Propagation: posture.Propagation{Master: 7, From: 2}},
		{ID: 29, Parent: 27, Minor: 26, Root: "/", Point: "/run", Options: "rw", Type: "tmpfs", Source: "tmpfs", SuperOptions: "rw", Propagation: posture.Propagation{Shared: 5, Master: 4}},
		{ID: 30, Parent: 27, Minor: 27, Root: "/", Point: "/srv", Options: "rw", Type: "tmpfs", Source: "#hash", SuperOptions: "rw", Propagation: posture.Propagation{Unbindable: true}},
		{ID: 31, Parent: 27, Minor: 28, Root: "/", Point: "/late", Options: "rw", Type: "tmpfs", Source: "tmpfs", SuperOptions: "rw"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d mounts, want %d", len(got), len(want))
	}
	words := []string{"private", "shared", "slave", "shared,slave", "unbindable", "private"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v\nwant %+v", got[i], want[i])
		}
		if w := got[i].Propagation.String(); w != words[i] {
			t.Errorf("propagation %q, want %q", w, words[i])
		}
	}
	if m := &got[2]; !m.Has("nosuid") || !m.Has("noexec") || !m.Has("ro") || m.Has("no") || m.Has("suid") || m.Has("") {
		t.Errorf("options of %q", m.Options)
	}
	if none, err := ParseMountInfo(nil); err != nil || len(none) != 0 {
		t.Errorf("an empty table: %v, %v", none, err)
	}
}

func TestMountInfoOdd(t *testing.T) {
	const good = "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
	for text, want := range map[string]string{
		"22 27 0:21 / /proc rw,relatime - proc proc rw": "cut short",
		good + "22 27 0:21 / /proc":                     "cut short",
		good + "22 27 0:21 / /proc\n":                   "line 2: too few fields",
		good + "\n":                                     "line 2: too few fields",
		good + good:                                     "line 2: a mount that stands there twice",
		"-1 1 254:0 / / rw - ext4 a rw\n":               "line 1: mount id",
		"1 x 254:0 / / rw - ext4 a rw\n":                "line 1: parent's id",
		"1 1 254 / / rw - ext4 a rw\n":                  "line 1: device number",
		"1 1 254:0:1 / / rw - ext4 a rw\n":              "line 1: device number",
		"1 1 254:0 / a rw - ext4 a rw\n":                "line 1: mount point that is no absolute path",
		"1 1 254:0 / /\\04 rw - ext4 a rw\n":            "line 1: mount point",
		"1 1 254:0 / /\\400 rw - ext4 a rw\n":           "line 1: mount point",
		"1 1 254:0 / /\\048 rw - ext4 a rw\n":           "line 1: mount point",
		"1 1 254:0 /\\x / rw - ext4 a rw\n":             "line 1: root",
		"1 1 254:0 / / rw shared:x - ext4 a rw\n":       "line 1: peer group",
		"1 1 254:0 / / rw shared - ext4 a rw\n":         "line 1: peer group",
		"1 1 254:0 / / rw shared:1 ext4 a rw\n":         "line 1: no hyphen",
		"1 1 254:0 / / rw - ext4 a\n":                   "line 1: too few fields after the hyphen",
		"1 1 254:0 / / rw - ext4\n":                     "line 1: too few fields after the hyphen",
		"1 1 254:0 / / rw -\n":                          "line 1: no hyphen",
		"1 1 254:0 / / rw - ext\\4 a rw\n":              "line 1: escape in the type or the source",
		"4294967296 1 254:0 / / rw - ext4 a rw\n":       "line 1: mount id",
	} {
		got, err := ParseMountInfo([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || got != nil {
			t.Errorf("%q: %d mounts, %v, want %q", text, len(got), err, want)
		}
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrCut) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadMountInfo(endless{}); !errors.Is(err, ErrTooLong) {
		t.Errorf("endless: %v", err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '\n'
	}
	return len(b), nil
}

// manyMounts is a table of n mounts with hostile names.
func manyMounts(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "%d 1 0:%d /%s /m\\040%d rw,nosuid,relatime shared:%d - overlay overlay rw,lowerdir=%s\n",
			i+2, i, strings.Repeat("\\134\\012", 10), i, i+1, strings.Repeat("/very/long", 10))
	}
	return b.Bytes()
}

// TestMountInfoIsLinear: ten times as many mounts take at most thirty times as
// long, and no more than a few times the room that the text takes.
func TestMountInfoIsLinear(t *testing.T) {
	fastest := func(data []byte, n int) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			m, err := ParseMountInfo(data)
			if best = min(best, time.Since(start)); err != nil || len(m) != n {
				t.Fatal(len(m), err)
			}
		}
		return best
	}
	few, many := manyMounts(2000), manyMounts(20_000)
	a, b := fastest(few, 2000), fastest(many, 20_000)
	t.Logf("2,000 mounts: %v; 20,000: %v", a, b)
	if b > 30*a && b > 100*time.Millisecond {
		t.Errorf("20,000 mounts take %v, 2,000 take %v", b, a)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ParseMountInfo(many); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4*uint64(len(many)) {
		t.Errorf("%d bytes for a table of %d", used, len(many))
	}
}

// encodeOctal writes a name as the kernel does.
func encodeOctal(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(" \t\n\\#", s[i]) >= 0 {
			fmt.Fprintf(&b, "\\%03o", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// FuzzMountInfo: what is parsed, written again as the kernel writes it, parses to
// the same.
func FuzzMountInfo(f *testing.F) {
	f.Add([]byte("22 27 0:21 / /proc rw,relatime - proc proc rw\n"))
	f.Add([]byte("28 27 0:25 /a\\040b /n\\012l ro shared:1 master:2 propagate_from:3 unbindable x:y - fuse.a  rw\n"))
	f.Add(manyMounts(3))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMountInfo(data)
		if err != nil {
			if m != nil {
				t.Errorf("%v with a result", err)
			}
			return
		}
		if len(m) != bytes.Count(data, []byte{'\n'}) {
			t.Errorf("%d mounts in %d lines", len(m), bytes.Count(data, []byte{'\n'}))
		}
		var b strings.Builder
		for i := range m {
			writeMount(&b, &m[i])
		}
		again, err := ParseMountInfo([]byte(b.String()))
		if err != nil || len(again) != len(m) {
			t.Fatalf("%q, written again %q: %v", data, b.String(), err)
		}
		for i := range m {
			if again[i] != m[i] {
				t.Errorf("%+v, written again %+v", m[i], again[i])
			}
		}
	})
}

func writeMount(b *strings.Builder, m *posture.Mount) {
	fmt.Fprintf(b, "%d %d %d:%d %s %s %s", m.ID, m.Parent, m.Major, m.Minor, encodeOctal(m.Root), encodeOctal(m.Point), m.Options)
	for _, p := range []struct {
		tag   string
		group uint32
	}{{"shared", m.Propagation.Shared}, {"master", m.Propagation.Master}, {"propagate_from", m.Propagation.From}} {
		if p.group != 0 {
			b.WriteString(" " + p.tag + ":" + strconv.FormatUint(uint64(p.group), 10))
		}
	}
	if m.Propagation.Unbindable {
		b.WriteString(" unbindable")
	}
	fmt.Fprintf(b, " - %s %s %s\n", encodeOctal(m.Type), encodeOctal(m.Source), m.SuperOptions)
}
