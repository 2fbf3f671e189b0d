/*
 * lru.c - the lists of pages by age.  Layer 3 (mm/phys).  Interface and theory: lru.h.
 */
#include "mm/phys/lru.h"

#include "kernel/lib/assert.h"
#include "mm/phys/phys.h"
#include "mm/phys/vmstat.h"

#define CPU_SHIFT (8 * sizeof(unsigned long) - 4) /* the top bits of page->flags: whose list */
#define CPU_MASK ((unsigned long)(MAX_CPUS - 1) << CPU_SHIFT)

STATIC_ASSERT(MAX_CPUS <= 16);
STATIC_ASSERT(PG_FLAG_COUNT <= 28);

struct lru lrus[MAX_CPUS][CLASS_COUNT];

void lru_init(void)
{
	struct lru *lru;

	for_each_lru(lru)
	{
		spin_init(&lru->lock, LOCK_LRU);
		for (unsigned i = 0; i < LRU_LISTS; i++)
			list_init(&lru->lists[i].pages);
	}
}

enum lru_list lru_list_of(unsigned long flags)
{
	if (flags & BIT(PG_UNEVICTABLE))
		return LRU_UNEVICTABLE;
	return (enum lru_list)((flags & BIT(PG_SWAPBACKED) ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE) +
	                       !!(flags & BIT(PG_ACTIVE)));
}

static unsigned long flags_of(const struct page *page)
{
	return __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
}

static struct lru *owner(const struct page *page, unsigned long flags)
{
	return &lrus[flags >> CPU_SHIFT & (MAX_CPUS - 1)][page_class(page)];
}

struct lru *lru_of(const struct page *page)
{
	return owner(page, flags_of(page));
}

/* -- one list: => lru->lock ---------------------------------------------------------------------------------------- */

/* (Inlined where @lru is a known place in lrus[], each of its fields would be addressed anew.) */
static __attribute__((noinline)) void join(struct lru *lru, struct page *page, unsigned long flags, bool tail)
{
	struct lru_queue *q = &lru->lists[lru_list_of(flags)];

	if (tail)
		list_add_tail(&page->link, &q->pages);
	else
		list_add(&page->link, &q->pages);
	q->nr++;
}

static void leave(struct lru *lru, struct page *page, unsigned long flags)
{
	struct lru_queue *q = &lru->lists[lru_list_of(flags)];

	ASSERT(q->nr > 0);
	list_del(&page->link);
	q->nr--;
}

/* -- joining, leaving for good ---------------------------------------------------------------------------------------- */

/* => the lock of @lru, which is @cpu's */
static inline __attribute__((always_inline)) void add_to(struct lru *lru, unsigned long cpu, struct page *page,
                                                         bool tail)
{
	ASSERT(!page_test(page, PG_LRU));
	if (unlikely(flags_of(page) & CPU_MASK)) /* it was on another one's before */
		__atomic_fetch_and(&page->flags, ~CPU_MASK, __ATOMIC_RELAXED);
	__atomic_fetch_or(&page->flags, BIT(PG_LRU) | cpu << CPU_SHIFT, __ATOMIC_SEQ_CST);
	join(lru, page, flags_of(page), tail); /* from now on they change under our lock only */
}

static inline __attribute__((always_inline)) void add(struct page *first, unsigned n, bool tail)
{
	unsigned long irq = irq_save(), cpu = this_cpu()->id;
	struct lru *lru = &lrus[cpu][page_class(first)];

	spin_lock(&lru->lock);
	for (unsigned i = 0; i < n; i++)
		add_to(lru, cpu, first + i, tail);
	spin_unlock(&lru->lock);
	irq_restore(irq);
}

void lru_add(struct page *page)
{
	add(page, 1, false);
}

void lru_add_block(struct page *first, unsigned n)
{
	add(first, n, false);
}

void lru_add_tail(struct page *page)
{
	add(page, 1, true);
}

/* The list that @page is on, locked; NULL: on none. */
static struct lru *lock_list(struct page *page, unsigned long *irq)
{
	for (;;) {
		unsigned long flags = flags_of(page);
		struct lru *lru = owner(page, flags);

		if (!(flags & BIT(PG_LRU)))
			return NULL;
		*irq = spin_lock_irqsave(&lru->lock);
		flags = flags_of(page);
		if (flags & BIT(PG_LRU) && owner(page, flags) == lru)
			return lru;
		spin_unlock_irqrestore(&lru->lock, *irq);
	}
}

