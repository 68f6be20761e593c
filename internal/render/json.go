package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/selfaudit/selfaudit/checks/report"
)

// JSON writes r as exactly one JSON document, two spaces deep, and a newline.
//
// JSON strings are Unicode and a process's names are bytes, so a string of the
// report is escaped before it is encoded: bytes that are not UTF-8 and ASCII
// control characters read \xNN, other control and format characters \u{NNNN},
// a backslash is doubled (in sentences of the checks it is not: names inside
// those are quoted already). The escapes are part of the string: whoever prints
// the decoded string prints nothing that steers a terminal.
func JSON(w io.Writer, r *report.Report) error {
	if r == nil {
		return errNoReport
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(forDocument(r)); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return writeAll(w, b.Bytes())
}

// forDocument returns a copy of r whose strings a JSON document can hold
// without a loss, and whose lists are lists even where they are empty.
func forDocument(r *report.Report) *report.Report {
	c := *r
	c.Target.Comm, c.Target.Exe = plain(r.Target.Comm), plain(r.Target.Exe)
	c.Policy.Name, c.Policy.Source, c.Policy.SHA256 = plain(r.Policy.Name), plain(r.Policy.Source), plain(r.Policy.SHA256)
	c.Host.Kernel, c.Host.Arch = plain(r.Host.Kernel), plain(r.Host.Arch)
	c.Findings = make([]report.Finding, len(r.Findings))
	for i, f := range r.Findings {
		f.ID, f.Subject = plain(f.ID), plain(f.Subject)
		f.Expected, f.Observed = sentence(f.Expected), sentence(f.Observed)
		f.Message, f.Remedy = sentence(f.Message), sentence(f.Remedy)
		evidence := make([]report.Evidence, len(f.Evidence))
		for j, e := range f.Evidence {
			evidence[j] = report.Evidence{Source: plain(e.Source), Value: plain(e.Value)}
		}
		f.Evidence = evidence
		c.Findings[i] = f
	}
	c.Depth = depthDocument(r.Depth)
	c.Limits = nil
	for _, l := range r.Limits {
		c.Limits = append(c.Limits, sentence(l))
	}
	return &c
}

// plain is for strings that are what the target or the kernel chose, byte by byte.
func plain(s string) string {
	text, _ := escape(s, math.MaxInt, style{keep: document, double: true})
	return text
}

// sentence is for what the checks wrote.
func sentence(s string) string {
	text, _ := escape(s, math.MaxInt, style{keep: document})
	return text
}
