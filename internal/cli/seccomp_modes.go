package cli

import (
	"runtime"
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// nowhere stands for the filter and the offset of a verdict that no
// instruction returns.
const nowhere = -1

// strictCalls are those that strict mode leaves, by ABI: seccomp(2). The kernel
// compares numbers of x32 with those of i386, and bit 30 keeps them apart.
var strictCalls = map[string][]string{
	"x86-64": {"read", "write", "exit", "rt_sigreturn"},
	"i386":   {"read", "write", "exit", "sigreturn"},
	"arm64":  {"read", "write", "exit", "rt_sigreturn"},
	"arm":    {"read", "write", "exit", "sigreturn"},
}

// withoutFilter returns the verdicts of a mode that has no filters: everything
// is let through, or all but what strict mode leaves is not.
func withoutFilter(mode string, present []posture.ABI) []render.SeccompABI {
	var out []render.SeccompABI
	for _, abi := range names.ABIs(runtime.GOARCH) {
		a := render.SeccompABI{ABI: abi.Name, OCI: abi.OCI, Native: isNative(abi.Name), Present: presence(abi.Name, present)}
		named := namedCalls(abi)
		add := func(first, last uint32, way render.SeccompWay, verdict, summary string) {
			way.Filter, way.Offset = nowhere, nowhere
			a.Calls = append(a.Calls, render.SeccompCalls{
				First: first, Last: last, Calls: within(named, first, last), Verdict: verdict, Summary: summary, Ways: []render.SeccompWay{way},
			})
		}
		allow := render.SeccompWay{Action: posture.ActionAllow.String()}
		kill := render.SeccompWay{Action: posture.ActionKillThread.String()}
		for _, part := range numbersOf(abi) {
			next := uint64(part[0])
			if mode == modeDisabled {
				add(part[0], part[1], allow, render.VerdictAllowed, "allowed")
				continue
			}
			for _, call := range within(named, part[0], part[1]) {
				if !slices.Contains(strictCalls[abi.Name], call.Name) {
					continue
				}
				if uint64(call.Number) > next {
					add(uint32(next), call.Number-1, kill, render.VerdictDenied, "denied: strict mode kills the thread")
				}
				add(call.Number, call.Number, allow, render.VerdictAllowed, "allowed: strict mode leaves it")
				next = uint64(call.Number) + 1
			}
			if next <= uint64(part[1]) {
				add(uint32(next), part[1], kill, render.VerdictDenied, "denied: strict mode kills the thread")
			}
		}
		out = append(out, a)
	}
	return out
}

// numbersOf returns the numbers of an ABI. On x86-64 bit 30 makes a call one of
// x32, so the numbers of both come in two parts.
func numbersOf(abi names.ABI) [][2]uint32 {
	const bit = 1 << 30
	switch {
	case abi.NumberBit == bit:
		return [][2]uint32{{bit, 2*bit - 1}, {3 * bit, 4*bit - 1}}
	case abi.Name == "x86-64":
		return [][2]uint32{{0, bit - 1}, {2 * bit, 3*bit - 1}}
	default:
		return [][2]uint32{{0, 1<<32 - 1}}
	}
}
