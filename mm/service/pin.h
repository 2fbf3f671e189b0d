/*
 * pin.h - exact DMA pins (thread 1).  Layer 7.
 */
#ifndef MM_SERVICE_PIN_H
#define MM_SERVICE_PIN_H

#include "mm/space/mm.h"

enum pin_flag {
	PIN_WRITE = 1 << 0, /* the device will store: counts in pins_w */
	PIN_LONGTERM = 1 << 8,
};

/*
 * Pin the pages of [addr, addr + nr * PAGE_SIZE) of @mm for a device.  @addr page-aligned down.
 * Returns how many were pinned (may be short), or -EFAULT, -ENOMEM, -EINTR, -EINVAL when none was; 0 iff
 * @nr is 0.  => mmap lock not held, may sleep.  Each page is referenced and counted; the zero page is not
 * counted.  A write pin of a file page goes through page_mkwrite and leaves the page dirty.
 */
long pin_user_pages(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages);
/* @flags as when pinned. @dirty: the device stored. => may sleep if dirty */
void unpin_user_pages(struct page **pages, unsigned long nr, unsigned flags, bool dirty);
/* Outstanding pins, and totals for /proc/vmstat. */
static inline int page_pins(const struct page *page)
{
	return __atomic_load_n(&page->pins_w, __ATOMIC_SEQ_CST) + __atomic_load_n(&page->pins_r, __ATOMIC_SEQ_CST);
}
extern unsigned long pin_acquired, pin_released;

#endif
