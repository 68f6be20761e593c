package checks

import "github.com/selfaudit/selfaudit/checks/report"

// Remedies that several findings share.
const (
	fixUser = "set the ids on every thread, group ids first: setgroups(2), setresgid(2), setresuid(2); Go: syscall.Setgroups, Setresgid, Setresuid do so for all threads; docker, podman: --user 65532:65532, the group too; kubernetes: runAsNonRoot: true, runAsUser, runAsGroup; systemd: User=, Group=; OCI config.json: process.user.uid, process.user.gid; bwrap, firejail: start them as that user"
	fixCaps = "docker, podman: --cap-drop ALL; kubernetes: securityContext.capabilities.drop: [ALL]; systemd: CapabilityBoundingSet= and AmbientCapabilities=; OCI config.json: empty lists in process.capabilities; bwrap: --cap-drop ALL; firejail: --caps.drop=all; Go: capset(2) on every thread, not on the calling one alone"
	fixNNP  = "docker, podman: --security-opt no-new-privileges; kubernetes: allowPrivilegeEscalation: false; systemd: NoNewPrivileges=yes; OCI config.json: process.noNewPrivileges: true; firejail: --nonewprivs; setpriv: --no-new-privs; Go: prctl(PR_SET_NO_NEW_PRIVS) through syscall.AllThreadsSyscall, or in main before any thread is started"
)

