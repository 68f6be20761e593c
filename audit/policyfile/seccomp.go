package policyfile

import (
	"runtime"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

var modeNames = map[policy.Mode]string{policy.ModeFilter: "filter", policy.ModeStrict: "strict"}

func seccompKeys() key {
	calls := vocabulary{"system call or group", "the name of a system call or a group", "syscalls(2) and systemd-analyze syscall-filter", append(names.SyscallNames(), names.SyscallGroups()...)}
	return group("seccomp", "The filter that is loaded: seccomp(2).",
		entry("mode", word("disabled", "filter", "strict", "disabled"), &field[string]{
			set: func(p *policy.Policy, v string) {
				for mode, name := range modeNames {
					if name == v {
						p.Seccomp.Mode = mode
					}
				}
			},
			get: func(p *policy.Policy) (string, bool) {
				return modeNames[p.Seccomp.Mode], p.Seccomp.Mode != policy.ModeAny
			},
		}, "The mode that must be in force on every thread.", "seccomp.mode"),
		entry("enforcing", boolean(false), demanded(true, func(p *policy.Policy) *bool { return &p.Seccomp.Enforcing }),
			"True asks for a filter that denies something, rather than logs.", "seccomp.filter"),
		entry("deny", wrapped(calls.list("[execve]", false)), namesField(func(p *policy.Policy) *[]string { return &p.Seccomp.Deny }),
			"System calls, or groups of them, that the filter must deny, in every ABI.", "seccomp.syscall", "seccomp.filter", "seccomp.abi"),
		entry("allow", wrapped(calls.list("[read]", true)), &field[[]string]{
			set: func(p *policy.Policy, v []string) { p.Seccomp.Allow = &v },
			get: func(p *policy.Policy) ([]string, bool) {
				if p.Seccomp.Allow == nil {
					return nil, false
				}
				return *p.Seccomp.Allow, true
			},
		}, "System calls, or groups of them, that the filter may let through; any other is a gap, and [] allows none.", "seccomp.surplus", "seccomp.filter", "seccomp.abi"),
		entry("architectures", architectures(), namesField(func(p *policy.Policy) *[]string { return &p.Seccomp.Architectures }),
			"The only ABIs by which calls may be let through: x86-64, x32, i386, arm64, arm, their names in OCI, or native.", "seccomp.abi"),
	)
}

// wrapWidth is where a long list goes on in the next line.
const wrapWidth = 92

// wrapped formats a list of names over several lines where it is long.
func wrapped(r reader[[]string]) reader[[]string] {
	r.format = func(list []string) string {
		var b strings.Builder
		b.WriteByte('[')
		column := 0
		for i, name := range list {
			// YAML keeps @ for itself, so a group stands in quotes.
			if strings.HasPrefix(name, "@") {
				name = quoteYAML(name)
			}
			if i > 0 {
				b.WriteByte(',')
				if column += 2; column+len(name) > wrapWidth {
					b.WriteString("\n    ")
					column = 0
				} else {
					b.WriteByte(' ')
				}
			}
			b.WriteString(name)
			column += len(name)
		}
		b.WriteByte(']')
		return b.String()
	}
	return r
}

// nativeArchitecture is systemd's and libseccomp's word for the ABI of the
// machine that reads the policy.
const nativeArchitecture = "native"

// otherArchitectures are the words of Go, the kernel and the distributions for
// ABIs that a policy calls otherwise.
var otherArchitectures = map[string]string{
	"386": "i386", "i486": "i386", "i586": "i386", "i686": "i386", "x86": "i386", "ia32": "i386",
	"amd64": "x86-64", "x86_64": "x86-64", "x64": "x86-64", "aarch64": "arm64", "armhf": "arm", "armv7": "arm", "armv7l": "arm",
}

// architectures reads a list of ABIs into names.ABI names. An empty one would
// allow no call at all, which no process could live with.
func architectures() reader[[]string] {
	known := knownArchitectures()
	r := listOf("architecture", func(d *decoder, n node, path string) (string, bool) {
		return readArchitecture(d, n, path, known)
	})
	read := r.read
	r.read = func(d *decoder, n node, path string) ([]string, bool) {
		list, ok := read(d, n, path)
		if ok && len(list) == 0 {
			d.fail(n, "%s: at least one architecture is wanted, not []: without one no call could be let through", path)
			return nil, false
		}
		return list, ok
	}
	r.demand = "[x86-64]"
	r.format = func(list []string) string { return "[" + strings.Join(list, ", ") + "]" }
	return r
}

func knownArchitectures() []string {
	known := []string{nativeArchitecture}
	for _, abi := range names.AllABIs() {
		known = append(known, abi.Name, abi.OCI)
	}
	return known
}

func readArchitecture(d *decoder, n node, path string, known []string) (string, bool) {
	word, ok := readString(d, n, path, "an architecture's name")
	if !ok {
		return "", false
	}
	if abi, found := names.FindABI(word); found {
		return abi.Name, true
	}
	switch {
	case word == nativeArchitecture:
		if abis := names.ABIs(runtime.GOARCH); len(abis) > 0 {
			return abis[0].Name, true
		}
		d.fail(n, "%s: this version has no table of system calls for %s", path, runtime.GOARCH)
	case slices.Contains(ociArches, word):
		d.fail(n, "%s: this version has no table of system calls for %s: known %s", path, word, pluralKnown(known))
	case otherArchitectures[strings.ToLower(word)] != "":
		d.fail(n, "%s: unknown architecture %s: did you mean %s?", path, quoted(word), otherArchitectures[strings.ToLower(word)])
	default:
		d.fail(n, "%s: unknown architecture %s%s", path, quoted(word), architectureHint(word, known))
	}
	return "", false
}

func architectureHint(word string, known []string) string {
	if near := names.Nearest(word, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ": known " + pluralKnown(known)
}

// ociArches are the architectures of the OCI runtime specification.
var ociArches = []string{
	"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64",
	"SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
	"SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X",
	"SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64",
}
