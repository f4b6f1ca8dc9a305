#include "go_asm.h"
#include "textflag.h"

// The lowest byte of each 32-bit lane, together.
DATA lowBytes<>+0(SB)/8, $0x808080800c080400
DATA lowBytes<>+8(SB)/8, $0x8080808080808080
DATA lowBytes<>+16(SB)/8, $0x808080800c080400
DATA lowBytes<>+24(SB)/8, $0x8080808080808080
GLOBL lowBytes<>(SB), RODATA|NOPTR, $32

DATA signBits<>+0(SB)/8, $0x8080808080808080
GLOBL signBits<>(SB), RODATA|NOPTR, $8

// One byte of each 32-bit lane, four times: the lane's node 0, 1, 2, 3.
DATA spread<>+0(SB)/8, $0x0404040400000000
DATA spread<>+8(SB)/8, $0x0c0c0c0c08080808
DATA spread<>+16(SB)/8, $0x0505050501010101
DATA spread<>+24(SB)/8, $0x0d0d0d0d09090909
DATA spread<>+32(SB)/8, $0x0606060602020202
DATA spread<>+40(SB)/8, $0x0e0e0e0e0a0a0a0a
DATA spread<>+48(SB)/8, $0x0707070703030303
DATA spread<>+56(SB)/8, $0x0f0f0f0f0b0b0b0b
GLOBL spread<>(SB), RODATA|NOPTR, $64

// func ranksAVX2(ranks *uint8, m *masks, row *float32)
//
// Eight columns at once: the values are gathered, compared with one threshold of each
// column after the other, and what is true (-1) is taken off the count.
TEXT ·ranksAVX2(SB), NOSPLIT, $0-24
	MOVQ ranks+0(FP), DI
	MOVQ m+8(FP), AX
	MOVQ row+16(FP), SI
	MOVQ masks_features(AX), R8
	MOVQ masks_keepAbove(AX), R9
	MOVQ masks_nanIsZero(AX), R10
	MOVQ masks_pairs(AX), R11
	MOVQ masks_pairs+8(AX), BX
	MOVQ masks_thresholds(AX), R12
	VPCMPEQD Y15, Y15, Y15
	VPSRLD $1, Y15, Y14               // all bits but the sign
	VMOVDQU lowBytes<>(SB), Y13
	VMOVQ signBits<>(SB), X12

columns:
	VMOVDQU (R8), Y1
	VMOVDQA Y15, Y2
	VXORPS Y0, Y0, Y0
	VGATHERDPS Y2, (SI)(Y1*4), Y0
	VCMPPS $0x03, Y0, Y0, Y3          // NaN,
	VANDPS (R10), Y3, Y3              // where that is 0,
	VANDNPS Y0, Y3, Y0                // is 0
	VANDPS Y14, Y0, Y4
	VCMPPS $0x1e, (R9), Y4, Y4        // keep: |x| > keepAbove
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	MOVL (R11), CX

thresholds:
	VCMPPS $0x1e, (R12), Y0, Y7       // x > threshold
	VCMPPS $0x1e, 32(R12), Y0, Y8
	VPSUBD Y7, Y5, Y5
	VPSUBD Y8, Y6, Y6
	ADDQ $64, R12
	DECL CX
	JNZ thresholds

	VPADDD Y6, Y5, Y5
	VPSUBD Y15, Y5, Y5                // one more,
	VPAND Y4, Y5, Y5                  // or 0 where missing
	VPSHUFB Y13, Y5, Y5
	VEXTRACTI128 $1, Y5, X6
	VPUNPCKLDQ X6, X5, X5
	VPXOR X12, X5, X5                 // less maskBias
	VMOVQ X5, (DI)
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $4, R11
	ADDQ $8, DI
	DECQ BX
	JNZ columns
	VZEROUPPER
	RET

// RULE gathers in acc what node n of each tree rules out.
#define RULE(n, pick, answers, scratch, acc) \
	VPSHUFB pick, answers, scratch; \
	VPAND (96+32*n)(R8), scratch, scratch; \
	VPOR scratch, acc, acc

// LOOKUP makes out the answers of a block's nodes from the bytes of a row.
//
// The 64 bytes from base on are looked up 16 at a time, and the bits of the index
// that follow bit 4, which a shuffle passes over, choose one of the four results: Y4
// holds the indexes, Y6 and Y5 have those bits where a blend looks.
#define LOOKUP(row, out) \
	VBROADCASTI128 (row)(AX*1), out; \
	VBROADCASTI128 16(row)(AX*1), Y9; \
	VBROADCASTI128 32(row)(AX*1), Y10; \
	VBROADCASTI128 48(row)(AX*1), Y11; \
	VPSHUFB Y4, out, out; \
	VPSHUFB Y4, Y9, Y9; \
	VPSHUFB Y4, Y10, Y10; \
	VPSHUFB Y4, Y11, Y11; \
	VPBLENDVB Y5, Y9, out, out; \
	VPBLENDVB Y5, Y11, Y10, Y10; \
	VPBLENDVB Y6, Y10, out, out; \
	VPSUBB 32(R8), out, out; \
	VPCMPGTB 64(R8), out, out

