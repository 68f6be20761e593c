package render

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func loadSeccomp(t *testing.T, path string) *Seccomp {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d Seccomp
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &d
}

// Every document under testdata/seccomp is read and written both ways.
func TestSeccompGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/seccomp/*.in.json")
	if err != nil || len(inputs) < 7 {
		t.Fatalf("documents under testdata/seccomp: %v, %v", inputs, err)
	}
	variants := map[string]SeccompOptions{
		"txt":        {},
		"narrow.txt": {Width: 1},
		"color.txt":  {Color: true, Listed: true},
	}
	for _, in := range inputs {
		base := strings.TrimSuffix(in, ".in.json")
		t.Run(filepath.Base(base), func(t *testing.T) {
			d := loadSeccomp(t, in)
			for suffix, o := range variants {
				var b bytes.Buffer
				if err := SeccompText(&b, d, o); err != nil {
					t.Fatal(err)
				}
				// A line of a program is never broken.
				if filepath.Base(base) != "disassembly" {
					wellMade(t, b.Bytes(), TextOptions{Color: o.Color, Width: o.Width})
				}
				golden(t, base+"."+suffix, b.Bytes())
			}
			var b bytes.Buffer
			if err := SeccompJSON(&b, d); err != nil {
				t.Fatal(err)
			}
			golden(t, base+".out.json", b.Bytes())
			if again, err := ReadSeccomp(&b); err != nil {
				t.Error(err)
			} else if len(again.Classes) != len(d.Classes) {
				t.Errorf("%d classes were written and %d read", len(d.Classes), len(again.Classes))
			}
		})
	}
}

// What is no document of this schema is not read as one.
func TestReadSeccompRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":   "",
		"null":    "null",
		"another": `{"schema": "selfaudit.report/v1", "classes": []}`,
		"two":     `{"schema": "selfaudit.seccomp/v1"} {}`,
		"cut off": `{"schema": "selfaudit.seccomp/v1", "classes": [`,
		"a list":  `[]`,
	} {
		if d, err := ReadSeccomp(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read as %+v", name, d)
		}
	}
}

// Numbers that only other ABIs have lie between those that follow each other.
func TestFollows(t *testing.T) {
	for _, c := range []struct {
		last, first uint32
		want        bool
	}{
		{334, 335, true}, {334, 336, false}, {0x3fffffff, 0x80000000, true}, {0x3fffffff, 0x40000000, true},
		{0x7fffffff, 0xc0000000, true}, {0x3fffffff, 0x80000001, false}, {5, 5, false}, {5, 4, false},
	} {
		if got := Follows(c.last, c.first); got != c.want {
			t.Errorf("Follows(%#x, %#x) = %v", c.last, c.first, got)
		}
	}
}
