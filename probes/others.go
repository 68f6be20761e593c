package probes

import (
	"bytes"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/child"
)

// seize is PTRACE_SEIZE, which does not stop the process it attaches to.
const seize = 0x4206

// trace attaches to another process and lets go again by ending.
type trace struct{ parent bool }

// target returns the pid argument, or why there is none.
func target(b *builder, parent bool) (word, string) {
	switch own := b.env.in.OwnPID; {
	case parent && b.env.in.Replica == nil:
		return result(b.do("getppid", nil, 0)), ""
	case parent && own == 0:
		return word{}, "the process cannot be seen from where a replica of it is"
	case parent:
		return pidWord(own), ""
	}
	if b.env.in.Peer == nil {
		return word{}, "no process of another user is in reach"
	}
	return pidWord(b.env.in.Peer.PID), ""
}

// pidWord is a process id, which is never written in hexadecimal.
func pidWord(pid int) word { return c(strconv.Itoa(pid), pid) }

// aim says in words what was tried on.
func aim(b *builder, parent bool) string {
	if parent {
		return "the own process"
	}
	return b.env.in.Peer.Why
}

func (p trace) build(b *builder) func() verdict {
	reach := b.unit("ptrace", args(c("PTRACE_SEIZE", seize), i(0), i(0), i(0)), 0)
	pid, none := target(b, p.parent)
	if none != "" {
		return func() verdict { return noObject(none) }
	}
	act := b.do("ptrace", args(c("PTRACE_SEIZE", seize), pid, i(0), i(0)), child.Need|child.Spends)
	// A second time the kernel refuses, because it is traced already.
	back := b.do("ptrace", args(c("PTRACE_SEIZE", seize), pid, i(0), i(0)), 0)
	b.End()
	r := &reading{want: esrch, capability: noCap}
	return func() verdict {
		v := b.env.judge(r, b.read(reach), b.read(act))
		if v.outcome == succeededOutcome && b.read(back).OK() {
			return stopped(filterStopped, "a seccomp filter answers success without making the call", b.read(act), b.read(back))
		}
		return about(v, aim(b, p.parent))
	}
}

// about names the object in the detail.
func about(v verdict, object string) verdict {
	if v.detail != "" {
		v.detail += "; "
	}
	v.detail += "tried on " + object
	return v
}

// readMemory asks for memory at an address that no process has: the
// permission is checked first, and nothing is read.
type readMemory struct{ parent bool }

func (p readMemory) build(b *builder) func() verdict {
	reach := b.unit("process_vm_readv", args(i(1), bad, i(1), bad, i(1), i(0)), 0)
	pid, none := target(b, p.parent)
	if none != "" {
		return func() verdict { return noObject(none) }
	}
	local := b.at(b.Buffer(8))
	from, to := b.Buffer(16), b.Buffer(16)
	putVec(b.Read(to), uintptr(local.n))
	putVec(b.Read(from), 1)
	act := b.do("process_vm_readv", args(pid, b.at(to), i(1), b.at(from), i(1), i(0)), 0)
	b.End()
	r := &reading{want: efault, capability: noCap, past: []syscall.Errno{efault}}
	return func() verdict {
		reached := b.read(reach)
		v := b.env.judge(r, reached, b.read(act))
		// Reach and act end in the same errno, so a filter that answers with
		// just that one is not told from the kernel: the careful reading stays.
		if v.outcome == stoppedOutcome && v.by == filterStopped && r.genuine(reached) {
			v = succeeded("the memory of another process is open to it", v.seen...)
		}
		return about(v, aim(b, p.parent))
	}
}

// putVec writes a struct iovec of one byte.
func putVec(b []byte, base uintptr) {
	size := len(b) / 2
	if ^uintptr(0)>>32 == 0 {
		size = 4
	}
	for k := range size {
		b[k] = byte(base >> (8 * k))
	}
	b[size] = 1
}

// killInit sends no signal, to process 1.
type killInit struct{}

func (killInit) build(b *builder) func() verdict {
	reach := b.unit("kill", args(i(1), bad), 0)
	parent := b.do("getppid", nil, 0)
	act := b.do("kill", args(i(1), i(0)), 0)
	b.End()
	r := &reading{want: einval, capability: b.entry.capability}
	return func() verdict {
		if o := b.read(parent); o.OK() && o.Ret == 1 && b.env.in.Replica == nil || b.env.in.OwnPID == 1 {
			return noObject("process 1 is the service itself")
		}
		v := b.env.judge(r, b.read(reach), b.read(act))
		if o := b.read(act); o.Errno == syscall.ESRCH {
			return noObject("there is no process 1", o)
		}
		return v
	}
}

// lowPort binds TCP port 1 of the loopback address, and does not listen.
type lowPort struct{}

