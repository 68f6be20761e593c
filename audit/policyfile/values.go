package policyfile

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/names"
)

// boolean reads true and false. The permissive value asks nothing.
func boolean(permissive bool) reader[bool] {
	return reader[bool]{
		words: "true or false", demand: strconv.FormatBool(!permissive), quiet: strconv.FormatBool(permissive),
		read:   readBool,
		asks:   func(v bool) bool { return v != permissive },
		format: strconv.FormatBool,
	}
}

// saidBool are words that some readers of YAML take for booleans.
var saidBool = map[string]string{"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}

func readBool(d *decoder, n node, path string) (bool, bool) {
	if n.kind() == boolNode {
		return strings.EqualFold(n.text(), "true"), true
	}
	if word, ok := saidBool[strings.ToLower(n.text())]; ok && n.kind() == stringNode {
		d.fail(n, "%s: true or false is wanted, not %s: write %s", path, n.shown(), word)
	} else {
		d.fail(n, "%s: true or false is wanted, not %s", path, n.shown())
	}
	return false, false
}

// readString reads a string that is not empty and that a terminal can show.
func readString(d *decoder, n node, path, wanted string) (string, bool) {
	switch {
	case n.kind() != stringNode && (n.kind() == listNode || n.kind() == mappingNode || n.kind() == nullNode):
		d.fail(n, "%s: %s is wanted, not %s", path, wanted, n.shown())
	case n.kind() != stringNode:
		d.fail(n, "%s: %s is wanted, not %s, which YAML reads as something else: put it in quotes", path, wanted, n.shown())
	case n.text() == "":
		d.fail(n, "%s: %s is wanted, not an empty string", path, wanted)
	case !isPrintable(n.text()):
		d.fail(n, "%s: %s is wanted, without control characters, not %s", path, wanted, n.shown())
	default:
		return n.text(), true
	}
	return "", false
}

// text reads a string of at most max bytes.
func text(wanted string, max int, demand string) reader[string] {
	return reader[string]{
		words: "string", demand: demand, format: quoteYAML,
		read: func(d *decoder, n node, path string) (string, bool) {
			s, ok := readString(d, n, path, wanted)
			if ok && len(s) > max {
				d.fail(n, "%s: %d bytes are more than the %d that are allowed", path, len(s), max)
				ok = false
			}
			return s, ok
		},
	}
}

// word reads one of some words. Those that are quiet ask nothing.
func word(quiet string, known ...string) reader[string] {
	demand := known[slices.IndexFunc(known, func(w string) bool { return w != quiet })]
	return reader[string]{
		words: strings.Join(known, ", "), demand: demand, quiet: quiet,
		format: func(v string) string { return v },
		asks:   func(v string) bool { return v != quiet },
		read:   func(d *decoder, n node, path string) (string, bool) { return readWord(d, n, path, known) },
	}
}

func readWord(d *decoder, n node, path string, known []string) (string, bool) {
	if n.kind() == stringNode && slices.Contains(known, n.text()) {
		return n.text(), true
	}
	near := ""
	if n.kind() == stringNode {
		near = names.Nearest(n.text(), known)
	}
	if near != "" {
		d.fail(n, "%s: %s is wanted, not %s: did you mean %s?", path, anyOf(known), n.shown(), near)
	} else {
		d.fail(n, "%s: %s is wanted, not %s", path, anyOf(known), n.shown())
	}
	return "", false
}

// vocabulary are the names of one kind of thing.
type vocabulary struct {
	// thing is "capability", with its article "a capability", many "capabilities(7)".
	thing, article, page string
	known                []string
}

// readName reads a name of a vocabulary.
func (v vocabulary) readName(d *decoder, n node, path string) (string, bool) {
	name, ok := readString(d, n, path, v.article)
	if !ok {
		return "", false
	}
	if slices.Contains(v.known, name) {
		return name, true
	}
	if near := names.Nearest(name, v.known); near != "" {
		d.fail(n, "%s: unknown %s %s: did you mean %s?", path, v.thing, quoted(name), near)
	} else {
		d.fail(n, "%s: unknown %s %s: see %s", path, v.thing, quoted(name), v.page)
	}
	return "", false
}

// name reads one name of a vocabulary.
func (v vocabulary) name(demand string) reader[string] {
	return reader[string]{words: v.thing, demand: demand, read: v.readName, format: func(s string) string { return s }}
}

// list reads a list of names. An empty one asks nothing if emptyAsks is false.
func (v vocabulary) list(demand string, emptyAsks bool) reader[[]string] {
	r := listOf(v.thing, v.readName)
	r.demand, r.format = demand, func(l []string) string { return "[" + strings.Join(l, ", ") + "]" }
	if !emptyAsks {
		r.quiet, r.asks = "[]", func(l []string) bool { return len(l) > 0 }
	}
	return r
}

// listOf reads a list whose members are read one by one.
func listOf[T any](thing string, read func(d *decoder, n node, path string) (T, bool)) reader[[]T] {
	return reader[[]T]{
		words: "list: " + thing,
		read: func(d *decoder, n node, path string) ([]T, bool) {
			if n.kind() != listNode {
				d.fail(n, "%s: a list is wanted, not %s", path, n.shown())
				return nil, false
			}
			return readItems(d, n, path, read)
		},
	}
}

func readItems[T any](d *decoder, n node, path string, read func(d *decoder, n node, path string) (T, bool)) ([]T, bool) {
	list, good := []T{}, true
	for i, item := range n.items() {
		if d.full() {
			return nil, false
		}
		at := path + "[" + strconv.Itoa(i) + "]"
		if !d.plain(item, at) {
			good = false
			continue
		}
		v, ok := read(d, item, at)
		good = good && ok
		list = append(list, v)
	}
	return list, good
}

var decimal = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

// readNumber reads a whole number, written in plain decimal.
func readNumber(d *decoder, n node, path, wanted string, low, high uint64) (uint64, bool) {
	plain := n.kind() == intNode || n.kind() == floatNode // YAML reads large numbers as floats
	switch {
	case n.kind() == stringNode && decimal.MatchString(n.text()):
		d.fail(n, "%s: %s is wanted: write it without quotes", path, wanted)
	case plain && strings.HasPrefix(n.text(), "-"):
		d.fail(n, "%s: %s is wanted, not %s: it cannot be negative", path, wanted, n.text())
	case n.kind() == intNode && !decimal.MatchString(n.text()):
		d.fail(n, "%s: %s is wanted, in plain decimal, not %s", path, wanted, n.shown())
	case !plain || !decimal.MatchString(n.text()):
		d.fail(n, "%s: %s is wanted, not %s", path, wanted, n.shown())
	default:
		v, err := strconv.ParseUint(n.text(), 10, 64)
		if err == nil && low <= v && v <= high {
			return v, true
		}
		d.fail(n, "%s: %s is not between %d and %d", path, printable(n.text()), low, high)
	}
	return 0, false
}

// number reads a whole number.
func number(low, high uint64, demand string) reader[uint64] {
	return reader[uint64]{
		words: "whole number", demand: demand,
		format: func(v uint64) string { return strconv.FormatUint(v, 10) },
		read: func(d *decoder, n node, path string) (uint64, bool) {
			return readNumber(d, n, path, "a whole number", low, high)
		},
	}
}

// readPath reads an absolute path in its shortest form, as OCI's paths are.
func readPath(d *decoder, n node, path string) (string, bool) {
	s, ok := readString(d, n, path, "an absolute path")
	if !ok {
		return "", false
	}
	if !strings.HasPrefix(s, "/") || len(s) > 4096 {
		d.fail(n, "%s: an absolute path is wanted, not %s", path, quoted(s))
		return "", false
	}
	for _, element := range strings.Split(strings.TrimSuffix(s[1:], "/"), "/") {
		if element == "." || element == ".." || (element == "" && s != "/") {
			d.fail(n, "%s: a path without empty, . and .. elements is wanted, not %s", path, quoted(s))
			return "", false
		}
	}
	return s, true
}

// paths reads a list of absolute paths.
func paths(demand string, emptyAsks bool) reader[[]string] {
	r := listOf("absolute path", readPath)
	r.demand = demand
	r.format = func(l []string) string {
		words := make([]string, len(l))
		for i := range l {
			words[i] = quoteYAML(l[i])
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	if !emptyAsks {
		r.quiet, r.asks = "[]", func(l []string) bool { return len(l) > 0 }
	}
	return r
}

// mappings reads a list of mappings, each into a T. All required keys must be
// there, and one of those in either. An empty list asks nothing.
func mappings[T any](thing, demand string, required, either []string, keys func(*T) []key, format func(T) string) reader[[]T] {
	r := listOf(thing, func(d *decoder, n node, path string) (item T, ok bool) {
		before := len(d.errs)
		d.mapping(n, path, keys(&item), required)
		has := func(name string) bool { return hasKey(n, name) }
		if len(d.errs) == before && len(either) > 0 && !slices.ContainsFunc(either, has) {
			d.fail(n, "%s: %s is missing", path, anyOf(either))
		}
		return item, len(d.errs) == before
	})
	r.demand, r.quiet, r.asks = demand, "[]", func(l []T) bool { return len(l) > 0 }
	r.format = func(l []T) string {
		words := make([]string, len(l))
		for i := range l {
			words[i] = "{" + format(l[i]) + "}"
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	return r
}
