package policyfile

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

// leaf is a key with a value, by its full name.
type leaf struct {
	path string
	key  key
}

func leaves(path string, keys []key) []leaf {
	var out []leaf
	for _, k := range keys {
		full := join(path, k.name)
		if k.keys == nil {
			out = append(out, leaf{full, k})
		}
		out = append(out, leaves(full, k.keys)...)
	}
	return out
}

// document is a policy with one key.
func document(path, value string) string {
	if !strings.Contains(path, ".") {
		return head + path + ": " + value + "\n"
	}
	parts := strings.Split(path, ".")
	return head + strings.Join(parts, ": {") + ": " + value + strings.Repeat("}", len(parts)-1) + "\n"
}

// TestVocabulary holds the table against the keys that users rely on.
func TestVocabulary(t *testing.T) {
	want := strings.Fields(`apiVersion kind metadata.name
		process.user.uid process.user.gid process.user.additionalGids
		process.capabilities.effective process.capabilities.permitted process.capabilities.inheritable process.capabilities.ambient process.capabilities.bounding process.capabilities.exec
		process.securebits process.noNewPrivileges process.threads process.rlimits process.apparmorProfile process.selinuxLabel
		process.tracer process.terminal process.preload process.executable
		seccomp.mode seccomp.enforcing seccomp.deny seccomp.allow seccomp.architectures
		filesystem.root.host filesystem.root.chroot filesystem.root.readonly filesystem.mounts filesystem.propagation
		filesystem.readable filesystem.writable filesystem.executable filesystem.maskedPaths filesystem.readonlyPaths filesystem.devices filesystem.setuidFiles filesystem.shell
		descriptors.outsideRoot descriptors.writable descriptors.devices descriptors.rawSockets descriptors.namespaces descriptors.kernelObjects
		namespaces.user namespaces.pid namespaces.mnt namespaces.net namespaces.ipc namespaces.uts namespaces.cgroup namespaces.time namespaces.idmap.size namespaces.idmap.hostRoot
		resources.memory.limit resources.pids.limit resources.cpu.quota resources.cpu.period
		network.egress network.listen network.raw network.abstract network.controlSockets
		memory.aslr memory.writeExecute memory.executableStack memory.dumpable memory.core
		landlock probes.reescalation probes.syscalls probes.minimumDepth`)
	var got []string
	for _, l := range leaves("", schema()) {
		got = append(got, l.path)
		if l.key.means == "" || l.key.words == "" || l.key.demand == "" {
			t.Errorf("%s lacks a word", l.path)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the table has\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryKeyCounts gives each key alone a value that asks for something. It
// must set a field of the policy, or be an error: no key is read and forgotten.
func TestEveryKeyCounts(t *testing.T) {
	empty, err := json.Marshal(policy.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves("", schema()) {
		if slices.Contains([]string{"apiVersion", "kind", "metadata.name"}, l.path) {
			continue // they ask for nothing
		}
		p, err := decode(document(l.path, l.key.demand))
		if !l.key.checked {
			if err == nil || !strings.HasSuffix(err.Error(), ": "+l.path+": there is no check for this key yet in this version") {
				t.Errorf("%s: %s has no check, and is read as %+v, %v", l.path, l.key.demand, p, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %s: %v", l.path, l.key.demand, err)
			continue
		}
		p.Name = ""
		if text, err := json.Marshal(p); err != nil || string(text) == string(empty) {
			t.Errorf("%s: %s sets nothing: %s, %v", l.path, l.key.demand, text, err)
		}
	}
}

// TestQuietValues gives each key its permissive value: beside another demand it
// is fine, and changes nothing.
func TestQuietValues(t *testing.T) {
	base := mustDecode(t, one("process: {noNewPrivileges: true}"))
	n := 0
	for _, l := range leaves("", schema()) {
		if l.key.quiet == "" || l.path == "process.noNewPrivileges" {
			continue
		}
		n++
		text := document(l.path, l.key.quiet)
		if strings.HasPrefix(l.path, "process.") {
			text = strings.Replace(text, "process: {", "process: {noNewPrivileges: true, ", 1)
		} else {
			text += "process: {noNewPrivileges: true}\n"
		}
		p := mustDecode(t, text)
		if err := sameDemands(p, base); err != nil {
			t.Errorf("%s: %s asks for something: %+v", l.path, l.key.quiet, p)
		}
	}
	if n < 30 {
		t.Errorf("only %d keys have a permissive value", n)
	}
}

// TestEveryKeyRefuses gives each key values of no type that it takes.
func TestEveryKeyRefuses(t *testing.T) {
	for _, l := range leaves("", schema()) {
		for _, bad := range []string{"~", "{}", "{a: b}", "[~]", "[[]]", "[{}]", "1.5", "\"\"", "[\"\"]", "zzzzzzzzz zzz", "[zzzzzzzzz zzz]", "-1", "2001-01-01", "&a 1", "!!str true"} {
			if text := bad == "zzzzzzzzz zzz"; text && l.key.words == "string" {
				continue
			}
			text := document(l.path, bad)
			if l.path == "apiVersion" || l.path == "kind" {
				text = strings.Replace(head, l.path+": "+l.key.words, l.path+": "+bad, 1)
			}
			p, err := decode(text)
			if err == nil {
				t.Errorf("%s: %s is accepted as %+v", l.path, bad, p)
				continue
			}
			for _, e := range parts(t, err) {
				if e.Line == 0 || e.Column == 0 || !isPrintable(e.Message) {
					t.Errorf("%s: %s: %+q has no place or control characters", l.path, bad, e)
				}
			}
		}
	}
}

// TestDefaultAttempts checks that true stands for attempts that exist, under
// the key that they belong to.
func TestDefaultAttempts(t *testing.T) {
	for group, defaults := range map[names.Group][]string{names.Reescalation: policy.DefaultReescalation(), names.Syscalls: policy.DefaultSyscalls()} {
		if len(defaults) == 0 {
			t.Errorf("%s has no defaults", group)
		}
		for _, name := range defaults {
			a, ok := names.AttemptNamed(name)
			if !ok || a.Group != group {
				t.Errorf("%s: default %s is %+v, %v", group, name, a, ok)
			}
		}
		if slices.Sort(defaults); len(slices.Compact(defaults)) != len(defaults) {
			t.Errorf("%s names a default twice", group)
		}
	}
}

// TestEveryAttempt asks for each attempt of the catalogue by itself.
func TestEveryAttempt(t *testing.T) {
	for _, a := range names.Attempts() {
		p := mustDecode(t, one("probes: {"+a.Group.String()+": ["+a.Name+"]}"))
		if got := p.Probes.Names(); !slices.Equal(got, []string{a.Name}) {
			t.Errorf("%s is read as %v", a.Name, got)
		}
	}
}
