package checks_test

import (
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// way is one outcome, with where it comes from.
func way(a posture.Action, when string) posture.Way {
	w := posture.Way{Action: a, When: when, Filter: 1, Offset: 37}
	if a == posture.ActionErrno {
		w.Value = 1
	}
	if a == posture.ActionUndecided {
		w.Why = "more than 4096 paths"
	}
	return w
}

func ways(as ...posture.Action) []posture.Way {
	var out []posture.Way
	for _, a := range as {
		out = append(out, way(a, ""))
	}
	return out
}

var (
	allowed  = ways(posture.ActionAllow)
	refused  = ways(posture.ActionErrno)
	killed   = ways(posture.ActionKillProcess)
	logged   = ways(posture.ActionLog)
	traced   = ways(posture.ActionTrace)
	notified = ways(posture.ActionNotify)
	open     = ways(posture.ActionUndecided)
)

// filterSpec says what a filter does: for each ABI a default and exceptions by name.
type filterSpec map[string]abiSpec

type abiSpec struct {
	byDefault []posture.Way
	// calls are by name; "" is number 0x1000 above the ABI's first, which has
	// no name.
	calls map[string][]posture.Way
}

func number(b names.ABI, name string) (uint32, bool) {
	if name == "" {
		return 0x1000 | b.NumberBit, true
	}
	return names.Syscall(b.Arch, name)
}

// parts are the ABI's own numbers.
func parts(b names.ABI) [][2]uint32 {
	switch b.Name {
	case "x86-64":
		return [][2]uint32{{0, 0x3fffffff}, {0x80000000, 0xbfffffff}}
	case "x32":
		return [][2]uint32{{0x40000000, 0x7fffffff}, {0xc0000000, 0xffffffff}}
	default:
		return [][2]uint32{{0, 0xffffffff}}
	}
}

func (s abiSpec) ranges(b names.ABI) []posture.FilteredCalls {
	var own []uint32
	by := map[uint32][]posture.Way{}
	for name, w := range s.calls {
		if nr, found := number(b, name); found {
			own = append(own, nr)
			by[nr] = w
		}
	}
	slices.Sort(own)
	var out []posture.FilteredCalls
	for _, part := range parts(b) {
		next := uint64(part[0])
		for _, nr := range own {
			if nr < part[0] || nr > part[1] {
				continue
			}
			if uint64(nr) > next {
				out = append(out, posture.FilteredCalls{First: uint32(next), Last: nr - 1, Ways: s.byDefault})
			}
			out = append(out, posture.FilteredCalls{First: nr, Last: nr, Ways: by[nr]})
			next = uint64(nr) + 1
		}
		if next <= uint64(part[1]) {
			out = append(out, posture.FilteredCalls{First: uint32(next), Last: part[1], Ways: s.byDefault})
		}
	}
	return out
}

// loadsArch is a program that loads the architecture, blindProgram one that
// does not.
var (
	loadsArch    = []byte{0x20, 0, 0, 0, 4, 0, 0, 0, 0x06, 0, 0, 0, 0, 0, 0, 0}
	blindProgram = []byte{0x20, 0, 0, 0, 0, 0, 0, 0, 0x06, 0, 0, 0, 0, 0, 0, 0}
)

// filters makes what one filter of the three ABIs of x86-64 decides.
func (s filterSpec) filters() posture.Filters {
	f := posture.Filters{Digest: "5e1f", Programs: [][]byte{loadsArch}}
	for _, b := range names.ABIs("amd64") {
		spec, found := s[b.Name]
		if !found {
			spec.byDefault = killed
		}
		f.ABIs = append(f.ABIs, posture.FilteredABI{ABI: b.Name, Calls: spec.ranges(b)})
	}
	return f
}

// allowList denies all but the calls listed.
func allowList(calls string) filterSpec {
	s := abiSpec{byDefault: refused, calls: map[string][]posture.Way{}}
	for _, name := range strings.Fields(calls) {
		s.calls[name] = allowed
	}
	return filterSpec{"x86-64": s}
}

// denyList allows all but the calls listed, in the native ABI.
func denyList(calls string) filterSpec {
	s := abiSpec{byDefault: allowed, calls: map[string][]posture.Way{}}
	for _, name := range strings.Fields(calls) {
		s.calls[name] = refused
	}
	return filterSpec{"x86-64": s}
}

// with changes what the filter does with one call of an ABI.
func (s filterSpec) with(abi, name string, w ...posture.Way) filterSpec {
	spec, found := s[abi]
	if !found {
		spec.byDefault = killed
	}
	calls := map[string][]posture.Way{name: w}
	for other, ways := range spec.calls {
		if other != name {
			calls[other] = ways
		}
	}
	out := filterSpec{}
	for k, v := range s {
		out[k] = v
	}
	out[abi] = abiSpec{spec.byDefault, calls}
	return out
}

// otherwise changes what the filter does with the rest of an ABI.
func (s filterSpec) otherwise(abi string, w []posture.Way) filterSpec {
	out := filterSpec{}
	for k, v := range s {
		out[k] = v
	}
	out[abi] = abiSpec{w, s[abi].calls}
	return out
}

const ptraceSource = "PTRACE_SECCOMP_GET_FILTER"

// fetched is the fact that a filter was read.
func (s filterSpec) fetched() posture.Fact[posture.Filters] {
	return posture.Of(s.filters(), ptraceSource, "1 filter")
}

const served = "read write exit_group futex"

// abisAMD64 are what a kernel of this kind has: i386, and no x32.
func abisAMD64() []posture.ABI {
	return []posture.ABI{
		{Name: "x86-64", Present: posture.Of(true, "a child", "x86-64: getpid answered")},
		{Name: "x32", Present: posture.Of(false, "a child", "x32: ENOSYS")},
		{Name: "i386", Present: posture.Of(true, "a child", "i386: getpid answered")},
	}
}
