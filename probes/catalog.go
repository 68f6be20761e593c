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

// catalog returns everything that can be tried. The order is the order of
// trying and of the report. It is a function, so that importing the package
// does no work.
func catalog() []entry {
	return []entry{
		{"setuid-root", capSetUID, "setuid(2)", ids{call: "setuid", reach: args(bad), acts: acts(args(i(0))), readBack: "getresuid"}},
		{"setgid-root", capSetGID, "setgid(2)", ids{call: "setgid", reach: args(bad), acts: acts(args(i(0))), readBack: "getresgid"}},
		{"setresuid-root", capSetUID, "setresuid(2)", ids{call: "setresuid", acts: acts(args(i(0), i(0), i(0)), args(i(0), bad, bad), args(bad, i(0), bad), args(bad, bad, i(0))), readBack: "getresuid"}},
		{"setresgid-root", capSetGID, "setresgid(2)", ids{call: "setresgid", acts: acts(args(i(0), i(0), i(0)), args(i(0), bad, bad), args(bad, i(0), bad), args(bad, bad, i(0))), readBack: "getresgid"}},
		{"setreuid-root", capSetUID, "setreuid(2)", ids{call: "setreuid", acts: acts(args(i(0), i(0)), args(bad, i(0)), args(i(0), bad)), readBack: "getresuid"}},
		{"setregid-root", capSetGID, "setregid(2)", ids{call: "setregid", acts: acts(args(i(0), i(0)), args(bad, i(0)), args(i(0), bad)), readBack: "getresgid"}},
		{"setfsuid-root", capSetUID, "setfsuid(2)", fsID{call: "setfsuid"}},
		{"setfsgid-root", capSetGID, "setfsgid(2)", fsID{call: "setfsgid"}},
		{"setgroups", capSetGID, "setgroups(2)", groups{}},
		{"capset", noCap, "capset(2)", capset{}},
		{"ambient-raise", noCap, "PR_CAP_AMBIENT(2const)", ambient{}},
		{"keep-caps", noCap, "PR_SET_KEEPCAPS(2const)", keepCaps{}},
		{"securebits", capSetPCap, "PR_SET_SECUREBITS(2const)", secureBits{}},
		{"chroot-escape", capSysChroot, "chroot(2)", chrootEscape{}},
		{"userns", noCap, "user_namespaces(7)", userns{call: "unshare"}},
		{"userns-clone", noCap, "user_namespaces(7)", userns{call: "clone"}},
		{"userns-clone3", noCap, "user_namespaces(7)", userns{call: "clone3"}},

		{"mount", capSysAdmin, "mount(2)", plain{call: "mount", reach: args(bad, bad, bad, i(0), bad), want: efault,
			acts: acts(args(i(0), s("/"), i(0), i(0), i(0))), past: errs(einval)}},
		// MNT_EXPIRE on one's own root is refused before it does anything, once
		// the capability was seen. Without it umount2("/") would remount.
		{"umount2", capSysAdmin, "umount(2)", plain{call: "umount2", reach: args(bad, c("MNT_EXPIRE", mntExpire)), want: efault,
			acts: acts(args(s("/"), c("MNT_EXPIRE", mntExpire))), past: errs(einval)}},
		{"pivot-root", capSysAdmin, "pivot_root(2)", plain{call: "pivot_root", reach: args(bad, bad), want: efault, late: true,
			acts: acts(args(s("/"), s("/"))), past: errs(ebusy, einval)}},
		{"fsopen", capSysAdmin, "fsopen(2)", plain{call: "fsopen", reach: args(bad, bad), want: einval, late: true,
			acts: acts(args(s("proc"), i(0))), past: errs(enodev), opens: true}},
		{"fspick", capSysAdmin, "fspick(2)", plain{call: "fspick", reach: args(bad, bad, bad), want: einval, late: true,
			acts: acts(args(c("AT_FDCWD", atFDCWD), s(noSuchFile), i(0))), past: errs(enoent)}},
		{"open-tree", capSysAdmin, "open_tree(2)", plain{call: "open_tree", reach: args(bad, bad, bad), want: einval,
			acts: acts(args(c("AT_FDCWD", atFDCWD), s("/"), c("OPEN_TREE_CLONE", openTreeClone))), opens: true}},
		{"move-mount", capSysAdmin, "move_mount(2)", plain{call: "move_mount", reach: args(bad, bad, bad, bad, bad), want: einval, late: true,
			acts: acts(args(bad, s(noSuchFile), bad, s(noSuchFile), i(0))), past: errs(enoent, ebadf)}},
		{"mount-setattr", capSysAdmin, "mount_setattr(2)", plain{call: "mount_setattr", reach: args(bad, bad, bad, bad, bad), want: einval,
			acts: acts(args(c("AT_FDCWD", atFDCWD), s("/"), i(0), bad, i(mountAttrSize))), past: errs(efault)}},
		{"chroot", capSysChroot, "chroot(2)", plain{call: "chroot", reach: args(bad), want: efault, acts: acts(args(s("/")))}},
		{"setns", capSysAdmin, "setns(2)", setns{}},
		{"open-by-handle-at", capDACReadSearch, "open_by_handle_at(2)", plain{call: "open_by_handle_at", reach: args(bad, bad, i(0)), want: efault,
			acts: acts(args(c("AT_FDCWD", atFDCWD), data(fileHandle()), i(0))), past: errs(estale)}},
		{"bpf", capBPF, "bpf(2)", plain{call: "bpf", reach: args(bad, bad, bad), want: syscall.E2BIG,
			acts: acts(args(i(0), data(mapAttr()), i(len(mapAttr())))), opens: true}},
		{"perf-event-open", capPerfmon, "perf_event_open(2)", plain{call: "perf_event_open", reach: args(bad, i(0), bad, bad, i(0)), want: efault,
			acts: acts(args(data(perfAttr()), i(0), bad, bad, i(0))), opens: true, means: []meaning{{enoent, posture.StoppedByKernel}}}},
		{"userfaultfd", capSysPtrace, "userfaultfd(2)", plain{call: "userfaultfd", reach: args(bad), want: einval, acts: acts(args(i(0))), opens: true}},
		{"io-uring-setup", noCap, "io_uring_setup(2)", plain{call: "io_uring_setup", reach: args(i(1), bad), want: efault,
			acts: acts(args(i(1), room(ioUringParamsSize))), past: errs(syscall.ENOMEM), opens: true}},
		{"kexec-load", capSysBoot, "kexec_load(2)", plain{call: "kexec_load", acts: acts(args(i(0), bad, bad, bad)), past: errs(einval)}},
		{"kexec-file-load", capSysBoot, "kexec_file_load(2)", plain{call: "kexec_file_load", acts: acts(args(bad, bad, i(0), i(0), bad)), past: errs(einval)}},
		{"init-module", capSysModule, "init_module(2)", plain{call: "init_module", acts: acts(args(bad, i(0), s(""))), past: errs(enoexec)}},
		{"finit-module", capSysModule, "finit_module(2)", plain{call: "finit_module", reach: args(bad, s(""), bad), want: einval, late: true,
			acts: acts(args(bad, s(""), i(0))), past: errs(ebadf)}},
		{"delete-module", capSysModule, "delete_module(2)", plain{call: "delete_module", reach: args(bad, c("O_NONBLOCK", syscall.O_NONBLOCK)), want: efault, late: true,
			acts: acts(args(s("selfaudit_no_such_module"), c("O_NONBLOCK", syscall.O_NONBLOCK))), past: errs(enoent)}},
		// All zero is no valid first magic number, so nothing can restart.
		{"reboot", capSysBoot, "reboot(2)", plain{call: "reboot", acts: acts(args(i(0), i(0), i(0), i(0))), past: errs(einval)}},
		{"swapon", capSysAdmin, "swapon(2)", plain{call: "swapon", reach: args(s(noSuchFile), i(-1<<31)), want: einval,
			acts: acts(args(s(noSuchFile), i(0))), past: errs(enoent)}},
		{"swapoff", capSysAdmin, "swapoff(2)", plain{call: "swapoff", reach: args(bad), want: efault, late: true,
			acts: acts(args(s(noSuchFile))), past: errs(enoent)}},
		{"settimeofday", capSysTime, "settimeofday(2)", plain{call: "settimeofday", reach: args(bad, i(0)), want: efault, acts: acts(args(i(0), i(0)))}},
		// A tick of 0 is out of range, which is found after the capability.
		{"clock-adjtime", capSysTime, "clock_adjtime(2)", plain{call: "clock_adjtime", reach: args(i(0), bad), want: efault,
			acts: acts(args(i(0), data(timexTick()))), past: errs(einval)}},
		{"sethostname", capSysAdmin, "sethostname(2)", plain{call: "sethostname", reach: args(bad, i(1)), want: efault, late: true,
			acts: acts(args(s("x"), bad)), past: errs(einval)}},
		{"setdomainname", capSysAdmin, "setdomainname(2)", plain{call: "setdomainname", reach: args(bad, i(1)), want: efault, late: true,
			acts: acts(args(s("x"), bad)), past: errs(einval)}},
		{"acct", capSysPacct, "acct(2)", plain{call: "acct", reach: args(bad), want: efault, late: true, acts: acts(args(s(noSuchPath))), past: errs(enoent)}},
		// The thread keyring is asked for and not made: -3 would leave keys behind.
		{"keyctl", noCap, "keyctl(2)", plain{call: "keyctl", reach: args(bad, i(0), i(0)), want: syscall.EOPNOTSUPP,
			acts: acts(args(i(0), bad, i(0))), past: errs(enokey)}},
		{"add-key", noCap, "add_key(2)", plain{call: "add_key", reach: args(bad, bad, i(0), i(0), i(0)), want: efault,
			acts: acts(args(s("user"), s("selfaudit"), s("x"), i(1), i(-100))), past: errs(einval)}},
		{"quotactl", capSysAdmin, "quotactl(2)", quota{}},
		{"syslog", capSyslog, "syslog(2)", plain{call: "syslog", reach: args(bad, i(0), i(0)), want: einval, late: true,
			acts: acts(args(c("SYSLOG_ACTION_SIZE_BUFFER", syslogSizeBuffer), i(0), i(0)))}},
		{"raw-socket", capNetRaw, "raw(7)", plain{call: "socket", reach: args(bad, bad, bad), want: einval, opens: true, means: noFamily(),
			acts: acts(args(c("AF_INET", syscall.AF_INET), c("SOCK_RAW", syscall.SOCK_RAW), c("IPPROTO_ICMP", protoICMP)), args(c("AF_INET6", syscall.AF_INET6), c("SOCK_RAW", syscall.SOCK_RAW), c("IPPROTO_ICMPV6", protoICMPv6)))}},
		{"packet-socket", capNetRaw, "packet(7)", plain{call: "socket", reach: args(bad, bad, bad), want: einval, opens: true, means: noFamily(),
			acts: acts(args(c("AF_PACKET", afPacket), c("SOCK_RAW", syscall.SOCK_RAW), i(0)), args(c("AF_PACKET", afPacket), c("SOCK_DGRAM", syscall.SOCK_DGRAM), i(0)))}},
		{"ptrace", capSysPtrace, "ptrace(2)", trace{}},
		{"process-vm-readv", capSysPtrace, "process_vm_readv(2)", readMemory{}},

		{"ptrace-parent", capSysPtrace, "ptrace(2)", trace{parent: true}},
		{"process-vm-readv-parent", capSysPtrace, "process_vm_readv(2)", readMemory{parent: true}},
		{"kill-init", capKill, "kill(2)", killInit{}},
		{"low-port", capNetBind, "ip(7)", lowPort{}},
		{"execve", noCap, "execve(2)", plain{call: "execve", reach: args(bad, i(0), i(0)), want: efault,
			acts: acts(args(s(noSuchFile), i(0), i(0))), past: errs(enoent), means: []meaning{{eperm, posture.StoppedByFilter}}}},
		{"mmap-write-exec", noCap, "mmap(2)", writeExec{}},
		{"memfd-exec", noCap, "memfd_create(2)", plain{call: "memfd_create", reach: args(bad, i(0)), want: efault, opens: true,
			acts:  acts(args(s("selfaudit"), c("MFD_CLOEXEC|MFD_EXEC", mfdCloexec|mfdExec)), args(s("selfaudit"), c("MFD_CLOEXEC", mfdCloexec))),
			means: []meaning{{einval, posture.StoppedByKernel}}}},
		{"personality", noCap, "personality(2)", personality{}},
		{"int80", noCap, "syscall(2)", otherEntry{int80: true}},
		{"x32", noCap, "syscall(2)", otherEntry{}},
		{"fanotify-init", capSysAdmin, "fanotify_init(2)", plain{call: "fanotify_init", reach: args(bad, i(0)), want: einval, late: true, acts: acts(args(i(0), i(0))), opens: true}},
		{"iopl", capSysRawIO, "iopl(2)", plain{call: "iopl", reach: args(bad), want: einval, acts: acts(args(i(3))), spends: true}},
	}
}

func errs(list ...syscall.Errno) []syscall.Errno { return list }

// noFamily is how a kernel without a protocol family answers socket(2).
func noFamily() []meaning {
	return []meaning{
		{syscall.EAFNOSUPPORT, posture.StoppedByKernel},
		{syscall.EPROTONOSUPPORT, posture.StoppedByKernel},
		{syscall.ESOCKTNOSUPPORT, posture.StoppedByKernel},
	}
}
