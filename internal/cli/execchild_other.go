//go:build !linux

package cli

import (
	"os"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

func hasFileCapabilities(*os.File) (bool, error) { return false, kernel.ErrNeedsLinux }

func ownSets() (posture.CapSets, error) { return posture.CapSets{}, kernel.ErrNeedsLinux }
