package checks_test

import (
	"fmt"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

const (
	capChown    posture.CapSet = 1 << 0
	capNetBind  posture.CapSet = 1 << 10
	capSysAdmin posture.CapSet = 1 << 21
)

// everything is a policy that asks for all there is.
func everything() *policy.Policy {
	none := func() *policy.CapSet { return new(policy.CapSet) }
	pol := &policy.Policy{
		Name: "everything",
		Process: policy.Process{
			User: policy.User{
				UID: &policy.ID{Nonroot: true}, GID: &policy.ID{Nonroot: true}, AdditionalGIDs: &policy.Groups{Nonroot: true},
			},
			Capabilities: policy.Capabilities{
				Effective: none(), Permitted: none(), Inheritable: none(), Ambient: none(), Bounding: none(), Exec: none(),
			},
			Securebits: &policy.Securebits{Set: names.SecbitNoroot}, NoNewPrivileges: true, UniformThreads: true,
		},
		Seccomp: policy.Seccomp{
			Mode: policy.ModeFilter, Enforcing: true, Deny: []string{"mount", "ptrace"},
			Allow: &[]string{"read", "write", "exit_group", "futex"}, Architectures: []string{"x86-64"},
		},
		Filesystem:  policy.Filesystem{Root: policy.Root{NotHost: true, NotChroot: true, ReadOnly: true}, NoSetuidFiles: true},
		Descriptors: policy.Descriptors{NoneOutsideRoot: true},
		Probes:      policy.Probes{MinimumDepth: 1},
	}
	askReach(pol)
	for _, a := range names.Attempts() {
		if a.Group == names.Reescalation {
			pol.Probes.Reescalation = append(pol.Probes.Reescalation, a.Name)
		} else {
			pol.Probes.Syscalls = append(pol.Probes.Syscalls, a.Name)
		}
	}
	return pol
}

// fact is a known fact whose source and bytes name it.
func fact[T any](v T, source, name string) posture.Fact[T] {
	return posture.Of(v, source, fmt.Sprintf("%s: %v", name, v))
}

func mapped(n uint32) posture.ID { return posture.ID{Value: n, Outside: n} }

func sameIDs(n uint32) posture.IDs {
	return posture.IDs{Real: mapped(n), Effective: mapped(n), Saved: mapped(n), FS: mapped(n)}
}

func status(tid int) string { return fmt.Sprintf("/proc/10/task/%d/status", tid) }

// confinedFilters are shared: no test may change what they hold.
var confinedFilters = allowList(served).fetched()

// thread is a confined thread, as one source shows it.
func thread(tid int, source string) posture.Thread {
	return posture.Thread{
		TID:    tid,
		UID:    fact(sameIDs(1000), source, "Uid"),
		GID:    fact(sameIDs(1000), source, "Gid"),
		Groups: fact([]posture.ID{mapped(1000), mapped(44)}, source, "Groups"),
		Caps: posture.CapFacts{
			Inheritable: fact(posture.CapSet(0), source, "CapInh"),
			Permitted:   fact(posture.CapSet(0), source, "CapPrm"),
			Effective:   fact(posture.CapSet(0), source, "CapEff"),
			Bounding:    fact(posture.CapSet(0), source, "CapBnd"),
			Ambient:     fact(posture.CapSet(0), source, "CapAmb"),
		},
		NoNewPrivs:     fact(true, source, "NoNewPrivs"),
		TracerPID:      fact(0, source, "TracerPid"),
		SeccompMode:    fact(2, source, "Seccomp"),
		SeccompFilters: fact(1, source, "Seccomp_filters"),
		Filters:        confinedFilters,
	}
}

// confined is the confined process 10 with that many threads, one class, as an
// audit of self sees it.
func confined(threads int) *posture.Process {
	p := &posture.Process{
		PID: 10, Self: true,
		Threads: fact(threads, "/proc/10/task", "threads"),
		Root: posture.Root{
			Host: fact(false, "statx(2)", "host"), Chroot: fact(false, "statx(2)", "chroot"), ReadOnly: fact(true, "statx(2)", "readonly"),
			CwdOutside: fact(false, "statx(2)", "cwd"), RootOutside: fact(false, "statx(2)", "root"),
		},
		Descriptors: fact([]posture.Descriptor{
			{FD: 0, Path: "/dev/null", Directory: fact(false, "fstat(2)", "0"), OutsideRoot: fact(true, "fstat(2)", "0")},
			{FD: 3, Path: "/srv", Directory: fact(true, "fstat(2)", "3"), OutsideRoot: fact(false, "fstat(2)", "3")},
			{FD: 4, Path: "/", Directory: fact(true, "fstat(2)", "4"), OutsideRoot: fact(true, "fstat(2)", "4"), Kept: true},
		}, "/proc/10/fd", "descriptors"),
		LastCapability: fact(40, "prctl(2)", "last"),
		AfterExec:      fact(posture.CapSets{}, "a child", "sets"),
		ABIs:           abisAMD64(),
	}
	class := posture.Class{Thread: thread(10, status(10))}
	for i := range threads {
		tid := 10 + i
		class.TIDs = append(class.TIDs, tid)
		if i == 0 {
			k := thread(tid, "system calls")
			k.SeccompFilters, k.Filters = posture.Fact[int]{}, posture.Fact[posture.Filters]{}
			k.Securebits = fact(names.SecbitNoroot, "prctl(PR_GET_SECUREBITS)", "securebits")
			p.Kernel = append(p.Kernel, k)
		} else {
			p.Kernel = append(p.Kernel, posture.Thread{TID: tid, Caps: thread(tid, "capget(2)").Caps})
		}
	}
	p.Classes = []posture.Class{class}
	confineReach(p)
	for _, a := range names.Attempts() {
		p.Attempts = append(p.Attempts, posture.Attempt{
			Name: a.Name, Outcome: posture.Stopped, By: posture.StoppedByFilter,
			Evidence: []posture.Evidence{{Source: a.Name, Value: "EPERM"}},
		})
	}
	return p
}

// apart makes the thread a class of its own and returns it.
func apart(p *posture.Process, tid int) *posture.Thread {
	lead := &p.Classes[0]
	for i, t := range lead.TIDs {
		if t == tid {
			lead.TIDs = append(lead.TIDs[:i:i], lead.TIDs[i+1:]...)
		}
	}
	p.Classes = append(p.Classes, posture.Class{Thread: thread(tid, status(tid)), TIDs: []int{tid}})
	for i := range p.Kernel {
		if p.Kernel[i].TID == tid {
			p.Kernel[i] = posture.Thread{TID: tid}
		}
	}
	return &p.Classes[len(p.Classes)-1].Thread
}

// mute takes away what the kernel answered by system calls.
func mute(p *posture.Process) { p.Kernel = nil; p.AfterExec = posture.Fact[posture.CapSets]{} }
