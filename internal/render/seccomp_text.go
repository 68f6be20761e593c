package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// SeccompOptions say how what auditctl seccomp found out is written for a
// person.
type SeccompOptions struct {
	// Color and Width are those of TextOptions.
	Color bool
	Width int
	// Listed lists the calls also of ABIs that lead nowhere: those that this
	// kernel does not have, or in which no call was reached.
	Listed bool
}

// SeccompText writes d for a person: whose filters they are, and then what was
// asked for: the comparison, the difference, the instructions, or a table of
// every call.
func SeccompText(w io.Writer, d *Seccomp, o SeccompOptions) error {
	if d == nil {
		return errNoReport
	}
	t := seccompText{text: text{page: page{width: max(o.Width, MinWidth), paint: uncoloured}}, listed: o.Listed}
	if o.Width == 0 {
		t.width = DefaultWidth
	}
	if o.Color {
		t.paint = coloured
	}
	t.head(d)
	for i := range d.Classes {
		t.class(d, &d.Classes[i])
	}
	for i := range d.Scan {
		if d.Comparison == nil {
			t.scan(&d.Scan[i])
		}
	}
	if d.Comparison != nil {
		t.comparison(d.Comparison)
	}
	if d.Diff != nil {
		t.diff(d.Diff)
	}
	for i := range d.Used {
		t.used(&d.Used[i])
	}
	t.list("What could not be seen", d.Limits)
	return writeAll(w, []byte(t.b.String()))
}

type seccompText struct {
	text
	listed bool
}

func (t *seccompText) head(d *Seccomp) {
	line := processLine(d.Target)
	if d.Target.Self {
		// Only the calling thread is tried: the number of others is not asked.
		line = strings.Replace(line, ", number of threads unknown", "", 1)
	}
	t.fact("process", line)
	if !d.Target.StartTime.IsZero() {
		t.fact("started", d.Target.StartTime.UTC().Format("2006-01-02 15:04:05")+" UTC")
	}
	t.fact("host", hostLine(d.Host))
	if len(d.Classes) == 0 {
		t.fact("seen", "from inside: every call was tried by a child; the filter itself cannot be read")
	}
}

// class writes one class of threads: its filters, and the table unless
// something else was asked for.
func (t *seccompText) class(d *Seccomp, c *SeccompClass) {
	t.blank()
	t.fact("threads", t.whichThreads(d, c.Threads))
	t.fact("mode", c.Mode)
	switch {
	case c.State != "known":
		t.item(2, "filters", doubtful, factColumn, "could not be read: "+Sentence(c.Why))
		return
	case c.Mode == "strict":
		t.para(2, "Strict mode: read(2), write(2), _exit(2) and sigreturn(2) are let through, in the ABI of each; any other call kills the thread. There is no filter to read.")
		return
	case len(c.Filters) == 0:
		t.item(2, "No filter:", bad, 13, "every system call is let through.")
		return
	}
	t.fact("filters", filterLengths(c.Filters))
	t.fact("digest", Safe(c.Digest))
	if d.Comparison != nil || d.Diff != nil || len(d.Used) > 0 {
		return
	}
	if disassembled(c.Filters) {
		t.instructions(c.Filters)
		return
	}
	for i := range c.ABIs {
		t.abi(&c.ABIs[i])
	}
	t.notes(c.Notes)
}

// whichThreads names the threads of a class, where there are others.
func (t *seccompText) whichThreads(d *Seccomp, tids []int) string {
	if len(d.Classes) == 1 && len(tids) > 1 {
		return "all " + strconv.Itoa(len(tids))
	}
	const most = 16
	var words []string
	for i, tid := range tids {
		if i == most {
			words = append(words, fmt.Sprintf("… (%d in all)", len(tids)))
			break
		}
		words = append(words, strconv.Itoa(tid))
	}
	return strings.Join(words, ", ")
}

// filterLengths says how many filters there are and how long each is.
func filterLengths(filters []SeccompFilter) string {
	var words []string
	for _, f := range filters {
		words = append(words, strconv.Itoa(f.Instructions))
	}
	unit := " instructions"
	if len(filters) == 1 {
		if filters[0].Instructions == 1 {
			unit = " instruction"
		}
		return "1, of " + words[0] + unit
	}
	return strconv.Itoa(len(filters)) + ", the oldest first, of " + strings.Join(words, ", ") + unit
}

func disassembled(filters []SeccompFilter) bool {
	for _, f := range filters {
		if len(f.Disassembly) > 0 {
			return true
		}
	}
	return false
}

// instructions are not wrapped: a broken line of a program reads as two.
func (t *seccompText) instructions(filters []SeccompFilter) {
	for _, f := range filters {
		t.section(fmt.Sprintf("Filter %d, %s", f.Index, number(f.Instructions, "instruction", "instructions")))
		for _, line := range f.Disassembly {
			t.b.WriteString(strings.TrimRight("  "+raw(line), " ") + "\n")
		}
	}
}

func (t *seccompText) notes(notes []SeccompNote) {
	if len(notes) == 0 {
		return
	}
	t.section("Notes")
	for _, n := range notes {
		text := n.Text
		if n.ABI != "" {
			text = n.ABI + ": " + text
		}
		t.item(2, "-", noTone, 4, Sentence(text))
	}
}

// digestName is what the filters of a class are called where there are others.
func digestName(digest string) string {
	const short = 12
	if digest == "" {
		return "no filter"
	}
	return "digest " + Safe(digest[:min(short, len(digest))])
}
