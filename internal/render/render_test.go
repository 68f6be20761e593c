package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/selfaudit/selfaudit/checks/report"
)

var update = flag.Bool("update", false, "write the goldens anew")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was written:\n%s", path, got)
	}
}

func load(t *testing.T, path string) *report.Report {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &r
}

// Every report under testdata is read and written both ways.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	if err != nil || len(inputs) < 4 {
		t.Fatalf("reports under testdata: %v, %v", inputs, err)
	}
	variants := map[string]TextOptions{
		"txt":         {},
		"verbose.txt": {Verbose: true},
		"narrow.txt":  {Width: 1},
		"color.txt":   {Color: true},
	}
	for _, in := range inputs {
		base := strings.TrimSuffix(in, ".in.json")
		t.Run(filepath.Base(base), func(t *testing.T) {
			r := load(t, in)
			for suffix, o := range variants {
				var b bytes.Buffer
				if err := Text(&b, r, o); err != nil {
					t.Fatal(err)
				}
				wellMade(t, b.Bytes(), o)
				golden(t, base+"."+suffix, b.Bytes())
			}
			var b bytes.Buffer
			if err := JSON(&b, r); err != nil {
				t.Fatal(err)
			}
			golden(t, base+".out.json", b.Bytes())
		})
	}
}

// wellMade is what holds for every text, whatever the report.
func wellMade(t *testing.T, text []byte, o TextOptions) {
	t.Helper()
	width := max(o.Width, MinWidth)
	if o.Width == 0 {
		width = DefaultWidth
	}
	s := string(text)
	if o.Color {
		if !strings.Contains(s, "\x1b[") {
			t.Error("no colour where colours are allowed")
		}
		for _, code := range append([]string{uncolour}, colours[bad], colours[good], colours[doubtful], colours[heading]) {
			s = strings.ReplaceAll(s, code, "")
		}
	}
	if !utf8.ValidString(s) || !strings.HasSuffix(s, "\n") || strings.HasSuffix(s, "\n\n") {
		t.Error("not valid UTF-8 that ends in one newline")
	}
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		if n := columns(line); n > width {
			t.Errorf("%d columns, more than %d: %q", n, width, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("trailing space: %q", line)
		}
		if i := strings.IndexFunc(line, func(r rune) bool { return !terminal(r) }); i >= 0 {
			t.Errorf("unsafe character at byte %d of %q", i, line)
		}
	}
}

// Colours must say nothing that the words do not.
func TestColourOnlyRepeats(t *testing.T) {
	r := load(t, "testdata/exposed.in.json")
	var bare, painted bytes.Buffer
	if err := Text(&bare, r, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Text(&painted, r, TextOptions{Color: true}); err != nil {
		t.Fatal(err)
	}
	s := painted.String()
	for _, code := range colours {
		s = strings.ReplaceAll(s, code, "")
	}
	if s = strings.ReplaceAll(s, uncolour, ""); s != bare.String() {
		t.Error("the text without its colours is another text")
	}
}

func TestWriteErrors(t *testing.T) {
	r := load(t, "testdata/exposed.in.json")
	for name, write := range map[string]func(io.Writer) error{
		"text": func(w io.Writer) error { return Text(w, r, TextOptions{}) },
		"json": func(w io.Writer) error { return JSON(w, r) },
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(full); err == nil {
			t.Errorf("%s: no error from a full device", name)
		}
		full.Close()
		if err := write(short{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: short write: %v", name, err)
		}
	}
	if Text(io.Discard, nil, TextOptions{}) == nil || JSON(io.Discard, nil) == nil {
		t.Error("no error without a report")
	}
}

type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) - 1, nil }

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"web":                  "web",
		"/usr/bin/web-1.2_x":   "/usr/bin/web-1.2_x",
		"kworker/0:1":          "kworker/0:1",
		"":                     `""`,
		"a b":                  `"a b"`,
		"\x1b[2Jx":             `"\x1b[2Jx"`,
		`\x1b[2Jx`:             `"\\x1b[2Jx"`,
		"a\nb\x7f\x00":         `"a\x0ab\x7f\x00"`,
		"\xff\xfe":             `"\xff\xfe"`,
		"\u0085":               `"\u{85}"`,
		"x\u202egnp.exe":       `"x\u{202e}gnp.exe"`,
		"a\u200bb\ufeff":       `"a\u{200b}b\u{feff}"`,
		"e\u0301":              `"e\u{301}"`,
		"\u3164":               `"\u{3164}"`,
		"\u05d0":               `"\u{5d0}"`,
		"\ue000":               `"\u{e000}"`,
		"\ufffd":               `"\u{fffd}"`,
		"\U000e0041":           `"\u{e0041}"`,
		"a\u00a0b":             `"a\u{a0}b"`,
		"日本":                   `"日本"`,
		`say "hi"`:             `"say \"hi\""`,
		"web) policy confined": `"web) policy confined"`,
	} {
		if got := Safe(in); got != want {
			t.Errorf("Safe(%q) = %s, want %s", in, got, want)
		}
	}
	if got := Safe(strings.Repeat("a", 2000)); !strings.HasSuffix(got, `"… (1488 bytes more)`) {
		t.Errorf("a long name ends in %q", got[len(got)-40:])
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range []string{"web", "\x1b]0;x\a", "\u202e", "\xf0\x28", `\`, `"`, strings.Repeat("\x00", 600)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := Safe(s)
		if !utf8.ValidString(out) {
			t.Fatalf("Safe(%q) is not UTF-8", s)
		}
		if len(out) > 2*SafeLimit+64 {
			t.Fatalf("Safe of %d bytes has %d", len(s), len(out))
		}
		if i := strings.IndexFunc(out, func(r rune) bool { return !terminal(r) }); i >= 0 {
			t.Fatalf("Safe(%q) = %q, unsafe at %d", s, out, i)
		}
		if out != s && out[0] != '"' {
			t.Fatalf("Safe(%q) = %q, changed without quotes", s, out)
		}
		if other := s + "\x01"; len(s) < 64 && Safe(other) == out {
			t.Fatalf("%q and %q read the same", s, other)
		}
	})
}