// Remedies of one finding each.
const (
	fixCapabilitiesAmbient    = "clear it with prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL) on every thread; " + fixCaps
	fixCapabilitiesBounding   = "drop them with prctl(PR_CAPBSET_DROP) on every thread, while CAP_SETPCAP is still there; " + fixCaps
	fixCapabilitiesExec       = "leave user id 0 in all four ids, empty the ambient, inheritable and bounding sets, and set no_new_privs: docker: --user 65532:65532 --cap-drop ALL --security-opt no-new-privileges; kubernetes: runAsNonRoot: true, capabilities.drop: [ALL], allowPrivilegeEscalation: false; systemd: User=, CapabilityBoundingSet=, NoNewPrivileges=yes; Go: the same calls on every thread"
	fixCapabilitiesSecurebits = "set them with prctl(PR_SET_SECUREBITS) on every thread, while CAP_SETPCAP is still there, and lock them; systemd: SecureBits=noroot noroot-locked; docker and kubernetes: no option, do it in the program; Go: prctl through syscall.AllThreadsSyscall"
	fixContradiction          = "audit again; if it stays, look at what is mounted over /proc (findmnt) and audit from outside, with --pid: docker: no mounts below /proc; kubernetes: procMount: Default; systemd: no BindPaths= below /proc; Go: call audit.Open before anything is mounted"
	fixFdsDirectory           = "close it before confinement, or open it with O_CLOEXEC where it is inherited; Go: close every os.File and os.Root of a directory before chroot(2); docker, kubernetes: upgrade a runtime that leaks descriptors; systemd: no OpenFile= and no stored descriptors of directories"
	fixFilesystemCwd          = "call chdir(\"/\") right after chroot(2), before any thread has called unshare(2) with CLONE_FS; Go: os.Chdir(\"/\") right after syscall.Chroot; systemd: RootDirectory= and WorkingDirectory=; docker: --workdir with a path of the image; kubernetes: workingDir with a path of the image; upgrade a runtime that leaks its own working directory"
	fixFilesystemRoot         = "docker: --read-only --tmpfs /tmp:noexec,nosuid; kubernetes: readOnlyRootFilesystem: true; systemd: RootDirectory= or RootImage=, ProtectSystem=strict; Go: pivot_root(2) in a mount namespace of its own instead of chroot(2), and a read-only remount"
	fixIdentityGroups         = "call setgroups(2) before the user id is changed; Go: syscall.Setgroups(nil) first; docker, podman: --user UID:GID with a group, and no --group-add; kubernetes: no supplementalGroups or fsGroup, supplementalGroupsPolicy: Strict; systemd: no SupplementaryGroups=; OCI config.json: no process.user.additionalGids; firejail: --nogroups; setpriv: --clear-groups"
	fixProbeDepth             = "put another layer before it: docker: --user, --cap-drop ALL, --security-opt no-new-privileges and the default seccomp profile together; kubernetes: runAsNonRoot, capabilities.drop: [ALL], allowPrivilegeEscalation: false and seccompProfile.type: RuntimeDefault; systemd: User=, CapabilityBoundingSet=, NoNewPrivileges=yes, RestrictNamespaces=yes and SystemCallFilter=; Go: drop ids and capabilities on every thread, then load a filter that denies the call"
	fixSeccompAbi             = "deny by architecture first: libseccomp does unless seccomp_arch_add(3) adds one, so list only SCMP_ARCH_X86_64 (or the own one) in architectures and add no other; docker: a profile without SCMP_ARCH_X86 and SCMP_ARCH_X32 in archMap; kubernetes: seccompProfile.type: Localhost with such a profile, since RuntimeDefault has i386 among its architectures; systemd: SystemCallArchitectures=native; Go: compare seccomp_data.arch before the number, and refuse numbers with bit 30 set on x86-64"
	fixSeccompFilter          = "make errno or kill the default action and log nothing that should be denied; docker: leave the default profile on, or --security-opt seccomp=FILE with defaultAction SCMP_ACT_ERRNO; kubernetes: seccompProfile.type: RuntimeDefault, or Localhost with such a profile and not with audit.json; systemd: SystemCallFilter=@system-service without SystemCallLog=; Go: SECCOMP_RET_ERRNO or SECCOMP_RET_KILL_PROCESS as the last instruction, not SECCOMP_RET_LOG or SECCOMP_RET_ALLOW"
	fixSeccompMode            = "docker, podman: leave the default profile on (no --security-opt seccomp=unconfined); kubernetes: seccompProfile.type: RuntimeDefault; systemd: SystemCallFilter=@system-service; OCI config.json: linux.seccomp, which the template of runc spec lacks; bwrap: --seccomp FD, by itself it has none; firejail: --seccomp; Go: load the filter with SECCOMP_FILTER_FLAG_TSYNC, for all threads"
	fixSeccompSurplus         = "find out what is really used with strace -f, and allow that; docker: --security-opt seccomp=FILE with only those names under SCMP_ACT_ALLOW; kubernetes: seccompProfile.type: Localhost; systemd: SystemCallFilter= with only those names; Go: load such a filter with SECCOMP_FILTER_FLAG_TSYNC"
	fixSeccompSyscall         = "deny it whatever its arguments; docker: --security-opt seccomp=FILE, the default profile without that name under SCMP_ACT_ALLOW; kubernetes: seccompProfile.type: RuntimeDefault, or Localhost with a profile that denies it; systemd: SystemCallFilter=~NAME; Go: add its number to the filter, for each architecture that the filter lets through, and load it with SECCOMP_FILTER_FLAG_TSYNC"
	fixThreadsUniform         = "drop on all threads: Go: syscall.Setgroups, Setresgid, Setresuid and syscall.AllThreadsSyscall, and seccomp with SECCOMP_FILTER_FLAG_TSYNC; C: the libc's wrappers, not syscall(2); docker, kubernetes, systemd: let them drop before the program starts"
)

