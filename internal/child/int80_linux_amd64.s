#include "textflag.h"

// func rawInt80(nr uintptr) uintptr
//
// The kernel clears r8 to r11 on this way in; Go expects no register to survive.
TEXT ·rawInt80(SB), NOSPLIT, $0-16
	MOVQ nr+0(FP), AX
	XORQ BX, BX
	XORQ CX, CX
	XORQ DX, DX
	XORQ SI, SI
	XORQ DI, DI
	INT  $0x80
	MOVLQSX AX, AX
	MOVQ AX, ret+8(FP)
	RET
