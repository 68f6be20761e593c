#include "textflag.h"

#define SYS_exit 60
#define SYS_exit_group 231

// func rawEnter(nr, a0, a1, a2, a3, a4, a5, how uintptr, frame *byte) uintptr
//
// The kernel keeps R12 and R13. With bit 0 of how the stack pointer is where
// rt_sigreturn(2) looks for frame, which brings these registers back and goes on
// at the label made. With bit 1 a process that gets 0 leaves before it touches
// the stack.
TEXT ·rawEnter(SB), NOSPLIT, $0-80
	MOVQ  how+56(FP), R13
	MOVQ  SP, R12
	TESTQ $1, R13
	JZ    arguments
	MOVQ  frame+64(FP), AX
	MOVQ  R12, 80(AX)
	MOVQ  R13, 88(AX)
	MOVQ  BP, 128(AX)
	MOVQ  R12, 168(AX)
	LEAQ  made<>(SB), CX
	MOVQ  CX, 176(AX)
	MOVQ  $0x202, 184(AX)

arguments:
	MOVQ  a0+8(FP), DI
	MOVQ  a1+16(FP), SI
	MOVQ  a2+24(FP), DX
	MOVQ  a3+32(FP), R10
	MOVQ  a4+40(FP), R8
	MOVQ  a5+48(FP), R9
	MOVQ  frame+64(FP), CX
	MOVQ  nr+0(FP), AX
	TESTQ $1, R13
	JZ    enter
	LEAQ  8(CX), SP

enter:
	SYSCALL
	JMP made<>(SB)

// made is where rawEnter goes on, by itself or from the frame. The stack is
// that of rawEnter.
TEXT made<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ  R12, SP
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

// func rawInt80(nr, a0, a1, a2, a3, a4, a5, how uintptr) uintptr
//
// The kernel clears r8 to r11 on this way in and keeps the others. The sixth
// argument goes where Go keeps its frame pointer.
TEXT ·rawInt80(SB), NOSPLIT, $0-72
	MOVQ how+56(FP), R13
	MOVQ nr+0(FP), AX
	MOVQ a0+8(FP), BX
	MOVQ a1+16(FP), CX
	MOVQ a2+24(FP), DX
	MOVQ a3+32(FP), SI
	MOVQ a4+40(FP), DI
	MOVQ SP, R12
	MOVQ BP, R15
	MOVQ a5+48(FP), BP
	INT     $0x80
	MOVQ    R12, SP
	MOVQ    R15, BP
	MOVLQSX AX, AX
	TESTQ   $2, R13
	JZ      back
	TESTQ   AX, AX
	JNZ     back
	MOVL    $77, DI
	MOVL    $SYS_exit_group, AX
	SYSCALL
	MOVL    $77, DI
	MOVL    $SYS_exit, AX
	SYSCALL
	INT     $3

back:
	MOVQ AX, ret+64(FP)
	RET

// trapHandler is the handler of SIGSYS and SIGILL. What the kernel raises has a
// code above 0, which no other process can send: SYS_SECCOMP where a filter
// traps. It notes code, number, architecture and signal at the bottom of the
// stack that it runs on, as ucontext_t names it, and never returns: there is
// nothing that a filter is sure to let it return by.
TEXT ·trapHandler(SB), NOSPLIT|NOFRAME, $0
	MOVL $94, R12
	MOVL 8(SI), AX
	CMPL AX, $0
	JLE  leave
	MOVQ 16(DX), CX
	MOVL DI, 12(CX)
	MOVL 28(SI), R13
	MOVL R13, 8(CX)
	MOVL 24(SI), R13
	MOVL R13, 4(CX)
	MOVL AX, 0(CX)
	MOVL $96, R12

leave:
	MOVL R12, DI
	MOVL $SYS_exit_group, AX
	SYSCALL
	MOVL R12, DI
	MOVL $SYS_exit, AX
	SYSCALL
	INT  $3

// func trapHandlerAddress() uintptr
TEXT ·trapHandlerAddress(SB), NOSPLIT, $0-8
	LEAQ ·trapHandler(SB), AX
	MOVQ AX, ret+0(FP)
	RET