// catalog holds the ids of everything but the attempts, sorted by id. Only
// Catalog reads it: what a finding carries is in weights, so that a program
// that audits links none of the sentences here.
var catalog = []Meta{
	{
		"capabilities.ambient", report.Capabilities, report.Critical,
		"ambient capabilities",
		"The ambient set holds capabilities that the policy does not allow.",
		"Every program that the process executes starts with them, without any file capability.",
		fixCapabilitiesAmbient,
	},
	{
		"capabilities.bounding", report.Capabilities, report.Medium,
		"the capability bounding set",
		"The bounding set holds capabilities that the policy does not allow.",
		"It limits what execve(2) of a set-user-ID-root program, or of one with file capabilities, can grant.",
		fixCapabilitiesBounding,
	},
	{
		"capabilities.effective", report.Capabilities, report.Critical,
		"effective capabilities",
		"The effective set holds capabilities that the policy does not allow.",
		"The kernel grants what they stand for to the next system call.",
		fixCaps,
	},
	{
		"capabilities.exec", report.Capabilities, report.High,
		"what execve(2) grants",
		"A program that the process executes gets capabilities that the policy does not allow. This is computed by the rules of capabilities(7) for a plain program. Where no_new_privs is not set and the bounding set holds more than is allowed, a set-user-ID-root program, or one with file capabilities, would get it: those on its mounts are looked for, and where that could not be done to the end the answer is unknown.",
		"A process with user id 0 and empty sets is one execve(2) away from everything in its bounding set.",
		fixCapabilitiesExec,
	},
	{
		"capabilities.inheritable", report.Capabilities, report.High,
		"inheritable capabilities",
		"The inheritable set holds capabilities that the policy does not allow.",
		"Programs with matching file capabilities get them, and programs started as root get them past the bounding set.",
		fixCaps,
	},
	{
		"capabilities.permitted", report.Capabilities, report.Critical,
		"permitted capabilities",
		"The permitted set holds capabilities that the policy does not allow.",
		"A permitted capability is one capset(2) away from being effective.",
		fixCaps,
	},
	{
		"capabilities.securebits", report.Capabilities, report.High,
		"securebits",
		"Bits that the policy asks for are not set, or keep-caps is on. The kernel tells a thread its own securebits alone, so of another process they are unknown, and of the own process those of the other threads are.",
		"Without noroot, user id 0 is given capabilities by execve(2). With keep-caps, the permitted set survives a change of user ids.",
		fixCapabilitiesSecurebits,
	},
	{
		"contradiction", report.Privilege, report.High,
		"two sources that disagree",
		"Two sources of one fact disagree: a thread's status file and the kernel's answer to a system call, the capabilities that execve(2) should leave and those that a program really had, the filters that were read of a thread and the mode and number of filters that the kernel shows of it, or what the filters should answer to a system call and what was seen when it was tried. Both are in the evidence. Where no fact had two sources the answer is unknown.",
		"One of the two is wrong: /proc may be covered by other files, or the process changed while it was read. The other findings rest on these facts.",
		fixContradiction,
	},
	{
		"fds.directory", report.Filesystem, report.High,
		"a directory descriptor that leads outside the root",
		"An open descriptor is of a directory outside the root directory.",
		"With openat(2) and fchdir(2) it reaches files outside, whatever the root is.",
		fixFdsDirectory,
	},
	{
		"filesystem.cwd", report.Filesystem, report.Critical,
		"a working directory outside the root",
		"The working directory leads out of the root directory, as chroot(2) leaves it where it is not followed by chdir(2), or one thread has a root directory outside the thread group leader's, as unshare(2) of CLONE_FS before a chroot(2) leaves it. Asked where the policy asks for a root other than the machine's (filesystem.root host or chroot), or for no descriptor outside the root (descriptors.outsideRoot).",
		"Relative paths start there, and the root stops none of them: what lies outside is one open(2) of \"../..\" away, without a capability and without a descriptor; file permissions are all that is left.",
		fixFilesystemCwd,
	},
	{
		"filesystem.root", report.Filesystem, report.High,
		"the root directory",
		"The root directory is not what the policy asks for: it is the machine's own (host), a mere chroot(2) (chroot), or can be written (readonly).",
		"With the machine's root every file is one permission check away; a chroot can be left with CAP_SYS_CHROOT or a directory descriptor; a root that can be written takes an attacker's programs.",
		fixFilesystemRoot,
	},
	{
		"identity.gid", report.Privilege, report.Critical,
		"group ids",
		"One of the real, effective, saved and file system group ids is not what the policy allows.",
		"A saved group id of 0 is taken back without any privilege, and opens whatever group 0 may read or write.",
		fixUser,
	},
	{
		"identity.groups", report.Privilege, report.High,
		"supplementary groups",
		"The process is in groups that the policy does not allow.",
		"A group that was forgotten opens its files: those of group 0, of disks, of container sockets.",
		fixIdentityGroups,
	},
	{
		"identity.uid", report.Privilege, report.Critical,
		"user ids",
		"One of the real, effective, saved and file system user ids is not what the policy allows.",
		"A saved or real user id of 0 is taken back without any privilege: setresuid(2) lets a process exchange its ids.",
		fixUser,
	},
	{
		"privilege.no_new_privs", report.Privilege, report.High,
		"no_new_privs",
		"no_new_privs is not set on every thread.",
		"Set-user-ID programs and programs with file capabilities give privileges to whoever executes them.",
		fixNNP,
	},
	{
		"probe.depth", report.Isolation, report.Medium,
		"too few layers before an attack",
		"Fewer layers than the policy asks for are known to stop one of the attempts that it names, each by itself; where it succeeded, none does. What an attempt met counts, and so do filters that were evaluated, capabilities that a thread lacks in every way, and ids and capabilities that mean nothing in its user namespace. What is not looked for, such as a security module behind a filter, does not count.",
		"A single layer is one bug or one setting away from none: a capability that is added, a filter that is switched off to find an error.",
		fixProbeDepth,
	},
	{
		"seccomp.abi", report.Seccomp, report.High,
		"another ABI",
		"The kernel takes system calls by another ABI too (i386 through int 0x80, x32, arm), whose numbers mean other calls, and the filters let through there what the policy denies, what is not on its allow-list, or, where the policy lists architectures, any call of one that is not listed. A call of i386 that does the work of several (socketcall, ipc) counts as each of them; where it is let through on a condition the answer is unknown.",
		"A program of 64 bits changes the ABI with one instruction, and is past a filter that knows the native numbers alone.",
		fixSeccompAbi,
	},
	{
		"seccomp.filter", report.Seccomp, report.High,
		"a filter that enforces",
		"The filters deny nothing, only log what the policy forbids or what has no number yet, or, where the policy has an allow-list, allow numbers that no call has yet. What is left to a tracer or a supervisor, what was not decided, and a filter that could not be read are unknown. From inside, that calls are denied shows an effect; whether the rest is only logged cannot be seen.",
		"Seccomp mode 2 says only that some filter is loaded. One that logs, as filters are tried out, stops nobody, and one that allows what it does not know opens with the next kernel.",
		fixSeccompFilter,
	},
	{
		"seccomp.mode", report.Seccomp, report.High,
		"the seccomp mode",
		"A thread is under no seccomp(2) filter, or under a weaker mode than asked.",
		"The whole system call interface of the kernel is open to it.",
		fixSeccompMode,
	},
	{
		"seccomp.surplus", report.Seccomp, report.Medium,
		"a call that is not on the allow-list",
		"The filters let through a system call that the policy's allow-list does not name, under some arguments, or only log it. One that is left to a tracer or a supervisor is unknown, and so is one that was denied when it was tried while the filter itself could not be read.",
		"Each call that a service does not need is a part of the kernel that it can attack for nothing.",
		fixSeccompSurplus,
	},
	{
		"seccomp.syscall", report.Seccomp, report.High,
		"a call that should be denied",
		"The filters let through a system call that the policy denies, under some arguments, or only log it: the finding names the condition, and what a comparison forgets. One that is left to a tracer or a supervisor is unknown, and so is one that was denied when it was tried while the filter itself could not be read. Calls that do the same work are named, and judged only where the policy denies them too.",
		"What the policy relies on the filter for is left to whatever stands behind it: a capability check, file permissions, or nothing.",
		fixSeccompSyscall,
	},
	{
		"threads.uniform", report.Privilege, report.Critical,
		"threads that differ",
		"A thread has other ids, groups, capability sets or no_new_privs than the thread group leader, another seccomp mode, other filters or another number of them. Where the leader has ended and other threads live on, they are compared with the lowest of them. Whether equally many filters are the same ones is seen only where they could be read: from outside, and with privileges.",
		"For the kernel these belong to each thread, and all threads share their memory: whoever controls one thread controls the one that was forgotten.",
		fixThreadsUniform,
	},
}
