package names

import "slices"

// Remedies that many attempts share.
const (
	fixIDs     = "drop groups, then gid, then uid with setresgid(2) and setresuid(2) on every thread; keep no capability; docker, podman: --user 65532:65532 --cap-drop ALL; kubernetes: runAsNonRoot: true, capabilities.drop: [ALL]; systemd: User=, CapabilityBoundingSet=; OCI config.json: process.user, and empty lists in process.capabilities; bwrap, firejail: start them as another user"
	fixCaps    = "empty the permitted set on every thread with capset(2); docker, podman: --cap-drop ALL; kubernetes: capabilities.drop: [ALL]; systemd: CapabilityBoundingSet=; OCI config.json: empty lists in process.capabilities; bwrap: --cap-drop ALL; firejail: --caps.drop=all"
	fixFilter  = "deny it with a seccomp filter, and drop the capability where it needs one; docker, podman: the default seccomp profile of a recent version, or a stricter one by --security-opt seccomp=FILE, and --cap-drop ALL; kubernetes: seccompProfile.type: RuntimeDefault, capabilities.drop: [ALL]; systemd: SystemCallFilter=@system-service, CapabilityBoundingSet=; OCI config.json: linux.seccomp, process.capabilities; bwrap: --seccomp FD and --cap-drop ALL; firejail: --seccomp=CALL and --caps.drop=all"
	fixUserns  = "deny CLONE_NEWUSER in unshare(2) and clone(2), and clone3(2) as a whole, with a seccomp filter; docker: the default profile does; podman: --security-opt seccomp=FILE; kubernetes: seccompProfile.type: RuntimeDefault; systemd: RestrictNamespaces=yes; OCI config.json: linux.seccomp; bwrap: --unshare-user --disable-userns; firejail: --restrict-namespaces; whole machine: user.max_user_namespaces=0"
	fixTrace   = "run it under a user id of its own, in a pid namespace of its own, without CAP_SYS_PTRACE; deny ptrace(2) and process_vm_readv(2) in the filter; whole machine: kernel.yama.ptrace_scope=1 or higher"
	fixSockets = "drop CAP_NET_RAW; docker, podman: --cap-drop ALL; kubernetes: capabilities.drop: [ALL]; systemd: RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX and CapabilityBoundingSet=; OCI config.json: empty lists in process.capabilities; bwrap: --cap-drop ALL; firejail: --caps.drop=all"
)