/* => lru->lock; @flags are @page's */
static void forget(struct lru *lru, struct page *page, unsigned long flags)
{
	leave(lru, page, flags);
	page_clear(page, PG_LRU);
}

void lru_forget_all(struct page **pages, unsigned n)
{
	struct lru *lru = NULL; /* locked, if not NULL */
	unsigned long irq = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned long flags = flags_of(pages[i]);

		if (!(flags & BIT(PG_LRU)))
			continue;
		if (lru && owner(pages[i], flags) != lru) { /* on ours or not: that cannot change while we hold the lock */
			spin_unlock_irqrestore(&lru->lock, irq);
			lru = NULL;
		}
		if (!lru) {
			lru = lock_list(pages[i], &irq);
			flags = flags_of(pages[i]);
		}
		if (lru)
			forget(lru, pages[i], flags);
	}
	if (lru)
		spin_unlock_irqrestore(&lru->lock, irq);
}

void lru_forget(struct page *page)
{
	lru_forget_all(&page, 1);
}

/* -- isolation ----------------------------------------------------------------------------------------------------------- */

bool lru_isolate(struct page *page)
{
	unsigned long irq;
	struct lru *lru = lock_list(page, &irq);
	bool got;

	if (!lru)
		return false;
	got = page_try_get(page); /* if not, who frees it waits for our lock */
	if (got)
		forget(lru, page, flags_of(page));
	spin_unlock_irqrestore(&lru->lock, irq);
	return got;
}

unsigned lru_isolate_old(struct lru *lru, enum lru_list list, unsigned max, unsigned *scan, struct list *out)
{
	unsigned long irq = spin_lock_irqsave(&lru->lock);
	unsigned got = 0, seen = 0;

	for (; got < max && seen < *scan && !list_empty(&lru->lists[list].pages); seen++) {
		struct page *page = list_last_entry(&lru->lists[list].pages, struct page, link);

		if (!page_try_get(page)) { /* whoever frees it waits for our lock */
			list_move(&page->link, &lru->lists[list].pages);
			continue;
		}
		forget(lru, page, flags_of(page));
		list_add_tail(&page->link, out);
		got++;
	}
	spin_unlock_irqrestore(&lru->lock, irq);
	*scan = seen;
	return got;
}

void lru_putback(struct page *page)
{
	lru_add(page);
	page_put(page);
}

/* -- from list to list ------------------------------------------------------------------------------------------------------ */

bool lru_change(struct page *page, unsigned long set, unsigned long clear)
{
	unsigned long irq, old;
	struct lru *lru = lock_list(page, &irq);

	ASSERT(!(set & clear));
	if (!lru)
		return false;
	old = flags_of(page);
	leave(lru, page, old);
	__atomic_fetch_and(&page->flags, ~clear, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&page->flags, set, __ATOMIC_SEQ_CST);
	join(lru, page, flags_of(page), clear & BIT(PG_ACTIVE));
	spin_unlock_irqrestore(&lru->lock, irq);
	if (set & ~old & BIT(PG_ACTIVE))
		vm_count(VM_PGACTIVATE, 1);
	if (clear & old & BIT(PG_ACTIVE))
		vm_count(VM_PGDEACTIVATE, 1);
	return true;
}

void lru_rotate(struct page *page)
{
	unsigned long irq;
	struct lru *lru = lock_list(page, &irq);
	unsigned long flags;

	if (!lru)
		return;
	flags = flags_of(page);
	if (!lru_is_active(lru_list_of(flags)) && !(flags & BIT(PG_UNEVICTABLE))) {
		list_move_tail(&page->link, &lru->lists[lru_list_of(flags)].pages);
		vm_count(VM_PGROTATED, 1);
	}
	spin_unlock_irqrestore(&lru->lock, irq);
}

void lru_rescue_slow(struct page *page)
{
	if (lru_change(page, 0, BIT(PG_UNEVICTABLE)))
		vm_count(VM_UNEVICTABLE_RESCUED, 1);
}

/* -- counts --------------------------------------------------------------------------------------------------------------------- */

unsigned long lru_count_class(enum lru_list list, enum page_class class)
{
	unsigned long n = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		n += READ_ONCE(lrus[cpu][class].lists[list].nr);
	return n;
}

unsigned long lru_count(enum lru_list list)
{
	return lru_count_class(list, CLASS_LOW) + lru_count_class(list, CLASS_HIGH);
}
