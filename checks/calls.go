package checks

import (
	"cmp"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// abi is a way into the kernel with its table of calls.
type abi struct {
	names.ABI
	// present says whether this kernel has it.
	present posture.Fact[bool]
	// calls are in ascending order of their numbers.
	calls []call
	// why says why it is not known which ABI this is; no other field is set then.
	why string
}

// call is one system call of an ABI.
type call struct {
	nr   uint32
	name string
}

// abisOf lays out the ABIs that the posture names, the native one first. Those
// that the architecture can have and the posture does not name were not asked
// for: whether this kernel has them is not known.
func abisOf(observed []posture.ABI) []abi {
	out := abisNamed(observed)
	for i := range out {
		if out[i].why == "" {
			out[i].calls = callsOf(out[i].Arch)
		}
	}
	return out
}

// abisNamed is abisOf without the tables of calls, which take time to sort.
func abisNamed(observed []posture.ABI) []abi {
	if len(observed) == 0 {
		return []abi{{why: "which ABIs this kernel has was not found out"}}
	}
	native, found := names.FindABI(observed[0].Name)
	if !found {
		return []abi{{why: "there is no table of the system calls of " + quoted(observed[0].Name)}}
	}
	possible := names.ABIs(native.Arch)
	out := make([]abi, 0, len(possible))
	for _, one := range possible {
		out = append(out, abi{ABI: one, present: presence(observed, one.Name)})
	}
	return out
}

// presence takes the answer that is worst for a verdict where there are two.
func presence(observed []posture.ABI, name string) posture.Fact[bool] {
	out := posture.Failed[bool]("", "whether this kernel has "+name+" was not asked")
	for i := range observed {
		one := &observed[i]
		if one.Name == name && (out.Source == "" || one.Present.State != posture.Known || one.Present.Value) {
			out = one.Present
		}
	}
	return out
}

func callsOf(arch string) []call {
	all := names.SyscallNames()
	out := make([]call, 0, len(all))
	for _, name := range all {
		if nr, found := names.Syscall(arch, name); found {
			out = append(out, call{nr, name})
		}
	}
	slices.SortFunc(out, compareCalls)
	return out
}

// unfiltered says why no filter can deny a call. No allow-list need name it,
// and a policy that denies it cannot be met.
func (b *abi) unfiltered(nr uint32) string { return names.Unfiltered(b.Arch, nr) }

func compareCalls(a, b call) int {
	return cmp.Or(cmp.Compare(a.nr, b.nr), strings.Compare(a.name, b.name))
}

// absent says that this kernel is known not to have the ABI.
func (b *abi) absent() bool { return b.present.State == posture.Known && !b.present.Value }

// widths are what the names of calls end in that do the same in an ABI of 32
// bits with wider ids, offsets or times.
var widths = [...]string{"", "32", "64", "_time64", "_64"}

// otherNames are calls that an ABI of 32 bits has under a name of its own.
var otherNames = [...][2]string{
	{"lseek", "_llseek"}, {"mmap", "mmap2"}, {"select", "_newselect"}, {"getrlimit", "ugetrlimit"}, {"umount2", "umount"},
	{"fadvise64", "arm_fadvise64_64"}, {"sync_file_range", "arm_sync_file_range"}, {"sync_file_range", "sync_file_range2"},
	{"rt_sigreturn", "sigreturn"}, {"rt_sigaction", "sigaction"}, {"rt_sigprocmask", "sigprocmask"}, {"rt_sigsuspend", "sigsuspend"}, {"newfstatat", "fstatat64"}, {"wait4", "waitpid"},
	{"stat", "oldstat"}, {"lstat", "oldlstat"}, {"fstat", "oldfstat"}, {"uname", "olduname"}, {"uname", "oldolduname"},
}

// wideNames are what an ABI of 64 bits calls a call that is named by what only
// ABIs of 32 bits have: umount, as the manual page of umount2 has it, or setuid32.
// Those of the oldest kernels are left out, for nobody means stat by oldstat.
func wideNames(name string) []string {
	var out []string
	for _, width := range widths[1:] {
		if base, found := strings.CutSuffix(name, width); found {
			out = append(out, base)
		}
	}
	for _, other := range otherNames {
		if other[1] == name && narrowOnly(name) {
			out = append(out, other[0])
		}
	}
	return out
}

// narrowOnly says that a name among otherNames is that of a call which programs
// of 32 bits still make, for what is another call by name alone on 64.
func narrowOnly(name string) bool {
	switch name {
	case "_llseek", "mmap2", "_newselect", "ugetrlimit", "umount", "fstatat64":
		return true
	}
	return false
}

// forms returns the calls of the ABI that are the named one. An ABI of 32 bits
// may have several, of which setuid32 is the one that programs really make; one
// of 64 has that as setuid.
func (b *abi) forms(name string) []call {
	var out []call
	add := func(form string) {
		if nr, found := names.Syscall(b.Arch, form); found {
			out = append(out, call{nr, form})
		}
	}
	if b.WordBits != 32 {
		if add(name); len(out) == 0 {
			for _, wide := range wideNames(name) {
				add(wide)
			}
		}
		return out
	}
	for _, width := range widths {
		add(name + width)
	}
	for _, other := range otherNames {
		if other[0] == name {
			add(other[1])
		}
	}
	return out
}

// segments are the numbers that are the ABI's own. On x86-64 bit 30 of the
// number makes a call one of x32, so the numbers of both come in two parts.
func (b *abi) segments() [][2]uint32 {
	const bit = 1 << 30
	switch {
	case b.NumberBit == bit:
		return [][2]uint32{{bit, 2*bit - 1}, {3 * bit, 4*bit - 1}}
	case b.Name == "x86-64":
		return [][2]uint32{{0, bit - 1}, {2 * bit, 3*bit - 1}}
	default:
		return [][2]uint32{{0, ^uint32(0)}}
	}
}

// unnamed are the ranges of the ABI's numbers that have no name: those that were
// never given out, those of other architectures, and those of calls to come.
func (b *abi) unnamed() [][2]uint32 {
	var out [][2]uint32
	for _, segment := range b.segments() {
		next := uint64(segment[0])
		for _, one := range b.calls {
			nr := uint64(one.nr)
			if nr < next || nr > uint64(segment[1]) {
				continue
			}
			if nr > next {
				out = append(out, [2]uint32{uint32(next), one.nr - 1})
			}
			next = nr + 1
		}
		if next <= uint64(segment[1]) {
			out = append(out, [2]uint32{uint32(next), segment[1]})
		}
	}
	return out
}
