/*
 * phys.h - physical memory of the simulated machine: two windows of the process.  Layer 1 (host).
 *
 * Like the real ones, a machine whose entries are of i386 maps only part of its RAM for good: phys_to_virt() of the
 * rest leads to where nothing is, and only arch_kmap() knows the second window.
 */
#ifndef ASM_PHYS_H
#define ASM_PHYS_H

#include "kernel/lib/types.h"

extern char *host_direct; /* physical 0 of the direct map */

static inline void *phys_to_virt(paddr_t pa)
{
	return host_direct + pa;
}

static inline paddr_t virt_to_phys(const void *p)
{
	return (paddr_t)((const char *)p - host_direct);
}

#endif