// attempts is the table of everything that can be tried. The order is that of
// the catalogue. Layer and severity are the report's words.
var attempts = []Attempt{
	{"setfsuid-root", Reescalation, "privilege", "critical", "act on files as root after setfsuid(0)", fixIDs},
	{"setfsgid-root", Reescalation, "privilege", "critical", "act on files as group 0 after setfsgid(0)", fixIDs},
	{"setuid-root", Reescalation, "privilege", "critical", "become root with setuid(0)", fixIDs},
	{"setgid-root", Reescalation, "privilege", "critical", "take group id 0 with setgid(0)", fixIDs},
	{"setresuid-root", Reescalation, "privilege", "critical", "become root with setresuid(0, 0, 0) or by one of its ids alone", fixIDs},
	{"setresgid-root", Reescalation, "privilege", "critical", "take group id 0 with setresgid(0, 0, 0) or by one of its ids alone", fixIDs},
	{"setreuid-root", Reescalation, "privilege", "critical", "become root with setreuid(0, 0) or by its effective id alone", fixIDs},
	{"setregid-root", Reescalation, "privilege", "critical", "take group id 0 with setregid(0, 0) or by its effective id alone", fixIDs},
	{"setgroups", Reescalation, "privilege", "critical", "take supplementary group 0 with setgroups(2)", fixIDs},
	{"capset", Reescalation, "capabilities", "critical", "raise capabilities into its effective set with capset(2)", fixCaps},
	{"ambient-raise", Reescalation, "capabilities", "critical", "raise an ambient capability with prctl(2)", fixCaps},
	{"exec-gain", Reescalation, "capabilities", "critical", "regain ids or capabilities by execve(2) of a plain program", "leave user id 0 in all four ids, set no_new_privs, and empty the bounding and ambient sets: docker: --user 65532:65532 --cap-drop ALL --security-opt no-new-privileges; kubernetes: runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities.drop: [ALL]; systemd: User=, NoNewPrivileges=yes, CapabilityBoundingSet="},
	{"keep-caps", Reescalation, "capabilities", "medium", "set keep-caps with prctl(PR_SET_KEEPCAPS)", "lock it with SECBIT_KEEP_CAPS_LOCKED"},
	{"securebits", Reescalation, "capabilities", "high", "change its securebits with prctl(PR_SET_SECUREBITS)", fixCaps},
	{"chroot-escape", Reescalation, "filesystem", "critical", "leave its root by chroot(2) into a subdirectory and ..", "drop CAP_SYS_CHROOT, or use pivot_root(2) in a mount namespace of its own instead of chroot(2)"},
	{"userns", Reescalation, "isolation", "high", "make a user namespace with unshare(2) and use a capability in it", fixUserns},
	{"userns-clone", Reescalation, "isolation", "high", "make a user namespace with clone(2) and use a capability in it", fixUserns},
	{"userns-clone3", Reescalation, "isolation", "high", "make a user namespace with clone3(2) and use a capability in it", fixUserns},

	{"mount", Syscalls, "filesystem", "critical", "mount file systems with mount(2)", fixFilter},
	{"umount2", Syscalls, "filesystem", "high", "unmount file systems with umount2(2)", fixFilter},
	{"pivot-root", Syscalls, "filesystem", "high", "exchange its root with pivot_root(2)", fixFilter},
	{"fsopen", Syscalls, "filesystem", "critical", "prepare a file system with fsopen(2)", fixFilter},
	{"fspick", Syscalls, "filesystem", "high", "reconfigure a mounted file system through fspick(2)", fixFilter},
	{"open-tree", Syscalls, "filesystem", "high", "clone mounts with open_tree(2)", fixFilter},
	{"move-mount", Syscalls, "filesystem", "high", "attach mounts with move_mount(2)", fixFilter},
	{"mount-setattr", Syscalls, "filesystem", "high", "change options of mounts with mount_setattr(2)", fixFilter},
	{"chroot", Syscalls, "filesystem", "high", "change its root with chroot(2)", fixFilter},
	{"setns", Syscalls, "isolation", "high", "join namespaces with setns(2)", fixFilter},
	{"open-by-handle-at", Syscalls, "filesystem", "critical", "open files by handle with open_by_handle_at(2)", fixFilter},
	{"bpf", Syscalls, "isolation", "high", "make BPF maps with bpf(2)", fixFilter},
	{"perf-event-open", Syscalls, "isolation", "medium", "measure with perf_event_open(2)", fixFilter},
	{"userfaultfd", Syscalls, "isolation", "medium", "use userfaultfd(2) for faults in the kernel", fixFilter},
	{"io-uring-setup", Syscalls, "seccomp", "high", "set up io_uring with io_uring_setup(2)", fixFilter},
	{"kexec-load", Syscalls, "isolation", "critical", "load another kernel with kexec_load(2)", fixFilter},
	{"kexec-file-load", Syscalls, "isolation", "critical", "load another kernel with kexec_file_load(2)", fixFilter},
	{"init-module", Syscalls, "isolation", "critical", "load kernel modules with init_module(2)", fixFilter},
	{"finit-module", Syscalls, "isolation", "critical", "load kernel modules with finit_module(2)", fixFilter},
	{"delete-module", Syscalls, "isolation", "high", "unload kernel modules with delete_module(2)", fixFilter},
	{"reboot", Syscalls, "isolation", "high", "restart or stop the machine, or its pid namespace, with reboot(2)", fixFilter},
	{"swapon", Syscalls, "isolation", "high", "swap to a file of its choice with swapon(2)", fixFilter},
	{"swapoff", Syscalls, "isolation", "high", "take swap away with swapoff(2)", fixFilter},
	{"settimeofday", Syscalls, "isolation", "medium", "set the clock with settimeofday(2)", fixFilter},
	{"clock-adjtime", Syscalls, "isolation", "medium", "adjust the clock with clock_adjtime(2)", fixFilter},
	{"sethostname", Syscalls, "isolation", "medium", "set the host name with sethostname(2)", fixFilter},
	{"setdomainname", Syscalls, "isolation", "medium", "set the NIS domain name with setdomainname(2)", fixFilter},
	{"acct", Syscalls, "isolation", "medium", "switch process accounting with acct(2)", fixFilter},
	{"keyctl", Syscalls, "isolation", "medium", "use the kernel's keyrings with keyctl(2)", fixFilter},
	{"add-key", Syscalls, "isolation", "medium", "add keys to the kernel's keyrings with add_key(2)", fixFilter},
	{"quotactl", Syscalls, "filesystem", "medium", "administer disk quotas with quotactl_fd(2)", fixFilter},
	{"syslog", Syscalls, "isolation", "medium", "read the kernel's log with syslog(2)", fixFilter},
	{"raw-socket", Syscalls, "network", "high", "make raw sockets", fixSockets},
	{"packet-socket", Syscalls, "network", "high", "make packet sockets", fixSockets},
	{"ptrace", Syscalls, "isolation", "critical", "trace a process of another user or outside its pid namespace with ptrace(2)", fixTrace},
	{"process-vm-readv", Syscalls, "isolation", "critical", "read the memory of a process of another user or outside its pid namespace with process_vm_readv(2)", fixTrace},

	{"ptrace-parent", Syscalls, "isolation", "medium", "trace its own process from a child with ptrace(2)", fixTrace},
	{"process-vm-readv-parent", Syscalls, "isolation", "medium", "read its own process's memory from a child with process_vm_readv(2)", fixTrace},
	{"kill-init", Syscalls, "isolation", "medium", "send signals to process 1", "run it under a user id and in a pid namespace of its own; drop CAP_KILL"},
	{"low-port", Syscalls, "network", "low", "bind a port below net.ipv4.ip_unprivileged_port_start", "drop CAP_NET_BIND_SERVICE after the socket is bound"},
	{"execve", Syscalls, "seccomp", "high", "reach execve(2)", fixFilter},
	{"mmap-write-exec", Syscalls, "memory", "medium", "map memory writable and executable", "set PR_SET_MDWE (Linux 6.3); systemd: MemoryDenyWriteExecute=yes"},
	{"memfd-exec", Syscalls, "memory", "medium", "make an executable memory file with memfd_create(2)", "sysctl vm.memfd_noexec=2 in the pid namespace, or deny memfd_create(2) in the filter"},
	{"personality", Syscalls, "memory", "low", "change its execution domain with personality(2)", "deny personality(2) in the filter: systemd: LockPersonality=yes"},
	{"int80", Syscalls, "seccomp", "medium", "make i386 system calls through int 0x80", "kill every architecture but the native one in the filter: systemd: SystemCallArchitectures=native"},
	{"x32", Syscalls, "seccomp", "medium", "make x32 system calls", "deny numbers from 0x40000000 on in the filter: systemd: SystemCallArchitectures=native"},
	{"fanotify-init", Syscalls, "filesystem", "medium", "watch whole file systems with fanotify_init(2)", fixFilter},
	{"iopl", Syscalls, "isolation", "critical", "reach hardware ports with iopl(2)", fixCaps},
}

// Attempts returns everything that can be tried, in the catalogue's order.
func Attempts() []Attempt { return slices.Concat(attempts, beyond) }

// CoreAttempts are those but for AttemptsBeyond. The slice is shared and must
// not be changed.
func CoreAttempts() []Attempt { return attempts }

// AttemptNamed returns the attempt of that name.
func AttemptNamed(name string) (Attempt, bool) {
	for _, a := range Attempts() {
		if a.Name == name {
			return a, true
		}
	}
	return Attempt{}, false
}
