package probes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// special is a system call that all ones as arguments do not fit.
type special struct {
	name string
	way  specialWay
	// args are the first arguments; the others are all ones. one means that
	// the whole argument is all ones.
	args [3]int64
	// why is the reason, in words that a report can show.
	why string
}

// specialWay is how such a call is made and what the kernel does then.
type specialWay uint8

const (
	// wayPlain: other arguments, and nothing else.
	wayPlain specialWay = iota
	// wayNever: not made, since nothing keeps it from acting.
	wayNever
	// wayBlocks: the kernel does not return from it.
	wayBlocks
	// wayEnds: the child ends with its first argument as the status.
	wayEnds
	// wayForks: it makes a process, which ends at once.
	wayForks
	// wayFrame: it takes the registers from a frame on the stack, and gets one.
	// Only the native ABI's is known.
	wayFrame
	// wayIllegal: the kernel raises SIGILL.
	wayIllegal
	// waySession: made only where the child has a session of its own.
	waySession
)

// one is an argument of all ones.
const one = -1

// Statuses of the children that end in exit(2) and exit_group(2).
const (
	exitStatus      = 93
	exitGroupStatus = child.GroupStatus
)

// specials are sorted by name. What is not here takes six arguments of all ones:
// as an address, a descriptor, an id, a size or a set of flags they mean nothing,
// and the kernel says so before it does anything.
var specials = [...]special{
	{"brk", wayPlain, [3]int64{0, one, one}, "all ones are a size that a 32-bit ABI may give, and then as an address they mean something"},
	{"exit", wayEnds, [3]int64{exitStatus, one, one}, "ends the child"},
	{"exit_group", wayEnds, [3]int64{exitGroupStatus, one, one}, "ends the child"},
	{"fanotify_init", wayPlain, [3]int64{0x80000200, one, one}, "with all ones it asks for CAP_SYS_ADMIN before it looks at the flags"},
	{"flock", wayPlain, [3]int64{one, 0, one}, "all ones have LOCK_MAND, which succeeds and leaves a line in the kernel's log"},
	{"fork", wayForks, [3]int64{one, one, one}, "makes a process whatever the arguments"},
	{"futex", wayPlain, [3]int64{one, 1, one}, "with all ones it answers ENOSYS itself; FUTEX_WAKE of no address"},
	{"futex_time64", wayPlain, [3]int64{one, 1, one}, "with all ones it answers ENOSYS itself; FUTEX_WAKE of no address"},
	{"ipc", wayPlain, [3]int64{11, one, one}, "with all ones it answers ENOSYS itself; MSGSND to no queue"},
	{"kill", wayPlain, [3]int64{0x7fffffff, one, one}, "-1 names every process; this names none"},
	{"modify_ldt", wayPlain, [3]int64{1, one, one}, "with all ones it answers ENOSYS itself; a write of no valid size"},
	{"msgget", wayPlain, [3]int64{one, 0, one}, "all ones have IPC_CREAT and would leave a queue"},
	{"nice", wayPlain, [3]int64{0, one, one}, "-1 asks for a permission; 0 changes nothing"},
	{"pause", wayBlocks, [3]int64{one, one, one}, "blocks until a signal comes"},
	{"remap_file_pages", wayNever, [3]int64{one, one, one}, "leaves a line in the kernel's log once, whatever the arguments"},
	{"rt_sigreturn", wayFrame, [3]int64{one, one, one}, "takes the registers from the stack"},
	{"semget", wayPlain, [3]int64{one, one, 0}, "all ones have IPC_CREAT"},
	{"shmget", wayPlain, [3]int64{one, one, 0}, "all ones have IPC_CREAT, and 4 GiB may be had in a 32-bit ABI"},
	{"sigreturn", wayFrame, [3]int64{one, one, one}, "takes the registers from the stack"},
	{"sigsuspend", wayBlocks, [3]int64{one, one, one}, "blocks until a signal comes"},
	{"ssetmask", wayPlain, [3]int64{0xbfffffff, one, one}, "all ones block SIGSYS, by which a trap is told"},
	{"sync", wayNever, [3]int64{one, one, one}, "writes every disk's buffers, whatever the arguments"},
	{"uretprobe", wayIllegal, [3]int64{one, one, one}, "answers with SIGILL where no probe calls it"},
	{"vfork", wayForks, [3]int64{one, one, one}, "makes a process whatever the arguments"},
	{"vhangup", waySession, [3]int64{one, one, one}, "hangs up the terminal of its session, whatever the arguments"},
}

// numbered is a special call with its number in an ABI.
type numbered struct {
	nr uint32
	*special
}

// specialsOf returns those that an ABI has, by number.
func specialsOf(arch string) []numbered {
	out := make([]numbered, 0, len(specials))
	for i := range specials {
		if nr, ok := names.Syscall(arch, specials[i].name); ok {
			out = append(out, numbered{nr, &specials[i]})
		}
	}
	slices.SortFunc(out, func(a, b numbered) int { return cmp.Compare(a.nr, b.nr) })
	return out
}

func specialCall(name string) *special {
	i, ok := slices.BinarySearchFunc(specials[:], name, func(s special, name string) int { return strings.Compare(s.name, name) })
	if !ok {
		return nil
	}
	return &specials[i]
}

// arguments returns what the call takes, cut to the ABI's words.
func (s *special) arguments(bits int) [6]uint64 {
	all := [6]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	if s != nil {
		for k, v := range s.args {
			all[k] = uint64(v)
		}
	}
	if bits == 32 {
		for k := range all {
			all[k] &= 1<<32 - 1
		}
	}
	return all
}

// is says that the call is made in that way.
func (s *special) is(way specialWay) bool { return s != nil && s.way == way }

// mayRefuse are the calls for which the kernel itself may answer EPERM or
// EACCES to these arguments: it looks at permissions, at a sysctl, or at what
// the child already is, before it looks at arguments. Sorted.
var mayRefuse = [...]string{
	"acct", "bdflush", "bpf", "create_module", "delete_module", "fanotify_init", "finit_module", "fsmount", "fsopen", "fspick", "init_module",
	"io_uring_setup", "kexec_file_load", "kexec_load", "landlock_restrict_self", "lookup_dcookie", "mlock", "move_mount", "nfsservctl",
	"open_by_handle_at", "open_tree_attr", "pivot_root", "reboot", "setdomainname", "setgroups", "setgroups32", "sethostname", "setsid", "swapoff",
	"swapon", "syslog", "umount", "userfaultfd", "vhangup",
}
