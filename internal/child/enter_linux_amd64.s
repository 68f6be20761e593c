#include "textflag.h"

#define SYS_clone 56
#define SYS_exit 60
#define SYS_exit_group 231

// Places in the memory that frame begins: what the kernel's rt_sigreturn(2)
// takes registers from, and after it the note that trapHandler leaves, with
// whether it may go on, and where.
#define frameR12 80
#define frameR13 88
#define frameR14 96
#define frameR15 104
#define frameBP 128
#define frameSP 168
#define frameIP 176
#define frameFlags 184
#define armed 1040
#define resume 1048
#define apartResult 1064
#define apartReturned 1072

// func rawEnter(nr, a0, a1, a2, a3, a4, a5, how uintptr, frame *byte) uintptr
//
// The kernel keeps R12 to R15. With bit 0 of how the stack pointer is where
// rt_sigreturn(2) looks for frame, which brings these registers back and goes on
// at made. With bit 1 a process that gets 0 leaves before it touches the stack.
// While the call is made, the handler goes on at made too. With bit 2 a process
// that shares the memory makes the call, and clone(2) with CLONE_VM|CLONE_VFORK
// is what this returns from: the handler ends that process.
TEXT ·rawEnter(SB), NOSPLIT, $0-80
	MOVQ how+56(FP), R13
	MOVQ frame+64(FP), R14
	MOVQ SP, R12
	MOVQ BP, R15
	LEAQ made<>(SB), CX
	MOVQ CX, resume(R14)
	MOVQ a0+8(FP), DI
	MOVQ a1+16(FP), SI
	MOVQ a2+24(FP), DX
	MOVQ a3+32(FP), R10
	MOVQ a4+40(FP), R8
	MOVQ a5+48(FP), R9
	MOVQ nr+0(FP), AX
	TESTQ $4, R13
	JNZ  apart
	TESTQ $1, R13
	JZ   enter
	MOVQ R12, frameR12(R14)
	MOVQ R13, frameR13(R14)
	MOVQ R14, frameR14(R14)
	MOVQ R15, frameR15(R14)
	MOVQ BP, frameBP(R14)
	MOVQ R12, frameSP(R14)
	MOVQ CX, frameIP(R14)
	MOVQ $0x202, frameFlags(R14)
	LEAQ 8(R14), SP

enter:
	MOVL $1, armed(R14)
	SYSCALL
	JMP  made<>(SB)

apart:
	MOVL $0x4100, DI
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JZ   other
	JMP  made<>(SB)

other:
	MOVQ a0+8(FP), DI
	MOVQ a1+16(FP), SI
	MOVQ a2+24(FP), DX
	MOVQ a3+32(FP), R10
	MOVQ a4+40(FP), R8
	MOVQ a5+48(FP), R9
	MOVQ nr+0(FP), AX
	SYSCALL
	MOVQ AX, apartResult(R14)
	MOVL $1, apartReturned(R14)
	MOVL $76, DI
	MOVL $SYS_exit_group, AX
	SYSCALL
	MOVL $76, DI
	MOVL $SYS_exit, AX
	SYSCALL
	INT  $3

// made is where rawEnter goes on: by itself, from the frame, or from the
// handler. The stack is that of rawEnter or rawInt80, which are alike.
TEXT made<>(SB), NOSPLIT|NOFRAME, $0
	MOVL  $0, armed(R14)
	MOVQ  R12, SP
	XCHGQ BP, R15
	TESTQ $2, R13
	JZ    back
	TESTQ AX, AX
	JNZ   back
	MOVL  $77, DI
	MOVL  $SYS_exit_group, AX
	SYSCALL
	MOVL  $77, DI
	MOVL  $SYS_exit, AX
	SYSCALL
	INT   $3

back:
	MOVQ AX, 80(SP)
	RET

// func rawInt80(nr, a0, a1, a2, a3, a4, a5, how uintptr, frame *byte) uintptr
//
// The kernel clears r8 to r11 on this way in and keeps the others. The sixth
// argument goes where Go keeps its frame pointer.
TEXT ·rawInt80(SB), NOSPLIT, $0-80
	MOVQ how+56(FP), R13
	MOVQ frame+64(FP), R14
	MOVQ SP, R12
	MOVQ BP, R15
	LEAQ made<>(SB), CX
	MOVQ CX, resume(R14)
	MOVQ nr+0(FP), AX
	MOVQ a0+8(FP), BX
	MOVQ a1+16(FP), CX
	MOVQ a2+24(FP), DX
	MOVQ a3+32(FP), SI
	MOVQ a4+40(FP), DI
	MOVQ a5+48(FP), BP
	MOVL $1, armed(R14)
	INT     $0x80
	MOVLQSX AX, AX
	JMP  made<>(SB)

// Places in ucontext_t, and EINTR as the kernel leaves it.
#define contextStack 16
#define contextR12 72
#define contextR13 80
#define contextR14 88
#define contextR15 96
#define contextAX 144
#define EINTR 4

// trapHandler is the handler of SIGSYS, SIGILL and SIGALRM. What the kernel
// raises has a code above 0, which no other process can send: SYS_SECCOMP where
// a filter traps. It notes code, number, architecture and signal at the bottom
// of the stack that it runs on, as ucontext_t names it. It never returns, since
// there is nothing that a filter is sure to let it return by, but goes on after
// the call, or ends the child where there is none. Armed, it finds no note.
TEXT ·trapHandler(SB), NOSPLIT|NOFRAME, $0
	MOVL $94, BX
	MOVL 8(SI), AX
	CMPL AX, $0
	JLE  leave
	MOVQ contextStack(DX), CX
	MOVL $96, BX
	CMPL 0(CX), $0
	JNE  again
	CMPL DI, $14
	JNE  note
	CMPL 16(CX), $0
	JEQ  note
	CMPL contextAX(DX), $-EINTR
	JNE  early

note:
	MOVL DI, 12(CX)
	MOVL 28(SI), R8
	MOVL R8, 8(CX)
	MOVL 24(SI), R8
	MOVL R8, 4(CX)
	MOVL AX, 0(CX)
	CMPL 16(CX), $0
	JEQ  leave
	MOVQ contextR12(DX), R12
	MOVQ contextR13(DX), R13
	MOVQ contextR14(DX), R14
	MOVQ contextR15(DX), R15
	MOVQ $-EINTR, AX
	MOVQ 24(CX), CX
	JMP  CX

early:
	// The alarm came before the call was made, or after it came back: there
	// is no telling, so the child ends and another tries.
	MOVL $95, BX

leave:
	MOVL BX, DI
	MOVL $SYS_exit_group, AX
	SYSCALL

exit:
	MOVL BX, DI
	MOVL $SYS_exit, AX
	SYSCALL

crash:
	INT $3

again:
	// Its own ways out are trapped as well.
	INCL 20(CX)
	CMPL 20(CX), $1
	JEQ  exit
	JMP  crash

// func trapHandlerAddress() uintptr
TEXT ·trapHandlerAddress(SB), NOSPLIT, $0-8
	LEAQ ·trapHandler(SB), AX
	MOVQ AX, ret+0(FP)
	RET
