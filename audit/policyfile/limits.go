package policyfile

import (
	"math"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

// rlimitKey are upper bounds on resource limits, as OCI writes them.
func rlimitKey() key {
	resources := vocabulary{"resource limit", "a resource limit's name", "getrlimit(2)", names.Rlimits()}
	value := number(0, math.MaxUint64, "1024")
	list := mappings("type, soft, hard", "[{type: RLIMIT_NOFILE, hard: 1024}]", []string{"type"}, []string{"soft", "hard"},
		func(r *policy.Rlimit) []key {
			return []key{
				part("type", resources.name("RLIMIT_NOFILE"), func(v string) { r.Type = v }, "RLIMIT_*"),
				part("soft", value, func(v uint64) { r.Soft = &v }, "the soft limit"),
				part("hard", value, func(v uint64) { r.Hard = &v }, "the hard limit"),
			}
		}, formatRlimit)
	list.read = once(list.read, "type", func(r policy.Rlimit) string { return r.Type })
	return entry("rlimits", list, members(func(p *policy.Policy) *[]policy.Rlimit { return &p.Process.Rlimits }),
		"Upper bounds on resource limits, each {type: RLIMIT_*, soft: N, hard: N}: getrlimit(2).", "limit.rlimit")
}

func formatRlimit(r policy.Rlimit) string {
	text := "type: " + r.Type
	for _, v := range []struct {
		name  string
		value *uint64
	}{{"soft", r.Soft}, {"hard", r.Hard}} {
		if v.value != nil {
			text += ", " + v.name + ": " + strconv.FormatUint(*v.value, 10)
		}
	}
	return text
}

// once refuses a list in which two members have one name.
func once[T any](read func(*decoder, node, string) ([]T, bool), what string, name func(T) string) func(*decoder, node, string) ([]T, bool) {
	return func(d *decoder, n node, path string) ([]T, bool) {
		list, ok := read(d, n, path)
		for i := range list {
			if ok && slices.ContainsFunc(list[:i], func(other T) bool { return name(other) == name(list[i]) }) {
				d.fail(n.items()[i], "%s[%d]: %s %s is there twice", path, i, what, quoted(name(list[i])))
				return nil, false
			}
		}
		return list, ok
	}
}

// namespaceKeys ask for namespaces of its own.
func namespaceKeys() key {
	var keys []key
	for _, name := range names.NamespaceNames() {
		keys = append(keys, entry(name, word("any", "private", "any"), &field[string]{
			set: func(p *policy.Policy, _ string) { p.Namespaces.Private = append(p.Namespaces.Private, name) },
			get: func(p *policy.Policy) (string, bool) { return "private", slices.Contains(p.Namespaces.Private, name) },
		}, "Private asks for a namespace other than the machine's.", "namespace"))
	}
	keys = append(keys, group("idmap", "Upper bounds on both id maps of the user namespace.",
		entry("size", number(1, math.MaxUint32, "1"), &field[uint64]{
			set: func(p *policy.Policy, v uint64) { p.Namespaces.IDMap.Size = uint32(v) },
			get: func(p *policy.Policy) (uint64, bool) {
				return uint64(p.Namespaces.IDMap.Size), p.Namespaces.IDMap.Size > 0
			},
		}, "How many ids may be mapped.", "idmap"),
		entry("hostRoot", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Namespaces.IDMap.NotHostRoot }), "False asks that the machine's id 0 is not mapped.", "idmap"),
	))
	return group("namespaces", "Namespaces of its own: namespaces(7).", keys...)
}
