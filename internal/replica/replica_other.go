//go:build !linux

package replica

import (
	"context"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Target needs Linux.
type Target struct{}

// Examine returns kernel.ErrNeedsLinux.
func (t *Target) Examine(int) (posture.AfterExec, bool, error) {
	return posture.AfterExec{}, false, kernel.ErrNeedsLinux
}

// Open returns an error that says so.
func Open(context.Context, int) (*Target, error) { return nil, kernel.ErrNeedsLinux }

// JoinCgroups does nothing here.
func (t *Target) JoinCgroups() {}

// Doubt says nothing here: there is no attempt to doubt.
func (t *Target) Doubt(*posture.Class, *posture.Attempt) string { return "" }

// Close does nothing here.
func (t *Target) Close() {}

// Still returns an error that says so.
func (t *Target) Still() error { return kernel.ErrNeedsLinux }

// Apart splits none here.
func (t *Target) Apart(class *posture.Class) []posture.Class { return []posture.Class{*class} }

// Posture returns an error that says so.
func (t *Target) Posture(*posture.Class) (child.Posture, []string, error) {
	return child.Posture{}, nil, kernel.ErrNeedsLinux
}

// Differs says so.
func (t *Target) Differs(child.Taken, *posture.Class) string { return kernel.ErrNeedsLinux.Error() }

// Number knows none here.
func (t *Target) Number(int, *posture.Class) (int, bool, error) {
	return 0, false, kernel.ErrNeedsLinux
}

// Sees cannot tell here.
func (t *Target) Sees(int, *posture.Class) bool { return true }
