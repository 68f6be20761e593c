package policyfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/policy"
)

// one is a policy with one more line, which is its third.
func one(line string) string { return head + line + "\n" }

// badFiles are files with everything that is said of them, line by line. The
// file's name, f.yaml, is left out.
var badFiles = []struct{ name, text, want string }{
	// The file as a whole.
	{"empty", "", "1:1: empty: there is no policy in it"},
	{"comments", "# nothing\n\n", "1:1: empty: there is no policy in it"},
	{"null", "null\n", "1:1: a policy is a mapping that begins with apiVersion: selfaudit/v1, not null"},
	{"bare document", "---\n", "2:1: a policy is a mapping that begins with apiVersion: selfaudit/v1, not null"},
	{"list", "- a\n", "1:1: a policy is a mapping that begins with apiVersion: selfaudit/v1, not a list"},
	{"two documents", one("process: {noNewPrivileges: true}") + "---\n{}\n", "4:1: a second document: a policy file holds one"},
	{"garbage after a document", one("process: {noNewPrivileges: true}") + "...\n]\n", "5:1: neither YAML nor JSON: did not find expected <document start>"},
	{"tab", head + "process:\n\tnoNewPrivileges: true\n", "4:2: neither YAML nor JSON: found character that cannot start any token"},
	{"unclosed", head + "process: {\n", "4:1: neither YAML nor JSON: did not find expected node content"},
	{"not utf-8", head + "# \xff\n", "3:3: not UTF-8: byte 0xff"},
	{"cut utf-8", head + "# \xe2\x82", "3:3: not UTF-8: byte 0xe2"},
	{"nul", head + "proc\x00ess: {}\n", "3:5: character U+0000 is not allowed here"},
	{"escape", head + "# \x1b[2J\n", "3:3: character U+001B is not allowed here"},
	{"line separator", head + "# \u2028process: {}\n", "3:3: character U+2028 is not allowed here"},
	{"right to left", head + "# \u202e\n", "3:3: character U+202E is not allowed here"},
	{"late byte order mark", head + "\ufeff\n", "3:1: character U+FEFF is not allowed here"},
	{"lone carriage return", head + "# a\rprocess: {}\n", "3:4: a carriage return without a line feed"},
	{"json garbage", `{"apiVersion": "selfaudit/v1", "kind": "Policy"} x`, "1:1: neither YAML nor JSON: did not find expected <document start>"},
	{"json twice", `{"apiVersion": "selfaudit/v1", "kind": "Policy", "process": {"noNewPrivileges": true}, "process": {}}`, "1:88: process is there twice, first in line 1"},

	// Its head.
	{"no head", "{}\n", "1:1: apiVersion is missing\n1:1: kind is missing"},
	{"apiVersion", "apiVersion: selfaudit/v2\nkind: Policy\n", `1:13: apiVersion: selfaudit/v1 is wanted, not "selfaudit/v2"`},
	{"apiVersion null", "apiVersion:\nkind: Policy\n", "1:12: apiVersion: a value is wanted, not null"},
	{"kind", "apiVersion: selfaudit/v1\nkind: policy\n", `2:7: kind: Policy is wanted, not "policy"`},
	{"kind list", "apiVersion: selfaudit/v1\nkind: [Policy]\n", `2:7: kind: Policy is wanted, not a list`},
	{"name", one("metadata: {name: 12}"), `3:18: metadata.name: a name is wanted, not "12", which YAML reads as something else: put it in quotes`},
	{"name empty", one(`metadata: {name: ""}`), "3:18: metadata.name: a name is wanted, not an empty string"},
	{"name control", one(`metadata: {name: "a\e[2J"}`), `3:18: metadata.name: a name is wanted, without control characters, not "a\x1b[2J"`},
	{"name long", one("metadata: {name: " + strings.Repeat("n", 254) + "}"), "3:18: metadata.name: 254 bytes are more than the 253 that are allowed"},

	// What it asks for: nothing.
	{"asks nothing", head, "1:1: the policy asks for nothing, so every process would pass: name at least one expectation"},
	{"permissive", one("filesystem: {shell: true, root: {host: true, readonly: false}}"), "1:1: the policy asks for nothing, so every process would pass: name at least one expectation"},
	{"disabled", one("seccomp: {mode: disabled}"), "1:1: the policy asks for nothing, so every process would pass: name at least one expectation"},
	{"no attempts", one("probes: {syscalls: false, reescalation: []}"), "1:1: the policy asks for nothing, so every process would pass: name at least one expectation"},

	// What YAML can do and a policy has no need of.
	{"anchor", one("process: &p {noNewPrivileges: true}"), "3:10: process: an anchor is not allowed in a policy: write the value out"},
	{"alias", head + "process: &p {noNewPrivileges: true}\nseccomp: *p\n", "3:10: process: an anchor is not allowed in a policy: write the value out\n4:10: seccomp: an alias is not allowed in a policy: write the value out"},
	{"merge key", head + "process:\n  <<: {noNewPrivileges: true}\n", "4:3: a merge key (<<) is not allowed in a policy: write the keys out"},
	{"tag", one("process: {noNewPrivileges: !!bool true}"), "3:28: process.noNewPrivileges: a tag is not allowed in a policy: write the value out"},
	{"tag on the root", "--- !!map\n" + head, "1:5: a tag is not allowed in a policy: write the value out"},
	{"anchored key", one("&k process: {}"), "3:1: an anchor is not allowed in a policy: write the value out"},
	{"key that is a list", one("? [process]\n: {}"), "3:3: a list is no key"},
	{"key that is a number", one("1: {}"), `3:1: "1" is no key`},
	{"key that is null", one("~: {}"), "3:1: null is no key"},

	// Keys.
	{"unknown key", one("proces: {}"), `3:1: unknown key "proces": did you mean process?`},
	{"case", one("Process: {}"), `3:1: unknown key "Process": did you mean process?`},
	{"unknown inner key", one("process: {user: {udi: 0}}"), `3:18: unknown key "process.user.udi": did you mean process.user.uid?`},
	{"key of another place", one("noNewPrivileges: true"), `3:1: unknown key "noNewPrivileges": did you mean process.noNewPrivileges?`},
	{"OCI's word", one("namespaces: {mount: private}"), `3:14: unknown key "namespaces.mount": did you mean namespaces.mnt?`},
	{"Kubernetes' word", one("process: {runAsNonRoot: true}"), `3:11: unknown key "process.runAsNonRoot": did you mean process.user.uid?`},
	{"far from any key", one("descriptors: {qqqqqqqq: 1}"), `3:15: unknown key "descriptors.qqqqqqqq": known here are outsideRoot, writable, devices, rawSockets, namespaces and kernelObjects`},
	{"key with escapes", one(`"\e[2J": 1`), `3:1: unknown key "\x1b[2J": known here are apiVersion, kind, metadata, process, seccomp, filesystem, descriptors, namespaces, resources, network, memory, landlock and probes`},
	{"twice", head + "process: {noNewPrivileges: true}\nseccomp: {mode: filter}\nprocess: {noNewPrivileges: false}\n", "5:1: process is there twice, first in line 3"},
	{"twice within", one("process: {noNewPrivileges: true, noNewPrivileges: false}"), "3:34: process.noNewPrivileges is there twice, first in line 3"},
	{"null mapping", one("process:"), "3:9: process: a value is wanted, not null"},
	{"list for a mapping", one("descriptors: [outsideRoot]"), "3:14: descriptors: a mapping with outsideRoot, writable, devices, rawSockets, namespaces or kernelObjects is wanted, not a list"},

	// Booleans.
	{"yes", one("process: {noNewPrivileges: yes}"), `3:28: process.noNewPrivileges: true or false is wanted, not "yes": write true`},
	{"Off", one("filesystem: {root: {host: Off}}"), `3:27: filesystem.root.host: true or false is wanted, not "Off": write false`},
	{"quoted true", one(`process: {noNewPrivileges: "true"}`), `3:28: process.noNewPrivileges: true or false is wanted, not "true"`},
	{"one", one("process: {noNewPrivileges: 1}"), `3:28: process.noNewPrivileges: true or false is wanted, not "1"`},
	{"null boolean", one("process: {noNewPrivileges: ~}"), `3:28: process.noNewPrivileges: a value is wanted, not null`},

	// Ids.
	{"negative", one("process: {user: {uid: -1}}"), "3:23: process.user.uid: a user id or a user's name is wanted, not -1: it cannot be negative"},
	{"no id", one("process: {user: {uid: 4294967295}}"), "3:23: process.user.uid: 4294967295 is no id: it stands for no change in setresuid(2) and the like"},
	{"overflow", one("process: {user: {uid: 4294967296}}"), "3:23: process.user.uid: 4294967296 is not between 0 and 4294967295"},
	{"large overflow", one("process: {user: {gid: 18446744073709551616}}"), "3:23: process.user.gid: 18446744073709551616 is not between 0 and 4294967295"},
	{"float", one("process: {user: {uid: 1000.0}}"), `3:23: process.user.uid: a user id or a user's name is wanted, not "1000.0"`},
	{"exponent", one("process: {user: {uid: 1e3}}"), `3:23: process.user.uid: a user id or a user's name is wanted, not "1e3"`},
	{"octal", one("process: {user: {uid: 0755}}"), `3:23: process.user.uid: a user id or a user's name is wanted, in plain decimal, not "0755"`},
	{"new octal", one("process: {user: {uid: 0o755}}"), `3:23: process.user.uid: a user id or a user's name is wanted, in plain decimal, not "0o755"`},
	{"hexadecimal", one("process: {user: {uid: 0x10}}"), `3:23: process.user.uid: a user id or a user's name is wanted, in plain decimal, not "0x10"`},
	{"underscores", one("process: {user: {uid: 1_000}}"), `3:23: process.user.uid: a user id or a user's name is wanted, in plain decimal, not "1_000"`},
	{"quoted number", one(`process: {user: {uid: "0"}}`), "3:23: process.user.uid: a user id or a user's name is wanted: write it without quotes"},
	{"id true", one("process: {user: {uid: true}}"), `3:23: process.user.uid: a user id or a user's name is wanted, not "true"`},
	{"id list", one("process: {user: {uid: [0]}}"), "3:23: process.user.uid: a user id or a user's name is wanted, not a list"},
	{"non-root", one("process: {user: {uid: non-root}}"), `3:23: process.user.uid: user "non-root" is not in the user database: did you mean nonroot?`},
	{"unknown user", one("process: {user: {uid: no-such-user-here}}"), `3:23: process.user.uid: user "no-such-user-here" is not in the user database`},
	{"unknown group", one("process: {user: {gid: no-such-group-here}}"), `3:23: process.user.gid: group "no-such-group-here" is not in the user database`},
	{"impossible user", one(`process: {user: {uid: "root:x"}}`), `3:23: process.user.uid: "root:x" cannot be a user's name`},
	{"user with nul", one(`process: {user: {uid: "root\0"}}`), `3:23: process.user.uid: a user id or a user's name is wanted, without control characters, not "root\x00"`},
	{"groups number", one("process: {user: {additionalGids: 5}}"), `3:34: process.user.additionalGids: a list of groups, or nonroot, is wanted, not "5"`},
	{"groups member", one("process: {user: {additionalGids: [5, nonroot]}}"), `3:38: process.user.additionalGids[1]: nonroot stands for the whole list, not for a member of it`},
	{"groups nested", one("process: {user: {additionalGids: [[5]]}}"), `3:35: process.user.additionalGids[0]: a group id or a group's name is wanted, not a list`},

	// Capabilities, securebits, threads, seccomp.
	{"capability", one("process: {capabilities: {effective: [CAP_SYS_ADMN]}}"), `3:38: process.capabilities.effective[0]: unknown capability "CAP_SYS_ADMN": did you mean CAP_SYS_ADMIN?`},
	{"capability without prefix", one("process: {capabilities: {exec: [NET_RAW]}}"), `3:33: process.capabilities.exec[0]: unknown capability "NET_RAW": did you mean CAP_NET_RAW?`},
	{"capability lower case", one("process: {capabilities: {ambient: [cap_kill]}}"), `3:36: process.capabilities.ambient[0]: unknown capability "cap_kill": did you mean CAP_KILL?`},
	{"all capabilities", one("process: {capabilities: {bounding: [ALL]}}"), `3:37: process.capabilities.bounding[0]: unknown capability "ALL": see capabilities(7)`},
	{"capability word", one("process: {capabilities: {permitted: none}}"), `3:37: process.capabilities.permitted: a list is wanted, not "none"`},
	{"capability null", one("process: {capabilities: {permitted: [~]}}"), `3:38: process.capabilities.permitted[0]: a capability's name is wanted, not null`},
	{"capability number", one("process: {capabilities: {permitted: [21]}}"), `3:38: process.capabilities.permitted[0]: a capability's name is wanted, not "21", which YAML reads as something else: put it in quotes`},
	{"unknown set", one("process: {capabilities: {drop: [ALL]}}"), `3:26: unknown key "process.capabilities.drop": known here are effective, permitted, inheritable, ambient, bounding and exec`},
	{"securebit", one("process: {securebits: [SECBIT_NOROOT]}"), `3:24: process.securebits[0]: unknown securebit "SECBIT_NOROOT": did you mean noroot?`},
	{"threads", one("process: {threads: same}"), `3:20: process.threads: uniform is wanted, not "same"`},
	{"mode", one("seccomp: {mode: filtered}"), `3:17: seccomp.mode: filter, strict or disabled is wanted, not "filtered": did you mean filter?`},
	{"mode number", one("seccomp: {mode: 2}"), `3:17: seccomp.mode: filter, strict or disabled is wanted, not "2"`},
	{"system call", one("seccomp: {deny: [exceve]}"), `3:18: seccomp.deny[0]: unknown system call or group "exceve": did you mean execve?`},
	{"group", one(`seccomp: {allow: [read, "@moutn"]}`), `3:25: seccomp.allow[1]: unknown system call or group "@moutn": did you mean @mount?`},
	{"group without its mark", one("seccomp: {deny: [privileged]}"), `3:18: seccomp.deny[0]: unknown system call or group "privileged": did you mean @privileged?`},
	{"no call", one("seccomp: {deny: [qqqqqqqq]}"), `3:18: seccomp.deny[0]: unknown system call or group "qqqqqqqq": see syscalls(2) and systemd-analyze syscall-filter`},
	{"call by number", one("seccomp: {deny: [59]}"), `3:18: seccomp.deny[0]: the name of a system call or a group is wanted, not "59", which YAML reads as something else: put it in quotes`},
	{"group without quotes", one("seccomp: {deny: [execve, @mount]}"), `3:26: @mount begins with a character that YAML keeps for itself: write it in quotes, "@mount"`},
	{"group without quotes in a list", head + "seccomp:\n  allow:\n  - é # @x\n  - @system-service\n", `6:5: @system-service begins with a character that YAML keeps for itself: write it in quotes, "@system-service"`},
	{"allow null", one("seccomp: {allow: ~}"), `3:18: seccomp.allow: a value is wanted, not null`},
	{"deny nothing", one("seccomp: {deny: []}"), "1:1: the policy asks for nothing, so every process would pass: name at least one expectation"},
	{"enforce nothing", one("seccomp: {enforcing: false}"), "1:1: the policy asks for nothing, so every process would pass: name at least one expectation"},
	{"architecture", one("seccomp: {architectures: [x86_64]}"), `3:27: seccomp.architectures[0]: unknown architecture "x86_64": did you mean x86-64?`},
	{"architecture of Go", one("seccomp: {architectures: [AMD64, 386]}"), `3:27: seccomp.architectures[0]: unknown architecture "AMD64": did you mean x86-64?` + "\n" + `3:34: seccomp.architectures[1]: an architecture's name is wanted, not "386", which YAML reads as something else: put it in quotes`},
	{"architecture misspelt", one("seccomp: {architectures: [SCMP_ARCH_ARCH64]}"), `3:27: seccomp.architectures[0]: unknown architecture "SCMP_ARCH_ARCH64": did you mean SCMP_ARCH_AARCH64?`},
	{"architecture without a table", one("seccomp: {architectures: [SCMP_ARCH_RISCV64]}"), `3:27: seccomp.architectures[0]: this version has no table of system calls for SCMP_ARCH_RISCV64: known are native, x86-64, SCMP_ARCH_X86_64, x32, SCMP_ARCH_X32, i386, SCMP_ARCH_X86, arm64, SCMP_ARCH_AARCH64, arm and SCMP_ARCH_ARM`},
	{"no architecture", one("seccomp: {architectures: []}"), `3:26: seccomp.architectures: at least one architecture is wanted, not []: without one no call could be let through`},

	// Attempts.
	{"attempt", one("probes: {syscalls: [moutn]}"), `3:21: probes.syscalls[0]: unknown attempt "moutn": did you mean mount?`},
	{"attempt's id", one("probes: {syscalls: [probe.mount]}"), `3:21: probes.syscalls[0]: unknown attempt "probe.mount": did you mean mount?`},
	{"attempt of the other group", one("probes: {syscalls: [setuid-root], reescalation: [mount]}"), "3:21: probes.syscalls[0]: setuid-root belongs under probes.reescalation\n3:50: probes.reescalation[0]: mount belongs under probes.syscalls"},
	{"attempt twice", one("probes: {syscalls: [mount, mount]}"), "3:28: probes.syscalls[1]: mount is there twice"},
	{"attempts word", one("probes: {syscalls: all}"), `3:20: probes.syscalls: true, false or a list of attempts is wanted, not "all"`},

	// Values of keys that have no check yet are read all the same.
	{"rlimit", one("process: {rlimits: [{type: RLIMIT_NFILE, hard: 5}]}"), `3:28: process.rlimits[0].type: unknown resource limit "RLIMIT_NFILE": did you mean RLIMIT_NOFILE?`},
	{"rlimit without type", one("process: {rlimits: [{hard: 5}]}"), "3:21: process.rlimits[0].type is missing"},
	{"rlimit without value", one("process: {rlimits: [{type: RLIMIT_AS}]}"), "3:21: process.rlimits[0]: soft or hard is missing"},
	{"rlimit null", one("process: {rlimits: [~]}"), "3:21: process.rlimits[0]: a mapping with type, soft or hard is wanted, not null"},
	{"rlimit negative", one("process: {rlimits: [{type: RLIMIT_AS, soft: -1}]}"), "3:45: process.rlimits[0].soft: a whole number is wanted, not -1: it cannot be negative"},
	{"rlimit twice", one("process: {rlimits: [{type: RLIMIT_AS, soft: 1}, {type: RLIMIT_AS, hard: 18446744073709551615}]}"), `3:49: process.rlimits[1]: type "RLIMIT_AS" is there twice`},
	{"mount option", one("filesystem: {mounts: [{destination: /tmp, options: [noexe]}]}"), `3:53: filesystem.mounts[0].options[0]: unknown mount option "noexe": did you mean noexec?`},
	{"mount without options", one("filesystem: {mounts: [{destination: /tmp}]}"), "3:23: filesystem.mounts[0].options is missing"},
	{"mount at a relative path", one("filesystem: {mounts: [{destination: tmp, options: [ro]}]}"), `3:37: filesystem.mounts[0].destination: an absolute path is wanted, not "tmp"`},
	{"mount twice", one("filesystem: {mounts: [{destination: /tmp, options: [ro]}, {destination: /tmp/, options: [noexec]}]}"), `3:59: filesystem.mounts[1]: destination "/tmp" is there twice`},
	{"relative path", one("filesystem: {writable: [tmp]}"), `3:25: filesystem.writable[0]: an absolute path is wanted, not "tmp"`},
	{"path upwards", one("filesystem: {writable: [/tmp/../etc]}"), `3:25: filesystem.writable[0]: a path without empty, . and .. elements is wanted, not "/tmp/../etc"`},
	{"port", one("network: {listen: [0]}"), "3:20: network.listen[0]: 0 is not between 1 and 65535"},
	{"a word for no port", one("network: {listen: none}"), "3:19: network.listen: a list is wanted, not \"none\""},
	{"depth", one("probes: {minimumDepth: 9}"), "3:24: probes.minimumDepth: 9 is not between 1 and 7"},
	{"namespace", one("namespaces: {user: own}"), `3:20: namespaces.user: private or any is wanted, not "own"`},
	{"memory", one("resources: {memory: {limit: 256m}}"), `3:29: resources.memory.limit: a whole number is wanted, not "256m"`},

	// Several, in the order of their places.
	{"several", "kind: Polic\nprocess:\n  threads: x\n  user: {uid: -2}\nseccomp: 5\n", strings.Join([]string{
		"1:1: apiVersion is missing",
		`1:7: kind: Policy is wanted, not "Polic"`,
		`3:12: process.threads: uniform is wanted, not "x"`,
		"4:15: process.user.uid: a user id or a user's name is wanted, not -2: it cannot be negative",
		`5:10: seccomp: a mapping with mode, enforcing, deny, allow or architectures is wanted, not "5"`,
	}, "\n")},
}

