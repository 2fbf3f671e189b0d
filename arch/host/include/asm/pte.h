/*
 * asm/pte.h - the page-table entries of the simulated machine.  Layer 1 (host); reached through <arch/pte.h>.
 *
 * The formats are those of arch/x86, unchanged, and one that exists nowhere (pte_scrambled.h).  The tiny geometries use
 * the entries of x86-64.  Every access to a live entry is a point: other CPUs may run, and their hardware may set A
 * and D, before it and, if it writes, after it; and where the format has a barrier(): between the halves of PAE, and
 * between the halves of what a mutation splits.
 */
#ifndef ARCH_PTE_H
#include <arch/pte.h> /* comes back here with the types that the formats need */
#elif !defined(ASM_PTE_H)
#define ASM_PTE_H

#include <arch/cpu.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"

#define hw_pte_get host_raw_get
#define hw_pte_get_lockless host_raw_get_lockless
#define hw_pte_set host_raw_set
#define hw_pte_get_and_clear host_raw_get_and_clear
#define hw_pte_cmpxchg host_raw_cmpxchg
#define hw_pte_test_and_clear_young host_raw_test_and_clear_young

/* Where a format stops the compiler, it does so between two accesses to one entry: a point. */
#pragma push_macro("barrier")
#undef barrier
#define barrier() host_point()
#if defined(PTE_FORMAT_amd64) || defined(PTE_FORMAT_tiny2) || defined(PTE_FORMAT_tiny4)
#include <asm/pte_amd64.h>
#elif defined(PTE_FORMAT_pae)
#include <asm/pte_pae.h>
#elif defined(PTE_FORMAT_i386)
#include <asm/pte_i386.h>
#elif defined(PTE_FORMAT_scrambled)
#include <asm/pte_scrambled.h>
#else
#error "define PTE_FORMAT_amd64, _pae, _i386, _scrambled, _tiny2 or _tiny4"
#endif
#pragma pop_macro("barrier")

#undef hw_pte_get
#undef hw_pte_get_lockless
#undef hw_pte_set
#undef hw_pte_get_and_clear
#undef hw_pte_cmpxchg
#undef hw_pte_test_and_clear_young

/* Who finds an entry finds what was stored before it (a table's record): loads and stores of entries are ordered, as on
 * x86.  The thread sanitizer must be told. */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *p);
void __tsan_release(void *p);
#else
#define __tsan_acquire(p) ((void)(p))
#define __tsan_release(p) ((void)(p))
#endif

static inline pte_t hw_pte_get(struct hw_pte *hw)
{
	pte_t pte;

	host_point();
	pte = host_raw_get(hw);
	__tsan_acquire(hw);
	return pte;
}

static inline pte_t hw_pte_get_lockless(struct hw_pte *hw)
{
	pte_t pte;

	host_point();
	pte = host_raw_get_lockless(hw);
	__tsan_acquire(hw);
	return pte;
}

static inline void hw_pte_set(struct hw_pte *hw, pte_t pte)
{
	host_point();
	__tsan_release(hw);
	host_raw_set(hw, pte);
	host_point();
}

static inline pte_t hw_pte_get_and_clear(struct hw_pte *hw)
{
	pte_t old;

	host_point();
	old = host_raw_get_and_clear(hw);
	host_point();
	return old;
}

static inline bool hw_pte_cmpxchg(struct hw_pte *hw, pte_t old, pte_t new)
{
	bool done;

	host_point();
	done = host_raw_cmpxchg(hw, old, new);
	host_point();
	return done;
}

static inline bool hw_pte_test_and_clear_young(struct hw_pte *hw)
{
	bool young;

	host_point();
	young = host_raw_test_and_clear_young(hw);
	host_point();
	return young;
}

#ifndef ASM_PTE_LAYOUT_H
#include <asm/pte_hide.h>
#endif

#endif
