/*
 * extable.h - instructions of the kernel that may fault, and where to go on when they do.  Layer 1 (x86).
 *
 * EXTABLE(insn, fixup) in assembly adds an entry; arch_fixup() looks the instruction pointer up.
 */
#ifndef ASM_EXTABLE_H
#define ASM_EXTABLE_H

#if BITS == 64
#define EXTABLE_WORD .quad
#else
#define EXTABLE_WORD .long
#endif

#ifdef __ASSEMBLER__
/* clang-format off */
#define EXTABLE(insn, fixup)     \
	.pushsection .ex_table, "a"; \
	EXTABLE_WORD insn, fixup;    \
	.popsection
/* clang-format on */
#else
#include "kernel/lib/types.h"

struct trap_frame;
struct extable_entry {
	vaddr_t insn, fixup;
};
extern const struct extable_entry extable_start[], extable_end[];

/* If the kernel instruction at @tf is listed, continue at its fixup and return true. */
bool arch_fixup(struct trap_frame *tf);
bool arch_fixup_exists(const struct trap_frame *tf);
#endif

#endif
