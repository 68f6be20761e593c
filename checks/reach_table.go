package checks

import "github.com/selfaudit/selfaudit/checks/report"

import (
	"strings"

	"github.com/selfaudit/selfaudit/internal/names"
)

// catalogReach holds the ids of the checks of what a process can reach, sorted
// by id. It is apart from catalog so that its texts are linked only with them.
var catalogReach = []Meta{
	{
		deviceID, report.Filesystem, report.High,
		"an open device",
		"A descriptor is of a block or character device. Null, zero, full, random, urandom and terminals do not count.",
		"Permissions were checked when it was opened: neither a file system without devices nor a control group of devices takes it back.",
		"close it before confinement, or open it with O_CLOEXEC where it is inherited; Go: close every os.File of a device; docker: no --device and no --privileged; kubernetes: privileged: false, no device plugin that is not needed; systemd: PrivateDevices=yes, no OpenFile= of devices",
	},
	{
		kernelID, report.Privilege, report.High,
		"an open kernel object that grants more",
		"A descriptor is of a kernel object that keeps what its opener was let do: BPF programs and maps, perf events, an io_uring, userfaultfd, fanotify, a seccomp listener, a file system being mounted, a virtual machine, VFIO, or the memory of another process in /proc. Event, signal and timer descriptors, epoll, inotify and Landlock rule sets do not count; a kind that is not known is unknown. Recent kernels do not show the credentials that are registered with an io_uring, so that each one counts; that of a memory file with exec is not told.",
		"What was opened before privileges were dropped, or before a filter was loaded, is past both: an io_uring makes requests that no filter sees, with credentials that were registered before.",
		"close it before confinement, or open it with O_CLOEXEC where it is inherited; Go: close what golang.org/x/sys/unix or a library opened; docker, kubernetes: the default seccomp profile denies the calls that make them; systemd: SystemCallFilter=@system-service",
	},
	{
		openNSID, report.Isolation, report.High,
		"an open namespace or process",
		"A descriptor is of a namespace, or a pidfd of a process that is neither this one nor a child of its own.",
		"With setns(2) it leads out of the own namespaces, as far as capabilities reach, and no path or /proc is needed for it. A pidfd names a process for good, signals it and takes its descriptors where it may be traced.",
		"close it before confinement, or open it with O_CLOEXEC where it is inherited; Go: os.Process.Release; docker, kubernetes: upgrade a runtime that leaks descriptors; systemd: no NetworkNamespacePath= by a stored descriptor",
	},
	{
		socketID, report.Network, report.High,
		"an open raw or packet socket",
		"A descriptor is of a raw or packet socket, or of one of XDP, CAN, Bluetooth and the like that sends packets as they are. Of sockets in other network namespaces the protocol is known too.",
		"It needs no capability any more: whoever has it reads the network's traffic and forges packets.",
		"close it before confinement; Go: net.ListenPacket with udp4 needs none for echo requests; docker: --cap-drop NET_RAW; kubernetes: capabilities.drop: [NET_RAW]; systemd: RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
	},
	{
		writableID, report.Filesystem, report.High,
		"a file open for writing where nothing should be written",
		"A descriptor is open for writing on a file, device or named pipe that lies outside the root directory, or on a file on a read-only mount: that it was opened by, or that its path leads to now. Memory, pipes and sockets have no place; null, zero, full, random, urandom and terminals do not count.",
		"The mount and the root directory were looked at when it was opened, and never again.",
		"close it before confinement, or hand over a pipe in place of a log file; Go: close every os.File; docker: logs go through a pipe unless a file is redirected; kubernetes: readOnlyRootFilesystem: true with files opened after the start only; systemd: StandardOutput=journal, no OpenFile= for writing",
	},
	{
		nodeID, report.Filesystem, report.High,
		"device nodes in reach",
		"A device node lies on a mount without nodev, and mode bits and the rules of a device control group, where those of the process were asked, let it be opened. Null, zero, full, random, urandom, tty, console, ptmx and pseudoterminals do not count, by their numbers and not by their names. No device is opened: faccessat2(2) is asked. The rules of another process's control group are asked only where a child may join it.",
		"A disk, the memory or an input device gives all that file permissions guard.",
		"mount with nodev, and take the nodes out; docker: no --device and no --privileged, --tmpfs /tmp:nodev; kubernetes: privileged: false, no device plugin that is not needed; systemd: PrivateDevices=yes, DevicePolicy=closed; Go: syscall.Mount with MS_REMOUNT, MS_BIND and MS_NODEV",
	},
	{
		executableID, report.Filesystem, report.Medium,
		"what it can write and then execute",
		"A file that it can write, or make, lies on a mount without noexec, and mmap(2) of it with PROT_EXEC succeeds. The file is made by O_TMPFILE, so that it never has a name; nothing is executed.",
		"An attacker who can write a program and start it needs none that is there already, and no trick with memory.",
		"mount what must be writable with noexec; docker: --read-only --tmpfs /tmp:noexec,nosuid,nodev; kubernetes: readOnlyRootFilesystem: true, volumes with noexec where the driver has mountOptions; systemd: NoExecPaths=/ with ExecPaths=, ProtectSystem=strict; Go: syscall.Mount with MS_NOEXEC",
	},
	{
		maskedID, report.Filesystem, report.High,
		"masked and read-only paths",
		"A path that must be masked shows something: it was opened, and a byte or an entry could be read, which is not kept. The null device and an empty directory or file are masks. Or a path that must be read-only lies on a mount that is not, whoever asks. A path that is not there passes. Devices, named pipes and sockets are never opened, and what reading would take away is not read.",
		"By some files of /proc and /sys root in a container changes or reads what belongs to the machine.",
		"docker: no --privileged, no systempaths=unconfined; kubernetes: procMount: Default, privileged: false; systemd: ProtectKernelTunables=yes, ProtectKernelLogs=yes, InaccessiblePaths=, ReadOnlyPaths=; Go: syscall.Mount of /dev/null over the file, or of an empty read-only tmpfs, before privileges are dropped",
	},
	{
		mountID, report.Filesystem, report.Medium,
		"options of mounts",
		"What is mounted at a place that the policy names lacks an option that it names, or nothing is mounted there, so that the place has the options of what it lies on. Of several mounts at one place the topmost that a path leads to counts, of several threads the one that is worst off, and symbolic links are not followed. A file system that is read-only as a whole counts as read-only. The evidence names what is mounted, and whether the process may change it.",
		"Noexec, nosuid, nodev and ro are what keeps a place to write to from being a place to start programs from.",
		"docker: --tmpfs /tmp:noexec,nosuid,nodev, --mount with readonly; kubernetes: volumeMounts with readOnly: true, volumes whose driver has mountOptions; systemd: TemporaryFileSystem=/tmp:noexec,nosuid,nodev, NoExecPaths=, ReadOnlyPaths=; Go: syscall.Mount with MS_REMOUNT, MS_BIND and the options, before privileges are dropped",
	},
	{
		propagationID, report.Filesystem, report.Medium,
		"mounts that spread",
		"A mount that the process sees is shared, or a slave where the policy asks for private: mount_namespaces(7). Covered mounts count too. After chroot(2) the mount that the root directory lies on is not shown, and its propagation is unknown.",
		"What is mounted below a shared mount appears in the other mount namespaces of its peer group: a process that may mount changes what others see. What is mounted outside appears below a slave, so that a file system that was meant for others comes into reach.",
		"docker: no bind-propagation=shared or :shared of volumes; kubernetes: no mountPropagation: Bidirectional, nor HostToContainer; systemd: MountFlags=private, PrivateMounts=yes; Go: syscall.Mount of / with MS_REC and MS_PRIVATE after SysProcAttr.Unshareflags with CLONE_NEWNS",
	},
	{
		readableID, report.Filesystem, report.Medium,
		"what it can read",
		"A file can be opened for reading, or a directory for listing, that lies below none of the paths named. Of a tree that can be listed its top is shown. Directories that lead to a named path may be listed. Mode bits are looked at first, and what they let is opened in a child, but never read. Files that the kernel makes, as those of /proc, stand behind the directory that they are in.",
		"What can be read can be taken away: other services' data, keys that were left open, what tells of the machine.",
		"a root of its own that holds what is needed and no more; docker: a small image, no volume that is not needed; kubernetes: mount single keys of a secret, automountServiceAccountToken: false; systemd: TemporaryFileSystem=/ with BindReadOnlyPaths=, InaccessiblePaths=; Go: syscall.PivotRoot, or landlock_restrict_self(2)",
	},
	{
		setuidID, report.Filesystem, report.High,
		"a program that gives privileges",
		"A program on the mounts of the process is set-user-ID, set-group-ID or has file capabilities, the process may execute it, and it would be given a user id, a group or a capability that it does not have and could not take. This is computed by the rules of execve(2) and capabilities(7); nothing is executed. Where no_new_privs is set, on nosuid and noexec mounts, and where the process may not execute the file, it gives nothing, which passes. Mounts that could not be looked at to their end are unknown, and so are those of FUSE and network file systems, which may never answer. What a security module or a tracer takes away again is not considered, and a script counts as a program.",
		"Such a program runs with more privileges than whoever starts it chose to have, on input that an attacker chooses: one mistake in it is all that is needed.",
		fixNNP + "; take the files or their bits out of the image: chmod u-s,g-s and setcap -r; mount with nosuid: docker: --tmpfs /tmp:nosuid; systemd: PrivateTmp=yes, TemporaryFileSystem=PATH:nosuid; kubernetes: an image without them; Go: syscall.Mount with MS_REMOUNT, MS_BIND and MS_NOSUID",
	},
	{
		shellID, report.Filesystem, report.Low,
		"a shell or a package manager",
		"A shell, a package manager or busybox lies at one of the paths where they usually are, on a mount without noexec, and may be executed: faccessat2(2). One by another name, or elsewhere, is not found.",
		"It is what an attack starts first, and it has what the rest of an attack needs.",
		"docker: an image from scratch or without a shell, distroless; kubernetes: the same image, and ephemeral containers for looking into it; systemd: RootDirectory= or InaccessiblePaths=/bin/sh, NoExecPaths=; Go: link statically and give it a root of its own",
	},
	{
		writeID, report.Filesystem, report.Medium,
		"what it can write to",
		"A file can be opened for writing, or made in a directory, that lies below none of the paths named. Of a tree whose top can be written to only that is shown. Mode bits are looked at first, and what they let is tried in a child: in directories by O_TMPFILE, which leaves nothing behind, files are opened and nothing is written; who watches them by inotify(7) sees that. What is refused as it stands, and would not be with an id or capability that it may put in force or after a chmod(2) as the owner, is unknown. What a security module refuses to a directory leaves what is below unknown. A Landlock domain is known to the process alone, so that from outside such a place counts as writable. File systems that the kernel makes, such as /proc, and devices do not count.",
		"What can be written to outlives the process, reaches others who read it, and fills the disk.",
		"docker: --read-only with --tmpfs for what is needed; kubernetes: readOnlyRootFilesystem: true; systemd: ProtectSystem=strict, ReadWritePaths=; Go: syscall.Mount with MS_REMOUNT, MS_BIND and MS_RDONLY before privileges are dropped",
	},
	{
		idmapID, report.Isolation, report.High,
		"the id maps of the user namespace",
		"The user namespace maps more ids than the policy allows, or the machine's user or group id 0.",
		"A mapped id is one that the process can take within the namespace, and its files outside are then its own. Where the machine's 0 is mapped, an escape ends as root.",
		"docker: userns-remap in daemon.json; podman: --userns=auto or --uidmap 0:100000:65536; kubernetes: hostUsers: false; systemd: PrivateUsers=yes; Go: SysProcAttr.UidMappings and GidMappings with the ids that are needed and no others; unshare(1): --map-users",
	},
	{
		cgroupID, report.Isolation, report.Medium,
		"limits of control groups",
		"The control groups of the process set no limit on memory, processes or processor time, or a higher one than the policy allows: the least of its own cgroup and all above it, in version 1 and 2. Or the process may undo it: by the owner and mode of the files, it may write the limit or join a cgroup above the one that has it, through a mount of its own that is not read-only. What lies above a cgroup namespace or a mount cannot be seen and can only lower a limit: one that is seen counts, and where none is seen up to there it is unknown. What a filter, a security module or Landlock forbids is not considered, nor that version 1 lets a process that owns another cgroup join it. Quotas do not bind real-time threads.",
		"Without a limit one process uses up the memory, the processes or the processors of all; a limit that its process may write is none.",
		"docker: --memory, --pids-limit, --cpus, and no mount of /sys/fs/cgroup for writing; kubernetes: resources.limits, podPidsLimit of the kubelet; systemd: MemoryMax=, TasksMax=, CPUQuota=, and no Delegate=; Go: SysProcAttr.UseCgroupFD with a cgroup whose files root owns",
	},
	{
		rlimitID, report.Isolation, report.Low,
		"resource limits",
		"A resource limit is higher than the policy allows. The hard value counts unless the policy names the soft one: a process may raise its soft limit to it.",
		"Without a limit one process uses up the memory, the processes or the descriptors of all.",
		"docker: --ulimit nofile=1024:2048; kubernetes: the runtime's default limits, or a container that sets its own before it drops privileges; systemd: LimitNOFILE=, LimitNPROC=; Go: syscall.Setrlimit in main, which holds for all threads",
	},
	{
		lsmID, report.Isolation, report.Medium,
		"security modules",
		"The process is not confined by the AppArmor profile or the SELinux label that the policy names, or by one that only complains, or it is in no Landlock domain. A domain can be counted by the process itself alone, and for the thread that asks.",
		"These modules hold where ids and capabilities no longer do: against root in the container, and against files that the permissions would open.",
		"docker: --security-opt apparmor=PROFILE or label=type:TYPE; kubernetes: securityContext.appArmorProfile, seLinuxOptions; systemd: AppArmorProfile=, SELinuxContext=; Go: landlock_restrict_self(2) on every thread after no_new_privs",
	},
	{
		aslrID, report.Memory, report.Medium,
		"no address space layout randomisation",
		"The kernel did not lay the address space out at random when the program was executed, or will not for what the process executes: by its personality, or by kernel.randomize_va_space, of which 1 leaves out the heap. That a program is not position-independent, so that its own code lies at fixed addresses, is told and is no gap.",
		"Whoever finds a mistake in the program needs addresses to make use of it. Without randomisation they are the same on every machine and after every crash.",
		"sysctl kernel.randomize_va_space=2 on the machine; do not start it by setarch -R or under a debugger; docker, kubernetes: the default seccomp profile denies personality(2) with ADDR_NO_RANDOMIZE; systemd: LockPersonality=yes; Go: build with -buildmode=pie",
	},
	{
		coreID, report.Memory, report.Low,
		"a core dump",
		"When it crashes the kernel would write its memory to a file, or hand it to a program or socket: kernel.core_pattern. To a file none goes where the soft RLIMIT_CORE is below a page; to a program it goes whatever the limit, unless that is just 1; and none goes anywhere from a process that is not dumpable.",
		"A core dump has all keys, passwords and data of its users, and stays on the disk, or in another process, with other permissions than the process had.",
		"docker: --ulimit core=0; kubernetes: a container that sets its own limit before it drops privileges; systemd: LimitCORE=0, and coredump.conf: Storage=none; where core_pattern names a program: ulimit -c 1, or not dumpable; Go: syscall.Setrlimit with RLIMIT_CORE, golang.org/x/sys/unix.Prctl with PR_SET_DUMPABLE 0",
	},
	{
		dumpableID, report.Memory, report.Medium,
		"a dumpable process",
		"PR_GET_DUMPABLE answers 1. From outside that is told by who owns the files of the process in /proc, which tells nothing of processes of root. That it is dumpable by root alone passes.",
		"Another process of the same user may trace it, read its memory and take its descriptors, as far as no security module or user namespace stands before that.",
		"Go: golang.org/x/sys/unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) after the last change of ids; systemd: a program that changes its own user is not dumpable, one with User= is; docker, kubernetes: only the program itself can, since execve(2) makes it dumpable again; make its file unreadable for its user",
	},
	{
		execstackID, report.Memory, report.High,
		"an executable stack",
		"The stack of a thread lies in memory that is both writable and executable, or the personality has READ_IMPLIES_EXEC. Where no memory is both, no stack can be executable; else the threads' stack pointers decide, as far as the kernel shows them.",
		"What an attacker writes past the end of a buffer on the stack is executed there, the oldest of all ways in.",
		"link with -z noexecstack, and clear it in what is there: execstack -c, patchelf --clear-execstack; Go: go build -ldflags=-linkmode=internal, or extldflags with -z noexecstack where cgo links assembly; docker, kubernetes: an image with such programs and libraries; systemd: MemoryDenyWriteExecute=yes",
	},
	{
		wxID, report.Memory, report.Medium,
		"memory that is writable and executable",
		"A mapping is both writable and executable, or a file is mapped executable in one place, and shared and writable in another. What is so for moments only may not be seen: whether it can be made at all is what the attempt `mmap-write-exec` tells.",
		"Whoever can write there by a mistake in the program runs code of his own in it, without a further call that a filter could deny.",
		"systemd: MemoryDenyWriteExecute=yes; a seccomp filter that denies mmap and mprotect with PROT_WRITE and PROT_EXEC together: docker: --security-opt seccomp=PROFILE, kubernetes: seccompProfile with localhostProfile; interpreters without their compiler: node --jitless, java -Xint; prctl(2) PR_SET_MDWE, Linux 6.3; Go: no plugin or library that compiles at run time",
	},
	{
		namespaceID, report.Isolation, report.Medium,
		"a namespace of the machine",
		"The process, or one of its threads, is in the machine's first namespace of that type, which has a number of its own. Kernels before the middle of 2025 gave the first ones of net and mnt a number like any other: there process 1 decides where it can be looked at, or who owns the namespace. A process on its own asks the kernel, by an identifier that only kernels tell that fix these numbers (NS_GET_ID, Linux 6.18), in a child; else it is unknown.",
		"What the namespace would hold apart it shares with every process of the machine: the network and its abstract sockets, the process ids, System V IPC, the mounts, the host name.",
		"docker: no --network host, --pid host, --ipc host, --uts host, --cgroupns host; kubernetes: hostNetwork, hostPID and hostIPC false, hostUsers: false; systemd: PrivateNetwork=, PrivateUsers=, PrivateIPC=, ProtectHostname=, PrivatePIDs=; Go: SysProcAttr.Cloneflags with syscall.CLONE_NEW*; unshare(1), bwrap --unshare-all",
	},
	{
		abstractID, report.Network, report.Medium,
		"abstract sockets of others",
		"Sockets with abstract names that the process does not hold itself are in a network namespace that one of its threads is in, and listen or take datagrams. Nothing was connected to. A Landlock scope (Linux 6.12) could stand before them, and which a process has cannot be read.",
		"No file permission guards an abstract name: whoever shares the network namespace may connect, and container runtimes, session buses and X servers have listened on some.",
		"give it a network namespace of its own: docker: --network none or a bridge, not host; kubernetes: hostNetwork: false; systemd: PrivateNetwork=yes; podman: --network none; bubblewrap: --unshare-net; Go: SysProcAttr.Cloneflags with CLONE_NEWNET, or LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET on every thread",
	},
	{
		controlID, report.Network, report.Critical,
		"a socket that gives orders",
		"A socket of Docker, containerd, CRI-O, podman, kubelet, systemd, D-Bus or the like lies at its usual path below the root directory, also through links, and a thread may connect to it by its ids, groups and capabilities; or a token of a service account, or a file with credentials of a cloud, may be read there. Mode bits and permission to search the way decide; nothing is connected to or read. Where there is an access control list that is unknown. What a security module or the server itself refuses is not considered, other paths are not looked for, nor home directories but that of root.",
		"Whoever may write to a runtime's socket starts a container with the machine's root mounted in it, and a token does what its account may: both are the machine, or the cluster.",
		"do not mount it: docker: no -v /var/run/docker.sock; kubernetes: automountServiceAccountToken: false, no hostPath of sockets; systemd: InaccessiblePaths=/run/dbus /run/docker.sock, TemporaryFileSystem=/run; Go: ask a small proxy that lets through the requests that are needed; run under a user id that is in no group docker",
	},
	{
		egressID, report.Network, report.Medium,
		"a route out",
		"An interface other than the loopback one is up in a network namespace that a thread is in, and the process can make a socket of IPv4 or IPv6, or has one open. That is tried with a UDP socket that is connected to an address of TEST-NET-3 and sends nothing; IPv6 is read from the tables. Where no other interface is up nothing leads out, whatever routes there are. Packet filters, traffic control and network policies cannot be seen without privileges, and may drop what is sent. A filter that denies sockets counts where it closes the other ABIs and io_uring too. An open socket that no table of the namespace lists may be of another one: that is unknown.",
		"A process that can send takes secrets out, fetches what it lacks, and reaches the services and the metadata of the machine's own network.",
		"give it a network namespace of its own without interfaces: docker: --network none, or an internal network; podman: --network none; kubernetes: a NetworkPolicy that denies egress, which this cannot see; systemd: PrivateNetwork=yes, or RestrictAddressFamilies=AF_UNIX; Go: SysProcAttr.Cloneflags with CLONE_NEWNET; bubblewrap: --unshare-net",
	},
	{
		listenID, report.Network, report.Medium,
		"ports that it listens on",
		"The process holds a socket of TCP that takes connections, or one of UDP that is bound and not connected, on a port that the policy does not name, on any address. Sockets that it holds and that no table lists, as one that is not bound or of another network namespace, are unknown. What it may listen on later is not looked at.",
		"Each port is a way in: debug servers, metrics and administration are found by whoever scans.",
		"close it, or listen on a UNIX socket; Go: net.Listen with one address, no net/http/pprof on the port of the service; docker: publish only the ports that are needed, which leaves the others open to other containers; kubernetes: containerPort documents and does not close, a NetworkPolicy does; systemd: SocketBindDeny=any with SocketBindAllow=tcp:443",
	},
	{
		rawID, report.Network, report.High,
		"raw and packet sockets",
		"The process could make a raw or a packet socket, which a child of it, or one that stood in for it, tried and closed again; or it has CAP_NET_RAW permitted and could put it in force; or one is open. Where nothing but a filter stops it, the other ABIs and io_uring are tried too.",
		"Raw and packet sockets read all traffic of the network namespace and forge packets of other hosts.",
		"docker: --cap-drop NET_RAW; kubernetes: capabilities.drop: [NET_RAW]; systemd: CapabilityBoundingSet= without CAP_NET_RAW, RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX; Go: drop CAP_NET_RAW from all sets before serving, since echo requests need none by net.ListenPacket with udp4",
	},
	{
		environID, report.Privilege, report.Medium,
		"code that the environment loads",
		"The initial environment has a variable that makes a program load code or look for it elsewhere, with a value that is not empty: LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH, GCONV_PATH, and those of bash, Java, .NET, Lua, Node.js, OpenSSL, Perl, PHP, Python and Ruby. Their values are neither kept nor shown. The process can overwrite what it was started with, and what it set since is not seen.",
		"It puts code into the program, and into all that it executes, that is not in its file. Whoever may write what the variable names is in the process.",
		"start it without: docker: no -e or ENV of these; kubernetes: no env of these; systemd: UnsetEnvironment=, no Environment= of these; Go: exec.Cmd.Env with just what is needed",
	},
	{
		exeFileID, report.Filesystem, report.Medium,
		"the program file can be changed, or was",
		"The file that the process executes has no name any more, or its path leads to another file now, or a thread may write it or a directory on the way to it, by any of its ids or with what it is permitted. Read-only mounts stand before that; whether the process could make them writable is not asked.",
		"Code that replaces the program's own stays after a restart. And a program whose file is gone is not the one that was checked, signed or scanned.",
		"root's files, mode 0755, in directories of root's, and another user for the process; restart it after an upgrade; docker: --read-only and USER; kubernetes: readOnlyRootFilesystem: true, runAsNonRoot: true; systemd: ProtectSystem=strict, User=; Go: no self-update in the service",
	},
	{
		tracerID, report.Privilege, report.High,
		"a traced process",
		"TracerPid of a thread names a process. A tracer outside the pid namespace of whoever looks is not shown: for it, look from outside.",
		"A tracer reads and writes memory and registers, sees each system call, and does what it likes in the process's name.",
		"end the tracer: gdb, strace, delve; docker: no --cap-add SYS_PTRACE, no --pid=container:; kubernetes: no shareProcessNamespace, no ephemeral debug container; systemd: no strace in ExecStart=; Go: PR_SET_DUMPABLE 0, so that no process of the same user can attach; sysctl kernel.yama.ptrace_scope=1",
	},
	{
		ttyID, report.Privilege, report.Medium,
		"a controlling terminal",
		"The process has a controlling terminal. Descriptors of other terminals do not count, and are told.",
		"With TIOCSTI, where dev.tty.legacy_tiocsti is 1 or the kernel is older than Linux 6.2, it types into that terminal, and with TIOCLINUX it pastes on a virtual console: a shell that shares the terminal executes that with the privileges of its user.",
		"call setsid(2) before the program, or give it a pseudo-terminal of its own; docker: no -t; kubernetes: tty: false; systemd: StandardInput=null, no TTYPath=; bubblewrap: --new-session; Go: SysProcAttr.Setsid; sysctl dev.tty.legacy_tiocsti=0",
	},
}

// weighAll is weigh for both catalogues and all attempts.
func weighAll(id string) weight {
	if name, ok := strings.CutPrefix(id, probePrefix); ok {
		if a := attemptNamed(names.AttemptsBeyond(), name); a != nil {
			return attemptWeight(a)
		}
	}
	for i := range catalogReach {
		if m := &catalogReach[i]; m.ID == id {
			return weight{m.Layer, m.Severity, m.Fix}
		}
	}
	return weigh(id)
}
