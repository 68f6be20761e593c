package render

import (
	"strings"
	"unicode"
)

// page collects lines of at most width columns without trailing spaces.
type page struct {
	b     strings.Builder
	width int
	paint func(tone, string) string
}

// tone is what a word is about; it decides the colour and nothing else.
type tone uint8

const (
	noTone tone = iota
	bad
	doubtful
	good
	heading
)

// colours are the escape sequences for the tones: ECMA-48, SGR.
var colours = map[tone]string{bad: "\x1b[1;31m", doubtful: "\x1b[1;33m", good: "\x1b[1;32m", heading: "\x1b[1m"}

const uncolour = "\x1b[0m"

func coloured(t tone, s string) string {
	if t == noTone {
		return s
	}
	return colours[t] + s + uncolour
}

func uncoloured(_ tone, s string) string { return s }

func (p *page) blank() { p.b.WriteByte('\n') }

// para writes text wrapped, every line behind indent spaces.
func (p *page) para(indent int, text string) { p.item(indent, "", noTone, indent, text) }

// item writes a label in its tone and text wrapped beside it: the first line
// after the label, those that follow at column hang. Without a label all of
// them begin there.
func (p *page) item(indent int, label string, t tone, hang int, text string) {
	if label == "" {
		indent = hang
	}
	lead := strings.Repeat(" ", indent)
	column := indent + columns(label)
	if label != "" {
		pad := max(hang-column, 1)
		lead += p.paint(t, label) + strings.Repeat(" ", pad)
		column += pad
	}
	lines := wrap(text, p.width-column, p.width-hang)
	for i, line := range lines {
		if i == 0 {
			p.b.WriteString(strings.TrimRight(lead+line, " "))
		} else {
			p.b.WriteString(strings.TrimRight(strings.Repeat(" ", hang)+line, " "))
		}
		p.b.WriteByte('\n')
	}
}

// wrap breaks text at spaces into lines of at most first columns, then at most
// others. A word that is wider than a line is broken where the line ends. Runs
// of spaces inside a line stay: they may be what tells two names apart.
func wrap(text string, first, others int) []string {
	var lines []string
	line, used := "", 0
	room := func() int {
		if len(lines) == 0 {
			return max(first, 1)
		}
		return max(others, 1)
	}
	flush := func() { lines = append(lines, line); line, used = "", 0 }
	for word := range strings.SplitSeq(text, " ") {
		if used > 0 && used+1+columns(word) > room() {
			flush()
		}
		for used == 0 && columns(word) > room() {
			head := cut(word, room())
			line, word = head, word[len(head):]
			flush()
		}
		switch {
		case word == "" && used == 0:
		case used == 0:
			line, used = word, columns(word)
		default:
			line, used = line+" "+word, used+1+columns(word)
		}
	}
	if used > 0 || len(lines) == 0 {
		flush()
	}
	return lines
}

// cut returns the beginning of word that fits into width columns, at least one
// character of it.
func cut(word string, width int) string {
	used := 0
	for i, r := range word {
		if used += runeColumns(r); used > width && i > 0 {
			return word[:i]
		}
	}
	return word
}

func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 2 for what terminals draw two cells wide.
func runeColumns(r rune) int {
	if unicode.Is(wide, r) {
		return 2
	}
	return 1
}

// wide are the blocks of wide and full-width characters: Unicode Standard
// Annex 11, by whole blocks.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0xa4cf, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff00, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}
