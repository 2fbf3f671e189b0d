/*
 * page.c - one page: its lock, waiting for writeback, its content.  Layer 3.
 *
 * The page lock is a bit.  Who must wait sets PG_WAITERS and sleeps in one of a few wait queues chosen by
 * the page's address; whoever clears PG_LOCKED or PG_WRITEBACK takes PG_WAITERS along in the same atomic
 * operation and, if it was set, wakes the whole queue.  The waker touches only the queue after that, so
 * the page may be freed at once.
 */
#include "mm/phys/page.h"
#include <arch/phys.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/failpoint.h"
#include "kernel/lib/hash.h"
#include "kernel/lib/string.h"
#include "kernel/sync/lock_waits.h"
#include "kernel/sync/wait.h"
#include "mm/phys/lru.h"
#include "mm/phys/phys.h"

#define QUEUE_BITS 6

static struct wait_queue queues[1 << QUEUE_BITS];

static struct wait_queue *queue_of(const struct page *page)
{
	return &queues[hash_ptr(page, QUEUE_BITS)];
}

void page_init_queues(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(queues); i++)
		wait_queue_init(&queues[i]);
}

/* Clear @f, wake who waits. */
static void clear_and_wake(struct page *page, enum page_flag f)
{
	struct wait_queue *wq = queue_of(page);
	unsigned long old = __atomic_fetch_and(&page->flags, ~(BIT(f) | BIT(PG_WAITERS)), __ATOMIC_SEQ_CST);

	ASSERT(old & BIT(f));
	if (old & BIT(PG_WAITERS))
		wake_up_all(wq);
}

/* -- the lock --------------------------------------------------------------------------------------------------- */

/* One attempt of somebody who will sleep if it fails. */
static bool lock_or_announce(struct page *page)
{
	page_set(page, PG_WAITERS);
	return !page_test_and_set(page, PG_LOCKED);
}

/* It is taken. 0, or -EINTR and not locked. */
static int lock_slow(struct page *page, bool killable)
{
	lock_wait_count(LOCK_PAGE);
	if (killable)
		return wait_event_killable(queue_of(page), lock_or_announce(page));
	wait_event(queue_of(page), lock_or_announce(page));
	return 0;
}

void page_lock(struct page *page)
{
	lock_acquire(page, LOCK_PAGE, LOCK_HOW_SLEEP | LOCK_HOW_ASCENDING);
	if (unlikely(page_test_and_set(page, PG_LOCKED)))
		(void)lock_slow(page, false);
}

int page_lock_killable(struct page *page)
{
	int err = 0;

	lock_acquire(page, LOCK_PAGE, LOCK_HOW_SLEEP | LOCK_HOW_ASCENDING);
	if (unlikely(page_test_and_set(page, PG_LOCKED)))
		err = lock_slow(page, true);
	if (err)
		lock_release(page);
	return err;
}

bool page_try_lock(struct page *page)
{
	if (FAILPOINT("page_trylock") || page_test_and_set(page, PG_LOCKED))
		return false;
	lock_acquire(page, LOCK_PAGE, LOCK_HOW_TRY);
	return true;
}

void page_unlock(struct page *page)
{
	lock_disown(page);
	clear_and_wake(page, PG_LOCKED);
}

/* -- writeback ----------------------------------------------------------------------------------------------------- */
static bool writeback_over(struct page *page)
{
	page_set(page, PG_WAITERS);
	return !page_test(page, PG_WRITEBACK);
}

void page_wait_writeback(struct page *page)
{
	might_sleep();
	if (page_test(page, PG_WRITEBACK))
		wait_event(queue_of(page), writeback_over(page));
}

void page_end_writeback(struct page *page)
{
	if (page_test(page, PG_RECLAIM) && page_test_and_clear(page, PG_RECLAIM))
		lru_rotate(page);
	clear_and_wake(page, PG_WRITEBACK);
}

/* -- content -------------------------------------------------------------------------------------------------------- */
void *page_kmap(struct page *page)
{
	return arch_kmap(page_to_pfn(page));
}

void page_kunmap(void *va)
{
	arch_kunmap(va);
}

/* The compiler's own code for a known size is one string instruction. */
void page_zero(struct page *page)
{
	void *va;

	if (likely(page_class(page) == CLASS_LOW)) {
		__builtin_memset(page_address(page), 0, PAGE_SIZE);
		return;
	}
	va = page_kmap(page);
	__builtin_memset(va, 0, PAGE_SIZE);
	page_kunmap(va);
}

void page_copy(struct page *dst, struct page *src)
{
	void *to = page_kmap(dst), *from = page_kmap(src);

	__builtin_memcpy(to, from, PAGE_SIZE);
	page_kunmap(from);
	page_kunmap(to);
}

struct page *virt_to_page(const void *va)
{
	pfn_t pfn = (pfn_t)(virt_to_phys(va) >> PAGE_SHIFT);

	ASSERT(pfn_valid(pfn));
	return pfn_to_page(pfn);
}
