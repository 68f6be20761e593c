package names

// beyond are attempts at what lies outside the process: other processes, and
// directories outside its root. No default policy asks for them. They are apart
// so that a program without a policy of its own links none of their texts.
var beyond = []Attempt{
	{"kill-other-users", Syscalls, "isolation", "medium", "send signals to processes of other users", fixSignals},
	{"kill-processes", Syscalls, "isolation", "low", "send signals to processes that it did not start", fixSignals},
	{"ptrace-processes", Syscalls, "isolation", "high", "trace processes that it did not start with ptrace(2)", fixTrace},
	{"process-vm-readv-processes", Syscalls, "isolation", "high", "read the memory of processes that it did not start with process_vm_readv(2)", fixTrace},
	{"fd-escape", Reescalation, "filesystem", "critical", "leave its root by .. from a directory that it has open, or from its working directory", "close every directory before the root changes, or open it with O_CLOEXEC where it is inherited; call chdir(\"/\") right after chroot(2)"},
	{"proc-root", Reescalation, "filesystem", "critical", "leave its root through /proc/PID/root of another process", "give it a user id and a pid namespace of its own with a /proc mounted in that; drop CAP_SYS_PTRACE; docker and kubernetes: no host pid namespace; systemd: ProtectProc=invisible, PrivatePIDs=yes"},
}

const fixSignals = "run it under a user id and in a pid namespace of its own; drop CAP_KILL"

// AttemptsBeyond returns those attempts that only a policy that names them asks
// for, and that take more than the process itself to try. The slice is shared and
// must not be changed.
func AttemptsBeyond() []Attempt { return beyond }
