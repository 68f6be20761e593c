package checks

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// denied checks that the filters deny each call that the policy names, by its
// numbers in the native ABI. One finding a call.
func (c *filterCase) denied(out *results) {
	for _, word := range c.unknown {
		f := out.add(syscallID, report.Unknown, "denied", "unknown", "there is no system call and no group named "+quoted(word))
		f.Subject = quoted(word)
	}
	for _, name := range c.deny {
		b := &c.abis[native]
		if calls := b.forms(name); len(calls) > 0 || b.why != "" {
			c.deniedCall(out, name, calls)
			continue
		}
		f := out.add(syscallID, report.Pass, "denied", "no such call in "+b.Name, b.Name+" has no call named "+name)
		f.Subject, f.Evidence = name, []report.Evidence{{Source: "table of system calls", Value: b.Name + ": no " + name}}
	}
	if len(c.unknown)+len(c.deny) == 0 {
		// A group that holds no call any more.
		out.add(syscallID, report.Unknown, "denied", "unknown", "the policy's list of calls to deny comes to none")
	}
}

func (c *filterCase) deniedCall(out *results, name string, calls []call) {
	check := threadCheck{
		id: syscallID, expected: "denied",
		judge: func(t *posture.Thread) (report.Status, string) {
			j := c.judge(t, native, calls)
			return j.status, j.wordsFor(name)
		},
		show: func(t *posture.Thread) []report.Evidence {
			j := c.judge(t, native, calls)
			return c.guards[t].evidence(&c.abis[native], j.nr, &j.decision)
		},
		say: func(status report.Status, who, observed string) string {
			return deniedWords(status, who, name, observed)
		},
	}
	f := check.run(out, c.audited)
	f.Subject = name
	if f.Status != report.Unknown {
		f.Message += c.remarks(name)
	}
}

func deniedWords(status report.Status, who, name, observed string) string {
	switch status {
	case report.Gap:
		return who + " can make " + name + ", which the policy denies: " + observed
	case report.Pass:
		return name + " is denied to " + who + ", whatever its arguments"
	default:
		return "whether " + name + " is always denied to " + who + " is not known: " + observed
	}
}

// remarks name what does the same work and is let through, though the policy
// does not name it. They change no status.
func (c *filterCase) remarks(name string) string {
	var open []string
	for _, other := range names.Equivalents(name) {
		if !slices.Contains(c.deny, other) && c.open(other) {
			open = append(open, other)
		}
	}
	words := ""
	switch {
	case len(open) == 1:
		words = "; " + open[0] + " does the same and is let through: name it in deny to have it denied too"
	case len(open) > 1:
		words = "; " + few(open) + " do the same and are let through: name them in deny to have them denied too"
	}
	if op, found := names.IOUring(name); found && c.open("io_uring_setup") {
		words += "; io_uring_setup is let through, and " + op.Name + " does the work of " + name + " where no filter sees it"
	}
	return words
}

// open says whether filters that stand before some thread let the call through
// in the native ABI. Where no filter stands at all there is more to say.
func (c *filterCase) open(name string) bool {
	b := &c.abis[native]
	calls := b.forms(name)
	if len(calls) == 0 || b.WordBits != 32 && calls[0].name != name {
		return false
	}
	for i := range c.views {
		t := c.views[i].Thread
		if g := c.guards[t].guard; g != guardNone && c.judge(t, native, calls).status == report.Gap {
			return true
		}
	}
	return false
}
