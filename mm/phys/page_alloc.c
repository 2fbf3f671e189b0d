/*
 * page_alloc.c - allocating frames: zones, reserves, and a small stack of free pages per CPU.  Layer 3.
 *
 * Allocations are of two classes: KERNEL needs memory that is always mapped, HIGH takes any and prefers
 * the zone HIGH, then MID.  (Where there is only LOW, everything is class KERNEL.)  Single pages come from and go
 * to a per-CPU stack of their class, with interrupts off; only when that is empty or full is a zone's
 * lock taken, for BATCH pages at a time.  When the zones run out, every CPU is made to give back what it keeps.
 * A free page's struct page is all zero, so the fast path has
 * nothing to do but set refs.
 *
 * Debug builds fill freed frames with 0x5a, those of page tables with 0x74 (to hardware, entries that are not
 * present), remember that in `index`, and check it on allocation.  A page on a CPU's stack is marked as free
 * there too, so that a second free is noticed.
 */
#include <arch/smp.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/failpoint.h"
#include "kernel/lib/kasan.h"
#include "kernel/lib/string.h"
#include "kernel/lib/trace.h"
#include "kernel/sync/hooks.h"
#include "mm/phys/lru.h"
#include "mm/phys/phys.h"

#define STACK_MAX 63 /* so that the size of a stack is a power of two */
#define BATCH 32
#define POISON 0x5a
#define POISON_TABLE 0x74
#define POISON_MARK(poison) (0x5a00UL | (poison)) /* index of a poisoned free page */
/*
 * Flags of a page on a CPU's stack.  Not PG_BUDDY alone: another CPU that frees the neighbour looks at flags and order
 * of this page, under a zone's lock that we do not hold, to see if the two can merge.
 */
#define ON_STACK (BIT(PG_BUDDY) | BIT(PG_STACKED))
#define RECLAIM_TRIES 4

struct page_stack {
	unsigned long n;
	struct page *pages[STACK_MAX];
};

/* Own CPU only, interrupts off. [0] KERNEL, [1] HIGH */
static struct page_stack stacks[MAX_CPUS][2];

static unsigned high_mask;                /* GFP_HIGH if there is more than LOW, else 0 */
static bool high_is_mapped;               /* class KERNEL may take anything */
static unsigned long reserve[ZONE_COUNT]; /* the last pages: struct page_marks */

static bool warned;

const struct page *page_first_high = (struct page *)~0UL;
void (*page_reclaim_wake)(void);
unsigned long (*page_reclaim)(unsigned long nr, enum gfp gfp);
struct page *(*page_compact)(unsigned order, enum gfp gfp);
unsigned long phys_table_pages;

STATIC_ASSERT(GFP_HIGH == 2); /* see below */

/* This CPU's stack for a class. => interrupts off */
static inline struct page_stack *alloc_stack(enum gfp gfp)
{
	return &stacks[this_cpu()->id][(gfp & high_mask) >> 1];
}

static inline struct page_stack *free_stack(const struct page *page)
{
	return &stacks[this_cpu()->id][page_class(page)];
}

void page_alloc_init(void)
{
	high_mask = zones[ZONE_MID].present + zones[ZONE_HIGH].present ? GFP_HIGH : 0;
	page_first_high = high_mask ? pfn_to_page(zones[ZONE_MID].start) : (struct page *)~0UL;
	high_is_mapped = (paddr_t)max_pfn << PAGE_SHIFT <= phys_direct_end();
	for (unsigned i = 0; i < ZONE_COUNT; i++)
		reserve[i] = min(zones[i].present / 64, 256UL);
}

/* -- marks ---------------------------------------------------------------------------------------------------- */

static enum page_class page_class_of(enum gfp gfp)
{
	return (enum page_class)((gfp & high_mask) >> 1);
}

static enum page_class class_of_zone(unsigned id)
{
	return id == ZONE_LOW || !high_mask ? CLASS_LOW : CLASS_HIGH;
}

void page_marks(enum page_class class, struct page_marks *marks)
{
	*marks = (struct page_marks){.free = 0};
	for (unsigned i = 0; i < ZONE_COUNT; i++) {
		if (class_of_zone(i) != class)
			continue;
		marks->free += READ_ONCE(zones[i].nr_free);
		marks->min += reserve[i];
	}
	marks->low = 2 * marks->min;
	marks->high = 3 * marks->min;
}

