package checks

import (
	"slices"
	"testing"

	"github.com/selfaudit/selfaudit/internal/names"
)

// TestGroupsHoldBothNames: a group that names a call of 32 bits names that of
// 64 bits too, so that denying a group never asks for more than its words.
func TestGroupsHoldBothNames(t *testing.T) {
	found := 0
	for _, arch := range []string{"amd64", "arm64"} {
		b := abi{ABI: names.ABIs(arch)[0]}
		for _, group := range names.SyscallGroups() {
			members, _ := names.SyscallGroup(group)
			for _, name := range members {
				for _, form := range b.forms(name) {
					if form.name == name {
						continue
					}
					found++
					if !slices.Contains(members, form.name) {
						t.Errorf("%s: %s asks for %s on %s, which is not in it", group, name, form.name, arch)
					}
				}
			}
		}
	}
	if found == 0 {
		t.Error("no group has a call of 32 bits")
	}
}
