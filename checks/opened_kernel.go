package checks

import (
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// kernelObjects are what the kernel calls the objects behind descriptors that
// have no place, by their whole names or, with a star, by how they begin. Those
// without words serve the process alone and grant nothing.
var kernelObjects = [...]struct{ name, grants string }{
	{"[eventfd]", ""}, {"[eventpoll]", ""}, {"[signalfd]", ""}, {"[timerfd]", ""}, {"inotify", ""}, {"[landlock-ruleset]", ""}, {"sync_file", ""},
	{"bpf-map", "memory that BPF programs in the kernel share"},
	{"bpf-prog", "a BPF program in the kernel"},
	{"bpf_link", "a BPF program that is attached in the kernel"}, {"bpf-link", "a BPF program that is attached in the kernel"},
	{"bpf_iter", "a BPF program that walks the kernel's objects"}, {"bpf_token", "leave to use bpf(2)"}, {"btf", "types of BPF programs"},
	{"[perf_event]", "samples and counters of perf_event_open(2)"},
	{"[io_uring]", "a ring of io_uring_setup(2)"},
	{"[userfaultfd]", "page faults of a process: userfaultfd(2)"},
	{"[fanotify]", "events of whole file systems: fanotify(7)"},
	{"seccomp notify", "the answers to system calls of other processes: seccomp_unotify(2)"},
	{"[fscontext]", "a file system that is being mounted: fsopen(2)"},
	{"kvm*", "a virtual machine: /dev/kvm"},
	{"[vfio*", "a device by VFIO"}, {"iommufd*", "an IOMMU"}, {"dmabuf*", "a buffer of a device"}, {"[guest_memfd]", "memory of a virtual machine"}, {"[kvm-gmem]", "memory of a virtual machine"},
}

// judgeKernel judges objects that were opened with privileges, or before a
// filter was loaded, and keep what was granted then.
func judgeKernel(f *posture.OpenFile) openedVerdict {
	const what = "of a kernel object that grants more"
	yes, unknown := is(f, what, posture.FileKernel, posture.FileProcess)
	facts := []*posture.Origin{&f.Kind.Origin}
	switch {
	case unknown != nil:
		return *unknown
	case !yes:
		return openedPass
	case f.Kind.Value == posture.FileProcess:
		return judgeMemory(f)
	}
	for i := range kernelObjects {
		k := &kernelObjects[i]
		prefix, begins := strings.CutSuffix(k.name, "*")
		if f.Object != k.name && !(begins && strings.HasPrefix(f.Object, prefix)) {
			continue
		}
		if k.grants == "" {
			return openedPass
		}
		words := "of " + k.grants
		if f.Detail != "" {
			words += ", " + f.Detail
		}
		return openedVerdict{report.Gap, words, facts}
	}
	return openedVerdict{report.Unknown, what + " is not known: " + quoted(f.Object) + " is none that is known here", facts}
}

// judgeMemory judges a file of /proc that reaches a process's memory.
func judgeMemory(f *posture.OpenFile) openedVerdict {
	own, known := f.Own.Get()
	switch {
	case f.Flags.State == posture.Known && f.Flags.Value.Path:
		return openedPass
	case !known:
		return unknownOpened("of another process's memory", &f.Own.Origin, "whose it is")
	case own:
		return openedPass
	default:
		return openedVerdict{report.Gap, "of the " + f.Object + " file of another process (" + quoted(f.Path) + ")", []*posture.Origin{&f.Kind.Origin, &f.Own.Origin}}
	}
}
