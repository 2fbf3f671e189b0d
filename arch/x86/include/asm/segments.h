/*
 * segments.h - the per-thread descriptors of i386.  Layer 1 (i386).
 */
#ifndef ASM_SEGMENTS_H
#define ASM_SEGMENTS_H

#include "kernel/lib/types.h"
#include <asm/offsets.h>

#if BITS == 32
/* Put a thread's descriptors into this CPU's GDT. => interrupts off, or @tls is the current thread's */
void segments_load_tls(const u64 tls[GDT_TLS_COUNT]);
u64 segments_tls_descriptor(u32 base, u32 limit, u8 access, u8 flags);
#endif

#endif