// A report made of any bytes is a text and a document that hold to the rules.
func FuzzReport(f *testing.F) {
	f.Add("web\x1b[0m", "observed\n\u202e", 80)
	f.Add("\xff", strings.Repeat("CAP_CHOWN, ", 50), 0)
	f.Fuzz(func(t *testing.T, comm, said string, width int) {
		r := &report.Report{Schema: report.Schema, Verdict: report.Exposed, Target: report.Target{PID: 1, Comm: comm, Exe: said}}
		r.Findings = []report.Finding{{ID: "identity.uid", Status: report.Gap, Subject: comm, Expected: said, Observed: said,
			Message: said, Remedy: said, Evidence: []report.Evidence{{Source: comm, Value: said}}}}
		r.Depth = []report.Depth{{Attack: comm, Outcome: said, Notes: []string{said}}, {Attack: said, Outcome: "stopped", Layers: []string{said}, Unknown: []string{comm}, Threads: []int{width}}}
		o := TextOptions{Width: width % 200, Verbose: width%2 == 0}
		var b bytes.Buffer
		if err := Text(&b, r, o); err != nil {
			t.Fatal(err)
		}
		wellMade(t, b.Bytes(), o)
		b.Reset()
		if err := JSON(&b, r); err != nil {
			t.Fatal(err)
		}
		oneDocument(t, b.Bytes())
	})
}

func oneDocument(t *testing.T, doc []byte) {
	t.Helper()
	if !utf8.Valid(doc) || !bytes.HasSuffix(doc, []byte("}\n")) {
		t.Fatalf("not valid UTF-8 that ends in one newline: %q", doc)
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	var r report.Report
	if err := dec.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		t.Fatalf("more than one document: %v", err)
	}
	for _, s := range []string{r.Target.Comm, r.Target.Exe, r.Findings[0].Message, r.Findings[0].Evidence[0].Value, r.Depth[0].Attack, r.Depth[0].Notes[0], r.Depth[1].Layers[0]} {
		if i := strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) }); i >= 0 {
			t.Fatalf("control character in the string %q", s)
		}
	}
}

// Different bytes must stay different in the document.
func TestJSONKeepsBytesApart(t *testing.T) {
	seen := map[string]string{}
	for _, comm := range []string{"\xff", `\xff`, "\u00ff", "\ufffd", "\x1b", `\x1b`, `\\x1b`, "\u202e", `\u{202e}`, "\xe2\x80", ""} {
		var b bytes.Buffer
		if err := JSON(&b, &report.Report{Target: report.Target{Comm: comm}}); err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[b.String()]; ok {
			t.Errorf("%q and %q are written the same", comm, other)
		}
		seen[b.String()] = comm
	}
}

func TestJSONListsAreLists(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, &report.Report{Findings: []report.Finding{{ID: "x"}}, Depth: []report.Depth{{Attack: "x"}}}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("null in %s", b.String())
	}
}

// A report without what stands before attacks has no word of it.
func TestNoDepth(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, &report.Report{}); err != nil {
		t.Fatal(err)
	}
	if err := Text(&b, &report.Report{}, TextOptions{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{`"depth"`, "Depth", "stands before"} {
		if strings.Contains(b.String(), word) {
			t.Errorf("%s in %s", word, b.String())
		}
	}
}

func TestShorten(t *testing.T) {
	caps := "CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_ADMIN"
	for in, want := range map[string]string{
		"none":                            "none",
		"CAP_CHOWN, CAP_KILL":             "CAP_CHOWN, CAP_KILL",
		caps:                              "CAP_CHOWN, CAP_DAC_OVERRIDE, … (9 in all)",
		"can regain " + caps:              "can regain CAP_CHOWN, CAP_DAC_OVERRIDE, … (9 in all)",
		"can regain " + caps + " by exec": "can regain CAP_CHOWN, CAP_DAC_OVERRIDE, … (9 in all) by exec",
		"permitted " + caps + ", uid 0":   "permitted CAP_CHOWN, CAP_DAC_OVERRIDE, … (9 in all), uid 0",
		"1, 2, 3, 4, 5, 6, 7, 8, 9":       "1, 2, … (9 in all)",
		"1, 2, 3, 4, 5, 6, 7, 8":          "1, 2, 3, 4, 5, 6, 7, 8",
		"a, b, c, d, e, f, g, h, i, j":    "a, b, c, d, e, f, g, h, i, j",
		"":                                "",
	} {
		if got := shorten(in); got != want {
			t.Errorf("shorten(%q)\n got %q\nwant %q", in, got, want)
		}
	}
}
