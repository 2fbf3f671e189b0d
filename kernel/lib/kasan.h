/*
 * kasan.h - what the address sanitizer must be told (SAN=kasan builds; nothing in others).  Layer 0.
 *
 * One byte of shadow describes eight bytes of kernel memory: 0: all may be touched; 1..7: only so many; from
 * 0x80 on: none, and why.  The compiler checks every load and store against it; mm/debug/kasan.c reports.
 * Implemented there, where everything that a report wants to look at is within reach.
 */
#ifndef KERNEL_LIB_KASAN_H
#define KERNEL_LIB_KASAN_H

#include "kernel/lib/types.h"

enum kasan_why {
	KASAN_PAGE_FREE = 0xff,
	KASAN_PAGE_REDZONE = 0xfe,
	KASAN_SLAB_REDZONE = 0xfc,
	KASAN_SLAB_FREE = 0xfb,
	KASAN_STACK_FREE = 0xfa,
	KASAN_GLOBAL = 0xf9,
	/* The compiler's own: */
	KASAN_STACK_LEFT = 0xf1,
	KASAN_STACK_MID = 0xf2,
	KASAN_STACK_RIGHT = 0xf3,
	KASAN_STACK_SCOPE = 0xf8,
};

/* For the few functions that look into what others must not touch. */
#define NO_KASAN __attribute__((no_sanitize_address))

/* From now on. => the shadow is mapped; one CPU, boot stack */
void kasan_start(void);
void kasan_poison_range(const void *p, size_t size, enum kasan_why why);
void kasan_unpoison_range(const void *p, size_t size);
void kasan_check_range(const void *p, size_t size, bool write, const void *ip);
bool kasan_is_poisoned(const void *p); /* the byte at @p */
/* @size bytes at @p are about to be freed: die unless they may be touched. */
void kasan_check_free(const void *p, const void *ip);

/* @p at a multiple of 8. @size is rounded up. */
static inline void kasan_poison(const void *p, size_t size, enum kasan_why why)
{
	if (KASAN)
		kasan_poison_range(p, size, why);
}

/* @p at a multiple of 8; exactly @size bytes. */
static inline void kasan_unpoison(const void *p, size_t size)
{
	if (KASAN)
		kasan_unpoison_range(p, size);
}

/* Memory that assembly or an unchecked function is about to touch. */
static inline void kasan_check(const void *p, size_t size, bool write)
{
	if (KASAN)
		kasan_check_range(p, size, write, __builtin_return_address(0));
}

#endif
