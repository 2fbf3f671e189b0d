/*
 * test_page_alloc.c - mm/phys/page_alloc.c: single frames from each CPU's stack, classes, reserves, and what debug builds
 * notice.
 *
 * machine: amd64 i386
 */
#include "tests/unit/sim_space.h"

#include "kernel/lib/kasan.h"
#include "mm/pgtable/table.h"
#include "kernel/sync/hooks.h"
#include "mm/phys/phys.h"
#include "mm/phys/slab.h"

#define BATCH 32
#define STACK 63
#define ALL 8192

static struct page *held[ALL];
static unsigned nr_held;

/* Remember it, to be let go; NULL stays NULL. */
static struct page *hold(struct page *page)
{
	if (page)
		held[nr_held++] = page;
	return page;
}

static void let_go(void)
{
	while (nr_held)
		page_put(held[--nr_held]);
}

static unsigned long low_free(void)
{
	return zones[ZONE_LOW].nr_free;
}

/* -- what one gets ------------------------------------------------------------------------------------------------------ */
static void blank_and_zeroed(void *arg)
{
	for (unsigned order = 0; order < 4; order++) {
		struct page *page = page_alloc(order, GFP_KERNEL);

		memset(page_address(page), 0xaa, PAGE_SIZE << order);
		page_free(page, order);
		page = page_alloc(order, GFP_KERNEL | GFP_ZERO);
		CHECK(page->refs == 1 && !page->flags && !page->mapcount && !page->object && !page->index && !page->private);
		for (unsigned i = 1; i < 1u << order; i++)
			CHECK(page[i].refs == 0 && !page[i].flags);
		for (unsigned long i = 0; i < PAGE_SIZE << order; i++)
			if (((u8 *)page_address(page))[i])
				return sim_fail("byte %lx of order %u", i, order);
		page_free(page, order);
	}
}

/* Kernel memory is direct-mapped.  Who takes any frame gets those first that are good for nobody else. */
static void classes(void *arg)
{
	for (unsigned i = 0; i < 100; i++) {
		CHECK(page_zone(hold(page_alloc(0, GFP_KERNEL))) == &zones[ZONE_LOW]);
		CHECK(page_zone(hold(page_alloc(0, GFP_HIGH))) == &zones[zones[ZONE_MID].present ? ZONE_MID : ZONE_LOW]);
	}
	let_go();
}

static void failpoint(void *arg)
{
	sim_failpoint("page_alloc", 2);
	CHECK(hold(page_alloc(0, GFP_KERNEL)) && !page_alloc(0, GFP_ATOMIC) && hold(page_alloc(2, GFP_KERNEL)));
	CHECK(sim_failpoint_end("page_alloc") == 3);
	page_free(held[--nr_held], 2);
	let_go();
}

/* -- the stacks ----------------------------------------------------------------------------------------------------------- */

/* The zone is asked for 32 frames at a time; full, the stack gives back the 32 that lay longest. */
static void stacks_deal_in_batches(void *arg)
{
	unsigned long zone, cached;
	unsigned i;

	sim_move(2); /* nobody was here yet */
	zone = low_free();
	cached = page_alloc_cached(false);
	for (i = 0; i < 2 * BATCH; i++) {
		hold(page_alloc(0, GFP_KERNEL));
		CHECK(zone - low_free() == BATCH * (i / BATCH + 1));
		CHECK(page_alloc_cached(false) - cached == BATCH - 1 - i % BATCH);
	}
	for (i = 0; i < STACK; i++)
		page_put(held[i]);
	CHECK(zone - low_free() == 2 * BATCH && page_alloc_cached(false) - cached == STACK);
	page_put(held[STACK]);
	CHECK(zone - low_free() == BATCH && page_alloc_cached(false) - cached == STACK - BATCH + 1);
	for (i = 0; i <= STACK; i++) /* on the stack, or in a block of the zone */
		CHECK((held[i]->flags == (BIT(PG_BUDDY) | BIT(PG_STACKED))) == (i >= BATCH));
	nr_held = 0;
}

/* The frame that was freed last is still in the cache of its CPU. */
static void last_freed_first_used(void *arg)
{
	struct page *a = page_alloc(0, GFP_KERNEL), *b = page_alloc(0, GFP_KERNEL);

	page_put(a);
	page_put(b);
	sim_move(1);
	CHECK(hold(page_alloc(0, GFP_KERNEL)) && held[0] != a && held[0] != b);
	sim_move(0);
	CHECK(page_alloc(0, GFP_KERNEL) == b && page_alloc(0, GFP_KERNEL) == a);
	page_put(a);
	page_put(b);
	let_go();
}

