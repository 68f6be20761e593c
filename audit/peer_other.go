//go:build !linux

package audit

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/probes"
)

func findPeers(map[string]string, *posture.Process) ([]probes.Peer, error) {
	return nil, kernel.ErrNeedsLinux
}

func peersOf(int, *posture.Class, func(int) (int, bool, error)) ([]probes.Peer, []int, error) {
	return nil, nil, kernel.ErrNeedsLinux
}

func gone(int) bool { return false }

func tracer(func(int) bool) string { return "" }

func heldMemory(*posture.Process) ([]posture.Attempt, string, error) {
	return nil, "", kernel.ErrNeedsLinux
}
