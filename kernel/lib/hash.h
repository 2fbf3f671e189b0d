/*
 * hash.h - small multiplicative hashes.  Layer 0.
 */
#ifndef KERNEL_LIB_HASH_H
#define KERNEL_LIB_HASH_H

#include "kernel/lib/types.h"

static inline u32 hash_u32(u32 x, unsigned bits)
{
	return (x * 0x9e3779b1u) >> (32 - bits);
}

static inline u32 hash_u64(u64 x, unsigned bits)
{
	return hash_u32((u32)x ^ (u32)(x >> 32) * 0x85ebca6bu, bits);
}

static inline u32 hash_ptr(const void *p, unsigned bits)
{
	return hash_u64((unsigned long)p >> 3, bits);
}

static inline u32 hash_string(const char *s, size_t n)
{
	u32 h = 2166136261u;

	while (n--)
		h = (h ^ (u8)*s++) * 16777619u;
	return h;
}

#endif