static bool class_is_low(enum page_class class)
{
	struct page_marks marks;

	page_marks(class, &marks);
	return marks.free < marks.low;
}

bool page_class_serves(enum page_class class, enum gfp gfp)
{
	return class == CLASS_LOW || (high_mask && (gfp & GFP_HIGH || high_is_mapped));
}

unsigned long page_alloc_cached(bool high)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		n += READ_ONCE(stacks[i][high].n);
	return n;
}

/* -- debug: poison ------------------------------------------------------------------------------------------ */
static void poison(struct page *page, unsigned order, u8 byte)
{
	for (unsigned long i = 0; i < 1UL << order; i++) {
		void *va = page_kmap(page + i);

		kasan_unpoison(va, PAGE_SIZE); /* its owner may have marked parts */
		memset(va, byte, PAGE_SIZE);
		kasan_poison(va, PAGE_SIZE, KASAN_PAGE_FREE);
		page_kunmap(va);
		page[i].index = POISON_MARK(byte);
	}
}

static void unpoison(struct page *page, unsigned order)
{
	for (unsigned long i = 0; i < 1UL << order; i++) {
		bool table = page[i].index == POISON_MARK(POISON_TABLE);
		u8 *va, *bad;

		if (KASAN)
			kasan_unpoison(page_address(page + i), PAGE_SIZE);
		if (page[i].index != POISON_MARK(POISON) && !table)
			continue;
		page[i].index = 0;
		va = page_kmap(page + i);
		bad = memchr_inv(va, table ? POISON_TABLE : POISON, PAGE_SIZE);
		if (bad)
			panic("phys: frame %lx was written after it was freed%s: byte %lx is %02x\n", page_to_pfn(page + i),
			      table ? " as a page table" : "", (unsigned long)(bad - va), *bad);
		page_kunmap(va);
	}
}

/* A page is about to be freed: nothing may depend on it any more. */
static void check_free(const struct page *page)
{
	const unsigned long wrong = BIT(PG_LOCKED) | BIT(PG_WRITEBACK) | BIT(PG_LRU) | BIT(PG_SLAB) | BIT(PG_TABLE) |
	                            BIT(PG_BUDDY) | BIT(PG_RESERVED) | BIT(PG_STACKED) | BIT(PG_SWAPCACHE);

	if (!(page->flags & wrong) && !page->mapcount && !page->pins_w && !page->pins_r && page->refs == 0)
		return;
	panic("phys: frame %lx freed with flags %lx refs %d mapcount %d pins %d+%d object %p index %lx\n",
	      page_to_pfn(page), page->flags, page->refs, page->mapcount, page->pins_w, page->pins_r, page->object,
	      page->index);
}

/* Back to "all zero". => refs is 0, nobody else knows the page */
static inline void page_clear_record(struct page *page)
{
	page->flags = 0;
	page->mapcount = 0;
	page->object = NULL;
	page->index = 0;
	page->private = 0;
}

/* -- allocation --------------------------------------------------------------------------------------------- */

/* The zones of a class, first choice first, and what must remain free in each. */
struct choice {
	struct zone *zone;
	unsigned long keep;
};

/* How much of a zone's reserve the caller must leave. */
static unsigned long reserve_kept(unsigned id, enum gfp gfp)
{
	if (!this_cpu()->irq_depth && current_thread() && *sync_memory_rights() & SYNC_MEMORY_RESERVE)
		return 0;
	return gfp & GFP_ATOMIC ? reserve[id] / 2 : reserve[id];
}

static unsigned choices(enum gfp gfp, struct choice c[ZONE_COUNT])
{
	/* Not-mapped memory is the users': what can only live in LOW must find something there. */
	unsigned long share = gfp & high_mask && !high_is_mapped ? zones[ZONE_LOW].present / 16 : 0;
	unsigned n = 0;

	for (unsigned i = 0; i < ZONE_COUNT; i++) {
		unsigned id = gfp & high_mask ? ZONE_COUNT - 1 - i : i;

		if (!zones[id].present || (id != ZONE_LOW && !(gfp & high_mask) && !high_is_mapped))
			continue;
		c[n].zone = &zones[id];
		c[n++].keep = reserve_kept(id, gfp) + (id == ZONE_LOW ? share : 0);
	}
	return n;
}

