package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// hasFileCapabilities asks for the extended attribute that holds them:
// xattr(7), capabilities(7). A file system without attributes has none.
func hasFileCapabilities(f *os.File) (bool, error) {
	_, err := syscall.Getxattr(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), "security.capability", nil)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.ENODATA), errors.Is(err, syscall.EOPNOTSUPP):
		return false, nil
	default:
		return false, fmt.Errorf("getxattr(2): %w", err)
	}
}

// ownSets asks the kernel itself, not /proc, which the parent reads already.
func ownSets() (posture.CapSets, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	calls := kernel.New(nil)
	three, err := calls.Capget(0)
	if err != nil {
		return posture.CapSets{}, err
	}
	bounding, last, err := calls.BoundingSet()
	if err != nil {
		return posture.CapSets{}, err
	}
	ambient, err := calls.AmbientSet(last)
	if err != nil {
		return posture.CapSets{}, err
	}
	return posture.CapSets{
		Inheritable: posture.CapSet(three.Inheritable), Permitted: posture.CapSet(three.Permitted), Effective: posture.CapSet(three.Effective),
		Bounding: posture.CapSet(bounding), Ambient: posture.CapSet(ambient),
	}, nil
}
