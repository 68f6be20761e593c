package probes

import (
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// Capabilities that the kernel asks for in the calls below: capabilities(7).
const (
	noCap            = -1
	capDACReadSearch = 2
	capKill          = 5
	capSetGID        = 6
	capSetUID        = 7
	capSetPCap       = 8
	capNetBind       = 10
	capNetRaw        = 13
	capSysModule     = 16
	capSysRawIO      = 17
	capSysChroot     = 18
	capSysPtrace     = 19
	capSysPacct      = 20
	capSysAdmin      = 21
	capSysBoot       = 22
	capSysTime       = 25
	capSyslog        = 34
	capPerfmon       = 38
	capBPF           = 39
)

// entry is one attempt: its calls, and how their answers read.
type entry struct {
	name string
	// capability is what the kernel asks for, or noCap.
	capability int
	// man is the manual page that the entry was written by.
	man  string
	plan plan
}

// plan writes an attempt's calls and returns what reads their answers.
type plan interface {
	build(b *builder) func() verdict
}

// Paths that no system has. Calls given them end there.
const (
	noSuchFile = "/nonexistent-selfaudit"
	noSuchPath = "/nonexistent-selfaudit/x"
)

const (
	eperm   = syscall.EPERM
	efault  = syscall.EFAULT
	einval  = syscall.EINVAL
	enoent  = syscall.ENOENT
	ebadf   = syscall.EBADF
	ebusy   = syscall.EBUSY
	esrch   = syscall.ESRCH
	enodev  = syscall.ENODEV
	enokey  = syscall.Errno(126)
	estale  = syscall.Errno(116)
	enoexec = syscall.ENOEXEC
)

// catalog is everything that can be tried. The order is the order of trying
// and of the report: what takes file system ids comes first, since setting the
// other ids sets those too, to the effective ones, whatever else is asked.
//
// An argument {} is 0, and {n: -1} is all ones: as an address, a descriptor or
// a set of flags it means nothing to any call it is given to here.
//
// Everything in it is a constant, so that the compiler lays it out and
// importing the package does no work.
var catalog = [...]entry{
	{"setfsuid-root", capSetUID, "setfsuid(2)", fsID{call: "setfsuid"}},
	{"setfsgid-root", capSetGID, "setfsgid(2)", fsID{call: "setfsgid"}},
	{"setuid-root", capSetUID, "setuid(2)", ids{call: "setuid", reach: words{{n: -1}}, acts: []words{{{}}}, readBack: "getresuid"}},
	{"setgid-root", capSetGID, "setgid(2)", ids{call: "setgid", reach: words{{n: -1}}, acts: []words{{{}}}, readBack: "getresgid"}},
	{"setresuid-root", capSetUID, "setresuid(2)", ids{call: "setresuid", acts: []words{{{}, {}, {}}, {{}, {n: -1}, {n: -1}}, {{n: -1}, {}, {n: -1}}, {{n: -1}, {n: -1}, {}}}, readBack: "getresuid"}},
	{"setresgid-root", capSetGID, "setresgid(2)", ids{call: "setresgid", acts: []words{{{}, {}, {}}, {{}, {n: -1}, {n: -1}}, {{n: -1}, {}, {n: -1}}, {{n: -1}, {n: -1}, {}}}, readBack: "getresgid"}},
	{"setreuid-root", capSetUID, "setreuid(2)", ids{call: "setreuid", acts: []words{{{}, {}}, {{n: -1}, {}}, {{}, {n: -1}}}, readBack: "getresuid"}},
	{"setregid-root", capSetGID, "setregid(2)", ids{call: "setregid", acts: []words{{{}, {}}, {{n: -1}, {}}, {{}, {n: -1}}}, readBack: "getresgid"}},
	{"setgroups", capSetGID, "setgroups(2)", groups{}},
	{"capset", noCap, "capset(2)", capset{}},
	{"ambient-raise", noCap, "PR_CAP_AMBIENT(2const)", ambient{}},
	{"exec-gain", noCap, "execve(2)", execGain{}},
	{"keep-caps", noCap, "PR_SET_KEEPCAPS(2const)", keepCaps{}},
	{"securebits", capSetPCap, "PR_SET_SECUREBITS(2const)", secureBits{}},
	{"chroot-escape", capSysChroot, "chroot(2)", chrootEscape{}},
	{"userns", noCap, "user_namespaces(7)", userns{call: "unshare"}},
	{"userns-clone", noCap, "user_namespaces(7)", userns{call: "clone"}},
	{"userns-clone3", noCap, "user_namespaces(7)", userns{call: "clone3"}},

	{"mount", capSysAdmin, "mount(2)", plain{call: "mount", reach: words{{n: -1}, {n: -1}, {n: -1}, {}, {n: -1}}, want: efault,
		acts: []words{{{}, {kind: text, s: "/"}, {}, {}, {}}}, past: []syscall.Errno{einval}}},
	// MNT_EXPIRE on one's own root is refused before it does anything, once
	// the capability was seen. Without it umount2("/") would remount.
	{"umount2", capSysAdmin, "umount(2)", plain{call: "umount2", reach: words{{n: -1}, {n: mntExpire, s: "MNT_EXPIRE"}}, want: efault,
		acts: []words{{{kind: text, s: "/"}, {n: mntExpire, s: "MNT_EXPIRE"}}}, past: []syscall.Errno{einval}}},
	{"pivot-root", capSysAdmin, "pivot_root(2)", plain{call: "pivot_root", reach: words{{n: -1}, {n: -1}}, want: efault, late: true,
		acts: []words{{{kind: text, s: "/"}, {kind: text, s: "/"}}}, past: []syscall.Errno{ebusy, einval}}},
	{"fsopen", capSysAdmin, "fsopen(2)", plain{call: "fsopen", reach: words{{n: -1}, {n: -1}}, want: einval, late: true,
		acts: []words{{{kind: text, s: "proc"}, {}}}, past: []syscall.Errno{enodev}, opens: true}},
	{"fspick", capSysAdmin, "fspick(2)", plain{call: "fspick", reach: words{{n: -1}, {n: -1}, {n: -1}}, want: einval, late: true,
		acts: []words{{{n: atFDCWD, s: "AT_FDCWD"}, {kind: text, s: noSuchFile}, {}}}, past: []syscall.Errno{enoent}}},
	// A path is looked up without any permission where nothing is to be cloned.
	// A tree that cannot be cloned, since mounts on it are locked, is found out
	// after the capability.
	{"open-tree", capSysAdmin, "open_tree(2)", plain{call: "open_tree", reach: words{{n: -1}, {n: -1}, {}}, want: efault,
		acts: []words{{{n: atFDCWD, s: "AT_FDCWD"}, {kind: text, s: "/"}, {n: openTreeClone, s: "OPEN_TREE_CLONE"}}}, past: []syscall.Errno{einval}, opens: true}},
	{"move-mount", capSysAdmin, "move_mount(2)", plain{call: "move_mount", reach: words{{n: -1}, {n: -1}, {n: -1}, {n: -1}, {n: -1}}, want: einval, late: true,
		acts: []words{{{n: -1}, {kind: text, s: noSuchFile}, {n: -1}, {kind: text, s: noSuchFile}, {}}}, past: []syscall.Errno{enoent, ebadf}}},
	{"mount-setattr", capSysAdmin, "mount_setattr(2)", plain{call: "mount_setattr", reach: words{{n: -1}, {n: -1}, {n: -1}, {n: -1}, {n: -1}}, want: einval,
		acts: []words{{{n: atFDCWD, s: "AT_FDCWD"}, {kind: text, s: "/"}, {}, {n: -1}, {n: mountAttrSize}}}, past: []syscall.Errno{efault}}},
	{"chroot", capSysChroot, "chroot(2)", plain{call: "chroot", reach: words{{n: -1}}, want: efault, acts: []words{{{kind: text, s: "/"}}}}},
	{"setns", capSysAdmin, "setns(2)", setns{}},
	{"open-by-handle-at", capDACReadSearch, "open_by_handle_at(2)", plain{call: "open_by_handle_at", reach: words{{n: -1}, {n: -1}, {}}, want: efault,
		acts: []words{{{n: atFDCWD, s: "AT_FDCWD"}, {kind: blob, s: fileHandle}, {}}}, past: []syscall.Errno{estale}}},
	{"bpf", capBPF, "bpf(2)", plain{call: "bpf", reach: words{{n: -1}, {n: -1}, {n: -1}}, want: syscall.E2BIG,
		acts: []words{{{}, {kind: blob, s: mapAttr}, {n: int32(len(mapAttr))}}}, opens: true}},
	{"perf-event-open", capPerfmon, "perf_event_open(2)", plain{call: "perf_event_open", reach: words{{n: -1}, {}, {n: -1}, {n: -1}, {}}, want: efault,
		acts: []words{{{kind: blob, s: perfAttr}, {}, {n: -1}, {n: -1}, {}}}, opens: true, means: []meaning{{enoent, posture.StoppedByKernel, "this kernel has no such event"}}}},
	{"userfaultfd", capSysPtrace, "userfaultfd(2)", plain{call: "userfaultfd", reach: words{{n: -1}}, want: einval, acts: []words{{{}}}, opens: true}},
	{"io-uring-setup", noCap, "io_uring_setup(2)", plain{call: "io_uring_setup", reach: words{{n: 1}, {n: -1}}, want: efault,
		acts: []words{{{n: 1}, {kind: zeros, n: ioUringParamsSize}}}, past: []syscall.Errno{syscall.ENOMEM}, opens: true}},
	{"kexec-load", capSysBoot, "kexec_load(2)", plain{call: "kexec_load", acts: []words{{{}, {n: -1}, {n: -1}, {n: -1}}}, past: []syscall.Errno{einval}}},
	{"kexec-file-load", capSysBoot, "kexec_file_load(2)", plain{call: "kexec_file_load", acts: []words{{{n: -1}, {n: -1}, {}, {}, {n: -1}}}, past: []syscall.Errno{einval}}},
	{"init-module", capSysModule, "init_module(2)", plain{call: "init_module", acts: []words{{{n: -1}, {}, {kind: text, s: ""}}}, past: []syscall.Errno{enoexec}}},
	{"finit-module", capSysModule, "finit_module(2)", plain{call: "finit_module", reach: words{{n: -1}, {kind: text, s: ""}, {n: -1}}, want: einval, late: true,
		acts: []words{{{n: -1}, {kind: text, s: ""}, {}}}, past: []syscall.Errno{ebadf}}},
	{"delete-module", capSysModule, "delete_module(2)", plain{call: "delete_module", reach: words{{n: -1}, {n: syscall.O_NONBLOCK, s: "O_NONBLOCK"}}, want: efault, late: true,
		acts: []words{{{kind: text, s: "selfaudit_no_such_module"}, {n: syscall.O_NONBLOCK, s: "O_NONBLOCK"}}}, past: []syscall.Errno{enoent}}},
	// All zero is no valid first magic number, so nothing can restart.
	{"reboot", capSysBoot, "reboot(2)", plain{call: "reboot", acts: []words{{{}, {}, {}, {}}}, past: []syscall.Errno{einval}}},
	{"swapon", capSysAdmin, "swapon(2)", plain{call: "swapon", reach: words{{kind: text, s: noSuchFile}, {n: -1 << 31}}, want: einval,
		acts: []words{{{kind: text, s: noSuchFile}, {}}}, past: []syscall.Errno{enoent}}},
	{"swapoff", capSysAdmin, "swapoff(2)", plain{call: "swapoff", reach: words{{n: -1}}, want: efault, late: true,
		acts: []words{{{kind: text, s: noSuchFile}}}, past: []syscall.Errno{enoent}}},
	{"settimeofday", capSysTime, "settimeofday(2)", plain{call: "settimeofday", reach: words{{n: -1}, {}}, want: efault, acts: []words{{{}, {}}}}},
	// A tick of 0 is out of range, which is found after the capability.
	{"clock-adjtime", capSysTime, "clock_adjtime(2)", plain{call: "clock_adjtime", reach: words{{}, {n: -1}}, want: efault,
		acts: []words{{{}, {kind: blob, s: timexTick}}}, past: []syscall.Errno{einval}}},
	{"sethostname", capSysAdmin, "sethostname(2)", plain{call: "sethostname", reach: words{{n: -1}, {n: 1}}, want: efault, late: true,
		acts: []words{{{kind: text, s: "x"}, {n: -1}}}, past: []syscall.Errno{einval}}},
	{"setdomainname", capSysAdmin, "setdomainname(2)", plain{call: "setdomainname", reach: words{{n: -1}, {n: 1}}, want: efault, late: true,
		acts: []words{{{kind: text, s: "x"}, {n: -1}}}, past: []syscall.Errno{einval}}},
	{"acct", capSysPacct, "acct(2)", plain{call: "acct", reach: words{{n: -1}}, want: efault, late: true, acts: []words{{{kind: text, s: noSuchPath}}}, past: []syscall.Errno{enoent}}},
	// The thread keyring is asked for and not made: -3 would leave keys behind.
	{"keyctl", noCap, "keyctl(2)", plain{call: "keyctl", reach: words{{n: -1}, {}, {}}, want: syscall.EOPNOTSUPP,
		acts: []words{{{}, {n: -1}, {}}}, past: []syscall.Errno{enokey}}},
	{"add-key", noCap, "add_key(2)", plain{call: "add_key", reach: words{{n: -1}, {n: -1}, {}, {}, {}}, want: efault,
		acts: []words{{{kind: text, s: "user"}, {kind: text, s: "selfaudit"}, {kind: text, s: "x"}, {n: 1}, {n: -100}}}, past: []syscall.Errno{einval}}},
	{"quotactl", capSysAdmin, "quotactl(2)", quota{}},
	{"syslog", capSyslog, "syslog(2)", plain{call: "syslog", reach: words{{n: -1}, {}, {}}, want: einval, late: true,
		acts: []words{{{n: syslogSizeBuffer, s: "SYSLOG_ACTION_SIZE_BUFFER"}, {}, {}}}}},
	{"raw-socket", capNetRaw, "raw(7)", plain{call: "socket", reach: words{{n: -1}, {n: -1}, {n: -1}}, want: einval, opens: true, means: noFamily,
		acts: []words{{{n: syscall.AF_INET, s: "AF_INET"}, {n: syscall.SOCK_RAW, s: "SOCK_RAW"}, {n: protoICMP, s: "IPPROTO_ICMP"}}, {{n: syscall.AF_INET6, s: "AF_INET6"}, {n: syscall.SOCK_RAW, s: "SOCK_RAW"}, {n: protoICMPv6, s: "IPPROTO_ICMPV6"}}}}},
	{"packet-socket", capNetRaw, "packet(7)", plain{call: "socket", reach: words{{n: -1}, {n: -1}, {n: -1}}, want: einval, opens: true, means: noFamily,
		acts: []words{{{n: afPacket, s: "AF_PACKET"}, {n: syscall.SOCK_RAW, s: "SOCK_RAW"}, {}}, {{n: afPacket, s: "AF_PACKET"}, {n: syscall.SOCK_DGRAM, s: "SOCK_DGRAM"}, {}}}}},
	{"ptrace", capSysPtrace, "ptrace(2)", trace{}},
	{"process-vm-readv", capSysPtrace, "process_vm_readv(2)", readMemory{}},

	{"ptrace-parent", capSysPtrace, "ptrace(2)", trace{parent: true}},
	{"process-vm-readv-parent", capSysPtrace, "process_vm_readv(2)", readMemory{parent: true}},
	{"kill-init", capKill, "kill(2)", killInit{}},
	{"low-port", capNetBind, "ip(7)", lowPort{}},
	{"execve", noCap, "execve(2)", plain{call: "execve", reach: words{{n: -1}, {}, {}}, want: efault,
		acts: []words{{{kind: text, s: noSuchFile}, {}, {}}}, past: []syscall.Errno{enoent}, means: refusedByFilter}},
	{"mmap-write-exec", noCap, "mmap(2)", writeExec{}},
	{"memfd-exec", noCap, "memfd_create(2)", plain{call: "memfd_create", reach: words{{n: -1}, {}}, want: efault, opens: true,
		acts:  []words{{{kind: text, s: "selfaudit"}, {n: mfdCloexec | mfdExec, s: "MFD_CLOEXEC|MFD_EXEC"}}, {{kind: text, s: "selfaudit"}, {n: mfdCloexec, s: "MFD_CLOEXEC"}}},
		means: []meaning{{einval, posture.StoppedByKernel, "this kernel does not have the flags"}}}},
	{"personality", noCap, "personality(2)", personality{}},
	{"int80", noCap, "syscall(2)", otherEntry{int80: true}},
	{"x32", noCap, "syscall(2)", otherEntry{}},
	{"fanotify-init", capSysAdmin, "fanotify_init(2)", plain{call: "fanotify_init", reach: words{{n: -1}, {}}, want: einval, late: true, acts: []words{{{}, {}}}, opens: true}},
	{"iopl", capSysRawIO, "iopl(2)", plain{call: "iopl", reach: words{{n: -1}}, want: einval, acts: []words{{{n: 3}}}, spends: true}},
}

// noFamily is how a kernel without a protocol family answers socket(2).
var noFamily = []meaning{
	{syscall.EAFNOSUPPORT, posture.StoppedByKernel, "this kernel does not have the address family"},
	{syscall.EPROTONOSUPPORT, posture.StoppedByKernel, "this kernel does not have the protocol"},
	{syscall.ESOCKTNOSUPPORT, posture.StoppedByKernel, "this kernel does not have the type of socket"},
}

const filterRefuses = "a seccomp filter refuses it"

// refusedByFilter is for calls that the kernel itself never answers EPERM.
var refusedByFilter = []meaning{{eperm, posture.StoppedByFilter, filterRefuses}}
