package kernel

import "golang.org/x/sys/unix"

// RemadeCall is a system call that the kernel makes again for a thread that was
// stopped in it, as a filter sees it: struct seccomp_data.
type RemadeCall struct {
	NR, Arch uint32
	IP       uint64
	Args     [6]uint64
}

// Values that a system call leaves for the kernel itself, which then makes it
// again: linux/errno.h. They never reach a program.
const (
	restartSys   = 512 // ERESTARTSYS
	restartNoInt = 513 // ERESTARTNOINTR
	restartNoH   = 514 // ERESTARTNOHAND
	restartBlock = 516 // ERESTART_RESTARTBLOCK: by restart_syscall(2)
)

// spare sees to it that the thread, let go on, is not made to make a call that
// its filters deny. A stop interrupts the call that it waits in, the kernel
// makes that again, and nanosleep(2), poll(2) and futex(2) by another number,
// restart_syscall(2): a list of allowed calls that lacks it, or one that came
// over a waiting thread by SECCOMP_FILTER_FLAG_TSYNC, would end the process for
// our stop. EINTR, which those calls may give at any time, stands in for that.
// The same holds where not all filters were read, and nobody knows. After
// another stop than the one that was asked for nothing is changed: the thread
// would have had that without us.
func (t *tracee) spare() {
	const ourStop = unix.PTRACE_EVENT_STOP<<8 | int32(unix.SIGTRAP)
	if t.denies == nil || t.status != ourStop {
		return
	}
	call, waits := t.remade()
	if !waits || t.over && t.errno == 0 && !t.denies(t.programs(), call) {
		return
	}
	t.interrupted()
}

// programs are the filters that were read so far.
func (t *tracee) programs() [][]byte {
	parts := make([][]byte, t.count)
	from := uint32(0)
	for i, to := range t.ends[:t.count] {
		parts[i] = t.code[from*filterSize : to*filterSize : to*filterSize]
		from = to
	}
	return parts
}
