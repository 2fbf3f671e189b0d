/*
 * phys.h - physical memory as unit tests on the host see it: an array that the test provides.
 */
#ifndef ASM_PHYS_H
#define ASM_PHYS_H

#include "kernel/lib/types.h"

extern char *the_ram;

static inline void *phys_to_virt(paddr_t pa)
{
	return the_ram + pa;
}

static inline paddr_t virt_to_phys(const void *p)
{
	return (paddr_t)((const char *)p - the_ram);
}

#endif