// BLOCKS runs CX blocks. Y0 to Y3 gather the leaves that are ruled out.
#define BLOCKS(again, done) \
	VPXOR Y0, Y0, Y0; \
	VPXOR Y1, Y1, Y1; \
	VPXOR Y2, Y2, Y2; \
	VPXOR Y3, Y3, Y3; \
	TESTL CX, CX; \
	JZ done; \
again: \
	MOVBLZX (R9), AX; \
	SHLL $4, AX; \
	VMOVDQU (R8), Y4; \
	VPADDB Y4, Y4, Y6; \
	VPADDB Y6, Y6, Y5; \
	LOOKUP(SI, Y8); \
	RULE(0, Y12, Y8, Y9, Y0); \
	RULE(1, Y13, Y8, Y9, Y1); \
	RULE(2, Y14, Y8, Y9, Y2); \
	RULE(3, Y15, Y8, Y9, Y3); \
	ADDQ $224, R8; \
	INCQ R9; \
	DECL CX; \
	JNZ again; \
done: \
	VPOR Y1, Y0, Y0; \
	VPOR Y3, Y2, Y2; \
	VPOR Y2, Y0, Y0

// LEAF writes to leaf the first leaf that is left to tree t.
#define LEAF(t, at, leaf) \
	TZCNTQ (at)(SP), AX; \
	MOVW AX, (2*t)(leaf)

// LEAVES writes the leaves of eight trees from those that are ruled out, 0 to 31 in
// lower and 32 to 63 in upper. Trees 0, 1, 4 and 5 are in the first half of the
// stack, 2, 3, 6 and 7 in the other. Y5 is -1; Y9 and Y10 are overwritten.
#define LEAVES(lower, upper, at, leaf) \
	VPXOR Y5, upper, upper; \
	VPXOR Y5, lower, lower; \
	VPUNPCKLDQ upper, lower, Y9; \
	VPUNPCKHDQ upper, lower, Y10; \
	VMOVDQU Y9, at(SP); \
	VMOVDQU Y10, (at+32)(SP); \
	LEAF(0, at+0, leaf); \
	LEAF(1, at+8, leaf); \
	LEAF(2, at+32, leaf); \
	LEAF(3, at+40, leaf); \
	LEAF(4, at+16, leaf); \
	LEAF(5, at+24, leaf); \
	LEAF(6, at+48, leaf); \
	LEAF(7, at+56, leaf)

// func leavesAVX2(leaf *uint16, m *masks, ranks *uint8)
TEXT ·leavesAVX2(SB), NOSPLIT, $64-24
	MOVQ leaf+0(FP), DI
	MOVQ m+8(FP), AX
	MOVQ ranks+16(FP), SI
	MOVQ masks_blocks(AX), R8
	MOVQ masks_bases(AX), R9
	MOVQ masks_counts(AX), R10
	MOVQ masks_counts+8(AX), R11
	SHRQ $1, R11
	VBROADCASTI128 spread<>+0(SB), Y12
	VBROADCASTI128 spread<>+16(SB), Y13
	VBROADCASTI128 spread<>+32(SB), Y14
	VBROADCASTI128 spread<>+48(SB), Y15

group:
	MOVL (R10), CX
	BLOCKS(lower, lowerDone)
	VMOVDQA Y0, Y7
	MOVL 4(R10), CX
	BLOCKS(upper, upperDone)
	VPCMPEQD Y5, Y5, Y5
	LEAVES(Y7, Y0, 0, DI)
	ADDQ $16, DI
	ADDQ $8, R10
	DECQ R11
	JNZ group
	VZEROUPPER
	RET

// func addAVX2(s *sums, t *leafTable, leaf *uint16)
TEXT ·addAVX2(SB), NOSPLIT, $0-24
	MOVQ s+0(FP), DI
	MOVQ t+8(FP), AX
	MOVQ leaf+16(FP), SI
	MOVQ leafTable_rows(AX), R8
	MOVQ leafTable_first(AX), R9
	MOVQ leafTable_first+8(AX), CX
	VXORPD X0, X0, X0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPCMPEQD Y3, Y3, Y3
	VPSRLD $8, Y3, Y3                 // fieldMask

