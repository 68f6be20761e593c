package names

// Asked says when the kernel asks for an attempt's capability.
type Asked uint8

const (
	// AskedNever: the attempt takes no capability.
	AskedNever Asked = iota
	// AskedAlways: without the capability the kernel refuses.
	AskedAlways
	// AskedElse: ids or a setting of the machine may permit it without the
	// capability, and where they do not, the capability does.
	AskedElse
)

// Need is what an attempt cannot do without, whoever makes it.
type Need struct {
	Attempt string
	// Call is the system call by its native name. An attempt at a whole ABI
	// names that in ABI, and any call of it.
	Call, ABI string
	// Other does the same as Call: a filter stops the attempt where it denies
	// both.
	Other string
	// Capabilities are those of which one will do: capabilities(7).
	Capabilities []int
	Asked        Asked
	// Nested says that the capability counts in the user namespace that owns
	// what is acted on, and that a process which makes one makes such an object
	// along with it: a mount, UTS, network or pid namespace. Any other counts in
	// the machine's initial user namespace, or in that of another process.
	Nested bool
	// RootUID and RootGID say that it takes user or group id 0.
	RootUID, RootGID bool
}

// Numbers of capabilities, from linux/capability.h.
const (
	capDACReadSearch  = 2
	capKill           = 5
	capSetgid         = 6
	capSetuid         = 7
	capSetpcap        = 8
	capNetBindService = 10
	capNetRaw         = 13
	capSysModule      = 16
	capSysRawio       = 17
	capSysChroot      = 18
	capSysPtrace      = 19
	capSysPacct       = 20
	capSysAdmin       = 21
	capSysBoot        = 22
	capSysTime        = 25
	capSyslog         = 34
	capPerfmon        = 38
	capBPF            = 39
)

