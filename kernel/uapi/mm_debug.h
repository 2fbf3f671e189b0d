/*
 * mm_debug.h - ioctls of /dev/mm: the instruments of the concurrency harness.  Shared with user programs; every
 * member is 64 bits wide (or a text of whole words), so both word sizes have the same layout.
 *
 * Only debug kernels have the node: a test opens it and SKIPs on ENOENT.
 * Errors: EFAULT (bad argument address), EINVAL (unknown mode, flag, plant; empty or too long name), ENOENT (no such
 * process, no such point armed), ENOSPC (too many points armed), ETIMEDOUT (SYNC_WAIT), EINTR (killed), ENOTTY (unknown
 * request).
 * What one open file armed (sync points, failpoints, mutation, tracing, plants) is undone when it is closed.
 */
#ifndef KERNEL_UAPI_MM_DEBUG_H
#define KERNEL_UAPI_MM_DEBUG_H

#include <stdint.h>

#define MM_NAME_MAX 32
#define MM_MESSAGE_MAX 160

/* -- H.4 the auditor ------------------------------------------------------------------------------------------ */

enum {
	MM_AUDIT_SILENT = 1, /* in: do not print the violations on the console */
	MM_AUDIT_LEAKS = 2,  /* in: also judge references that nobody accounts for (the caller says: nothing runs) */
};
struct mm_audit {
	uint64_t flags;     /* in: MM_AUDIT_* */
	uint64_t errors;    /* out: violations found */
	uint64_t processes; /* out: how much was looked at */
	uint64_t vmas, entries, pages;
	char first[MM_MESSAGE_MAX]; /* out: the first one in words, or "" */
};

/* -- H.1 sync points --------------------------------------------------------------------------------------------- */

/* The places there are (arguments of SYNC_POINT in the kernel; any other name may be armed and is never reached):
 *   clear-before-flush   an entry was cleared, no TLB was flushed yet (mm_gather, zap)
 *   flush-before-free    the TLBs were flushed, the pages not yet freed
 *   fault-entry          a fault begins: the CPU has found no way, the kernel has looked at nothing yet
 *   fault-snapshot       a fault has read the entry and holds no lock yet
 *   fault-mapped         a fault has found its page and is about to lock the entry
 *   swap-found           a fault has looked into the swap cache, and has locked no page yet
 *   swapoff-mm           swapoff is through with one address space
 *   mkclean-begins       writeback is about to go over a page's entries
 *   mkclean-before-pin   writeback: every entry is clean and flushed, the pin count not yet looked at
 *   notify-started       subscribers know of a range that is going to change, nothing was changed yet
 *   flush-before-notify  the TLBs were flushed, the subscribers of the range not yet
 *   mirror-got-page      a mirror's fill has its page and has not installed it yet
 *   uffd-queued          a fault waits for a program, and has not looked again whether it still has to
 *   move-judged          UFFDIO_MOVE has read its source's entries and is about to empty them
 *   move-cleared         UFFDIO_MOVE has emptied and flushed its source, the destination is still empty
 *   page-locked          the page lock was taken, page->object not yet looked at
 *   pin-counted          a pin was counted under the entry's lock
 *   pin-fast-seen        a lockless pin has seen an entry that will do, and counted nothing yet (interrupts are off)
 *   pin-fast-counted     it is counted, the entry not yet looked at again (interrupts are off)
 *   young-seen           an accessed bit was seen set and is about to be cleared
 *   access-held          a page of another address space is about to be copied from or to
 *   migrate-taken        a page's entries are migration entries, its references not yet looked at
 *   migrate-copied       its content is copied, the new page is not uptodate yet
 *   object-swap-out      a file's page without a disk has a slot, and is still its object's
 *   object-swap-in       its content is copied from the slot, which has not been given up yet
 *   unmap-owed           reclaim has emptied entries whose flush it still owes
 *   merge-taken          the entries of two pages that may be merged are empty
 *   reclaim-verdict      reclaim has unmapped a file's page and is about to judge its references
 *   entry-half-set       one of the two words of a page's entry is stored (i386 with PAE)
 *   entry-half-read      a reader without lock has one of the two words of an entry (i386 with PAE)
 */
enum { MM_SYNC_OFF = 0, MM_SYNC_PAUSE = 1 };
struct mm_sync_arm {
	char name[MM_NAME_MAX]; /* in */
	uint64_t mode;          /* in: MM_SYNC_OFF disarms and releases */
	uint64_t tid;           /* in: only this thread; 0: any but the one that armed */
	uint64_t cpu;           /* in: only CPU number cpu - 1; 0: any */
	uint64_t skip;          /* in: so many matching arrivals pass first */
	uint64_t hits;          /* in: so many arrivals after that are paused; 0: one */
};
/* MM_IOC_SYNC_WAIT: until a thread is paused at the point.  ETIMEDOUT after timeout_ms (0: just look).
 * MM_IOC_SYNC_RELEASE: let every thread paused there go on (the point stays armed for the hits that are left). */
