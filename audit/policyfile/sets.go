package policyfile

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

// capabilitySet reads a list of capabilities as an upper bound: [] allows none.
func capabilitySet() reader[*policy.CapSet] {
	v := vocabulary{"capability", "a capability's name", "capabilities(7)", names.Capabilities()}
	list := v.list("", true)
	return reader[*policy.CapSet]{
		words: "list of capabilities, CAP_*", demand: "[]",
		read: func(d *decoder, n node, path string) (*policy.CapSet, bool) {
			members, ok := list.read(d, n, path)
			set := new(policy.CapSet)
			for _, name := range members {
				if bit, known := names.CapabilityNumber(name); known {
					*set |= 1 << bit
				}
			}
			return set, ok
		},
		format: func(set *policy.CapSet) string {
			return formatBits(uint64(*set), func(bit int) string { return names.CapabilityName(bit) })
		},
	}
}

// securebitSet reads a list of securebits that must be set.
func securebitSet() reader[*policy.Securebits] {
	v := vocabulary{"securebit", "a securebit's name", "capabilities(7)", names.SecurebitNames()}
	list := v.list("", true)
	return reader[*policy.Securebits]{
		words: "list of securebits", demand: "[noroot]",
		read: func(d *decoder, n node, path string) (*policy.Securebits, bool) {
			members, ok := list.read(d, n, path)
			set := new(policy.Securebits)
			for _, name := range members {
				if mask, known := names.Securebit(name); known {
					set.Set |= mask
				}
			}
			return set, ok
		},
		format: func(set *policy.Securebits) string {
			return formatBits(uint64(set.Set), func(bit int) string { return names.SecurebitsString(1 << bit) })
		},
	}
}

func formatBits(set uint64, name func(bit int) string) string {
	var members []string
	for ; set != 0; set &= set - 1 {
		members = append(members, name(bits.TrailingZeros64(set)))
	}
	return "[" + strings.Join(members, ", ") + "]"
}

// attempts reads true, false or a list of names of one group of attempts.
func attempts(g names.Group, defaults func() []string) reader[[]string] {
	demand := ""
	for _, a := range names.Attempts() {
		if a.Group == g && demand == "" {
			demand = "[" + a.Name + "]"
		}
	}
	return reader[[]string]{
		words: "true (the defaults), false, or a list of attempts", demand: demand, quiet: "false",
		asks: func(l []string) bool { return len(l) > 0 },
		read: func(d *decoder, n node, path string) ([]string, bool) {
			switch n.kind() {
			case listNode:
				return readAttempts(d, n, path, g)
			case boolNode:
				if strings.EqualFold(n.text(), "true") {
					return defaults(), true
				}
				return nil, true
			default:
				d.fail(n, "%s: true, false or a list of attempts is wanted, not %s", path, n.shown())
				return nil, false
			}
		},
		format: func(l []string) string {
			if slices.Equal(l, defaults()) {
				return "true"
			}
			return "[" + strings.Join(l, ", ") + "]"
		},
	}
}

func readAttempts(d *decoder, n node, path string, g names.Group) ([]string, bool) {
	seen := map[string]bool{}
	return readItems(d, n, path, func(d *decoder, n node, path string) (string, bool) {
		name, ok := readString(d, n, path, "an attempt's name")
		if !ok {
			return "", false
		}
		a, known := names.AttemptNamed(name)
		switch {
		case !known:
			d.fail(n, "%s: unknown attempt %s%s", path, quoted(name), attemptHint(name))
		case a.Group != g:
			d.fail(n, "%s: %s belongs under probes.%s", path, name, a.Group)
		case seen[name]:
			d.fail(n, "%s: %s is there twice", path, name)
		default:
			seen[name] = true
			return name, true
		}
		return "", false
	})
}

func attemptHint(name string) string {
	var all []string
	for _, a := range names.Attempts() {
		all = append(all, a.Name)
	}
	if near := names.Nearest(strings.TrimPrefix(name, "probe."), all); near != "" {
		return ": did you mean " + near + "?"
	}
	return ": see docs/policy.md"
}