tree:
	MOVWLZX (SI), AX
	ADDL (R9), AX
	SHLQ $5, AX                       // rowBytes
	VMOVDQU (R8)(AX*1), Y4
	VADDSD X4, X0, X0
	VPAND Y3, Y4, Y5
	VPSRLD $24, Y4, Y4
	VPADDD Y5, Y1, Y1
	VPADDD Y4, Y2, Y2
	ADDQ $2, SI
	ADDQ $4, R9
	DECQ CX
	JNZ tree

	VMOVSD X0, sums_raw(DI)
	VMOVDQU Y1, sums_main(DI)
	VMOVDQU Y2, sums_free(DI)
	VZEROUPPER
	RET

// func pairRanksAVX2(a, b *uint8, m *masks, x, y *float32)
//
// ranksAVX2 of two rows, which share the thresholds read.
TEXT ·pairRanksAVX2(SB), NOSPLIT, $0-40
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), DX
	MOVQ m+16(FP), AX
	MOVQ x+24(FP), SI
	MOVQ y+32(FP), R13
	MOVQ masks_features(AX), R8
	MOVQ masks_keepAbove(AX), R9
	MOVQ masks_nanIsZero(AX), R10
	MOVQ masks_pairs(AX), R11
	MOVQ masks_pairs+8(AX), BX
	MOVQ masks_thresholds(AX), R12
	VPCMPEQD Y15, Y15, Y15
	VPSRLD $1, Y15, Y14               // all bits but the sign

columns:
	VMOVDQU (R8), Y1
	VMOVDQA Y15, Y2
	VXORPS Y0, Y0, Y0
	VGATHERDPS Y2, (SI)(Y1*4), Y0
	VMOVDQA Y15, Y2
	VXORPS Y3, Y3, Y3
	VGATHERDPS Y2, (R13)(Y1*4), Y3
	VCMPPS $0x03, Y0, Y0, Y5          // NaN,
	VCMPPS $0x03, Y3, Y3, Y6
	VANDPS (R10), Y5, Y5              // where that is 0,
	VANDPS (R10), Y6, Y6
	VANDNPS Y0, Y5, Y0                // is 0
	VANDNPS Y3, Y6, Y3
	VANDPS Y14, Y0, Y1
	VANDPS Y14, Y3, Y2
	VCMPPS $0x1e, (R9), Y1, Y1        // keep: |x| > keepAbove
	VCMPPS $0x1e, (R9), Y2, Y2
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	VPXOR Y8, Y8, Y8
	MOVL (R11), CX

thresholds:
	VMOVUPS (R12), Y4
	VMOVUPS 32(R12), Y9
	VCMPPS $0x1e, Y4, Y0, Y10         // x > threshold
	VCMPPS $0x1e, Y9, Y0, Y11
	VCMPPS $0x1e, Y4, Y3, Y12
	VCMPPS $0x1e, Y9, Y3, Y13
	VPSUBD Y10, Y5, Y5
	VPSUBD Y11, Y6, Y6
	VPSUBD Y12, Y7, Y7
	VPSUBD Y13, Y8, Y8
	ADDQ $64, R12
	DECL CX
	JNZ thresholds

	VMOVDQU lowBytes<>(SB), Y13
	VMOVQ signBits<>(SB), X12
	VPADDD Y6, Y5, Y5
	VPADDD Y8, Y7, Y7
	VPSUBD Y15, Y5, Y5                // one more,
	VPSUBD Y15, Y7, Y7
	VPAND Y1, Y5, Y5                  // or 0 where missing
	VPAND Y2, Y7, Y7
	VPSHUFB Y13, Y5, Y5
	VPSHUFB Y13, Y7, Y7
	VEXTRACTI128 $1, Y5, X6
	VEXTRACTI128 $1, Y7, X8
	VPUNPCKLDQ X6, X5, X5
	VPUNPCKLDQ X8, X7, X7
	VPXOR X12, X5, X5                 // less maskBias
	VPXOR X12, X7, X7
	VMOVQ X5, (DI)
	VMOVQ X7, (DX)
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $4, R11
	ADDQ $8, DI
	ADDQ $8, DX
	DECQ BX
	JNZ columns
	VZEROUPPER
	RET

// PAIR is BLOCKS of two rows: Y0 and Y2 gather the leaves that are ruled out.
#define PAIR(again, done) \
	VPXOR Y0, Y0, Y0; \
	VPXOR Y1, Y1, Y1; \
	VPXOR Y2, Y2, Y2; \
	VPXOR Y3, Y3, Y3; \
	TESTL CX, CX; \
	JZ done; \
