/*
 * tlb.h - forgetting translations.  Layer 1.
 * "local" acts on this CPU; mm/pgtable/gather.c decides which CPUs must act.
 */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include "kernel/lib/types.h"

void tlb_flush_local_page(vaddr_t va);
void tlb_flush_local_range(vaddr_t start, vaddr_t end); /* may widen to a full flush */
void tlb_flush_local_all(void);                         /* user translations */
void tlb_flush_local_kernel(void);                      /* everything, global ones too */

#endif
