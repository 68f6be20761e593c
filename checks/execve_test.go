package checks_test

import (
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// TestExecve goes through the rules of capabilities(7) on any system.
// TestExecveOnThisKernel holds them against a kernel.
func TestExecve(t *testing.T) {
	const a, b, c posture.CapSet = 1, 2, 4
	user := sameIDs(1000)
	root := sameIDs(0)
	realRoot, effectiveRoot, savedRoot, unmapped := user, user, user, user
	realRoot.Real = mapped(0)
	effectiveRoot.Effective, effectiveRoot.FS = mapped(0), mapped(0)
	savedRoot.Saved, savedRoot.FS = mapped(0), mapped(0)
	unmapped.Real, unmapped.Effective = posture.ID{Unmapped: true}, posture.ID{Unmapped: true}
	otherFS := user
	otherFS.FS = mapped(7)

	type sets = posture.CapSets
	for _, row := range []struct {
		rule string
		in   checks.Credentials
		want sets
	}{
		{"a user keeps nothing", checks.Credentials{UID: user, Caps: sets{Permitted: a, Effective: a}}, sets{}},
		{"the inheritable and the bounding set stay", checks.Credentials{UID: user, Caps: sets{Inheritable: a, Bounding: b}}, sets{Inheritable: a, Bounding: b}},
		{"the ambient set becomes permitted and effective", checks.Credentials{UID: user, Caps: sets{Inheritable: a, Permitted: a, Ambient: a}},
			sets{Inheritable: a, Permitted: a, Effective: a, Ambient: a}},
		{"the ambient set is not bounded", checks.Credentials{UID: user, Caps: sets{Inheritable: a, Permitted: a, Ambient: a, Bounding: b}},
			sets{Inheritable: a, Permitted: a, Effective: a, Ambient: a, Bounding: b}},
		{"no_new_privs leaves the ambient set", checks.Credentials{UID: user, NoNewPrivs: true, Caps: sets{Inheritable: a, Permitted: a, Ambient: a}},
			sets{Inheritable: a, Permitted: a, Effective: a, Ambient: a}},
		{"root gets the bounding set", checks.Credentials{UID: root, Caps: sets{Bounding: a | b}}, sets{Permitted: a | b, Effective: a | b, Bounding: a | b}},
		{"root gets the inheritable set", checks.Credentials{UID: root, Caps: sets{Inheritable: c, Bounding: a}}, sets{Inheritable: c, Permitted: a | c, Effective: a | c, Bounding: a}},
		{"root gets its ambient set", checks.Credentials{UID: root, Caps: sets{Inheritable: c, Permitted: c, Ambient: c, Bounding: a}},
			sets{Inheritable: c, Permitted: a | c, Effective: a | c, Ambient: c, Bounding: a}},
		{"a real root id gives permitted ones, not effective", checks.Credentials{UID: realRoot, Caps: sets{Bounding: a}}, sets{Permitted: a, Bounding: a}},
		{"an effective root id gives both", checks.Credentials{UID: effectiveRoot, Caps: sets{Bounding: a}}, sets{Permitted: a, Effective: a, Bounding: a}},
		{"a saved or file system root id gives nothing", checks.Credentials{UID: savedRoot, Caps: sets{Bounding: a}}, sets{Bounding: a}},
		{"an id without mapping is not root", checks.Credentials{UID: unmapped, Caps: sets{Bounding: a}}, sets{Bounding: a}},
		{"noroot makes root a user", checks.Credentials{UID: root, Securebits: names.SecbitNoroot, Caps: sets{Permitted: a, Effective: a, Bounding: a}}, sets{Bounding: a}},
		{"noroot leaves the ambient set", checks.Credentials{UID: root, Securebits: names.SecbitNoroot, Caps: sets{Inheritable: a, Permitted: a, Ambient: a}},
			sets{Inheritable: a, Permitted: a, Effective: a, Ambient: a}},
		{"no other securebit matters", checks.Credentials{UID: root, Securebits: ^names.SecbitNoroot, Caps: sets{Bounding: a}}, sets{Permitted: a, Effective: a, Bounding: a}},
		{"no_new_privs keeps root from gaining", checks.Credentials{UID: root, NoNewPrivs: true, Caps: sets{Bounding: a | b}}, sets{Bounding: a | b}},
		{"no_new_privs leaves root what was permitted and is bounded", checks.Credentials{UID: root, NoNewPrivs: true, Caps: sets{Permitted: a | c, Bounding: a | b}},
			sets{Permitted: a, Effective: a, Bounding: a | b}},
		{"a changed group id clears the ambient set", checks.Credentials{UID: user, GID: otherFS, Caps: sets{Inheritable: a, Permitted: a, Ambient: a}}, sets{Inheritable: a}},
		{"a supplementary group keeps it", checks.Credentials{UID: user, GID: otherFS, Groups: []posture.ID{mapped(1000)}, Caps: sets{Inheritable: a, Permitted: a, Ambient: a}},
			sets{Inheritable: a, Permitted: a, Effective: a, Ambient: a}},
	} {
		if got := checks.Execve(row.in); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.rule, got, row.want)
		}
	}
}