struct mm_sync {
	char name[MM_NAME_MAX]; /* in */
	uint64_t timeout_ms;    /* in, SYNC_WAIT */
	uint64_t arrivals;      /* out: matching arrivals since it was armed */
	uint64_t paused;        /* out: threads paused there now */
	uint64_t expired;       /* out: pauses that ended after MM_SYNC_LIMIT_MS without release */
	uint64_t tid;           /* out: of a paused thread, or 0 */
};
#define MM_SYNC_LIMIT_MS 5000

/* -- H.2 failpoints ----------------------------------------------------------------------------------------------- */

/* Points: "page_alloc", "slab_alloc", "block_read", "block_write", "page_trylock", "rwsem_trylock",
 * "swap_slot", "swap_dup". */
struct mm_fail {
	char name[MM_NAME_MAX]; /* in */
	uint64_t nth;           /* in, FAIL_ARM: the nth hit from now on fails (1: the next); 0: disarm, only count */
	uint64_t tid;           /* in, FAIL_ARM: hits of this thread only; 0: of the caller and its threads' process */
	uint64_t hits;          /* out: hits counted since it was armed */
	uint64_t failed;        /* out: hits that failed: 0 or 1 */
};

/* -- H.5 the trace ring --------------------------------------------------------------------------------------------- */

enum mm_trace_event {
	MM_TRACE_NONE,
	MM_TRACE_CLEAR,     /* an entry with a page was emptied: va, pfn, old */
	MM_TRACE_FLUSH,     /* every TLB has forgotten [va, new): va, old = 0 */
	MM_TRACE_FREE,      /* a frame went back to the allocator: pfn */
	MM_TRACE_SET,       /* a page was mapped: va, pfn, old, new */
	MM_TRACE_MKCLEAN,   /* an entry was write-protected and cleaned: va, pfn, old, new */
	MM_TRACE_VERDICT,   /* writeback judged a page: pfn, old = pins for writing, new = still dirty */
	MM_TRACE_FAULT,     /* a fault begins: va, old = access (0 read, 1 write, 2 exec) */
	MM_TRACE_FAULT_END, /* va, new = enum fault_result of the kernel */
	MM_TRACE_REMAP,     /* remap_file_pages: va, pfn = pgoff, old = bytes, new = prot */
	MM_TRACE_PROTECT,   /* an entry got another grant: va, pfn, old, new */
	MM_TRACE_PIN,       /* va, pfn, new = flags */
	MM_TRACE_UNPIN,     /* pfn, new = flags */
	MM_TRACE_MARK,      /* MM_IOC_TRACE_MARK of a program: va, pfn, old, new as given */
	MM_TRACE_LOCK,      /* a lock is asked for: va = which one, pfn = rank (line of /proc/lock_waits), old = how it is
	                     * asked for, new = depth of interrupts; mm = the tree that the CPU uses, 0: a kernel thread */
	MM_TRACE_NOTIFY,    /* every subscriber has forgotten [va, new): va, old = 0 */
	MM_TRACE_EVENTS
};
/* old, new: an entry, decoded into one word that is the same on every format:
 *   bits 0-3 kind (MM_ENTRY_*)  4-6 grant  7 write  8 accessed  9 dirty  10 special  12-63 pfn or page offset */
struct mm_trace_record {
	uint64_t tsc, cpu, event;
	uint64_t mm; /* which page table: a number that differs for each */
	uint64_t va, pfn, old_entry, new_entry;
};
struct mm_trace_control {
	uint64_t events; /* in: bit n: record event n; 0: stop. What was recorded stays until the next start. */
	uint64_t clear;  /* in: not 0: forget what was recorded */
};
struct mm_trace_read {
	uint64_t records; /* in: address of an array of struct mm_trace_record */
	uint64_t max;     /* in: its size */
	uint64_t count;   /* out: how many were copied, all CPUs', ordered by tsc, oldest first */
	uint64_t lost;    /* out: how many older ones the rings no longer held */
};

/* -- looking at entries, and doing single steps to them ---------------------------------------------------------------- */

enum { /* = enum pte_kind of the kernel */
	   MM_ENTRY_NONE,
	   MM_ENTRY_PAGE,
	   MM_ENTRY_FILE,
	   MM_ENTRY_SWAP,
	   MM_ENTRY_MIGRATION,
	   MM_ENTRY_MARKER,
	   MM_ENTRY_TABLE,
};
enum { MM_ENTRY_LOCKLESS = 1 }; /* read as a lockless walker does: interrupts off, no lock; nothing of the page */
enum {
	MM_PAGE_DIRTY = 1,
	MM_PAGE_WRITEBACK = 2,
	MM_PAGE_ANON = 4,
	MM_PAGE_EXCLUSIVE = 8,
	MM_PAGE_CACHED = 16,
	MM_PAGE_UPTODATE = 32,
	MM_PAGE_HUGE = 64, /* a huge entry maps it; then there is no leaf table */
};
struct mm_entry {
	uint64_t addr;  /* in: in the caller's address space */
	uint64_t flags; /* in: MM_ENTRY_LOCKLESS or 0 */
	uint64_t table; /* out: 1: there is a leaf table */
	uint64_t kind;  /* out: MM_ENTRY_* */
	uint64_t grant; /* PROT_* */
	uint64_t write, accessed, dirty, special;
	uint64_t pgoff; /* FILE: page offset; SWAP: slot */
	uint64_t pfn;   /* PAGE */
	uint64_t page;  /* MM_PAGE_* */
	uint64_t mapcount, refs, pins_w, pins_r, index;
};

