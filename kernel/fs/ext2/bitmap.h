/*
 * bitmap.h - searching a bitmap block.  Layer 9, private to kernel/fs/ext2.
 */
#ifndef KERNEL_FS_EXT2_BITMAP_H
#define KERNEL_FS_EXT2_BITMAP_H

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

#endif
