/*
 * bitops.c - searches in bitmaps.  Layer 0.
 */
#include "kernel/lib/bitops.h"

static unsigned long next_bit(const unsigned long *map, unsigned long n, unsigned long from, unsigned long invert)
{
	unsigned long word, base = ALIGN_DOWN(from, BITS_PER_LONG);

	if (from >= n)
		return n;
	word = (map[base / BITS_PER_LONG] ^ invert) & (~0UL << (from - base));
	while (!word) {
		base += BITS_PER_LONG;
		if (base >= n)
			return n;
		word = map[base / BITS_PER_LONG] ^ invert;
	}
	base += bit_lowest(word);
	return base < n ? base : n;
}

unsigned long bitmap_next_set(const unsigned long *map, unsigned long n, unsigned long from)
{
	return next_bit(map, n, from, 0);
}

unsigned long bitmap_next_clear(const unsigned long *map, unsigned long n, unsigned long from)
{
	return next_bit(map, n, from, ~0UL);
}
