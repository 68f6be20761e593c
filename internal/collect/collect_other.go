//go:build !linux

package collect

import (
	"context"
	"fmt"
	"runtime"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Self fails outside Linux.
func Self(context.Context, Options) (*posture.Process, error) { return nil, kernel.ErrNeedsLinux }

// PID fails outside Linux.
func PID(_ context.Context, pid int, _ Options) (*posture.Process, error) {
	return nil, fmt.Errorf("process %d: %w", pid, kernel.ErrNeedsLinux)
}

// RootReader reads nothing outside Linux.
type RootReader struct{}

// ReadRoot reads nothing outside Linux.
func ReadRoot(*RootReader) {}

// OwnSeccomp is not known outside Linux.
func OwnSeccomp() (mode int, known bool) { return 0, false }

// Hint knows nothing outside Linux.
func Hint() (own *posture.Thread, init *posture.Fact[posture.IDs]) {
	return new(posture.Thread), new(posture.Fact[posture.IDs])
}

// Host returns the architecture; there is no Linux kernel.
func Host() (kernelRelease, arch string) { return "", runtime.GOARCH }
