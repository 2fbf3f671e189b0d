/*
 * asm/pte_value.h - pte_t, the value of an entry: a struct around the integer pteval_t.  Layer 1 (x86).
 * Included only by the format headers, which define pteval_t first.
 *
 * With RAW=1 it is the bare integer: nothing stops generic code from looking into it, and `make bench` counts what
 * the struct costs (T4-20).
 */
#ifndef ASM_PTE_VALUE_H
#define ASM_PTE_VALUE_H

#ifdef PTE_RAW
typedef pteval_t pte_t;
#define X86_VAL(pte) (pte)
#else
typedef struct {
	pteval_t pteval;
} pte_t;
#define X86_VAL(pte) ((pte).pteval)
#endif

/* A value from the bits that are stored. */
static inline pte_t x86_pte(pteval_t v)
{
	return (pte_t){v};
}

static inline bool pte_same(pte_t a, pte_t b)
{
	return X86_VAL(a) == X86_VAL(b);
}

#endif