func TestBadFiles(t *testing.T) {
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			p, err := decode(c.text)
			if err == nil {
				t.Fatalf("accepted as %+v", p)
			}
			if p != nil {
				t.Error("a policy comes with the error")
			}
			want := "f.yaml:" + strings.ReplaceAll(c.want, "\n", "\nf.yaml:")
			if err.Error() != want {
				t.Errorf("got\n%v\nwant\n%v", err, want)
			}
			parts(t, err)
		})
	}
}

func TestManyErrors(t *testing.T) {
	_, err := decode(one("seccomp: {deny: [" + strings.Repeat("x1, ", 1000) + "]}"))
	all := parts(t, err)
	if len(all) != maxErrors+1 {
		t.Fatalf("%d errors", len(all))
	}
	last := all[maxErrors]
	if last.Message != "more errors follow" || last.Line != 3 || last.Column != 18+4*maxErrors {
		t.Errorf("the last is %v", last)
	}
	for _, e := range all[:maxErrors] {
		if e.Message == last.Message {
			t.Errorf("%v comes early", e)
		}
	}
}

func TestErrorsLieBeneath(t *testing.T) {
	_, err := decode(head)
	var e *Error
	if !errors.As(err, &e) || e.File != "f.yaml" || e.Line != 1 || e.Column != 1 || !errors.Is(err, policy.ErrEmpty) {
		t.Errorf("%#v", err)
	}
	broken := errors.New("broken\x1b")
	if _, err = Decode(failing{broken}, "a\nb.yaml"); !errors.Is(err, broken) || err.Error() != `a\nb.yaml: read: broken\x1b` {
		t.Errorf("%v", err)
	}
}

// failing is a reader that breaks after a policy that would be complete.
type failing struct{ err error }

func (f failing) Read(b []byte) (int, error) {
	return copy(b, head+"process: {noNewPrivileges: true}\n"), f.err
}
