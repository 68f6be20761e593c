package seccomp

import "github.com/selfaudit/selfaudit/internal/names"

// ABI is a way into the kernel, which a filter tells from others.
type ABI = names.ABI

// ABIs returns the ABIs that a kernel may have, as names.ABIs does.
func ABIs(goarch string) []ABI { return names.ABIs(goarch) }

// FindABI returns the ABI of a name, as names.FindABI does.
func FindABI(name string) (ABI, bool) { return names.FindABI(name) }

// Unfiltered says why the kernel asks no filter about a call of an ABI, as
// names.Unfiltered does.
func Unfiltered(abi ABI, nr uint32) string { return names.Unfiltered(abi.Arch, nr) }
