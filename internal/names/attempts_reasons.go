package names

// attemptReasons are what an attacker gains by each attempt, by its name. They are
// apart from the attempts so that only documents link them.
var attemptReasons = [...][2]string{
	{"setfsuid-root", "With file system user id 0 every file of root can be opened by its owner's bits."},
	{"setfsgid-root", "With file system group id 0 every file of group 0 can be opened by its group's bits."},
	{"setuid-root", "A saved user id of 0 or CAP_SETUID makes the drop of privileges reversible."},
	{"setgid-root", "A saved group id of 0 or CAP_SETGID opens every file that group 0 may read or write."},
	{"setresuid-root", "A user id of 0 among real, effective and saved can be moved to all three."},
	{"setresgid-root", "A group id of 0 among real, effective and saved can be moved to all three."},
	{"setreuid-root", "A real or saved user id of 0 can be exchanged for the effective one."},
	{"setregid-root", "A real or saved group id of 0 can be exchanged for the effective one."},
	{"setgroups", "CAP_SETGID lets a process join any group, those of disks and of container sockets among them."},
	{"capset", "A capability that is merely permitted is one call away from being used."},
	{"ambient-raise", "An ambient capability survives execve(2), so every program started from here has it."},
	{"exec-gain", "What a process gives up in its sets it gets back from the next program that it executes, as long as a user id is 0 and the bounding set is full."},
	{"keep-caps", "With keep-caps the permitted set survives a change of user ids away from 0."},
	{"securebits", "Whoever may change securebits decides what user id 0 means here."},
	{"chroot-escape", "A process that may call chroot(2) can leave any chroot."},
	{"userns", "All capabilities inside a new user namespace open kernel code that only root could reach otherwise."},
	{"userns-clone", "All capabilities inside a new user namespace open kernel code that only root could reach otherwise."},
	{"userns-clone3", "clone3(2) takes its flags from memory, where no filter can look, so it must be denied as a whole."},
	{"mount", "Whoever mounts decides what every path means."},
	{"umount2", "Unmounting uncovers what a sandbox had hidden beneath."},
	{"pivot-root", "A new root leaves every limit on paths behind."},
	{"fsopen", "The new mount calls do all that mount(2) does, and older filters do not know them."},
	{"fspick", "A read-only file system can be made writable again."},
	{"open-tree", "A detached copy of a mount can be attached anywhere by move_mount(2)."},
	{"move-mount", "It attaches what open_tree(2) and fsmount(2) prepared."},
	{"mount-setattr", "Read-only, nosuid, nodev and noexec can be taken off a mount."},
	{"chroot", "CAP_SYS_CHROOT is all that it takes to leave a chroot."},
	{"setns", "It leaves the namespaces that the sandbox is made of."},
	{"open-by-handle-at", "It reaches every inode of a file system, outside the root too, past all directory permissions."},
	{"bpf", "BPF programs and maps are kernel attack surface, and with privileges see the whole machine."},
	{"perf-event-open", "Performance events have a long record of kernel bugs, and measure other processes."},
	{"userfaultfd", "Stopping the kernel in a page fault turns races in it into reliable attacks."},
	{"io-uring-setup", "Operations submitted through io_uring pass by every seccomp filter."},
	{"kexec-load", "It replaces the running kernel."},
	{"kexec-file-load", "It replaces the running kernel."},
	{"init-module", "A module is code in the kernel."},
	{"finit-module", "A module is code in the kernel."},
	{"delete-module", "Unloading a module can take a defence or a device away."},
	{"reboot", "It ends the machine, or the pid namespace."},
	{"swapon", "Swap writes the memory of all processes to a file of the caller's choice."},
	{"swapoff", "Taking swap away can exhaust the machine's memory."},
	{"settimeofday", "A wrong clock revives expired certificates and tokens."},
	{"clock-adjtime", "A wrong clock revives expired certificates and tokens."},
	{"sethostname", "It needs CAP_SYS_ADMIN, the widest capability of all."},
	{"setdomainname", "It needs CAP_SYS_ADMIN, the widest capability of all."},
	{"acct", "It makes the kernel write to a file of the caller's choice, or stops a record that others rely on."},
	{"keyctl", "Kernel keyrings are not namespaced by container, and their code has a record of bugs."},
	{"add-key", "Kernel keyrings are not namespaced by container, and their code has a record of bugs."},
	{"quotactl", "It reads and changes limits of other users."},
	{"syslog", "The kernel's log gives away addresses and what other processes do."},
	{"raw-socket", "Raw sockets forge packets and read those of others."},
	{"packet-socket", "Packet sockets read and forge everything on the link."},
	{"ptrace", "Whoever traces a process does all that it can do."},
	{"process-vm-readv", "The memory of a process holds its keys."},
	{"ptrace-parent", "A child that was taken over controls its parent."},
	{"process-vm-readv-parent", "A child that was taken over reads its parent's keys."},
	{"kill-init", "A process of another user that can be signalled can be stopped."},
	{"low-port", "CAP_NET_BIND_SERVICE lets it take the place of a system service."},
	{"execve", "A service that starts no programs needs no execve(2); an attacker does."},
	{"mmap-write-exec", "Such memory takes code that an attacker brings along."},
	{"memfd-exec", "Programs can be started from it though no file system allows it."},
	{"personality", "ADDR_NO_RANDOMIZE takes address randomisation from what it executes."},
	{"int80", "A filter that forgets the architecture is passed by with i386 numbers."},
	{"x32", "A filter that compares numbers and forgets bit 30 is passed by."},
	{"fanotify-init", "It sees and can hold up other processes' accesses."},
	{"iopl", "Direct access to hardware bypasses the kernel."},
	{"kill-other-users", "A process of another user that can be signalled can be stopped."},
	{"kill-processes", "A process that can be signalled can be stopped or ended, of one's own user too."},
	{"ptrace-processes", "Whoever traces a process does all that it can do, and a process of the same user outside the sandbox can do more."},
	{"process-vm-readv-processes", "The memory of a process holds its keys."},
	{"fd-escape", "The root stops no path that begins outside it: every file there is one openat(2) away."},
	{"proc-root", "A process outside the sandbox whose root can be opened lends it, with no privilege where the user is the same."},
}

// AttemptReason says what an attacker gains by the attempt of that name. It is
// empty for a name that there is not.
func AttemptReason(name string) string {
	for i := range attemptReasons {
		if attemptReasons[i][0] == name {
			return attemptReasons[i][1]
		}
	}
	return ""
}
