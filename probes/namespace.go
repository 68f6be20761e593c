package probes

import (
	"context"
	"encoding/binary"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// pidfdMountNamespace is PIDFD_GET_MNT_NAMESPACE, Linux 6.11.
const pidfdMountNamespace = 0xff03

// namespaceID is NS_GET_ID of ioctl_nsfs(2), Linux 6.18. It is no constant, since an int of 32 bits
// has no room for it but by its bits.
var namespaceID = uint32(0x8008b70d)

// FixedNamespaces asks whether this kernel gives the machine's first namespace of
// every type a number of its own, those of net and mnt too. No call tells, and a
// process without privileges cannot look at process 1. But the same kernels tell
// the identifier of a namespace, which older ones do not: a child asks for that
// of the mount namespace that it is in, by a pidfd of itself. filtered says that a
// filter may act on the calling thread. No privilege is needed.
func FixedNamespaces(ctx context.Context, filtered bool) posture.Fact[bool] {
	const source = "ioctl(2) NS_GET_ID in a child"
	prog, err := child.New()
	if err != nil {
		return posture.Failed[bool](source, err.Error())
	}
	getpid, _ := number("getpid")
	open, _ := number("pidfd_open")
	ioctl, _ := number("ioctl")
	id := prog.Buffer(8)
	self := prog.Call(getpid, child.Need)
	pidfd := prog.Call(open, child.Need, child.Result(self), child.Int(0))
	namespace := prog.Call(ioctl, child.Need, child.Result(pidfd), child.Int(pidfdMountNamespace), child.Int(0))
	asked := prog.Call(ioctl, child.Need, child.Result(namespace), child.Int(int(namespaceID)), prog.Addr(id))
	prog.End()
	err = prog.Run(ctx, child.Options{Filtered: filtered})
	fact := posture.Failed[bool](source, "it was not asked")
	for _, step := range [...]child.Step{self, pidfd, namespace, asked} {
		if o := prog.Outcome(step); !o.OK() {
			fact = notFixed(source, o, filtered)
			break
		} else if step == asked {
			fact = posture.Failed[bool](source, "success without an answer: a seccomp filter stands before it")
			if binary.NativeEndian.Uint64(prog.Read(id)) != 0 {
				fact = posture.Of(true, source, "answered")
			}
		}
	}
	if errClose := prog.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		return posture.Failed[bool](source, err.Error())
	}
	return fact
}

// notFixed is what it means that a call failed. An older kernel may fix the
// numbers too, so that nothing is known of those either.
func notFixed(source string, o child.Outcome, filtered bool) posture.Fact[bool] {
	missing := o.Made && (o.Errno == syscall.ENOSYS || o.Errno == syscall.ENOTTY || o.Errno == syscall.EINVAL)
	if missing && !filtered {
		return posture.Failed[bool](source, "this kernel does not tell whether it fixes the numbers of the machine's namespaces: "+errnoName(o.Errno))
	}
	return posture.Failed[bool](source, "a seccomp filter, or a kernel that does not tell: "+told(o))
}
