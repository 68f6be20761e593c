package names

// ABI is one way into the kernel. A seccomp filter tells them apart by
// seccomp_data.arch, and x32 from x86-64 by bit 30 of the number: seccomp(2).
type ABI struct {
	// Name is what reports and policies call it: "x86-64".
	Name string
	// OCI is the name that the OCI runtime specification gives it.
	OCI string
	// Audit is AUDIT_ARCH_* of linux/audit.h.
	Audit uint32
	// Arch is the column of the table of system calls: "amd64", "x32".
	Arch string
	// Machine is the GOARCH of the kernels that can have it beside their own.
	Machine string
	// WordBits is how wide a long and a pointer are: 32 or 64.
	WordBits int
	// NumberBit is set in every number of the ABI; only x32 has one.
	NumberBit uint32
}

// Numbers that linux/audit.h gives architectures.
const (
	auditX8664 = 0xc000003e
	auditI386  = 0x40000003
	auditARM64 = 0xc00000b7
	auditARM   = 0x40000028
)

// abis are those that this package has tables for, native ones first.
var abis = []ABI{
	{"x86-64", "SCMP_ARCH_X86_64", auditX8664, "amd64", "amd64", 64, 0},
	{"x32", "SCMP_ARCH_X32", auditX8664, "x32", "amd64", 64, 0x40000000},
	{"i386", "SCMP_ARCH_X86", auditI386, "386", "amd64", 32, 0},
	{"arm64", "SCMP_ARCH_AARCH64", auditARM64, "arm64", "arm64", 64, 0},
	{"arm", "SCMP_ARCH_ARM", auditARM, "arm", "arm64", 32, 0},
}

// ABIs returns the ABIs that a kernel may have, the native one of goarch first.
// A program of 32 bits may run on a kernel of 64, so "386" and "arm" have all
// of "amd64" and "arm64", with their own first. The slice is the caller's.
func ABIs(goarch string) []ABI {
	machine := map[string]string{"386": "amd64", "arm": "arm64"}[goarch]
	if machine == "" {
		machine = goarch
	}
	var out []ABI
	for _, a := range abis {
		switch {
		case a.Machine != machine:
		case a.Arch == goarch:
			out = append([]ABI{a}, out...)
		default:
			out = append(out, a)
		}
	}
	return out
}

// AllABIs returns the ABIs that this package has tables for. The slice is the
// caller's.
func AllABIs() []ABI { return append([]ABI(nil), abis...) }

// FindABI returns the ABI of a name, as ABI.Name or ABI.OCI has it.
func FindABI(name string) (ABI, bool) {
	for _, a := range abis {
		if a.Name == name || a.OCI == name {
			return a, true
		}
	}
	return ABI{}, false
}
