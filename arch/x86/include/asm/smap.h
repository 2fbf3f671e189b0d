/*
 * smap.h - opening and closing user memory in assembly.  Layer 1 (x86).
 *
 * Three-byte no-ops that smap_enable() turns into STAC and CLAC when the CPU has SMAP.
 */
#ifndef ASM_SMAP_H
#define ASM_SMAP_H

#include <asm/extable.h>

#ifdef __ASSEMBLER__
/* clang-format off */
#define SMAP_SITE(code)            \
661:;                              \
	.byte 0x0f, 0x1f, 0x00;        \
	.pushsection .smap_sites, "a"; \
	EXTABLE_WORD 661b, code;       \
	.popsection
/* clang-format on */
#define SMAP_STAC SMAP_SITE(0xcb)
#define SMAP_CLAC SMAP_SITE(0xca)
#endif

#endif
