package policyfile

import (
	"bytes"
	"errors"
	"flag"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

var update = flag.Bool("update", false, "write the golden files and docs/policy.md anew")

// checkGolden compares with a file, or writes it.
func checkGolden(t *testing.T, path string, got []byte) {
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
		t.Errorf("%s is not what comes out (run the test with -update and read the difference):\n%s", path, got)
	}
}

func encode(t *testing.T, p *policy.Policy) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, p); err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	return b.Bytes()
}

func TestEncodeProfiles(t *testing.T) {
	for _, profile := range policy.Profiles() {
		p := profile.Policy()
		text := encode(t, p)
		checkGolden(t, filepath.Join("testdata", profile.Name+".yaml"), text)
		back := mustDecode(t, string(text))
		back.Source, back.SHA256 = p.Source, p.SHA256
		if !reflect.DeepEqual(back, p) {
			t.Errorf("%s comes back as %+v", profile.Name, back)
		}
	}
}

func TestEncodeFull(t *testing.T) {
	p := full()
	text := encode(t, p)
	checkGolden(t, filepath.Join("testdata", "full.yaml"), text)
	back := mustDecode(t, string(text))
	back.SHA256 = ""
	if !reflect.DeepEqual(back, p) {
		t.Errorf("it comes back as %+v", back)
	}
}

// TestEncodeRandom writes policies of all shapes and reads them back.
func TestEncodeRandom(t *testing.T) {
	check := func(seed int64) bool {
		p := randomPolicy(rand.New(rand.NewSource(seed)))
		back := mustDecode(t, string(encode(t, p)))
		back.Source, back.SHA256 = "", ""
		if p.Name == "" {
			p.Name = "f"
		}
		if !reflect.DeepEqual(back, p) {
			t.Logf("%+v\ncomes back as\n%+v", p, back)
			return false
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 300}); err != nil {
		t.Error(err)
	}
}

func randomPolicy(r *rand.Rand) *policy.Policy {
	p := &policy.Policy{Name: []string{"", "web", "true", "a: b # c", `"q" \ <&>`, "naïve 日本"}[r.Intn(6)]}
	p.Process.User = policy.User{UID: randomID(r), GID: randomID(r)}
	switch r.Intn(3) {
	case 0:
		p.Process.User.AdditionalGIDs = &policy.Groups{Nonroot: true}
	case 1:
		p.Process.User.AdditionalGIDs = &policy.Groups{Allowed: []uint32{}}
		for range r.Intn(4) {
			p.Process.User.AdditionalGIDs.Allowed = append(p.Process.User.AdditionalGIDs.Allowed, r.Uint32()%(maxID+1))
		}
	}
	c := &p.Process.Capabilities
	for _, set := range []**policy.CapSet{&c.Effective, &c.Permitted, &c.Inheritable, &c.Ambient, &c.Bounding, &c.Exec} {
		if r.Intn(2) == 0 {
			*set = caps(policy.CapSet(r.Uint64() & r.Uint64() & (1<<41 - 1)))
		}
	}
	if r.Intn(2) == 0 {
		p.Process.Securebits = &policy.Securebits{Set: r.Uint32() & (1<<uint(len(names.SecurebitNames())) - 1)}
	}
	flip := func() bool { return r.Intn(2) == 0 }
	p.Process.UniformThreads = flip()
	p.Descriptors = policy.Descriptors{
		NoneOutsideRoot: flip(), NoneWritable: flip(), NoDevices: flip(), NoRawSockets: flip(), NoNamespaces: flip(), NoKernelObjects: flip(),
	}
	p.Memory = policy.Memory{ASLR: flip(), NoWriteExecute: flip(), NoExecutableStack: flip(), NotDumpable: flip(), NoCore: flip()}
	p.Process.NoTracer, p.Process.NoTerminal, p.Process.NoPreload, p.Process.SafeExecutable = flip(), flip(), flip(), flip()
	p.Filesystem.Root = policy.Root{NotHost: flip(), NotChroot: flip(), ReadOnly: flip()}
	p.Seccomp = randomSeccomp(r)
	for _, a := range names.Attempts() {
		list := &p.Probes.Syscalls
		if a.Group == names.Reescalation {
			list = &p.Probes.Reescalation
		}
		if r.Intn(5) == 0 {
			*list = append(*list, a.Name)
		}
	}
	p.Probes.MinimumDepth = r.Intn(8)
	p.Process.NoNewPrivileges = flip() || p.Validate() != nil // ask for something
	return p
}

