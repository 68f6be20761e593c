package procfs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCgroup(t *testing.T) {
	const text = "12:name=systemd:/user.slice\n4:cpu,cpuacct:/a:b c\\d\n3:memory:/../x\n0::/app.slice/x (deleted)\n"
	got, err := ParseCgroup([]byte(text))
	want := []Cgroup{{"name=systemd", "/user.slice"}, {"cpu,cpuacct", `/a:b c\d`}, {"memory", "/../x"}, {"", "/app.slice/x (deleted)"}}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[1].Name() != "cpu,cpuacct" || got[3].Name() != "unified" {
		t.Error("names")
	}
	if !got[1].Has("cpu") || !got[1].Has("cpuacct") || got[1].Has("acct") || got[3].Has("") || got[3].Has("cpu") {
		t.Error("controllers")
	}
	if none, err := ParseCgroup(nil); err != nil || len(none) != 0 {
		t.Errorf("an empty file: %v, %v", none, err)
	}
}

func TestCgroupOdd(t *testing.T) {
	for text, want := range map[string]string{
		"0::/":                      "cut short",
		"0:/\n":                     "line 1: too few fields",
		"\n":                        "line 1: too few fields",
		"x::/\n":                    "line 1: hierarchy's number",
		"-1:pids:/\n":               "line 1: hierarchy's number",
		"0:pids:/\n":                "line 1: list of controllers",
		"3::/\n":                    "line 1: list of controllers",
		"3:pids:\n":                 "line 1: path",
		"3:pids:x\n":                "line 1: path",
		"3:pids:/\x00\n":            "line 1: path",
		"0::/\n0::/a\n":             "line 2: a hierarchy that stands there twice",
		"3:pids:/\n2:cpu,pids:/a\n": "line 2: a hierarchy that stands there twice",
	} {
		if got, err := ParseCgroup([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", text, got, err, want)
		}
	}
	if _, err := ParseCgroup(make([]byte, maxFile+1)); err != ErrTooLong {
		t.Error(err)
	}
}

// FuzzCgroup: what is parsed, written again, parses to the same.
func FuzzCgroup(f *testing.F) {
	f.Add([]byte("12:name=systemd:/user.slice\n3:cpu,cpuacct:/a:b\n0::/../x\n"))
	f.Add([]byte("0::/\n"))
	f.Add([]byte("0::/a\\012\x1b[2J\n1:pids:/" + strings.Repeat("a/", 3000) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseCgroup(data)
		if err != nil {
			if list != nil {
				t.Errorf("%v with a result", err)
			}
			return
		}
		var b strings.Builder
		for i, c := range list {
			id := i + 1
			if c.Controllers == "" {
				id = 0
			}
			if c.Path[0] != '/' || strings.ContainsAny(c.Path, "\n\x00") {
				t.Errorf("path %q", c.Path)
			}
			fmt.Fprintf(&b, "%d:%s:%s\n", id, c.Controllers, c.Path)
		}
		if again, err := ParseCgroup([]byte(b.String())); err != nil || !slices.Equal(again, list) {
			t.Errorf("%+v, written again %+v %v", list, again, err)
		}
	})
}
