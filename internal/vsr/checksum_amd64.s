#include "textflag.h"

// func absorbAES(state *aegis, data *byte, steps int)
//
// The state is in X0 to X7. AESENC replaces a block by its round, plus the first operand.
TEXT ·absorbAES(SB), NOSPLIT, $0-24
	MOVQ  state+0(FP), AX
	MOVQ  data+8(FP), BX
	MOVQ  steps+16(FP), CX
	MOVOU 0(AX), X0
	MOVOU 16(AX), X1
	MOVOU 32(AX), X2
	MOVOU 48(AX), X3
	MOVOU 64(AX), X4
	MOVOU 80(AX), X5
	MOVOU 96(AX), X6
	MOVOU 112(AX), X7

step:
	TESTQ  CX, CX
	JZ     done
	MOVOU  0(BX), X8
	MOVOU  16(BX), X9
	PXOR   X0, X8
	PXOR   X4, X9
	MOVOU  X7, X10
	AESENC X8, X10  // block 0 of the next state, with the first half of the data
	MOVOU  X6, X11
	AESENC X7, X11  // block 7
	MOVOU  X5, X12
	AESENC X6, X12  // block 6
	MOVOU  X4, X13
	AESENC X5, X13  // block 5
	MOVOU  X3, X14
	AESENC X9, X14  // block 4, with the second half of the data
	MOVOU  X2, X9
	AESENC X3, X9   // block 3
	MOVOU  X1, X8
	AESENC X2, X8   // block 2
	MOVOU  X0, X2
	AESENC X1, X2   // block 1
	MOVOU  X10, X0
	MOVOU  X2, X1
	MOVOU  X8, X2
	MOVOU  X9, X3
	MOVOU  X14, X4
	MOVOU  X13, X5
	MOVOU  X12, X6
	MOVOU  X11, X7
	ADDQ   $32, BX
	DECQ   CX
	JMP    step

done:
	MOVOU X0, 0(AX)
	MOVOU X1, 16(AX)
	MOVOU X2, 32(AX)
	MOVOU X3, 48(AX)
	MOVOU X4, 64(AX)
	MOVOU X5, 80(AX)
	MOVOU X6, 96(AX)
	MOVOU X7, 112(AX)
	RET