/* Straight from the zones. */
static struct page *alloc_once(unsigned order, enum gfp gfp)
{
	struct choice c[ZONE_COUNT];
	unsigned n = choices(gfp, c);

	for (unsigned i = 0; i < n; i++) {
		struct page *page = buddy_alloc(c[i].zone, order, c[i].keep);

		if (page)
			return page;
	}
	return NULL;
}

/* This CPU's stacks back to the zones: single pages there may be what keeps blocks from merging. */
static void drain_stacks(void)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned long flags = irq_save();
		struct page_stack *s = &stacks[this_cpu()->id][i];
		unsigned n = (unsigned)s->n;

		s->n = 0;
		if (DEBUG)
			for (unsigned k = 0; k < n; k++)
				s->pages[k]->flags = 0;
		buddy_free_bulk(s->pages, n);
		irq_restore(flags);
	}
}

/* Whatever this CPU keeps for itself. => also from another CPU's interrupt */
static void drain_cpu(void *unused)
{
	slab_drain();
	drain_stacks();
}

/* What each CPU keeps may be all that there is. */
void page_drain_all(void)
{
	drain_cpu(NULL);
	if (irqs_enabled())
		ipi_call(cpu_online_mask(), drain_cpu, NULL, true);
}

static void wake_reclaim(void)
{
	void (*wake)(void) = READ_ONCE(page_reclaim_wake);

	if (wake)
		wake();
}

/* => may sleep */
static struct page *reclaim_and_alloc(unsigned order, enum gfp gfp)
{
	struct page *page = NULL;

	for (unsigned i = 0; !page && i < RECLAIM_TRIES; i++) {
		if (!page_reclaim || !page_reclaim(max(32UL, 2UL << order), gfp))
			break;
		if (order)
			page_drain_all(); /* that is where single pages went: to merge they must be in the zones */
		else
			drain_stacks();
		page = alloc_once(order, gfp);
	}
	return page;
}

static __attribute__((noinline)) struct page *alloc_hard(unsigned order, enum gfp gfp)
{
	struct page *page = alloc_once(order, gfp);
	bool patient = !(gfp & (GFP_ATOMIC | GFP_NORECLAIM));

	if (!page) {
		wake_reclaim();
		drain_stacks();
		page = alloc_once(order, gfp);
	}
	/* Single pages are sooner had from reclaim than from what the others keep; but before it is given up, from them. */
	if (!page && patient && !order)
		page = reclaim_and_alloc(order, gfp);
	if (!page && !(gfp & GFP_ATOMIC)) {
		page_drain_all();
		page = alloc_once(order, gfp);
	}
	if (!page && patient && order)
		page = reclaim_and_alloc(order, gfp);
	if (!page && order && (gfp & GFP_COMPACT) && page_compact)
		page = page_compact(order, gfp);
	if (!page && !(gfp & GFP_NOWARN) && !atomic_xchg(&warned, true))
		printk("phys: out of memory (order %u, gfp %x); not repeated\n", order, (unsigned)gfp);
	return page;
}

/* The stack of the class is empty: fill it and return one page more. */
static __attribute__((noinline)) struct page *refill(enum gfp gfp)
{
	struct choice c[ZONE_COUNT];
	struct page *batch[BATCH], *page;
	unsigned got = 0, n = choices(gfp & ~GFP_ATOMIC, c); /* the reserve is not for stocking up */
	unsigned long flags = irq_save();
	struct page_stack *s = alloc_stack(gfp);

	for (unsigned i = 0; i < n && !got; i++)
		got = buddy_alloc_bulk(c[i].zone, c[i].keep, batch, BATCH);
	page = got ? batch[0] : NULL; /* the lowest address first, then ascending */
	while (got > 1 && s->n < STACK_MAX) {
		struct page *p = batch[--got];

		if (DEBUG)
			p->flags = ON_STACK;
		s->pages[s->n++] = p;
	}
	if (got > 1)
		buddy_free_bulk(batch + 1, got - 1);
	irq_restore(flags);
	if (class_is_low(page_class_of(gfp)))
		wake_reclaim();
	return page ? page : alloc_hard(0, gfp);
}