// needs are in the order of attempts. Where an attempt raises what is permitted,
// capset and ambient-raise, the sets themselves are what is asked.
var needs = [...]Need{
	{Attempt: "setfsuid-root", Call: "setfsuid", Capabilities: []int{capSetuid}, Asked: AskedElse, RootUID: true},
	{Attempt: "setfsgid-root", Call: "setfsgid", Capabilities: []int{capSetgid}, Asked: AskedElse, RootGID: true},
	{Attempt: "setuid-root", Call: "setuid", Capabilities: []int{capSetuid}, Asked: AskedElse, RootUID: true},
	{Attempt: "setgid-root", Call: "setgid", Capabilities: []int{capSetgid}, Asked: AskedElse, RootGID: true},
	{Attempt: "setresuid-root", Call: "setresuid", Capabilities: []int{capSetuid}, Asked: AskedElse, RootUID: true},
	{Attempt: "setresgid-root", Call: "setresgid", Capabilities: []int{capSetgid}, Asked: AskedElse, RootGID: true},
	{Attempt: "setreuid-root", Call: "setreuid", Capabilities: []int{capSetuid}, Asked: AskedElse, RootUID: true},
	{Attempt: "setregid-root", Call: "setregid", Capabilities: []int{capSetgid}, Asked: AskedElse, RootGID: true},
	{Attempt: "setgroups", Call: "setgroups", Capabilities: []int{capSetgid}, Asked: AskedAlways, RootGID: true},
	{Attempt: "capset", Call: "capset"},
	{Attempt: "ambient-raise", Call: "prctl"},
	{Attempt: "exec-gain", Call: "execve", Other: "execveat"},
	{Attempt: "keep-caps", Call: "prctl"},
	{Attempt: "securebits", Call: "prctl", Capabilities: []int{capSetpcap}, Asked: AskedAlways, Nested: true},
	{Attempt: "chroot-escape", Call: "chroot", Capabilities: []int{capSysChroot}, Asked: AskedAlways, Nested: true},
	{Attempt: "userns", Call: "unshare"},
	{Attempt: "userns-clone", Call: "clone"},
	{Attempt: "userns-clone3", Call: "clone3"},

	{Attempt: "mount", Call: "mount", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "umount2", Call: "umount2", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "pivot-root", Call: "pivot_root", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "fsopen", Call: "fsopen", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "fspick", Call: "fspick", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "open-tree", Call: "open_tree", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "move-mount", Call: "move_mount", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "mount-setattr", Call: "mount_setattr", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "chroot", Call: "chroot", Capabilities: []int{capSysChroot}, Asked: AskedAlways, Nested: true},
	{Attempt: "setns", Call: "setns", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "open-by-handle-at", Call: "open_by_handle_at", Capabilities: []int{capDACReadSearch}, Asked: AskedAlways},
	{Attempt: "bpf", Call: "bpf", Capabilities: []int{capBPF, capSysAdmin}, Asked: AskedElse},
	{Attempt: "perf-event-open", Call: "perf_event_open", Capabilities: []int{capPerfmon, capSysAdmin}, Asked: AskedElse},
	{Attempt: "userfaultfd", Call: "userfaultfd", Capabilities: []int{capSysPtrace}, Asked: AskedElse},
	{Attempt: "io-uring-setup", Call: "io_uring_setup"},
	{Attempt: "kexec-load", Call: "kexec_load", Capabilities: []int{capSysBoot}, Asked: AskedAlways},
	{Attempt: "kexec-file-load", Call: "kexec_file_load", Capabilities: []int{capSysBoot}, Asked: AskedAlways},
	{Attempt: "init-module", Call: "init_module", Capabilities: []int{capSysModule}, Asked: AskedAlways},
	{Attempt: "finit-module", Call: "finit_module", Capabilities: []int{capSysModule}, Asked: AskedAlways},
	{Attempt: "delete-module", Call: "delete_module", Capabilities: []int{capSysModule}, Asked: AskedAlways},
	{Attempt: "reboot", Call: "reboot", Capabilities: []int{capSysBoot}, Asked: AskedAlways, Nested: true},
	{Attempt: "swapon", Call: "swapon", Capabilities: []int{capSysAdmin}, Asked: AskedAlways},
	{Attempt: "swapoff", Call: "swapoff", Capabilities: []int{capSysAdmin}, Asked: AskedAlways},
	{Attempt: "settimeofday", Call: "settimeofday", Capabilities: []int{capSysTime}, Asked: AskedAlways},
	{Attempt: "clock-adjtime", Call: "clock_adjtime", Capabilities: []int{capSysTime}, Asked: AskedAlways},
	{Attempt: "sethostname", Call: "sethostname", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "setdomainname", Call: "setdomainname", Capabilities: []int{capSysAdmin}, Asked: AskedAlways, Nested: true},
	{Attempt: "acct", Call: "acct", Capabilities: []int{capSysPacct}, Asked: AskedAlways},
	{Attempt: "keyctl", Call: "keyctl"},
	{Attempt: "add-key", Call: "add_key"},
	{Attempt: "quotactl", Call: "quotactl_fd", Capabilities: []int{capSysAdmin}, Asked: AskedAlways},
	{Attempt: "syslog", Call: "syslog", Capabilities: []int{capSyslog, capSysAdmin}, Asked: AskedElse},
	{Attempt: "raw-socket", Call: "socket", Capabilities: []int{capNetRaw}, Asked: AskedAlways, Nested: true},
	{Attempt: "packet-socket", Call: "socket", Capabilities: []int{capNetRaw}, Asked: AskedAlways, Nested: true},
	{Attempt: "ptrace", Call: "ptrace", Capabilities: []int{capSysPtrace}, Asked: AskedElse},
	{Attempt: "process-vm-readv", Call: "process_vm_readv", Capabilities: []int{capSysPtrace}, Asked: AskedElse},

	{Attempt: "ptrace-parent", Call: "ptrace", Capabilities: []int{capSysPtrace}, Asked: AskedElse},
	{Attempt: "process-vm-readv-parent", Call: "process_vm_readv", Capabilities: []int{capSysPtrace}, Asked: AskedElse},
	{Attempt: "kill-init", Call: "kill", Capabilities: []int{capKill}, Asked: AskedElse},
	{Attempt: "low-port", Call: "bind", Capabilities: []int{capNetBindService}, Asked: AskedElse, Nested: true},
	{Attempt: "execve", Call: "execve"},
	{Attempt: "mmap-write-exec", Call: "mmap"},
	{Attempt: "memfd-exec", Call: "memfd_create"},
	{Attempt: "personality", Call: "personality"},
	{Attempt: "int80", Call: "getpid", ABI: "i386"},
	{Attempt: "x32", Call: "getpid", ABI: "x32"},
	{Attempt: "fanotify-init", Call: "fanotify_init", Capabilities: []int{capSysAdmin}, Asked: AskedAlways},
	{Attempt: "iopl", Call: "iopl", Capabilities: []int{capSysRawio}, Asked: AskedAlways},

	{Attempt: "kill-other-users", Call: "kill", Capabilities: []int{capKill}, Asked: AskedElse},
	{Attempt: "kill-processes", Call: "kill", Capabilities: []int{capKill}, Asked: AskedElse},
	{Attempt: "ptrace-processes", Call: "ptrace", Capabilities: []int{capSysPtrace}, Asked: AskedElse},
	{Attempt: "process-vm-readv-processes", Call: "process_vm_readv", Capabilities: []int{capSysPtrace}, Asked: AskedElse},
	{Attempt: "fd-escape", Call: "openat"},
	{Attempt: "proc-root", Call: "openat", Capabilities: []int{capSysPtrace}, Asked: AskedElse},
}

// NeedOf returns what the named attempt cannot do without. Its slice is shared
// and must not be changed.
func NeedOf(attempt string) (Need, bool) {
	for _, n := range needs {
		if n.Attempt == attempt {
			return n, true
		}
	}
	return Need{}, false
}
