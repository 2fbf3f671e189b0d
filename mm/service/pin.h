/*
 * pin.h - exact DMA pins (thread 1): pages for a device, or for whoever wants them whatever the entry does next.  Layer 7.
 *
 * A pin says that the *content* may be used by a device; a reference (FOLL_GET) only that the frame stays.  What a write
 * pin of a file's page means to everybody else is a lease: block and reservation are there, as after a store
 * (page_mkwrite), writeback writes a copy and leaves the page dirty, until the last write pin goes.
 */
#ifndef MM_SERVICE_PIN_H
#define MM_SERVICE_PIN_H

#include "mm/space/mm.h"

/* Linux's values.  FOLL_PIN and FOLL_GET are set by the functions below, never by the caller: -EINVAL. */
enum foll_flag {
	FOLL_WRITE = 1 << 0,  /* the device will store: counts in pins_w */
	FOLL_GET = 1 << 1,    /* a reference, no pin */
	FOLL_DUMP = 1 << 2,   /* -EFAULT where only the page of zeros would be found */
	FOLL_FORCE = 1 << 3,  /* whatever the permissions, in private mappings, as far as VM_MAY* goes */
	FOLL_NOWAIT = 1 << 4, /* stop, without an error, at a page that a device would have to bring */
	FOLL_NOFAULT = 1 << 5,
	FOLL_HWPOISON = 1 << 6,       /* no meaning here: there are no such pages */
	FOLL_ANON = 1 << 7,           /* -EFAULT in a mapping of a file */
	FOLL_LONGTERM = 1 << 8,       /* for longer than a system call: the page must go on being what the program sees */
	FOLL_SPLIT_PMD = 1 << 9,      /* no meaning here */
	FOLL_PCI_P2PDMA = 1 << 10,    /* no meaning here: there are no such pages */
	FOLL_INTERRUPTIBLE = 1 << 11, /* -EINTR at any signal, not only at a deadly one */
	FOLL_HONOR_NUMA_FAULT = 1 << 12, /* no meaning here */
	FOLL_PIN = 1 << 19,
	FOLL_FAST_ONLY = 1 << 20, /* _fast: what cannot be had without a lock is not had: 0 rather than an error */
};

/*
 * Pin the pages of [addr, addr + nr * PAGE_SIZE) of @mm for a device; @addr page-aligned down.  How many were pinned (may be
 * fewer than asked for), or, when none was: 0 (@nr is 0, NOWAIT, FAST_ONLY), -EFAULT (no mapping, no permission, beyond user
 * space, no space for the file's page), -EOVERFLOW (the range wraps), -ENOMEM, -EINTR (killed), -EINVAL (flags).
 * Each page is referenced and counted; the zero page is neither.  A write pin of a file's page goes through page_mkwrite
 * and leaves the page dirty.  => mmap lock not held, may sleep
 */
long pin_user_pages(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages);
/* The same; first without any lock, as far as the entries allow at once what is wanted. Only of the address space that the
 * CPU uses: of another one it is pin_user_pages(). */
long pin_user_pages_fast(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages);
/* References instead of pins (not LONGTERM): to be given back by put_user_pages(). */
long get_user_pages(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages);
long get_user_pages_fast(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages);

/* @flags: FOLL_WRITE as when pinned. @dirty: the device stored. => no spinlock held, may be called by any thread */
void unpin_user_pages(struct page **pages, unsigned long nr, unsigned flags, bool dirty);
void put_user_pages(struct page **pages, unsigned long nr);

/* Outstanding pins, and totals for /proc/vmstat. */
static inline int page_pins(const struct page *page)
{
	return __atomic_load_n(&page->pins_w, __ATOMIC_SEQ_CST) + __atomic_load_n(&page->pins_r, __ATOMIC_SEQ_CST);
}
extern unsigned long pin_acquired, pin_released;

/* Is the file's page leased: under a write pin, so that it stays dirty and keeps what writing it needs? */
static inline bool page_leased(const struct page *page)
{
	const struct vm_object *obj = page_object(page);

	return obj && obj->tracks_dirty && page_write_pinned(page);
}

/* As Linux does since 6.5: FOLL_LONGTERM | FOLL_WRITE of a shared mapping whose file tracks dirty pages is -EFAULT.
 * Boot option pins=linux-compat, /proc/sys/vm/pin_longterm. */
extern bool pin_linux_compat;

#endif