/* What is left to do with a frame that was free. */
static struct page *prepare(struct page *page, unsigned order, enum gfp gfp)
{
	if (!page)
		return NULL;
	if (DEBUG)
		unpoison(page, order);
	page->refs = 1;
	if (gfp & GFP_ZERO)
		for (unsigned long i = 0; i < 1UL << order; i++)
			page_zero(page + i);
	return page;
}

static __attribute__((noinline)) struct page *alloc_slow(unsigned order, enum gfp gfp)
{
	return prepare(order == 0 ? refill(gfp) : alloc_hard(order, gfp), order, gfp);
}

struct page *page_alloc(unsigned order, enum gfp gfp)
{
	struct page_stack *s;
	struct page *page;
	unsigned long flags;

	if (DEBUG && !(gfp & GFP_ATOMIC))
		might_sleep();
	if (FAILPOINT("page_alloc"))
		return NULL;
	if (unlikely(order))
		return alloc_slow(order, gfp);
	flags = irq_save();
	s = alloc_stack(gfp);
	if (unlikely(!s->n)) {
		irq_restore(flags);
		return alloc_slow(0, gfp);
	}
	page = s->pages[--s->n];
	irq_restore(flags);
	if (DEBUG) {
		ASSERT(page->flags == ON_STACK && page->refs == 0);
		page->flags = 0;
		unpoison(page, 0);
	}
	page->refs = 1;
	if (gfp & GFP_ZERO)
		page_zero(page);
	return page;
}

/* -- freeing -------------------------------------------------------------------------------------------------- */
/* The oldest, hence coldest, pages of a full stack back to their zone, and one more page onto it.
 * => interrupts off */
static __attribute__((noinline)) void push_full(struct page_stack *s, struct page *page)
{
	if (DEBUG)
		for (unsigned i = 0; i < BATCH; i++)
			s->pages[i]->flags = 0;
	buddy_free_bulk(s->pages, BATCH);
	s->n -= BATCH;
	memmove(s->pages, s->pages + BATCH, s->n * sizeof(s->pages[0]));
	s->pages[s->n++] = page;
}

/* Nobody knows the page any more: as it has to be on a stack. => on no list by age */
static inline void make_free(struct page *page)
{
	u8 byte = DEBUG && page->index == PAGE_WAS_TABLE ? POISON_TABLE : POISON;

	if (DEBUG)
		check_free(page);
	TRACE(TRACE_FREE, NULL, 0, page_to_pfn(page), 0, 0);
	page_clear_record(page);
	if (DEBUG) {
		poison(page, 0, byte);
		page->flags = ON_STACK;
	}
}

/* => interrupts off */
static inline void push(struct page *page)
{
	struct page_stack *s = free_stack(page);

	if (likely(s->n < STACK_MAX))
		s->pages[s->n++] = page;
	else
		push_full(s, page);
}

void page_free_last(struct page *page)
{
	unsigned long flags;

	if (page_test(page, PG_LRU))
		lru_forget(page);
	make_free(page);
	flags = irq_save();
	push(page);
	irq_restore(flags);
}

void page_retire(struct page *page)
{
	ASSERT(page->refs == 1);
	page->refs = 0;
	if (DEBUG)
		check_free(page);
	TRACE(TRACE_FREE, NULL, 0, page_to_pfn(page), 0, 0);
	page_clear_record(page);
	if (DEBUG)
		poison(page, 0, POISON);
}

void page_put_all(struct page **pages, unsigned n)
{
	unsigned last = 0;
	unsigned long flags;

	for (unsigned i = 0; i < n; i++)
		if (__atomic_sub_fetch(&pages[i]->refs, 1, __ATOMIC_SEQ_CST) == 0)
			pages[last++] = pages[i];
	lru_forget_all(pages, last);
	for (unsigned i = 0; i < last; i++)
		make_free(pages[i]);
	flags = irq_save();
	for (unsigned i = 0; i < last; i++)
		push(pages[i]);
	irq_restore(flags);
}

void page_free(struct page *page, unsigned order)
{
	ASSERT(page->refs == 1 || page->refs == 0);
	page->refs = 0;
	if (order == 0) {
		page_free_last(page);
		return;
	}
	for (unsigned long i = 0; i < 1UL << order; i++) {
		if (DEBUG)
			check_free(page + i);
		page_clear_record(page + i);
	}
	if (DEBUG)
		poison(page, order, POISON);
	buddy_free(page, order);
}
