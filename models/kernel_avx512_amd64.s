#include "go_asm.h"
#include "textflag.h"

DATA sign<>+0(SB)/8, $0x8080808080808080
DATA sign<>+8(SB)/8, $0x8080808080808080
GLOBL sign<>(SB), RODATA|NOPTR, $16

// func ranksAVX512(ranks *uint8, m *masks, row *float32)
//
// ranksAVX2 with sixteen columns at once.
TEXT ·ranksAVX512(SB), NOSPLIT, $0-24
	MOVQ ranks+0(FP), DI
	MOVQ m+8(FP), AX
	MOVQ row+16(FP), SI
	MOVQ masks_features(AX), R8
	MOVQ masks_keepAbove(AX), R9
	MOVQ masks_nanIsZero(AX), R10
	MOVQ masks_pairs(AX), R11
	MOVQ masks_pairs+8(AX), BX
	MOVQ masks_thresholds(AX), R12
	VPTERNLOGD $0xff, Z15, Z15, Z15
	VPSRLD $1, Z15, Z14               // all bits but the sign
	VPSRLD $31, Z15, Z13              // one
	VMOVDQU sign<>(SB), X12

columns:
	VMOVDQU32 (R8), Z1
	KXNORW K1, K1, K1
	VXORPS X0, X0, X0
	VGATHERDPS (SI)(Z1*4), K1, Z0
	VCMPPS $0x03, Z0, Z0, K2          // NaN,
	VPTESTMD (R10), Z15, K3           // where that is 0,
	KANDW K3, K2, K2
	VPXORD Z0, Z0, K2, Z0             // is 0
	VPANDD Z14, Z0, Z4
	VCMPPS $0x1e, (R9), Z4, K4        // keep: |x| > keepAbove
	VMOVDQA32 Z13, Z5
	VPXORD Z6, Z6, Z6
	MOVL (R11), CX

thresholds:
	VCMPPS $0x1e, (R12), Z0, K5       // x > threshold
	VCMPPS $0x1e, 64(R12), Z0, K6
	VPADDD Z13, Z5, K5, Z5
	VPADDD Z13, Z6, K6, Z6
	ADDQ $128, R12
	DECL CX
	JNZ thresholds

	VPADDD.Z Z6, Z5, K4, Z5           // one more than are below, or 0 where missing
	VPMOVDB Z5, X5
	VPXOR X12, X5, X5                 // less maskBias
	VMOVDQU X5, (DI)
	ADDQ $64, R8
	ADDQ $64, R9
	ADDQ $64, R10
	ADDQ $4, R11
	ADDQ $16, DI
	DECQ BX
	JNZ columns
	VZEROUPPER
	RET

// ANSWERS leaves in K1 to K4 which of the block's nodes 0 to 3 say "right", one bit
// for each tree, and gathers in Z4 to Z7 what those rule out. Z2 holds the values.
#define ANSWERS \
	VPSUBB 64(R8), Z2, Z2; \
	VPCMPGTB 128(R8), Z2, K1; \
	KSHIFTRQ $16, K1, K2; \
	KSHIFTRQ $32, K1, K3; \
	KSHIFTRQ $48, K1, K4; \
	VPORD 192(R8), Z4, K1, Z4; \
	VPORD 256(R8), Z5, K2, Z5; \
	VPORD 320(R8), Z6, K3, Z6; \
	VPORD 384(R8), Z7, K4, Z7; \
	ADDQ $448, R8; \
	DECL CX

// LOOKUP128 looks 64 bytes up among 128.
#define LOOKUP128 \
	VMOVDQU8 (R8), Z2; \
	VPERMI2B Z17, Z16, Z2

// LOOKUP256 looks 64 bytes up among 256: in both halves, by bit 7 of the index.
#define LOOKUP256 \
	VMOVDQU8 (R8), Z2; \
	VMOVDQA64 Z2, Z3; \
	VPMOVB2M Z2, K5; \
	VPERMI2B Z17, Z16, Z2; \
	VPERMI2B Z19, Z18, Z3; \
	VMOVDQU8 Z3, K5, Z2

// BLOCKS runs CX blocks and leaves in Z4 the leaves that are ruled out.
#define BLOCKS(lookup, again, done) \
	VPXORD Z4, Z4, Z4; \
	VPXORD Z5, Z5, Z5; \
	VPXORD Z6, Z6, Z6; \
	VPXORD Z7, Z7, Z7; \
	TESTL CX, CX; \
	JZ done; \
again: \
	lookup; \
	ANSWERS; \
	JNZ again; \
done: \
	VPORD Z5, Z4, Z4; \
	VPORD Z7, Z6, Z6; \
	VPORD Z6, Z4, Z4

// FIRST makes of the leaves ruled out the number of the first one left; Z9 is -1 and
// Z10 is 31, scratch is overwritten. Where all are ruled out it gives -1.
#define FIRST(out, scratch) \
	VPSUBD out, Z9, scratch; \
	VPSUBD Z9, out, out; \
	VPANDD scratch, out, out; \
	VPLZCNTD out, out; \
	VPSUBD out, Z10, out

// KERNEL is the whole of it: for each group its lower leaves, then its upper ones,
// which count where no lower one is left. DI is leaf, AX m, SI ranks.
#define KERNEL(lookup) \
	MOVQ masks_blocks(AX), R8; \
	MOVQ masks_counts(AX), R10; \
	MOVQ masks_counts+8(AX), R11; \
	SHRQ $1, R11; \
	VMOVDQU8 (SI), Z16; \
	VMOVDQU8 64(SI), Z17; \
	VMOVDQU8 128(SI), Z18; \
	VMOVDQU8 192(SI), Z19; \
	VPTERNLOGD $0xff, Z9, Z9, Z9; \
	VPSRLD $27, Z9, Z10; \
	VPSRLD $31, Z9, Z11; \
	VPSLLD $5, Z11, Z11; \
group: \
	MOVL (R10), CX; \
	BLOCKS(lookup, lower, lowerDone); \
	VMOVDQA64 Z4, Z8; \
	MOVL 4(R10), CX; \
	BLOCKS(lookup, upper, upperDone); \
	VPCMPEQD Z9, Z8, K1; \
	FIRST(Z8, Z2); \
	FIRST(Z4, Z2); \
	VPADDD Z11, Z4, K1, Z8; \
	VPMOVDW Z8, Y8; \
	VMOVDQU Y8, (DI); \
	ADDQ $32, DI; \
	ADDQ $8, R10; \
	DECQ R11; \
	JNZ group; \
	VZEROUPPER; \
	RET

// func leaves128AVX512(leaf *uint16, m *masks, ranks *uint8)
TEXT ·leaves128AVX512(SB), NOSPLIT, $0-24
	MOVQ leaf+0(FP), DI
	MOVQ m+8(FP), AX
	MOVQ ranks+16(FP), SI
	KERNEL(LOOKUP128)

// func leaves256AVX512(leaf *uint16, m *masks, ranks *uint8)
TEXT ·leaves256AVX512(SB), NOSPLIT, $0-24
	MOVQ leaf+0(FP), DI
	MOVQ m+8(FP), AX
	MOVQ ranks+16(FP), SI
	KERNEL(LOOKUP256)
