package names

import (
	"strconv"
	"strings"
)

// securebits are the names of the bits that PR_GET_SECUREBITS returns, by bit
// number: capabilities(7). The two exec bits came with Linux 6.14.
var securebits = [...]string{
	"noroot",
	"noroot-locked",
	"no-setuid-fixup",
	"no-setuid-fixup-locked",
	"keep-caps",
	"keep-caps-locked",
	"no-cap-ambient-raise",
	"no-cap-ambient-raise-locked",
	"exec-restrict-file",
	"exec-restrict-file-locked",
	"exec-deny-interactive",
	"exec-deny-interactive-locked",
}

// Securebits by mask: SECBIT_* of capabilities(7).
const (
	SecbitNoroot            uint32 = 1 << 0
	SecbitNoSetuidFixup     uint32 = 1 << 2
	SecbitKeepCaps          uint32 = 1 << 4
	SecbitNoCapAmbientRaise uint32 = 1 << 6
)

// SecurebitNames returns the names of all securebits in the order of their
// bits: "noroot" is bit 0. The slice is the caller's.
func SecurebitNames() []string { return append([]string(nil), securebits[:]...) }

// Securebit returns the mask of the named securebit.
func Securebit(name string) (uint32, bool) {
	for bit, known := range securebits {
		if name == known {
			return 1 << bit, true
		}
	}
	return 0, false
}

// SecurebitsString returns the names of the bits that are set, in the order of
// the bits, separated by commas, or "none". A bit without a name reads "bit 12".
func SecurebitsString(bits uint32) string {
	if bits == 0 {
		return wordNone
	}
	var set []string
	for bit := range 32 {
		switch {
		case bits&(1<<bit) == 0:
		case bit < len(securebits):
			set = append(set, securebits[bit])
		default:
			set = append(set, "bit "+strconv.Itoa(bit))
		}
	}
	return strings.Join(set, ", ")
}
