package names

import (
	"slices"
	"sort"
)

// everySyscall is the group of all calls. It is no row of the table of groups:
// the table of system calls is its list.
const everySyscall = "@known"

// syscallGroup is one group with its members as rows of syscallRows, those of
// the groups within it included.
type syscallGroup struct {
	name string
	rows []uint16
}

// SyscallGroups returns the names of the groups of system calls, sorted, as
// SystemCallFilter= of systemd.exec(5) has them: "@aio", "@basic-io" …. The
// slice is the caller's.
func SyscallGroups() []string {
	out := make([]string, 0, len(syscallGroupRows)+1)
	for i := range syscallGroupRows {
		out = append(out, syscallGroupRows[i].name)
	}
	i, _ := slices.BinarySearch(out, everySyscall)
	return slices.Insert(out, i, everySyscall)
}

// SyscallGroup returns the calls of a group, sorted, those of the groups within
// it included. "@known" holds every call that an architecture has. A call may be
// in several groups, and in none. The slice is the caller's.
func SyscallGroup(name string) ([]string, bool) {
	if name == everySyscall {
		return SyscallNames(), true
	}
	i := sort.Search(len(syscallGroupRows), func(i int) bool { return syscallGroupRows[i].name >= name })
	if i == len(syscallGroupRows) || syscallGroupRows[i].name != name {
		return nil, false
	}
	out := make([]string, len(syscallGroupRows[i].rows))
	for j, row := range syscallGroupRows[i].rows {
		out[j] = syscallWord(int(row))
	}
	return out, true
}

// ExpandSyscalls returns the calls that words name, themselves or by group,
// sorted and each once. A word that is neither a call nor a group is kept as it
// stands: to leave it out would be to ask for less.
func ExpandSyscalls(words []string) []string {
	var out []string
	for _, word := range words {
		if members, ok := SyscallGroup(word); ok {
			out = append(out, members...)
		} else {
			out = append(out, word)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
