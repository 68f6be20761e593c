package policyfile

import (
	"bytes"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/policy"
)

// FuzzDecode: whatever the bytes, the decoder ends with a policy or with typed
// errors; and a policy that it returns can be written and read back as the same.
func FuzzDecode(f *testing.F) {
	for _, c := range badFiles {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(fullYAML))
	f.Add([]byte(fullJSON))
	for _, l := range leaves("", schema()) {
		f.Add([]byte(document(l.path, l.key.demand)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Decode(bytes.NewReader(text), "f.yaml")
		if err != nil {
			for _, e := range parts(t, err) {
				if !isPrintable(e.Error()) || e.Message == "" || (e.Line == 0) != (e.Column == 0) {
					t.Errorf("%+q", e)
				}
			}
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		roundTrip(t, p)
	})
}

// FuzzUnknownKey: a word that is no key of a mapping is never accepted there.
func FuzzUnknownKey(f *testing.F) {
	for _, seed := range []string{"x", "proces", "uid ", "Process", "process.user", "<<", "\"process\"", "", "é", "no_new_privileges"} {
		f.Add(seed)
	}
	inner := map[string][]key{"": schema(), "process": nil, "filesystem": nil, "probes": nil, "descriptors": nil}
	for _, k := range schema() {
		if _, ok := inner[k.name]; ok {
			inner[k.name] = k.keys
		}
	}
	f.Fuzz(func(t *testing.T, name string) {
		for in, keys := range inner {
			if hasName(keys, name) || len(name) > 10000 {
				continue
			}
			text := head + "seccomp: {mode: filter}\n" + in + ": {" + quoteYAML(name) + ": true}\n"
			if in == "" {
				text = head + "seccomp: {mode: filter}\n" + quoteYAML(name) + ": true\n"
			}
			if in == "" && strings.ToValidUTF8(name, "\ufffd") != name {
				continue // the quoting writes another key
			}
			if p, err := decode(text); err == nil {
				t.Fatalf("accepted as %+v:\n%s", p, text)
			}
		}
	})
}

func hasName(keys []key, name string) bool {
	for _, k := range keys {
		if k.name == name {
			return true
		}
	}
	return false
}

func roundTrip(t *testing.T, p *policy.Policy) {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, p); err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	back, err := decode(b.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if err := sameDemands(p, back); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
}
