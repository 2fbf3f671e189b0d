/*
 * kasan.h - the address sanitizer's shadow memory (SAN=kasan builds; see kernel/lib/kasan.h).  Layer 1.
 */
#ifndef ARCH_KASAN_H
#define ARCH_KASAN_H

#include "kernel/lib/types.h"

/* Give all kernel addresses a shadow that says "fine". => the very first C code; the caller is not instrumented */
void arch_kasan_early(void);
/* Give what can be poisoned a shadow of its own, the rest one that cannot be written. => from
 * arch_direct_map_init(), which passes its @alloc_table and the end of the direct map */
void arch_kasan_map(paddr_t ram_end, void *(*alloc_table)(void));
/* Where the byte of shadow for @p is. */
u8 *arch_kasan_shadow(const void *p);
/* Run the constructors that the compiler made, which register the global variables. */
void arch_kasan_constructors(void);

#endif