func randomSeccomp(r *rand.Rand) policy.Seccomp {
	known := append(names.SyscallNames(), names.SyscallGroups()...)
	some := func(of []string, least, most int) []string {
		list := []string{}
		for range least + r.Intn(most) {
			list = append(list, of[r.Intn(len(of))])
		}
		return list
	}
	s := policy.Seccomp{Mode: policy.Mode(r.Intn(3)), Enforcing: r.Intn(2) == 0}
	if r.Intn(2) == 0 {
		s.Deny = some(known, 1, 5)
	}
	if r.Intn(2) == 0 {
		allow := some(known, 0, 200)
		s.Allow = &allow
	}
	if r.Intn(2) == 0 {
		s.Architectures = some([]string{"x86-64", "x32", "i386", "arm64", "arm"}, 1, 3)
	}
	return s
}

func randomID(r *rand.Rand) *policy.ID {
	switch r.Intn(3) {
	case 0:
		return &policy.ID{Nonroot: true}
	case 1:
		return &policy.ID{Exact: r.Uint32() % (maxID + 1)}
	default:
		return nil
	}
}

// TestEncodeRefuses gives policies that no file can say. Nothing may be written.
func TestEncodeRefuses(t *testing.T) {
	good := policy.Process{NoNewPrivileges: true}
	for name, p := range map[string]*policy.Policy{
		"nil":                  nil,
		"asks nothing":         {Name: "x"},
		"name":                 {Name: "a\x1b[2J", Process: good},
		"name not utf-8":       {Name: "a\xff", Process: good},
		"name with a line":     {Name: "a\nprobes: {syscalls: true}", Process: good},
		"long name":            {Name: strings.Repeat("n", maxName+1), Process: good},
		"nameless capability":  {Process: policy.Process{Capabilities: policy.Capabilities{Effective: caps(1 << 63)}}},
		"nameless securebit":   {Process: policy.Process{Securebits: &policy.Securebits{Set: 1 << 31}}},
		"no id":                {Process: policy.Process{User: policy.User{UID: &policy.ID{Exact: 1<<32 - 1}}}},
		"no group":             {Process: policy.Process{User: policy.User{AdditionalGIDs: &policy.Groups{Allowed: []uint32{1<<32 - 1}}}}},
		"unknown mode":         {Seccomp: policy.Seccomp{Mode: 9}},
		"unknown call":         {Seccomp: policy.Seccomp{Deny: []string{"no_such"}}},
		"call that injects":    {Seccomp: policy.Seccomp{Allow: &[]string{"read]\n  deny: [execve"}}},
		"unknown group":        {Seccomp: policy.Seccomp{Deny: []string{"@none"}}},
		"unknown ABI":          {Seccomp: policy.Seccomp{Architectures: []string{"vax"}}},
		"ABI of the OCI":       {Seccomp: policy.Seccomp{Architectures: []string{"SCMP_ARCH_X86"}}},
		"unknown attempt":      {Probes: policy.Probes{Syscalls: []string{"no-such"}}},
		"attempt of the other": {Probes: policy.Probes{Syscalls: []string{"capset"}}},
		"attempt twice":        {Probes: policy.Probes{Syscalls: []string{"mount", "mount"}}},
		"depth below zero":     {Probes: policy.Probes{Syscalls: []string{"mount"}, MinimumDepth: -1}},
		"depth above seven":    {Probes: policy.Probes{Syscalls: []string{"mount"}, MinimumDepth: 8}},
		"attempt that injects": {Probes: policy.Probes{Syscalls: []string{"mount]\n  reescalation: [capset"}}},
	} {
		var b bytes.Buffer
		if err := Encode(&b, p); err == nil || b.Len() > 0 {
			t.Errorf("%s: %v, and %q is written", name, err, b.String())
		}
	}
	if err := Encode(io1{}, &policy.Policy{Process: good}); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

var errFull = errors.New("no space left on device")

// io1 is a writer that takes one byte.
type io1 struct{}

func (io1) Write([]byte) (int, error) { return 1, errFull }

// TestEncodeIgnoresUnseenFields writes fields that are set and not looked at.
func TestEncodeIgnoresUnseenFields(t *testing.T) {
	p := &policy.Policy{Process: policy.Process{User: policy.User{UID: &policy.ID{Nonroot: true, Exact: 5}, AdditionalGIDs: &policy.Groups{Nonroot: true, Allowed: []uint32{5}}}}}
	back := mustDecode(t, string(encode(t, p)))
	if u := back.Process.User; !u.UID.Nonroot || u.UID.Exact != 0 || !u.AdditionalGIDs.Nonroot || u.AdditionalGIDs.Allowed != nil {
		t.Errorf("%+v", u)
	}
}
