package policyfile

import "github.com/selfaudit/selfaudit/checks/policy"

// reader reads one type of value.
type reader[T any] struct {
	// words, demand and quiet are those of the key.
	words, demand, quiet string
	// read returns false where it has noted an error.
	read func(d *decoder, n node, path string) (T, bool)
	// asks says whether a value asks for something. Nil: every value does.
	asks func(T) bool
	// format returns the value as YAML.
	format func(T) string
}

// field is where the policy keeps the value of a key that has a check.
type field[T any] struct {
	set func(*policy.Policy, T)
	get func(*policy.Policy) (T, bool)
}

// pointer is a field that is nil where the policy does not ask.
func pointer[T any](at func(*policy.Policy) **T) *field[*T] {
	return &field[*T]{
		set: func(p *policy.Policy, v *T) { *at(p) = v },
		get: func(p *policy.Policy) (*T, bool) { return *at(p), *at(p) != nil },
	}
}

// asked is a field that is empty where the policy does not ask.
func asked(at func(*policy.Policy) *string) *field[string] {
	return &field[string]{
		set: func(p *policy.Policy, v string) { *at(p) = v },
		get: func(p *policy.Policy) (string, bool) { return *at(p), *at(p) != "" },
	}
}

// members is a field that is empty where the policy does not ask.
func members[T any](at func(*policy.Policy) *[]T) *field[[]T] {
	return &field[[]T]{
		set: func(p *policy.Policy, v []T) { *at(p) = v },
		get: func(p *policy.Policy) ([]T, bool) { return *at(p), len(*at(p)) > 0 },
	}
}

// bound is a list that bounds something where it is not nil: an empty one allows
// nothing.
func bound(at func(*policy.Policy) **[]string) *field[[]string] {
	return &field[[]string]{
		set: func(p *policy.Policy, v []string) { *at(p) = &v },
		get: func(p *policy.Policy) ([]string, bool) {
			if *at(p) == nil {
				return nil, false
			}
			return **at(p), true
		},
	}
}

// demanded is a field that is true where the policy asks for the wanted value.
func demanded(wanted bool, at func(*policy.Policy) *bool) *field[bool] {
	return &field[bool]{
		set: func(p *policy.Policy, v bool) { *at(p) = v == wanted },
		get: func(p *policy.Policy) (bool, bool) { return wanted, *at(p) },
	}
}

// entry is a key of the policy. A nil field says that this version has no check
// for it: a value that asks for something is an error then.
func entry[T any](name string, r reader[T], f *field[T], means string, ids ...string) key {
	k := key{name: name, means: means, ids: ids, checked: f != nil, words: r.words, demand: r.demand, quiet: r.quiet}
	k.read = func(d *decoder, n node, path string) {
		v, ok := r.read(d, n, path)
		switch {
		case !ok || (r.asks != nil && !r.asks(v)):
		case f == nil:
			d.fail(n, "%s: there is no check for this key yet in this version", path)
		default:
			f.set(d.policy, v)
		}
	}
	k.write = func(p *policy.Policy) (string, bool) {
		if f == nil {
			return "", false
		}
		v, ok := f.get(p)
		if !ok {
			return "", false
		}
		return r.format(v), true
	}
	return k
}

// part is a key within a list's mapping. set may be nil where the list as a whole
// has no check.
func part[T any](name string, r reader[T], set func(T), means string) key {
	return key{
		name: name, means: means, words: r.words, demand: r.demand,
		read: func(d *decoder, n node, path string) {
			if v, ok := r.read(d, n, path); ok && set != nil {
				set(v)
			}
		},
	}
}

// group is a key that holds keys.
func group(name, means string, keys ...key) key {
	return key{name: name, means: means, words: "mapping", keys: keys}
}