again: \
	MOVBLZX (R9), AX; \
	SHLL $4, AX; \
	VMOVDQU (R8), Y4; \
	VPADDB Y4, Y4, Y6; \
	VPADDB Y6, Y6, Y5; \
	LOOKUP(SI, Y7); \
	LOOKUP(DX, Y8); \
	RULE(0, Y12, Y7, Y9, Y0); \
	RULE(0, Y12, Y8, Y10, Y2); \
	RULE(1, Y13, Y7, Y9, Y1); \
	RULE(1, Y13, Y8, Y10, Y3); \
	RULE(2, Y14, Y7, Y9, Y0); \
	RULE(2, Y14, Y8, Y10, Y2); \
	RULE(3, Y15, Y7, Y9, Y1); \
	RULE(3, Y15, Y8, Y10, Y3); \
	ADDQ $224, R8; \
	INCQ R9; \
	DECL CX; \
	JNZ again; \
done: \
	VPOR Y1, Y0, Y0; \
	VPOR Y3, Y2, Y2

// func pairLeavesAVX2(a, b *uint16, m *masks, x, y *uint8)
//
// leavesAVX2 of two rows, which share the blocks read.
TEXT ·pairLeavesAVX2(SB), NOSPLIT, $128-40
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), BX
	MOVQ m+16(FP), AX
	MOVQ x+24(FP), SI
	MOVQ y+32(FP), DX
	MOVQ masks_blocks(AX), R8
	MOVQ masks_bases(AX), R9
	MOVQ masks_counts(AX), R10
	MOVQ masks_counts+8(AX), R11
	SHRQ $1, R11
	VBROADCASTI128 spread<>+0(SB), Y12
	VBROADCASTI128 spread<>+16(SB), Y13
	VBROADCASTI128 spread<>+32(SB), Y14
	VBROADCASTI128 spread<>+48(SB), Y15

group:
	MOVL (R10), CX
	PAIR(lower, lowerDone)
	VMOVDQU Y0, 64(SP)
	VMOVDQU Y2, 96(SP)
	MOVL 4(R10), CX
	PAIR(upper, upperDone)
	VPCMPEQD Y5, Y5, Y5
	VMOVDQU 64(SP), Y7
	VMOVDQU 96(SP), Y8
	LEAVES(Y7, Y0, 0, DI)
	LEAVES(Y8, Y2, 0, BX)
	ADDQ $16, DI
	ADDQ $16, BX
	ADDQ $8, R10
	DECQ R11
	JNZ group
	VZEROUPPER
	RET

// func pairAddAVX2(s, u *sums, t *leafTable, a, b *uint16)
//
// addAVX2 of two rows: neither waits for the other's additions.
TEXT ·pairAddAVX2(SB), NOSPLIT, $0-40
	MOVQ s+0(FP), DI
	MOVQ u+8(FP), DX
	MOVQ t+16(FP), AX
	MOVQ a+24(FP), SI
	MOVQ b+32(FP), BX
	MOVQ leafTable_rows(AX), R8
	MOVQ leafTable_first(AX), R9
	MOVQ leafTable_first+8(AX), CX
	VXORPD X0, X0, X0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VXORPD X6, X6, X6
	VPXOR Y7, Y7, Y7
	VPXOR Y8, Y8, Y8
	VPCMPEQD Y3, Y3, Y3
	VPSRLD $8, Y3, Y3                 // fieldMask

tree:
	MOVL (R9), R10
	MOVWLZX (SI), AX
	MOVWLZX (BX), R11
	ADDL R10, AX
	ADDL R10, R11
	SHLQ $5, AX                       // rowBytes
	SHLQ $5, R11
	VMOVDQU (R8)(AX*1), Y4
	VMOVDQU (R8)(R11*1), Y9
	VADDSD X4, X0, X0
	VADDSD X9, X6, X6
	VPAND Y3, Y4, Y5
	VPAND Y3, Y9, Y10
	VPSRLD $24, Y4, Y4
	VPSRLD $24, Y9, Y9
	VPADDD Y5, Y1, Y1
	VPADDD Y10, Y7, Y7
	VPADDD Y4, Y2, Y2
	VPADDD Y9, Y8, Y8
	ADDQ $2, SI
	ADDQ $2, BX
	ADDQ $4, R9
	DECQ CX
	JNZ tree

	VMOVSD X0, sums_raw(DI)
	VMOVDQU Y1, sums_main(DI)
	VMOVDQU Y2, sums_free(DI)
	VMOVSD X6, sums_raw(DX)
	VMOVDQU Y7, sums_main(DX)
	VMOVDQU Y8, sums_free(DX)
	VZEROUPPER
	RET
