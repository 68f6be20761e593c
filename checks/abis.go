package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// otherABIs checks that no ABI of this kernel lets through, by its own numbers,
// what the policy forbids. The native ABI is for seccomp.syscall and
// seccomp.surplus, unless it is not among the architectures.
func (c *filterCase) otherABIs(out *results) {
	if c.abis[native].why != "" {
		c.abiWithout(out)
		return
	}
	before := len(out.findings)
	for i := range c.abis {
		if i != native || c.unlisted(native) {
			c.otherABI(out, i)
		}
	}
	if len(out.findings) == before {
		b := &c.abis[native]
		f := out.add(abiID, report.Pass, "no other ABI", "none", "the architecture has no ABI but "+b.Name)
		f.Subject, f.Evidence = b.Name, []report.Evidence{{Source: "table of system calls", Value: b.Name}}
	}
}

// abiWithout answers where no ABI is known: a thread without a filter can make
// calls by all of them.
func (c *filterCase) abiWithout(out *results) {
	check := threadCheck{
		id: abiID, expected: "no call that the policy forbids",
		judge: func(t *posture.Thread) (report.Status, string) {
			d := c.guards[t].decide(c.abis, native, 0)
			return d.status, d.words()
		},
		facts: []fact{factSeccompMode},
		say: func(status report.Status, who, observed string) string {
			if status == report.Gap {
				return who + " can make every system call by every ABI of this kernel: " + observed
			}
			return "what other ABIs let through to " + who + " is not known: " + observed
		},
	}
	check.run(out, c.audited)
}

// unlisted says that the policy lists architectures, and not this one.
func (c *filterCase) unlisted(which int) bool {
	if len(c.want.Architectures) == 0 {
		return false
	}
	return !slices.ContainsFunc(c.want.Architectures, func(word string) bool {
		b, found := names.FindABI(word)
		return found && b.Name == c.abis[which].Name
	})
}

func (c *filterCase) otherABI(out *results, which int) {
	b := &c.abis[which]
	forbidden := c.forbidden(which)
	expected := "no call that the policy forbids"
	if c.unlisted(which) {
		expected = "no call at all"
	}
	if b.absent() {
		f := out.add(abiID, report.Pass, expected, "not in this kernel", "this kernel does not have the ABI "+b.Name)
		f.Subject, f.Evidence = b.Name, seen(&b.present.Origin)
		return
	}
	if len(forbidden) == 0 {
		f := out.add(abiID, report.Pass, expected, "none that is forbidden", "the policy forbids no call that the ABI "+b.Name+" has")
		f.Subject, f.Evidence = b.Name, seen(&b.present.Origin)
		return
	}
	check := threadCheck{
		id: abiID, expected: expected,
		judge: func(t *posture.Thread) (report.Status, string) {
			l := c.letThrough(t, which, forbidden)
			return l.status, l.words()
		},
		show: func(t *posture.Thread) []report.Evidence {
			l := c.letThrough(t, which, forbidden)
			return append(seen(&b.present.Origin), l.evidence...)
		},
		say: func(status report.Status, who, observed string) string { return c.abiWords(status, who, b, observed) },
	}
	check.run(out, c.audited).Subject = b.Name
}

func (c *filterCase) abiWords(status report.Status, who string, b *abi, observed string) string {
	switch status {
	case report.Gap:
		return who + " can make calls by the ABI " + b.Name + " that the policy forbids: " + observed + c.blind(b)
	case report.Pass:
		return "by the ABI " + b.Name + " nothing that the policy forbids is let through to " + who + ": " + observed
	default:
		return "whether the ABI " + b.Name + " lets through to " + who + " what the policy forbids is not known: " + observed
	}
}

// blind says so where filters do not look at the architecture, which is how
// most of them let another ABI through.
func (c *filterCase) blind(b *abi) string {
	if b.Audit == c.abis[native].Audit {
		return ""
	}
	for i := range c.views {
		if g := c.guards[c.views[i].Thread]; g.guard == guardFilters && ignoresArch(g.Filters.Value.Programs) {
			return "; no filter looks at the architecture (seccomp_data.arch), so each number is judged as if it were one of " + c.abis[native].Name
		}
	}
	return ""
}

// ignoresArch says that no program loads the architecture: BPF_LD | BPF_W |
// BPF_ABS at offset 4 of struct seccomp_data. Programs are in either byte order.
func ignoresArch(programs [][]byte) bool {
	const size = 8
	for _, p := range programs {
		for ; len(p) >= size; p = p[size:] {
			ins := [size]byte(p[:size])
			if ins == [size]byte{0x20, 0, 0, 0, 4, 0, 0, 0} || ins == [size]byte{0, 0x20, 0, 0, 0, 0, 0, 4} {
				return false
			}
		}
		if len(p) != 0 {
			return false
		}
	}
	return len(programs) > 0
}
