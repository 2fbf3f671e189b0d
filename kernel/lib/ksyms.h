/*
 * ksyms.h - names for code addresses.  Layer 0.
 * The table is made by tools/ksyms.awk from the first link and added in the second; without it nothing is
 * found.
 */
#ifndef KERNEL_LIB_KSYMS_H
#define KERNEL_LIB_KSYMS_H

#include "kernel/lib/types.h"

/* The function that holds @address, and how far into it that is; NULL if unknown. => any context */
const char *ksym_lookup(vaddr_t address, unsigned long *offset);

#endif
