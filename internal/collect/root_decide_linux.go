package collect

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// place is a directory that was looked at.
type place = posture.Fact[kernel.FileStat]

// rootEvidence is what was seen of one root directory, and what it is to be
// compared with.
type rootEvidence struct {
	// target is the root directory itself.
	target place
	// machine is the root directory of the machine's first process.
	machine place
	// namespace is the root of the mount namespace that target is seen in.
	namespace place
	// shared is true where that is the machine's mount namespace.
	shared posture.Fact[bool]
	// readOnly is the mount's that target lies on.
	readOnly posture.Fact[bool]
}

func sameDirectory(a, b *kernel.FileStat) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// decideRoot draws the conclusions. It is pure.
func decideRoot(e *rootEvidence) *posture.Root {
	r := new(posture.Root)
	if e.target.State != posture.Known {
		r.Host.Origin, r.Chroot.Origin, r.ReadOnly.Origin = e.target.Origin, e.target.Origin, e.target.Origin
		return r
	}
	e.decideHost(&r.Host)
	e.decideChroot(&r.Chroot)
	r.ReadOnly = e.readOnly
	return r
}

// decideHost: one and the same directory is the machine's root, by whatever
// mount and in whatever mount namespace it is reached.
func (e *rootEvidence) decideHost(f *posture.Fact[bool]) {
	switch source := e.target.Source; {
	case e.machine.State == posture.Known:
		f.Value = sameDirectory(&e.target.Value, &e.machine.Value)
		f.Know(source, e.target.Raw+"; the machine's: "+e.machine.Raw)
	case e.target.Value.HasMountRoot && !e.target.Value.MountRoot:
		f.Know(source, e.target.Raw+"; the machine's root directory is the root of a mount")
	default:
		f.Fail(source, "the machine's root directory cannot be seen from here: "+e.machine.Why())
	}
}

// decideChroot: the root of a mount namespace is the root of a mount, and one
// of all those in the namespace.
func (e *rootEvidence) decideChroot(f *posture.Fact[bool]) {
	source, target := e.target.Source, &e.target.Value
	top := &e.namespace
	if e.shared.State == posture.Known && e.shared.Value && top.State != posture.Known {
		top = &e.machine
	}
	both := e.target.Raw + "; its mount namespace's: " + top.Raw
	switch {
	case target.HasMountRoot && !target.MountRoot:
		f.Value = true
		f.Know(source, e.target.Raw)
	case top.State != posture.Known:
		f.Fail(source, "the root of its mount namespace cannot be seen from here: "+top.Why())
	case !sameDirectory(target, &top.Value):
		f.Value = true
		f.Know(source, both)
	case !target.HasMountID || !top.Value.HasMountID:
		f.Fail(source, "the root of its mount namespace is the same directory, and no mount ids tell whether by the same mount")
	default:
		f.Value = target.MountID != top.Value.MountID
		f.Know(source, both)
	}
}

// worsen joins with r the root of a thread that does not share it. What one
// thread can do, the process can.
func worsen(r, other *posture.Root, tid int) {
	worst(&r.Host, &other.Host, true, &r.Of.Host, tid)
	worst(&r.Chroot, &other.Chroot, true, &r.Of.Chroot, tid)
	worst(&r.ReadOnly, &other.ReadOnly, false, &r.Of.ReadOnly, tid)
}

// worst puts into a the worse of the two, bad before unknown before good, and
// into of the thread that it is of. b is of tid.
func worst(a, b *posture.Fact[bool], bad bool, of *int, tid int) {
	if rank(b, bad) > rank(a, bad) {
		*a, *of = *b, tid
	}
}

func rank(f *posture.Fact[bool], bad bool) int {
	switch {
	case f.State != posture.Known:
		return 1
	case f.Value == bad:
		return 2
	default:
		return 0
	}
}