/* Every frame there is, the reserves and what other CPUs kept too. */
static void hold_everything(void)
{
	while (hold(page_alloc(0, GFP_HIGH | GFP_NOWARN)) || hold(page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		;
	*sync_memory_rights() |= SYNC_MEMORY_RESERVE;
	while (hold(page_alloc(0, GFP_HIGH | GFP_ATOMIC | GFP_NOWARN)) || hold(page_alloc(0, GFP_ATOMIC | GFP_NOWARN)))
		;
	*sync_memory_rights() &= ~(unsigned)SYNC_MEMORY_RESERVE;
}

/* -- when there is none --------------------------------------------------------------------------------------------------- */

/* Each kind of caller leaves something for those who have less choice. */
static void reserves(void *arg)
{
	unsigned long free = sim_free_pages(), low = zones[ZONE_LOW].present, users = 0;

	while (hold(page_alloc(0, GFP_HIGH | GFP_NOWARN)))
		users++;
	CHECK(zones[ZONE_MID].nr_free <= zones[ZONE_MID].present / 64);
	CHECK(low_free() >= low / 64 + (zones[ZONE_MID].present ? low / 16 : 0));
	CHECK(!hold(page_alloc(0, GFP_KERNEL | GFP_NOWARN)) == !zones[ZONE_MID].present);
	while (hold(page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		;
	CHECK(low_free() >= low / 64);
	while (hold(page_alloc(0, GFP_ATOMIC | GFP_NOWARN)))
		;
	CHECK(low_free() == low / 64 / 2);
	*sync_memory_rights() |= SYNC_MEMORY_RESERVE; /* as who reclaims */
	while (hold(page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		;
	*sync_memory_rights() &= ~(unsigned)SYNC_MEMORY_RESERVE;
	CHECK(low_free() == 0 && page_alloc_cached(false) == 0);
	CHECK(!page_alloc(0, GFP_KERNEL) && !page_alloc(0, GFP_KERNEL | GFP_ZERO) && !page_alloc(3, GFP_KERNEL));
	let_go();
	CHECK(sim_free_pages() >= free); /* more: slab caches gave back what they kept, too */
}

/* Before memory is out, every CPU gives back what it keeps. */
static void others_give_back(void *arg)
{
	unsigned long free;

	for (unsigned cpu = 1; cpu < 4; cpu++) {
		sim_move(cpu);
		for (unsigned i = 0; i < 20; i++)
			hold(page_alloc(0, GFP_KERNEL));
		let_go();
	}
	sim_move(0);
	free = page_alloc_cached(false);
	CHECK(free >= 3 * BATCH);
	while (hold(page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		;
	CHECK(page_alloc_cached(false) == 0);
	let_go();
}

/* Two frames that are held and make up a block of order 1, let go. */
static bool free_two_buddies(void)
{
	for (unsigned i = 0; i < nr_held; i++)
		for (unsigned k = 0; k < nr_held; k++)
			if (page_to_pfn(held[i]) % 2 == 0 && held[k] == held[i] + 1 && page_zone(held[k]) == &zones[ZONE_LOW]) {
				page_put(held[i]);
				page_put(held[k]);
				held[max(i, k)] = held[--nr_held];
				held[min(i, k)] = held[--nr_held];
				return true;
			}
	return false;
}

/* Frames on this CPU's stack can be what keeps a block from merging. */
static void own_stack_merges(void *arg)
{
	struct page *two;

	hold_everything();
	CHECK(free_two_buddies() && page_alloc_cached(false) == 2 && low_free() == 0);
	*sync_memory_rights() |= SYNC_MEMORY_RESERVE;
	two = page_alloc(1, GFP_ATOMIC);
	*sync_memory_rights() &= ~(unsigned)SYNC_MEMORY_RESERVE;
	CHECK(two && page_alloc_cached(false) == 0);
	page_free(two, 1);
	let_go();
}

static unsigned reclaims;
static unsigned long asked;

static unsigned long reclaim(unsigned long nr, enum gfp gfp)
{
	reclaims++;
	asked = nr;
	if (reclaims % 3)
		return 1; /* of no use yet: to be asked again */
	for (unsigned i = 0; i < 8; i++)
		page_put(held[--nr_held]);
	return 8;
}

static unsigned long reclaim_nothing(unsigned long nr, enum gfp gfp)
{
	reclaims++;
	return 0;
}

/* Who may sleep has others' pages reclaimed, a few times over; who may not does without. */
static void reclaim_is_asked(void *arg)
{
	hold_everything();
	while (low_free() <= zones[ZONE_LOW].present / 64 + BATCH) /* above the reserve, so that a page more is a page */
		page_put(held[--nr_held]);
	while (hold(page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		;
	page_reclaim = reclaim;
	CHECK(hold(page_alloc(0, GFP_KERNEL)) && reclaims == 3 && asked >= BATCH);
	reclaims = 0;
	while (hold(page_alloc(0, GFP_ATOMIC | GFP_NOWARN)))
		;
	CHECK(reclaims == 0);
	page_reclaim = reclaim_nothing;
	CHECK(!page_alloc(4, GFP_KERNEL) && reclaims == 1);
	page_reclaim = NULL;
	let_go();
}

/* -- what debug builds notice -------------------------------------------------------------------------------------------- */
static struct page *victim(void)
{
	return page_alloc(0, GFP_KERNEL);
}

/* Behind the sanitizer's back. */
static u8 *content_of_free(struct page *page)
{
	kasan_unpoison(page_address(page), PAGE_SIZE);
	return page_address(page);
}

static void freed_frames_are_filled(void *arg)
{
	struct page *page = victim();
	u8 *bytes;

	page_put(page);
	bytes = content_of_free(page);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		CHECK(bytes[i] == 0x5a);
}

/* A CPU that still walks a freed table finds nothing there. */
static void freed_tables_are_not_present(void *arg)
{
	unsigned long tables = phys_table_pages;
	struct page *table = table_alloc();
	void *va = page_address(table);

	CHECK(page_test(table, PG_TABLE) && phys_table_pages == tables + 1);
	hw_pte_set(hw_pte_at(va, 3), pte_mk_page(5, GRANT_R));
	table_free(table);
	CHECK(phys_table_pages == tables);
	content_of_free(table);
	for (unsigned i = 0; i < pt_entries(0); i++)
		CHECK(!pte_accessible(hw_pte_get_lockless(hw_pte_at(va, i))));
	CHECK(page_alloc(0, GFP_KERNEL) == table);
	page_put(table);
}

static void written_after_free(void *arg)
{
	struct page *page = victim();

	page_put(page);
	content_of_free(page)[100] = 1;
	page_alloc(0, GFP_KERNEL);
}

static void table_written_after_free(void *arg)
{
	struct page *table = table_alloc();

	table_free(table);
	content_of_free(table)[PAGE_SIZE - 1] = 0;
	page_alloc(0, GFP_KERNEL);
}

static void block_written_after_free(void *arg)
{
	struct page *page = page_alloc(PAGE_MAX_ORDER - 1, GFP_KERNEL);

	page_free(page, PAGE_MAX_ORDER - 1);
	for (unsigned i = 0; i < 1 << (PAGE_MAX_ORDER - 1); i++)
		content_of_free(page + i)[7] = 1;
	for (unsigned i = 0; i < 16; i++)
		page_alloc(PAGE_MAX_ORDER - 1, GFP_KERNEL | GFP_NOWARN);
}

static void freed_twice(void *arg)
{
	struct page *page = victim();

	page_put(page);
	page->refs = 1;
	page_put(page);
}

static void freed_mapped(void *arg)
{
	struct page *page = victim();

	page->mapcount = 1;
	page_put(page);
}

static void freed_pinned(void *arg)
{
	struct page *page = victim();

	page->pins_r = 1;
	page_put(page);
}

static void freed_locked(void *arg)
{
	struct page *page = victim();

	CHECK(page_try_lock(page));
	page_put(page);
}

static void freed_referenced(void *arg)
{
	struct page *page = victim();

	page_get(page);
	page_free(page, 0);
}

static void block_freed_mapped(void *arg)
{
	struct page *page = page_alloc(3, GFP_KERNEL);

	page[5].mapcount = 1;
	page_free(page, 3);
}

static void sleeps_in_atomic_context(void *arg)
{
	irq_disable();
	page_alloc(0, GFP_KERNEL);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(blank_and_zeroed);
	CASE(classes);
	CASE_CALM(failpoint);
	CASE_CALM(stacks_deal_in_batches);
	CASE_CALM(last_freed_first_used);
	CASE_CALM(reserves);
	CASE_CALM(others_give_back);
	CASE_CALM(own_stack_merges);
	CASE_CALM(reclaim_is_asked);
	CASE_CALM(freed_frames_are_filled);
	CASE_CALM(freed_tables_are_not_present);
	CASE_PANICS(written_after_free);
	CASE_PANICS(table_written_after_free);
	CASE_PANICS(block_written_after_free);
	CASE_PANICS(freed_twice);
	CASE_PANICS(freed_mapped);
	CASE_PANICS(freed_pinned);
	CASE_PANICS(freed_locked);
	CASE_PANICS(freed_referenced);
	CASE_PANICS(block_freed_mapped);
	CASE_PANICS(sleeps_in_atomic_context);
	return sim_end();
}
