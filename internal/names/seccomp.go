package names

import "strconv"

var seccompModes = [...]string{"disabled", "strict", "filter"}

// SeccompModeName returns the word for a mode as the Seccomp line of
// /proc/PID/status numbers it: 0 disabled, 1 strict, 2 filter. Any other number
// reads "mode 3".
func SeccompModeName(n int) string {
	if n >= 0 && n < len(seccompModes) {
		return seccompModes[n]
	}
	return "mode " + strconv.Itoa(n)
}
