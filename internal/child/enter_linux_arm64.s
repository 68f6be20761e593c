#include "textflag.h"

#define SYS_exit 93
#define SYS_exit_group 94

// func rawEnter(nr, a0, a1, a2, a3, a4, a5 uintptr) uintptr
//
// The stack pointer is 8, where nothing can be, so that rt_sigreturn(2) finds
// no frame. The kernel keeps every register but the first.
TEXT ·rawEnter(SB), NOSPLIT, $0-64
	MOVD nr+0(FP), R8
	MOVD a0+8(FP), R0
	MOVD a1+16(FP), R1
	MOVD a2+24(FP), R2
	MOVD a3+32(FP), R3
	MOVD a4+40(FP), R4
	MOVD a5+48(FP), R5
	MOVD RSP, R19
	MOVD $8, R20
	MOVD R20, RSP
	SVC
	MOVD R19, RSP
	MOVD R0, ret+56(FP)
	RET

// trapHandler is the handler of SIGSYS and SIGILL. What the kernel raises has a
// code above 0, which no other process can send: SYS_SECCOMP where a filter
// traps. It notes code, number, architecture and signal at the bottom of the
// stack that it runs on, as ucontext_t names it, and never returns: there is
// nothing that a filter is sure to let it return by.
TEXT ·trapHandler(SB), NOSPLIT|NOFRAME, $0
	MOVD $94, R19
	MOVW 8(R1), R3
	CMPW $0, R3
	BLE  leave
	MOVD 16(R2), R4
	MOVW R0, 12(R4)
	MOVW 28(R1), R5
	MOVW R5, 8(R4)
	MOVW 24(R1), R5
	MOVW R5, 4(R4)
	MOVW R3, 0(R4)
	MOVD $96, R19

leave:
	MOVD R19, R0
	MOVD $SYS_exit_group, R8
	SVC
	MOVD R19, R0
	MOVD $SYS_exit, R8
	SVC
	BRK

// func trapHandlerAddress() uintptr
TEXT ·trapHandlerAddress(SB), NOSPLIT, $0-8
	MOVD $·trapHandler(SB), R0
	MOVD R0, ret+0(FP)
	RET