/* MM_IOC_CLEAR_YOUNG: test and clear the accessed bit of every page of the range; flush.
 * MM_IOC_CLEAN: a mkclean without I/O of the file pages mapped in the range: write-protect and clean every entry
 * that maps them, flush; a page that was dirty keeps PG_DIRTY, nothing is written.
 * MM_IOC_REAP: drop private memory as who is out of memory would, without sleeping: EAGAIN if some had to be left. */
struct mm_range {
	uint64_t addr, len;
	uint64_t pages; /* out: pages mapped there */
	uint64_t count; /* out: CLEAR_YOUNG: that were young; CLEAN: that were dirty or writable */
};

/* MM_IOC_MIGRATE: move the page at addr to another frame.  ENOENT: none is mapped; EINVAL: the page of zeros; EBUSY: pinned or
 *   merged; EAGAIN: in use, several times; ENOMEM.
 * MM_IOC_MERGE: let other show the page of addr if both have the same content.  ENOENT, EINVAL: no page, or not of anonymous
 *   memory; EDOM: they differ; EBUSY: pinned, or shared otherwise; EAGAIN: in use.
 * MM_IOC_COMPACT: move pages until a block of 1 << addr frames is free (0: as large as a huge page); ENOMEM: none could be made.
 * MM_IOC_SPLIT: what maps addr becomes base entries. */
struct mm_move {
	uint64_t addr, other; /* in */
};

/* -- H.3 mutations -------------------------------------------------------------------------------------------------- */

#define MM_MUTATION_MAX 199
struct mm_mutate {
	uint64_t n;   /* in: 2 for M2; 0: none */
	uint64_t old; /* out: which was on */
};

/* -- tests of the instruments ------------------------------------------------------------------------------------------ */

enum {
	MM_PLANT_NONE,     /* undo */
	MM_PLANT_REF,      /* one reference too many on the page at addr */
	MM_PLANT_MAPCOUNT, /* its mapcount one too high */
	MM_PLANT_RSS,      /* the resident counter of the caller one too high */
	MM_PLANT_LEAK,     /* a frame allocated and forgotten */
	MM_PLANT_NODE,     /* a node in the nonlinear index of the mapping at addr without an entry */
	MM_PLANT_DIRTY,    /* the page at addr loses PG_DIRTY while an entry is writable */
	MM_PLANT_TABLES,   /* the table counter of the caller one too high */
	MM_PLANT_SHARED,   /* the page at addr is called exclusive (map it twice first) */
	MM_PLANT_NRPAGES,  /* the object at addr counts one page too many */
};
struct mm_plant {
	uint64_t what; /* in: MM_PLANT_* */
	uint64_t addr; /* in */
};

/* Linux's encoding of _IOWR('M', nr, type), in plain arithmetic. */
#define MM_IOC(nr, type) (3u << 30 | (uint32_t)sizeof(type) << 16 | 'M' << 8 | (nr))
#define MM_IOC_AUDIT MM_IOC(0, struct mm_audit)
#define MM_IOC_SYNC_ARM MM_IOC(1, struct mm_sync_arm)
#define MM_IOC_SYNC_WAIT MM_IOC(2, struct mm_sync)
#define MM_IOC_SYNC_RELEASE MM_IOC(3, struct mm_sync)
#define MM_IOC_FAIL_ARM MM_IOC(4, struct mm_fail)
#define MM_IOC_FAIL_HITS MM_IOC(5, struct mm_fail)
#define MM_IOC_TRACE_CONTROL MM_IOC(6, struct mm_trace_control)
#define MM_IOC_TRACE_READ MM_IOC(7, struct mm_trace_read)
#define MM_IOC_TRACE_MARK MM_IOC(8, struct mm_trace_record)
#define MM_IOC_ENTRY MM_IOC(9, struct mm_entry)
#define MM_IOC_CLEAR_YOUNG MM_IOC(10, struct mm_range)
#define MM_IOC_CLEAN MM_IOC(11, struct mm_range)
#define MM_IOC_MUTATE MM_IOC(12, struct mm_mutate)
#define MM_IOC_PLANT MM_IOC(13, struct mm_plant)
#define MM_IOC_REAP MM_IOC(14, struct mm_range)
#define MM_IOC_MIGRATE MM_IOC(15, struct mm_move)
#define MM_IOC_MERGE MM_IOC(16, struct mm_move)
#define MM_IOC_COMPACT MM_IOC(17, struct mm_move)
#define MM_IOC_SPLIT MM_IOC(18, struct mm_move)

#endif
