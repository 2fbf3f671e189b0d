/*
 * asm/pte_grant.h - what a requested grant becomes, with and without NX.  Layer 1 (x86).
 * Included only by pte_common.h and pte_scrambled.h, after X86_PTE_XD: the execute-disable bit, or 0 where the
 * format has none.
 */
#ifndef ASM_PTE_GRANT_H
#define ASM_PTE_GRANT_H

/* The XD bit of hardware's entries once cpu set-up has switched EFER.NXE on; 0 before and on CPUs without NX, where the
 * bit is reserved.  Set once, before user entries are made. */
extern u64 pte_nx_mask;

/* That, if this format has such a bit; the constant 0 where it has none. */
static inline pteval_t x86_nx(void)
{
	return X86_PTE_XD ? (pteval_t)pte_nx_mask : 0;
}

#define PTE_HAS_NX (x86_nx() != 0)

static inline unsigned pte_grant_normal(unsigned grant)
{
	if (grant & (GRANT_W | GRANT_X))
		grant |= GRANT_R;
	if ((grant & GRANT_R) && !PTE_HAS_NX)
		grant |= GRANT_X;
	return grant & GRANT_MASK;
}

#endif