func (lowPort) build(b *builder) func() verdict {
	text := b.Buffer(16)
	file := b.do("openat", args(c("AT_FDCWD", atFDCWD), s("/proc/sys/net/ipv4/ip_unprivileged_port_start"), i(syscall.O_RDONLY), i(0)), child.Need)
	b.do("read", args(result(file), b.at(text), i(15)), 0)
	b.do("close", args(result(file)), 0)
	b.End()
	reach := b.unit("bind", args(bad, i(0), i(0)), 0)
	fd := b.do("socket", args(c("AF_INET", syscall.AF_INET), c("SOCK_STREAM", syscall.SOCK_STREAM), i(0)), child.Need)
	act := b.do("bind", args(result(fd), data([]byte{2, 0, 0, 1, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}), i(16)), 0)
	b.do("close", args(result(fd)), 0)
	b.End()
	r := &reading{want: ebadf, past: []syscall.Errno{syscall.EADDRINUSE, syscall.EADDRNOTAVAIL}, capability: b.entry.capability}
	return func() verdict {
		start, err := strconv.Atoi(string(bytes.TrimRight(b.Read(text), "\x00\n ")))
		if err == nil && start <= 1 {
			return noObject("no port is privileged here: net.ipv4.ip_unprivileged_port_start is " + strconv.Itoa(start))
		}
		if o := b.read(fd); !o.OK() {
			return b.env.judge(&reading{capability: noCap, means: noFamily}, unasked, o)
		}
		v := b.env.judge(r, b.read(reach), b.read(act))
		if v.outcome == succeededOutcome && err != nil {
			return undecided("the bind succeeded, and whether port 1 is privileged here could not be read", v.seen...)
		}
		return v
	}
}

// writeExec maps a page that can be written and executed.
type writeExec struct{}

func (writeExec) build(b *builder) func() verdict {
	const page, rwx = 4096, 7
	anonymous := c("MAP_PRIVATE|MAP_ANONYMOUS", syscall.MAP_PRIVATE|syscall.MAP_ANON)
	call, length := "mmap", i(page)
	if _, ok := number(call); !ok {
		call = "mmap2"
	}
	reach := b.unit(call, args(i(0), i(0), c("PROT_READ|PROT_WRITE|PROT_EXEC", rwx), anonymous, bad, i(0)), 0)
	act := b.do(call, args(i(0), length, c("PROT_READ|PROT_WRITE|PROT_EXEC", rwx), anonymous, bad, i(0)), child.Need)
	b.do("munmap", args(result(act), length), 0)
	b.End()
	r := &reading{want: einval, capability: noCap, means: []meaning{{eperm, filterStopped, filterRefuses}, {syscall.EACCES, permissionStopped, "a security module refuses it"}}}
	return func() verdict { return b.env.judge(r, b.read(reach), b.read(act)) }
}

// otherEntry makes a harmless call by another ABI of the machine.
type otherEntry struct{ int80 bool }

func (p otherEntry) build(b *builder) func() verdict {
	nr, ok := p.number()
	if !ok {
		return func() verdict { return stopped(kernelStopped, "this architecture has no such entry") }
	}
	var how child.Flags
	if p.int80 {
		how = child.Int80
	}
	m := &made{step: b.Call(nr, how), ok: true, call: "getpid", name: p.name() + " getpid()"}
	b.End()
	return func() verdict {
		o := b.read(m)
		switch {
		case p.int80 && o.Signal == syscall.SIGSEGV && o.Repeated:
			return stopped(kernelStopped, "this kernel does not take int 0x80", o)
		case o.OK() && o.Ret == 0:
			return stopped(filterStopped, "a seccomp filter answers success without making the call", o)
		}
		return b.env.judge(&reading{capability: noCap, means: refusedByFilter}, unasked, o)
	}
}

// noQuota is how a file system without quotas answers.
var noQuota = []meaning{{syscall.ENOSYS, kernelStopped, noQuotas}, {einval, kernelStopped, noQuotas}, {syscall.ENOTTY, kernelStopped, noQuotas}}

const noQuotas = "the file system of its root has no quotas"

// quota asks for the limits of another user, on the root's file system.
type quota struct{}

func (quota) build(b *builder) func() verdict {
	// QCMD(Q_XGETQUOTA, USRQUOTA). Q_GETQUOTA asks for the same, and on a
	// read-only mount the kernel answers EROFS before it looks at permissions.
	const getUserQuota = ('X'<<8 + 3) << 8
	other := i(0)
	if uid, ok := b.env.uid.Get(); ok && uid.Effective.Value == 0 {
		other = i(1) // one's own limits may always be read
	}
	reach := b.unit("quotactl_fd", args(bad, bad, i(0), i(0)), 0)
	fd := b.do("openat", args(c("AT_FDCWD", atFDCWD), s("/"), i(syscall.O_RDONLY|syscall.O_DIRECTORY), i(0)), child.Need)
	act := b.do("quotactl_fd", args(result(fd), c("QCMD(Q_XGETQUOTA, USRQUOTA)", getUserQuota), other, room(128)), 0)
	b.do("close", args(result(fd)), 0)
	b.End()
	r := &reading{want: ebadf, past: []syscall.Errno{esrch}, capability: b.entry.capability, means: noQuota}
	return func() verdict {
		if o := b.read(fd); !o.OK() {
			return undecided("the root directory could not be opened", o)
		}
		return b.env.judge(r, b.read(reach), b.read(act))
	}
}
