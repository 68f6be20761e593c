package policyfile

import (
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

// key is one key of the vocabulary.
type key struct {
	name string
	// means is one sentence for people: a comment in files, a cell in the docs.
	means string
	// ids are the findings that it asks for.
	ids []string
	// checked is false where this version has no check for the key.
	checked bool
	// words says which values it takes, demand is one that asks for
	// something, quiet one that asks for nothing, or "".
	words, demand, quiet string
	// read reads the value into the decoder's policy.
	read func(d *decoder, n node, path string)
	// write returns the policy's value as YAML, and whether it has one.
	write func(p *policy.Policy) (string, bool)
	// keys are those of a mapping. Such a key has neither read nor write.
	keys []key
}

// mapping reads a mapping whose keys are known. The required ones must be there.
func (d *decoder) mapping(n node, path string, known []key, required []string) {
	if !d.plain(n, path) {
		return
	}
	if n.kind() != mappingNode {
		d.fail(n, "%s: a mapping with %s is wanted, not %s", path, anyOf(keyNames(known)), n.shown())
		return
	}
	for _, name := range required {
		if !hasKey(n, name) {
			d.fail(n, "%s is missing", join(path, name))
		}
	}
	seen := map[string]int{}
	for _, p := range n.pairs() {
		if d.full() {
			return
		}
		d.entry(p, path, known, seen)
	}
}

// entry reads one entry of a mapping.
func (d *decoder) entry(p pair, path string, known []key, seen map[string]int) {
	if p.key.isMergeKey() {
		d.fail(p.key, "a merge key (<<) is not allowed in a policy: write the keys out")
		return
	}
	if !d.plain(p.key, path) {
		return
	}
	if p.key.kind() != stringNode {
		d.fail(p.key, "%s is no key", p.key.shown())
		return
	}
	name := p.key.text()
	i := slices.IndexFunc(known, func(k key) bool { return k.name == name })
	if i < 0 {
		d.fail(p.key, "unknown key %s%s", quoted(join(path, name)), unknownHint(path, name, known))
		return
	}
	full := join(path, name)
	if line, twice := seen[name]; twice {
		d.fail(p.key, "%s is there twice, first in line %d", full, line)
		return
	}
	seen[name] = p.key.line()
	d.value(p.value, full, known[i])
}

// value reads the value of a key.
func (d *decoder) value(n node, path string, k key) {
	switch {
	case !d.plain(n, path):
	case n.kind() == nullNode:
		d.fail(n, "%s: a value is wanted, not null", path)
	case k.keys != nil:
		d.mapping(n, path, k.keys, nil)
	default:
		k.read(d, n, path)
	}
}

// plain refuses what a policy has no need of.
func (d *decoder) plain(n node, path string) bool {
	what := n.unusual()
	if what == "" {
		return true
	}
	if path != "" {
		path += ": "
	}
	d.fail(n, "%s%s is not allowed in a policy: write the value out", path, what)
	return false
}

// unknownHint names the nearest key: one of this mapping, or one of that very
// name elsewhere.
func unknownHint(path, name string, known []key) string {
	if near := names.Nearest(name, keyNames(known)); near != "" {
		return ": did you mean " + join(path, near) + "?"
	}
	if elsewhere := keyElsewhere(path, name); elsewhere != "" {
		return ": did you mean " + elsewhere + "?"
	}
	return ": known here " + pluralKnown(keyNames(known))
}

// otherWords are keys of other formats for what a policy calls otherwise.
var otherWords = map[string]string{
	"namespaces.mount":         "namespaces.mnt",
	"namespaces.network":       "namespaces.net",
	"allowPrivilegeEscalation": "process.noNewPrivileges",
	"privileged":               "process.capabilities",
	"readOnlyRootFilesystem":   "filesystem.root.readonly",
	"runAsGroup":               "process.user.gid",
	"runAsNonRoot":             "process.user.uid",
	"runAsUser":                "process.user.uid",
	"supplementalGroups":       "process.user.additionalGids",
}

// keyElsewhere returns the full name of a key that stands in another place, or
// is called so in another format.
func keyElsewhere(path, name string) string {
	for _, word := range []string{join(path, name), name} {
		if ours := otherWords[word]; ours != "" {
			return ours
		}
	}
	all := schema()
	return findKey("", names.Nearest(name, allNames(all)), all)
}

func allNames(keys []key) []string {
	var out []string
	for _, k := range keys {
		out = append(append(out, k.name), allNames(k.keys)...)
	}
	return out
}

// findKey returns the full name of the first key of that name.
func findKey(path, name string, keys []key) string {
	for _, k := range keys {
		full := join(path, k.name)
		if k.name == name {
			return full
		}
		if found := findKey(full, name, k.keys); found != "" {
			return found
		}
	}
	return ""
}

func hasKey(n node, name string) bool {
	return slices.ContainsFunc(n.pairs(), func(p pair) bool { return p.key.kind() == stringNode && p.key.text() == name })
}

func keyNames(keys []key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.name
	}
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// anyOf joins words with commas and a last "or".
func anyOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func pluralKnown(words []string) string {
	if len(words) == 1 {
		return "is " + words[0]
	}
	last := len(words) - 1
	return "are " + strings.Join(words[:last], ", ") + " and " + words[last]
}
