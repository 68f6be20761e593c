package policyfile

import (
	"crypto/sha256"
	"encoding/hex"
	"os/user"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

func caps(set policy.CapSet) *policy.CapSet { return &set }

// full is what both files of TestFull say.
func full() *policy.Policy {
	return &policy.Policy{
		Name: "web", Source: "f.yaml",
		Process: policy.Process{
			User: policy.User{UID: &policy.ID{Exact: 65534}, GID: &policy.ID{Nonroot: true}, AdditionalGIDs: &policy.Groups{Allowed: []uint32{7, 4294967294}}},
			Capabilities: policy.Capabilities{
				Effective: caps(1 << 10), Permitted: caps(1<<10 | 1<<40), Inheritable: caps(0), Ambient: caps(0), Bounding: caps(1), Exec: caps(0),
			},
			Securebits: &policy.Securebits{Set: 1 | 1<<5}, NoNewPrivileges: true, UniformThreads: true,
		},
		Seccomp: policy.Seccomp{
			Mode: policy.ModeStrict, Enforcing: true, Deny: []string{"execve", "@mount"}, Allow: &[]string{"read", "@system-service"},
			Architectures: []string{"x86-64", "i386", "arm"},
		},
		Filesystem:  policy.Filesystem{Root: policy.Root{NotHost: true, NotChroot: true, ReadOnly: true}},
		Descriptors: policy.Descriptors{NoneOutsideRoot: true},
		Probes:      policy.Probes{Reescalation: []string{"setuid-root", "capset"}, Syscalls: policy.DefaultSyscalls(), MinimumDepth: 2},
	}
}

const fullYAML = `# a policy
apiVersion: selfaudit/v1
kind: Policy
metadata: {name: web}
process:
  user: {uid: 65534, gid: nonroot, additionalGids: [7, 4294967294]}
  capabilities:
    effective: [CAP_NET_BIND_SERVICE]
    permitted: [CAP_CHECKPOINT_RESTORE, CAP_NET_BIND_SERVICE, CAP_NET_BIND_SERVICE]
    inheritable: []
    ambient: []
    bounding:
    - CAP_CHOWN
    exec: []
  securebits: [noroot, keep-caps-locked]
  noNewPrivileges: true
  threads: uniform
  tracer: true          # asks nothing
seccomp:
  mode: strict
  enforcing: true
  deny: [execve, "@mount"]
  allow:
  - read
  - '@system-service'
  architectures: [SCMP_ARCH_X86_64, i386, arm]
filesystem:
  root: {host: false, chroot: false, readonly: true}
  shell: true           # asks nothing
descriptors: {outsideRoot: false, devices: true}
namespaces: {user: any}
probes:
  reescalation: [setuid-root, capset]
  syscalls: true
  minimumDepth: 2
`

const fullJSON = `{
	"apiVersion": "selfaudit/v1", "kind": "Policy",
	"metadata": {"name": "\u0077eb"},
	"process": {
		"user": {"uid": 65534, "gid": "nonroot", "additionalGids": [7, 4294967294]},
		"capabilities": {
			"effective": ["CAP_NET_BIND_SERVICE"], "permitted": ["CAP_NET_BIND_SERVICE", "CAP_CHECKPOINT_RESTORE"],
			"inheritable": [], "ambient": [], "bounding": ["CAP_CHOWN"], "exec": []
		},
		"securebits": ["noroot", "keep-caps-locked"], "noNewPrivileges": true, "threads": "uniform"
	},
	"seccomp": {
		"mode": "strict", "enforcing": true, "deny": ["execve", "@mount"], "allow": ["read", "@system-service"],
		"architectures": ["x86-64", "SCMP_ARCH_X86", "SCMP_ARCH_ARM"]
	},
	"filesystem": {"root": {"host": false, "chroot": false, "readonly": true}},
	"descriptors": {"outsideRoot": false},
	"probes": {"reescalation": ["setuid-root", "capset"], "syscalls": true, "minimumDepth": 2}
}
`

// TestFull reads every key that has a check, in every way to write it down.
func TestFull(t *testing.T) {
	for name, text := range map[string]string{
		"YAML": fullYAML, "JSON": fullJSON, "CRLF": strings.ReplaceAll(fullYAML, "\n", "\r\n"), "byte order mark": "\ufeff" + fullYAML,
		"marked": "---\n" + fullYAML + "...\n", "compact": strings.NewReplacer("\n", "", "\t", "").Replace(fullJSON),
	} {
		t.Run(name, func(t *testing.T) {
			want := full()
			sum := sha256.Sum256([]byte(text))
			want.SHA256 = hex.EncodeToString(sum[:])
			if got := mustDecode(t, text); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestModes(t *testing.T) {
	for text, want := range map[string]policy.Mode{"filter": policy.ModeFilter, "strict": policy.ModeStrict, "disabled": policy.ModeAny} {
		p := mustDecode(t, head+"process: {noNewPrivileges: true}\nseccomp: {mode: "+text+"}\n")
		if p.Seccomp.Mode != want {
			t.Errorf("%s is read as %d", text, p.Seccomp.Mode)
		}
	}
}

// TestUserDatabase reads names that this machine has.
func TestUserDatabase(t *testing.T) {
	root, err := user.Lookup("root")
	if err != nil {
		skip(t, "no user named root: "+err.Error())
	}
	group, err := user.LookupGroupId(root.Gid)
	if err != nil {
		skip(t, "root's group has no name: "+err.Error())
	}
	gid, err := strconv.ParseUint(group.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	p := mustDecode(t, one("process: {user: {uid: root, gid: "+group.Name+", additionalGids: ["+group.Name+", 5]}}"))
	want := policy.User{UID: &policy.ID{}, GID: &policy.ID{Exact: uint32(gid)}, AdditionalGIDs: &policy.Groups{Allowed: []uint32{uint32(gid), 5}}}
	if !reflect.DeepEqual(p.Process.User, want) {
		t.Errorf("got %+v, want %+v", p.Process.User, want)
	}
}

// TestNames checks what a policy is called after.
func TestNames(t *testing.T) {
	for file, want := range map[string][2]string{
		"web.yaml": {"web", "web.yaml"}, "/etc/selfaudit/web.prod.json": {"web.prod", "/etc/selfaudit/web.prod.json"}, "web": {"web", "web"},
		"-": {"stdin", "stdin"}, "": {"stdin", "stdin"}, ".yaml": {"policy", ".yaml"}, "/": {"/", "/"}, "a\x1b[2J.yaml": {`a\x1b[2J`, "a\x1b[2J.yaml"},
		strings.Repeat("n", 254): {"policy", strings.Repeat("n", 254)},
	} {
		p, err := Decode(strings.NewReader(one("process: {noNewPrivileges: true}")), file)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != want[0] || p.Source != want[1] {
			t.Errorf("%q: name %q, source %q", file, p.Name, p.Source)
		}
	}
}

// TestAllowNothing: an empty allow-list forbids every call, and is not the same
// as none.
func TestAllowNothing(t *testing.T) {
	p := mustDecode(t, one("seccomp: {allow: []}"))
	if p.Seccomp.Allow == nil || len(*p.Seccomp.Allow) != 0 || !p.Seccomp.AsksFilter() {
		t.Errorf("allow: [] is read as %+v", p.Seccomp)
	}
	back := mustDecode(t, string(encode(t, p)))
	if back.Seccomp.Allow == nil || len(*back.Seccomp.Allow) != 0 {
		t.Errorf("allow: [] comes back as %+v", back.Seccomp)
	}
	if p := mustDecode(t, one("seccomp: {mode: filter}")); p.Seccomp.Allow != nil || p.Seccomp.AsksFilter() {
		t.Errorf("no allow is read as %+v", p.Seccomp)
	}
}

// TestNativeArchitecture: native is the ABI of the machine that reads the file.
func TestNativeArchitecture(t *testing.T) {
	abis := names.ABIs(runtime.GOARCH)
	if len(abis) == 0 {
		t.Fatalf("no table for %s", runtime.GOARCH)
	}
	p := mustDecode(t, one("seccomp: {architectures: [native]}"))
	if got := p.Seccomp.Architectures; len(got) != 1 || got[0] != abis[0].Name {
		t.Errorf("native is read as %q", got)
	}
}
