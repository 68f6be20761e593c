package policyfile

import (
	"strings"
	"testing"
	"time"
)

// TestHostile gives the decoder files made to cost much. Each must be refused,
// within a bound far above what a good file takes.
func TestHostile(t *testing.T) {
	const size = maxSize - 16
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	under := func(head, s string) string { return head + strings.Repeat(s, (size-len(head))/len(s)) }
	for name, text := range map[string]string{
		"sequences":      fill("["),
		"mappings":       fill("{a: "),
		"block lists":    fill("- "),
		"questions":      fill("? "),
		"keys":           fill("a:\n"),
		"comments":       fill("#\n"),
		"documents":      fill("---\n"),
		"quotes":         fill("\"\n"),
		"indents":        indented(1000),
		"one word":       fill("a"),
		"unknown calls":  under(head+"seccomp:\n  deny: [", "ptrase, ") + "]\n",
		"unknown keys":   under(head, "procss: {}\n"),
		"long key":       head + "? " + strings.Repeat("x", size-100) + "\n: 1\n",
		"folded scalar":  under(head+"metadata:\n  name: >\n", "    a\n"),
		"anchors":        under(head+"process:\n  securebits: [", "&a x, ") + "]\n",
		"aliases":        head + "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: *c\n",
		"duplicate keys": under(head, "process: {}\n"),
		"too large":      fill("#\n") + strings.Repeat("#", 17),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			p, err := Decode(strings.NewReader(text), "f.yaml")
			if err == nil {
				t.Errorf("accepted: %+v", p)
			} else if n := len(strings.Split(err.Error(), "\n")); n > maxErrors+1 || len(err.Error()) > 20000 {
				t.Errorf("%d errors in %d bytes", n, len(err.Error()))
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Logf("%v: %.100v", took.Round(time.Millisecond), err)
			}
		})
	}
}

// indented nests mappings by indentation.
func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
