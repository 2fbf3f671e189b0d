/*
 * bitmap.h - searching a bitmap block.  Layer 9, private to kernel/fs/ext2.
 */
#ifndef KERNEL_FS_EXT2_BITMAP_H
#define KERNEL_FS_EXT2_BITMAP_H

#include "kernel/lib/mutation.h"
#include "kernel/lib/types.h"

static inline bool bit_get(const char *map, u32 bit)
{
	return ((const u8 *)map)[bit / 8] >> bit % 8 & 1;
}

static inline void bit_set(char *map, u32 bit)
{
	((u8 *)map)[bit / 8] |= (u8)(1u << bit % 8);
}

static inline void bit_unset(char *map, u32 bit)
{
	((u8 *)map)[bit / 8] &= (u8) ~(1u << bit % 8);
}

/* The first clear bit in [from, to), or @to. */
static inline u32 bit_find_clear(const char *map, u32 from, u32 to)
{
	u32 bit = from;

	while (bit < to) {
		if (bit % 8 == 0 && ((const u8 *)map)[bit / 8] == 0xff)
			bit += 8;
		else if (!bit_get(map, bit))
			return bit;
		else
			bit++;
	}
	return to;
}

/* The same, also clear in @committed, if there is one: what was freed since the last commit must wait for the next. */
static inline u32 bit_find_free(const char *map, const char *committed, u32 from, u32 to)
{
	u32 bit = bit_find_clear(map, from, to);

	/* M151: what was freed is used again at once */
	while (committed && bit < to && bit_get(committed, bit) && !MUTATION(151))
		bit = bit_find_clear(map, bit + 1, to);
	return bit;
}

#endif
