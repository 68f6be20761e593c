package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// restart_syscall(2) of x86-64, to which x32 adds its bit, and of i386.
const (
	restartNative = 219
	restartI386   = 0
	auditI386     = 0x40000003
	auditX86      = 0xc000003e
	x32Bit        = 1 << 30
)

// remade returns the call that the kernel makes again when the thread goes on,
// and whether there is one.
func (t *tracee) remade() (*RemadeCall, bool) {
	var r unix.PtraceRegs
	if _, errno := t.ptrace(unix.PTRACE_GETREGS, 0, uintptr(unsafe.Pointer(&r))); errno != 0 || int64(r.Orig_rax) < 0 {
		return nil, false
	}
	c := &RemadeCall{NR: uint32(r.Orig_rax), Arch: t.arch(), IP: r.Rip, Args: [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}}
	if c.Arch == auditI386 {
		c.Args = [6]uint64{r.Rbx, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.Rbp}
	}
	// i386 leaves 32 bits.
	switch -int32(r.Rax) {
	case restartSys, restartNoInt, restartNoH:
		return c, true
	case restartBlock:
		if c.NR = restartNative | c.NR&x32Bit; c.Arch == auditI386 {
			c.NR = restartI386
		}
		return c, true
	}
	return nil, false
}

// arch returns the AUDIT_ARCH of the call that the thread is in: Linux 5.3.
func (t *tracee) arch() uint32 {
	var info struct {
		op   uint32
		arch uint32
		rest [10]uint64
	}
	_, errno := t.ptrace(unix.PTRACE_GET_SYSCALL_INFO, unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)))
	if errno != 0 || info.arch == 0 {
		return auditX86
	}
	return info.arch
}

// interrupted makes the call answer EINTR.
func (t *tracee) interrupted() {
	at := unsafe.Offsetof(unix.PtraceRegs{}.Rax)
	_, _ = t.ptrace(unix.PTRACE_POKEUSR, at, ^uintptr(0)-uintptr(unix.EINTR)+1)
}
