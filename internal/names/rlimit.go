package names

import "strconv"

// rlimits are the resources of getrlimit(2) by number, as the generic table of
// Linux has them. Mips, sparc and alpha number some otherwise.
var rlimits = [...]string{
	"RLIMIT_CPU",
	"RLIMIT_FSIZE",
	"RLIMIT_DATA",
	"RLIMIT_STACK",
	"RLIMIT_CORE",
	"RLIMIT_RSS",
	"RLIMIT_NPROC",
	"RLIMIT_NOFILE",
	"RLIMIT_MEMLOCK",
	"RLIMIT_AS",
	"RLIMIT_LOCKS",
	"RLIMIT_SIGPENDING",
	"RLIMIT_MSGQUEUE",
	"RLIMIT_NICE",
	"RLIMIT_RTPRIO",
	"RLIMIT_RTTIME",
}

// RlimitName returns "RLIMIT_NOFILE" for 7. A number without a name reads
// "rlimit 16".
func RlimitName(n int) string {
	if n >= 0 && n < len(rlimits) {
		return rlimits[n]
	}
	return "rlimit " + strconv.Itoa(n)
}

// RlimitNumber returns the number of the resource of that name.
func RlimitNumber(name string) (int, bool) {
	for n, known := range rlimits {
		if name == known {
			return n, true
		}
	}
	return 0, false
}

// Rlimits returns the names of all resources, in the order of their numbers.
// The slice is the caller's.
func Rlimits() []string { return append([]string(nil), rlimits[:]...) }
