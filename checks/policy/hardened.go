package policy

import "slices"

// maskedPaths and readonlyPaths are those that engines hide and keep from being
// written to since they first did; the lists of newer ones are longer.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
		"/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// bindService is CAP_NET_BIND_SERVICE alone.
func bindService() *CapSet {
	const netBindService = 10
	c := CapSet(1 << netBindService)
	return &c
}

// takingRoot are the attempts that succeed wherever an id is 0 already, which
// is as high as they get.
var takingRoot = []string{"setuid-root", "setgid-root", "setresuid-root", "setresgid-root", "setreuid-root", "setfsuid-root"}

// ambientRaise succeeds with any capability that is permitted.
const ambientRaise = "ambient-raise"

// hardTmp asks for a /tmp of its own from which no program is started.
func hardTmp() []Mount { return []Mount{{"/tmp", []string{"noexec", "nosuid"}}} }

// webService is a service that has dropped all that it does not need to serve.
// What it mounts beside its root and /tmp is its own business.
func webService() *Policy {
	return &Policy{
		Process: Process{
			User: nonrootUser(),
			Capabilities: Capabilities{
				Effective: bindService(), Permitted: bindService(), Inheritable: none(), Ambient: none(), Bounding: bindService(), Exec: bindService(),
			},
			NoNewPrivileges: true,
			UniformThreads:  true,
			NoTracer:        true,
			SafeExecutable:  true,
		},
		Seccomp: Seccomp{
			Mode: ModeFilter, Enforcing: true,
			// Execveat does what execve does.
			Deny: []string{"execve", "execveat", "mount", "ptrace"},
		},
		Filesystem: Filesystem{
			Root:   Root{ReadOnly: true},
			Mounts: hardTmp(),
			// Where a service's data lies. /tmp is not among it, nor is what belongs
			// to the system.
			Executable: &[]string{"/data", "/dev", "/home", "/media", "/mnt", "/opt", "/run", "/srv", "/var"},
		},
		Descriptors: Descriptors{NoneOutsideRoot: true, NoDevices: true, NoRawSockets: true, NoNamespaces: true, NoKernelObjects: true},
		Network:     Network{NoRaw: true},
		Probes:      Probes{Reescalation: without(DefaultReescalation(), ambientRaise), Syscalls: DefaultSyscalls()},
	}
}

// dockerHardened asks what docker run gives with the flags of docs/profiles.md,
// and nothing that depends on the image. Some control groups have no namespace
// there, so none is asked for.
func dockerHardened() *Policy {
	return &Policy{
		Process: Process{
			Capabilities: Capabilities{
				// Podman makes it inheritable and ambient for users other than 0.
				Effective: bindService(), Permitted: bindService(), Inheritable: bindService(), Ambient: bindService(), Bounding: bindService(), Exec: bindService(),
			},
			NoNewPrivileges: true,
			UniformThreads:  true,
			NoTracer:        true,
			SafeExecutable:  true,
		},
		Seccomp: Seccomp{Mode: ModeFilter},
		Filesystem: Filesystem{
			Root:          Root{NotHost: true, NotChroot: true, ReadOnly: true},
			Mounts:        hardTmp(),
			NoSetuidFiles: true,
			// /dev is a tmpfs of user 0, and executable. With version 1 of control
			// groups there is another where they are mounted.
			Writable:      &[]string{"/dev", "/dev/mqueue", "/dev/shm", "/sys/fs/cgroup", "/tmp"},
			Executable:    &[]string{"/dev"},
			MaskedPaths:   slices.Clone(maskedPaths),
			ReadonlyPaths: slices.Clone(readonlyPaths),
			NoDevices:     true,
		},
		Descriptors: Descriptors{NoneOutsideRoot: true, NoneWritable: true, NoDevices: true, NoRawSockets: true, NoNamespaces: true, NoKernelObjects: true},
		Network:     Network{NoAbstract: true, NoRaw: true, NoControl: true},
		Namespaces:  Namespaces{Private: []string{"pid", "mnt", "net", "ipc", "uts"}},
		Probes:      Probes{Reescalation: without(DefaultReescalation(), append([]string{ambientRaise}, takingRoot...)...), Syscalls: DefaultSyscalls()},
	}
}

// composeHardened adds the limits that a compose file has beside those flags.
func composeHardened() *Policy {
	p := dockerHardened()
	bound := func(resource string, soft, hard uint64) Rlimit { return Rlimit{resource, &soft, &hard} }
	p.Process.Rlimits = []Rlimit{bound("RLIMIT_NOFILE", 1024, 2048), bound("RLIMIT_NPROC", 128, 128)}
	p.Resources = Resources{Memory: 256 << 20, CPUQuota: 100_000, CPUPeriod: 100_000}
	return p
}

// jail is a process that namespaces hold, rather than ids and filters. Its user
// may be 0 in a user namespace of its own, where that is the one id that there is.
func jail() *Policy {
	return &Policy{
		Process: Process{
			Capabilities: Capabilities{
				Effective: none(), Permitted: none(), Inheritable: none(), Ambient: none(), Bounding: none(), Exec: none(),
			},
			NoNewPrivileges: true,
			UniformThreads:  true,
			NoTracer:        true,
			NoTerminal:      true,
		},
		Filesystem: Filesystem{
			Root: Root{NotHost: true, NotChroot: true},
			// Nothing that was written there can be executed.
			Executable: &[]string{},
			NoDevices:  true,
		},
		Descriptors: Descriptors{NoneOutsideRoot: true, NoneWritable: true, NoDevices: true, NoRawSockets: true, NoNamespaces: true, NoKernelObjects: true},
		Network:     Network{NoAbstract: true, NoEgress: true, NoRaw: true, NoControl: true},
		Namespaces: Namespaces{
			Private: []string{"user", "pid", "mnt", "net", "ipc", "uts"},
			IDMap:   IDMap{Size: 1, NotHostRoot: true},
		},
		Probes: Probes{
			Reescalation: append(without(DefaultReescalation(), takingRoot...), "fd-escape", "proc-root"),
			// Without a filter these are up to the machine's settings.
			Syscalls: without(DefaultSyscalls(), "add-key", "bpf", "io-uring-setup", "keyctl", "perf-event-open", "syslog", "userfaultfd"),
		},
	}
}
