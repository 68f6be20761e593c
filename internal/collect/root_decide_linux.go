package collect

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// rootEvidence is what was seen of one root directory, and what it is to be
// compared with.
type rootEvidence struct {
	// target is the root directory itself.
	target posture.Fact[kernel.FileStat]
	// machine is the root directory of the machine's first process.
	machine posture.Fact[kernel.FileStat]
	// namespace is the root of the mount namespace that target is seen in.
	namespace posture.Fact[kernel.FileStat]
	// shared is true where that is the machine's mount namespace.
	shared posture.Fact[bool]
	// readOnly is the mount's that target lies on.
	readOnly posture.Fact[bool]
}

func sameDirectory(a, b kernel.FileStat) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// decideRoot draws the conclusions. It is pure.
func decideRoot(e rootEvidence) posture.Root {
	target, known := e.target.Get()
	if !known {
		failed := posture.Carry(e.target, false)
		return posture.Root{Host: failed, Chroot: failed, ReadOnly: failed}
	}
	return posture.Root{Host: isHost(e, target), Chroot: isChroot(e, target), ReadOnly: e.readOnly}
}

// isHost: one and the same directory is the machine's root, by whatever mount
// and in whatever mount namespace it is reached.
func isHost(e rootEvidence, target kernel.FileStat) posture.Fact[bool] {
	if machine, known := e.machine.Get(); known {
		return posture.Of(sameDirectory(target, machine), e.target.Source, e.target.Raw+"; the machine's: "+e.machine.Raw)
	}
	if target.HasMountRoot && !target.MountRoot {
		return posture.Of(false, e.target.Source, e.target.Raw+"; the machine's root directory is the root of a mount")
	}
	return posture.Failed[bool](e.target.Source, "the machine's root directory cannot be seen from here: "+e.machine.Why())
}

// isChroot: the root of a mount namespace is the root of a mount, and one of
// all those in the namespace.
func isChroot(e rootEvidence, target kernel.FileStat) posture.Fact[bool] {
	if target.HasMountRoot && !target.MountRoot {
		return posture.Of(true, e.target.Source, e.target.Raw)
	}
	top := e.namespace
	if shared, known := e.shared.Get(); known && shared && top.State != posture.Known {
		top = e.machine
	}
	root, known := top.Get()
	switch {
	case !known:
		return posture.Failed[bool](e.target.Source, "the root of its mount namespace cannot be seen from here: "+top.Why())
	case !sameDirectory(target, root):
		return posture.Of(true, e.target.Source, e.target.Raw+"; its mount namespace's: "+top.Raw)
	case !target.HasMountID || !root.HasMountID:
		return posture.Failed[bool](e.target.Source, "the root of its mount namespace is the same directory, and no mount ids tell whether by the same mount")
	default:
		return posture.Of(target.MountID != root.MountID, e.target.Source, e.target.Raw+"; its mount namespace's: "+top.Raw)
	}
}

// worstRoot joins the roots of threads that do not share one. What one thread
// can do, the process can.
func worstRoot(a, b posture.Root) posture.Root {
	return posture.Root{
		Host:     worst(a.Host, b.Host, true),
		Chroot:   worst(a.Chroot, b.Chroot, true),
		ReadOnly: worst(a.ReadOnly, b.ReadOnly, false),
	}
}

func worst(a, b posture.Fact[bool], bad bool) posture.Fact[bool] {
	switch {
	case a.State == posture.Known && a.Value == bad:
		return a
	case b.State == posture.Known && b.Value == bad, a.State == posture.Known:
		return b
	default:
		return a
	}
}
