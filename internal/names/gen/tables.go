package main

// notCalls are constants of the files that name no system call.
var notCalls = map[string]bool{"SYSCALL_MASK": true, "ARCH_SPECIFIC_SYSCALL": true}

// x32Bit is __X32_SYSCALL_BIT.
const x32Bit = 0x40000000

// x32Own are the calls that have numbers of their own on x32, from 512 on, in
// order: arch/x86/entry/syscalls/syscall_64.tbl of Linux.
var x32Own = []string{
	"rt_sigaction", "rt_sigreturn", "ioctl", "readv", "writev", "recvfrom", "sendmsg", "recvmsg",
	"execve", "ptrace", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "sigaltstack",
	"timer_create", "mq_notify", "kexec_load", "waitid", "set_robust_list", "get_robust_list",
	"vmsplice", "move_pages", "preadv", "pwritev", "rt_tgsigqueueinfo", "recvmmsg", "sendmmsg",
	"process_vm_readv", "process_vm_writev", "setsockopt", "getsockopt", "io_setup", "io_submit",
	"execveat", "preadv2", "pwritev2",
}

// only64 are the calls of amd64 that the same table gives to no x32.
var only64 = []string{
	"_sysctl", "create_module", "epoll_ctl_old", "epoll_wait_old", "get_kernel_syms", "get_thread_area",
	"nfsservctl", "query_module", "set_thread_area", "uselib", "vserver",
}

// armPrivate are calls of 32-bit ARM outside the common numbers, __ARM_NR_*.
var armPrivate = map[string]uint32{
	"breakpoint": 0x0f0001,
	"cacheflush": 0x0f0002,
	"usr26":      0x0f0003,
	"usr32":      0x0f0004,
	"set_tls":    0x0f0005,
	"get_tls":    0x0f0006,
}

// groupAliases are calls that golang.org/x/sys names otherwise than systemd,
// where systemd has that one name only.
var groupAliases = map[string]string{"sync_file_range2": "arm_sync_file_range"}

// narrower are arguments, counted from 0, that are declared as unsigned long and
// of which the kernel reads the lower 32 bits only. A test tries each.
//
//   - clone(2): flags, by lower_32_bits in kernel/fork.c.
//   - mmap(2): prot, whose bits are picked one by one, and fd, for fget takes an
//     unsigned int.
//   - readv(2) and its kind: fd, for the same reason.
var narrower = map[string][]int{
	"clone": {0}, "mmap": {2, 4},
	"readv": {0}, "writev": {0}, "preadv": {0}, "pwritev": {0}, "preadv2": {0}, "pwritev2": {0},
}
