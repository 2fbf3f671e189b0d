/*
 * vmstat.h - events of the memory manager, counted per CPU (/proc/vmstat).  Layer 3 (mm/phys).
 *
 * Names and meanings are Linux's.  A count only grows; it is read as a sum, without a lock.
 */
#ifndef MM_PHYS_VMSTAT_H
#define MM_PHYS_VMSTAT_H

#include <arch/cpu.h>
#include "kernel/lib/types.h"

/* EVENT(name of the constant, name in /proc/vmstat) */
#define VM_EVENTS(EVENT)                                                                               \
	EVENT(PGACTIVATE, "pgactivate")       /* an inactive page became active */                         \
	EVENT(PGDEACTIVATE, "pgdeactivate")   /* the other way round */                                    \
	EVENT(PGREFILL, "pgrefill")           /* active pages looked at */                                 \
	EVENT(PGSCAN_KSWAPD, "pgscan_kswapd") /* inactive pages looked at, by whom */                      \
	EVENT(PGSCAN_DIRECT, "pgscan_direct")                                                              \
	EVENT(PGSTEAL_KSWAPD, "pgsteal_kswapd") /* pages made free, by whom */                             \
	EVENT(PGSTEAL_DIRECT, "pgsteal_direct")                                                            \
	EVENT(PGROTATED, "pgrotated")           /* written pages put where they go next */                 \
	EVENT(PAGEOUTRUN, "pageoutrun")         /* times kswapd had work */                                \
	EVENT(ALLOCSTALL, "allocstall")         /* times an allocation had to reclaim */                   \
	EVENT(PGLAZYFREED, "pglazyfreed")       /* MADV_FREE pages thrown away */                          \
	EVENT(SLABS_SCANNED, "slabs_scanned")   /* objects asked of the caches' owners */                  \
	EVENT(DROP_PAGECACHE, "drop_pagecache") /* writes to drop_caches */                                \
	EVENT(DROP_SLAB, "drop_slab")                                                                      \
	EVENT(THP_FAULT_ALLOC, "thp_fault_alloc")       /* huge pages made by a fault */                   \
	EVENT(THP_FAULT_FALLBACK, "thp_fault_fallback") /* faults that wanted one and had none */          \
	EVENT(THP_COLLAPSE_ALLOC, "thp_collapse_alloc") /* huge pages made of base pages */                \
	EVENT(THP_SPLIT_PMD, "thp_split_pmd")           /* huge entries that became tables */              \
	EVENT(THP_ZERO_PAGE_ALLOC, "thp_zero_page_alloc")                                                  \
	EVENT(PGMIGRATE_SUCCESS, "pgmigrate_success")             /* pages that went to another frame */   \
	EVENT(PGMIGRATE_FAIL, "pgmigrate_fail")                   /* and that could not: pinned, in use */ \
	EVENT(COMPACT_MIGRATE_SCANNED, "compact_migrate_scanned") /* frames looked at: used ones */        \
	EVENT(COMPACT_FREE_SCANNED, "compact_free_scanned")       /* and free ones */                      \
	EVENT(COMPACT_ISOLATED, "compact_isolated")               /* pages taken off their lists */        \
	EVENT(COMPACT_STALL, "compact_stall")                     /* allocations that compacted */         \
	EVENT(COMPACT_FAIL, "compact_fail")                                                                \
	EVENT(COMPACT_SUCCESS, "compact_success")                                                          \
	EVENT(KSM_MERGED, "ksm_merged")                       /* ours: pages given up for an equal one */  \
	EVENT(KSM_REFUSED, "ksm_merge_refused")               /* ours: attempts that a pin stopped */      \
	EVENT(COW_KSM, "cow_ksm")                             /* stores that copied a merged page */       \
	EVENT(OOM_KILL, "oom_kill")                           /* processes killed for want of memory */    \
	EVENT(UNEVICTABLE_CULLED, "unevictable_pgs_culled")   /* pages found to be locked in memory */     \
	EVENT(UNEVICTABLE_RESCUED, "unevictable_pgs_rescued") /* and no longer so */

#define VM_EVENT_ENUM(name, text) VM_##name,
enum vm_event { VM_EVENTS(VM_EVENT_ENUM) VM_EVENT_COUNT };
#undef VM_EVENT_ENUM

extern unsigned long vm_event_counts[MAX_CPUS][VM_EVENT_COUNT];

/* => any context */
static inline void vm_count(enum vm_event event, unsigned long n)
{
	__atomic_fetch_add(&vm_event_counts[this_cpu()->id][event], n, __ATOMIC_RELAXED);
}

/* Pages in use, by what they are: all frame records looked at, so nothing has to be counted all the time. */
struct vm_census {
	unsigned long anon, mapped, shmem; /* mapped anonymous ones; cached and mapped; tmpfs, mapped or not */
};
void vm_census(struct vm_census *census); /* => may sleep */

const char *vm_event_name(enum vm_event event);
unsigned long vm_event_sum(enum vm_event event);

#endif
