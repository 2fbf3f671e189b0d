/*
 * atomic.h - atomic operations on plain int, long and pointer objects (not on 64-bit ones: i386).  Layer 0.
 *
 * Macros, so that one name serves every width.  All are sequentially consistent except where noted.
 */
#ifndef KERNEL_LIB_ATOMIC_H
#define KERNEL_LIB_ATOMIC_H

#include "kernel/lib/types.h"

#define atomic_read(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_read_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_set(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_set_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_inc(p) ((void)__atomic_fetch_add((p), 1, __ATOMIC_SEQ_CST))
#define atomic_dec(p) ((void)__atomic_fetch_sub((p), 1, __ATOMIC_SEQ_CST))
#define atomic_add(p, v) ((void)__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define atomic_sub(p, v) ((void)__atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST))
#define atomic_or(p, v) ((void)__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define atomic_and(p, v) ((void)__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST))

/* The new value. */
#define atomic_add_return(p, v) __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_sub_return(p, v) __atomic_sub_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_inc_return(p) __atomic_add_fetch((p), 1, __ATOMIC_SEQ_CST)
#define atomic_dec_return(p) __atomic_sub_fetch((p), 1, __ATOMIC_SEQ_CST)
#define atomic_dec_and_test(p) (__atomic_sub_fetch((p), 1, __ATOMIC_SEQ_CST) == 0)

/* The old value. */
#define atomic_xchg(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_sub(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)

/* True if *@p was *@oldp and is now @new; else *@oldp is set to what was found. */
#define atomic_try_cmpxchg(p, oldp, new) \
	__atomic_compare_exchange_n((p), (oldp), (new), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

/* Add one unless it is 0 (the object is on its way out). */
static inline bool atomic_inc_not_zero(int *p)
{
	int old = atomic_read(p);

	while (old != 0)
		if (atomic_try_cmpxchg(p, &old, old + 1))
			return true;
	return false;
}

#define atomic_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif
