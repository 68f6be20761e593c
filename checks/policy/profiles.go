package policy

import "slices"

// Profile is a built-in policy with a sentence on what it is for.
type Profile struct {
	Name, Summary string
	make          func() *Policy
}

// Policy returns a new copy of the profile's policy.
func (p Profile) Policy() *Policy {
	pol := p.make()
	pol.Name = p.Name
	pol.Source = "builtin:" + p.Name
	return pol
}

var profiles = []Profile{
	{"compose-hardened", "docker-hardened, and limits on memory, processor time, processes and descriptors", composeHardened},
	{"confined", "what any service can reach without a container; the default", confined},
	{"docker-hardened", "a container of the hardening flags of docker run, as they are: its user may be 0", dockerHardened},
	{"jail", "namespaces, one id, a root of its own and no capability, not even inside", jail},
	{"privdrop", "a root of its own or a chroot, non-root ids, nothing else", privdrop},
	{"web-service", "non-root, no more than a low port, a filter without execve, a read-only root and a /tmp that executes nothing", webService},
}

// Profiles returns the built-in profiles that are complete, by name.
func Profiles() []Profile { return slices.Clone(profiles) }

// Builtin returns a new copy of the named built-in policy.
func Builtin(name string) (*Policy, bool) {
	for _, p := range profiles {
		if p.Name == name {
			return p.Policy(), true
		}
	}
	return nil, false
}

// Default returns a new copy of the profile confined. A program that needs no
// other profile links no other through it.
func Default() *Policy { return Profile{Name: "confined", make: confined}.Policy() }

func none() *CapSet { return new(CapSet) }

func nonrootUser() User {
	return User{UID: &ID{Nonroot: true}, GID: &ID{Nonroot: true}, AdditionalGIDs: &Groups{Nonroot: true}}
}

// confined says what the contract's paragraph on it says, in its order.
func confined() *Policy {
	return &Policy{
		Process: Process{
			User:            nonrootUser(),
			Capabilities:    Capabilities{Effective: none(), Permitted: none(), Inheritable: none(), Ambient: none()},
			NoNewPrivileges: true,
			UniformThreads:  true,
		},
		Seccomp:     Seccomp{Mode: ModeFilter},
		Descriptors: Descriptors{NoneOutsideRoot: true},
		Probes:      Probes{Reescalation: DefaultReescalation(), Syscalls: DefaultSyscalls()},
	}
}

// privdrop is what the library of that name claims to have done.
func privdrop() *Policy {
	return &Policy{
		Process:    Process{User: nonrootUser(), UniformThreads: true},
		Filesystem: Filesystem{Root: Root{NotHost: true}},
	}
}

// without returns the attempts that are not among those left out.
func without(attempts []string, left ...string) []string {
	return slices.DeleteFunc(attempts, func(name string) bool { return slices.Contains(left, name) })
}

// DefaultReescalation is what `probes.reescalation: true` stands for.
func DefaultReescalation() []string {
	return []string{
		"setuid-root", "setgid-root", "setresuid-root", "setresgid-root", "setreuid-root", "setfsuid-root",
		"setgroups", "capset", "ambient-raise", "exec-gain", "chroot-escape",
		"userns", "userns-clone", "userns-clone3",
	}
}

// DefaultSyscalls is what `probes.syscalls: true` stands for.
func DefaultSyscalls() []string {
	return []string{
		"mount", "umount2", "pivot-root", "fsopen", "fspick", "open-tree", "move-mount", "mount-setattr", "chroot",
		"setns", "open-by-handle-at",
		"bpf", "perf-event-open", "userfaultfd", "io-uring-setup",
		"kexec-load", "kexec-file-load", "init-module", "finit-module", "delete-module",
		"reboot", "swapon", "swapoff", "settimeofday", "clock-adjtime", "sethostname", "setdomainname", "acct",
		"keyctl", "add-key", "quotactl", "syslog",
		"raw-socket", "packet-socket", "ptrace", "process-vm-readv",
	}
}
