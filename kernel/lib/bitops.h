/*
 * bitops.h - bit searches and bitmaps of unsigned longs.  Layer 0.  Not atomic.
 */
#ifndef KERNEL_LIB_BITOPS_H
#define KERNEL_LIB_BITOPS_H

#include "kernel/lib/types.h"

#define BITS_PER_LONG (8 * (unsigned)sizeof(long))
#define BITMAP_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)

/* Index of the lowest, of the highest one bit. => @x is not 0 */
static inline unsigned bit_lowest(unsigned long x)
{
	return (unsigned)__builtin_ctzl(x);
}

static inline unsigned bit_highest(unsigned long x)
{
	return BITS_PER_LONG - 1 - (unsigned)__builtin_clzl(x);
}

/* 1 + index of the highest one bit; 0 if there is none. */
static inline unsigned fls(unsigned long x)
{
	return x ? bit_highest(x) + 1 : 0;
}

static inline unsigned fls64(u64 x)
{
	return x ? 64 - (unsigned)__builtin_clzll(x) : 0;
}

/* The smallest power of two that is not less than @x, as its exponent. => @x is not 0 */
static inline unsigned log2_ceil(unsigned long x)
{
	return fls(x - 1);
}

static inline bool is_power_of_2(unsigned long x)
{
	return x && !(x & (x - 1));
}

static inline unsigned popcount(unsigned long x)
{
	unsigned n = 0;

	for (; x; x &= x - 1)
		n++;
	return n;
}

static inline bool bitmap_test(const unsigned long *map, unsigned long i)
{
	return (map[i / BITS_PER_LONG] >> (i % BITS_PER_LONG)) & 1;
}

static inline void bitmap_set(unsigned long *map, unsigned long i)
{
	map[i / BITS_PER_LONG] |= 1UL << (i % BITS_PER_LONG);
}

static inline void bitmap_clear(unsigned long *map, unsigned long i)
{
	map[i / BITS_PER_LONG] &= ~(1UL << (i % BITS_PER_LONG));
}

/* First one (zero) bit in [@from, @n), or @n. */
unsigned long bitmap_next_set(const unsigned long *map, unsigned long n, unsigned long from);
unsigned long bitmap_next_clear(const unsigned long *map, unsigned long n, unsigned long from);

#endif
