package render

import (
	"fmt"
	"strings"
)

const (
	// listLimit is the longest list that a text shows whole.
	listLimit = 8
	// listHead is how many members a longer one is shown with.
	listHead = 2
)

// shorten replaces the middle of long lists of capabilities or numbers in s by
// how many there are: "CAP_CHOWN, CAP_DAC_OVERRIDE, … (38 in all)". The JSON
// form has them all.
func shorten(s string) string {
	words := strings.Split(s, ", ")
	var out []string
	for len(words) > 0 {
		run := listRun(words)
		if run <= listLimit {
			n := max(run, 1)
			out, words = append(out, words[:n]...), words[n:]
			continue
		}
		out = append(out, words[:listHead]...)
		_, tail := splitMember(words[run-1])
		out = append(out, fmt.Sprintf("… (%d in all)%s", run, tail))
		words = words[run:]
	}
	return strings.Join(out, ", ")
}

// listRun returns how many words at the beginning of words are one list. The
// first may have text before its member, the last may have text behind it.
func listRun(words []string) int {
	first := words[0][strings.LastIndexByte(words[0], ' ')+1:]
	kind := memberKind(first)
	if kind == noMember {
		return 0
	}
	n := 1
	for n < len(words) {
		member, tail := splitMember(words[n])
		if memberKind(member) != kind {
			break
		}
		n++
		if tail != "" {
			break
		}
	}
	return n
}

func splitMember(word string) (member, tail string) {
	if end := strings.IndexAny(word, " ;:)]"); end >= 0 {
		return word[:end], word[end:]
	}
	return word, ""
}

type kind uint8

const (
	noMember kind = iota
	capability
	plainNumber
)

func memberKind(s string) kind {
	name, isCap := strings.CutPrefix(s, "CAP_")
	switch {
	case s == "":
		return noMember
	case isCap && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "":
		return capability
	case strings.Trim(s, "0123456789") == "":
		return plainNumber
	default:
		return noMember
	}
}
