package kernel

import (
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// The calls of the table, by their place in it.
const (
	callOpenat2 = iota
	callStatx
	callFstat
	callFstatfs
	callGetdents
	callReadlinkat
	callLseek
	callPidfdOpen
	callPpoll
	callCapget
	callGetresuid
	callGetresgid
	callGetgroups
	callSetfsuid
	callSetfsgid
	callCapbset
	callAmbient
	callSecurebits
	callNoNewPrivs
	callSeccomp
	callDumpable
	callClock
	callUname
	callGetcwd
	callKcmp
	callGetxattrat
	callGetxattr
	callOpenTree
	callUnshare
	callSetns
	callWait4
	callKill
	numCalls
)

const allOnes = math.MaxUint // as a pointer, a descriptor or a flag word it means nothing to any call below

type (
	args   = [6]uintptr
	errnos = []syscall.Errno
)

// auditCalls is the table. What is newer than Linux 4.11 may be missing, so
// ENOSYS is an honest answer there.
var auditCalls = [numCalls]AuditCall{
	callOpenat2:    {"openat2", unix.SYS_OPENAT2, args{allOnes, 0, 0, 0}, errnos{unix.EINVAL, unix.ENOSYS}, true, "opens files of /proc that nothing is mounted over; without it their mount ids are compared"},
	callStatx:      {"statx", unix.SYS_STATX, args{allOnes, 0, 0, allOnes, 0}, errnos{unix.EINVAL, unix.EBADF, unix.EFAULT, unix.ENOSYS}, true, "mount ids and roots of mounts"},
	callFstat:      {"fstat", sysFstat, args{allOnes, allOnes}, errnos{unix.EBADF}, true, "inodes, where statx(2) is missing"},
	callFstatfs:    {"fstatfs", unix.SYS_FSTATFS, args{allOnes, allOnes}, errnos{unix.EBADF}, true, "the type of a file system, and whether it is read-only"},
	callGetdents:   {"getdents64", unix.SYS_GETDENTS64, args{allOnes, 0, 0}, errnos{unix.EBADF}, true, "the list of threads, and of descriptors"},
	callReadlinkat: {"readlinkat", unix.SYS_READLINKAT, args{allOnes, 0, 0, 0}, errnos{unix.EINVAL}, true, "/proc/self, exe, namespaces and descriptors"},
	callLseek:      {"lseek", sysLseek, args{allOnes, 0, 0, 0, 0}, errnos{unix.EBADF}, true, "proves that fdinfo is our own, where openat2(2) and statx(2) are missing"},
	callPidfdOpen:  {"pidfd_open", unix.SYS_PIDFD_OPEN, args{0, allOnes}, errnos{unix.EINVAL, unix.ENOSYS}, true, "proves that /proc counts processes as we do"},
	callPpoll:      {"ppoll", unix.SYS_PPOLL, args{0, 0x7fffffff, 0, 0, 0}, errnos{unix.EINVAL}, true, "whether a process held by a pidfd has ended"},
	callCapget:     {"capget", unix.SYS_CAPGET, args{0, 0}, errnos{unix.EFAULT}, true, "capability sets of each thread"},
	callGetresuid:  {"getresuid", sysGetresuid, args{allOnes, allOnes, allOnes}, errnos{unix.EFAULT}, true, "user ids of the calling thread"},
	callGetresgid:  {"getresgid", sysGetresgid, args{allOnes, allOnes, allOnes}, errnos{unix.EFAULT}, true, "group ids of the calling thread"},
	callGetgroups:  {"getgroups", sysGetgroups, args{allOnes, 0}, errnos{unix.EINVAL}, true, "supplementary groups of the calling thread"},
	callSetfsuid:   {"setfsuid", sysSetfsuid, args{allOnes}, nil, false, "reads the file system user id: -1 changes nothing"},
	callSetfsgid:   {"setfsgid", sysSetfsgid, args{allOnes}, nil, false, "reads the file system group id: -1 changes nothing"},
	callCapbset:    {"prctl(PR_CAPBSET_READ)", unix.SYS_PRCTL, args{unix.PR_CAPBSET_READ, 0x7fffffff}, errnos{unix.EINVAL}, true, "bounding set of the calling thread, and the highest capability"},
	callAmbient:    {"prctl(PR_CAP_AMBIENT)", unix.SYS_PRCTL, args{unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, 0x7fffffff}, errnos{unix.EINVAL}, true, "ambient set of the calling thread"},
	callSecurebits: {"prctl(PR_GET_SECUREBITS)", unix.SYS_PRCTL, args{unix.PR_GET_SECUREBITS}, errnos{unix.EINVAL}, false, "securebits of the calling thread"},
	callNoNewPrivs: {"prctl(PR_GET_NO_NEW_PRIVS)", unix.SYS_PRCTL, args{unix.PR_GET_NO_NEW_PRIVS, 1}, errnos{unix.EINVAL}, true, "no_new_privs of the calling thread"},
	callSeccomp:    {"prctl(PR_GET_SECCOMP)", unix.SYS_PRCTL, args{unix.PR_GET_SECCOMP}, errnos{unix.EINVAL}, false, "seccomp mode of the calling thread"},
	callDumpable:   {"prctl(PR_GET_DUMPABLE)", unix.SYS_PRCTL, args{unix.PR_GET_DUMPABLE}, errnos{unix.EINVAL}, false, "whether the process can be traced and dumped"},
	callClock:      {"clock_gettime", unix.SYS_CLOCK_GETTIME, args{0x7fffffff, 0}, errnos{unix.EINVAL}, true, "start time as a date"},
	callUname:      {"uname", unix.SYS_UNAME, args{allOnes}, errnos{unix.EFAULT}, true, "the kernel's release, for the report"},
	callGetcwd:     {"getcwd", unix.SYS_GETCWD, args{0, 0}, errnos{unix.ERANGE, unix.ENOENT}, true, "whether the working directory lies in the root, where the way up is barred"},
	callKcmp:       {"kcmp", unix.SYS_KCMP, args{allOnes, allOnes, 0, 0, 0}, errnos{unix.ESRCH, unix.EPERM, unix.EINVAL, unix.ENOSYS}, true, "whether threads share one table of descriptors"},
	callGetxattrat: {"getxattrat", unix.SYS_GETXATTRAT, args{allOnes, 0, 0, 0, 0, 0}, errnos{unix.EINVAL, unix.ENOSYS}, true, "file capabilities of programs, where a policy asks for them"},
	callGetxattr:   {"getxattr", unix.SYS_GETXATTR, args{0, 0, 0, 0}, errnos{unix.EFAULT}, true, "file capabilities, where getxattrat(2) is missing"},
	callOpenTree:   {"open_tree", unix.SYS_OPEN_TREE, args{allOnes, 0, allOnes}, errnos{unix.EINVAL, unix.ENOSYS}, true, "audit.Open keeps /proc/self/task that way"},
	callUnshare:    {"unshare", unix.SYS_UNSHARE, args{1}, errnos{unix.EINVAL}, true, "a thread that looks at the root of the mount namespace"},
	callSetns:      {"setns", unix.SYS_SETNS, args{allOnes, 0}, errnos{unix.EBADF}, true, "a thread that looks at the root of the mount namespace"},
	callWait4:      {"wait4", unix.SYS_WAIT4, args{0x80000001, 0, 0, 0}, errnos{unix.ESRCH, unix.ECHILD, unix.EINVAL}, true, "waits for the children that probe"},
	callKill:       {"kill", unix.SYS_KILL, args{0x7fffffff, 0}, errnos{unix.ESRCH}, true, "ends children that take too long"},
}
