/*
 * test_gather.c - mm/pgtable/gather.c: clear, flush every TLB, then free.
 *
 * machine: amd64 pae tiny2
 */
#include "tests/unit/pt_test.h"

#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/completion.h"

#define PAGES (GATHER_PAGES + 4)

static struct mm *mm;
static struct mmu_gather g;
static vaddr_t base;
static struct page *pages[PAGES];

/* Written pages, whose translations this CPU has. */
static void make_world(void)
{
	mm = enter_space();
	base = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++) {
		store_word(base + i * PAGE_SIZE, i);
		pages[i] = frame_at(base + i * PAGE_SIZE);
		page_get(pages[i]); /* to look at it later */
	}
}

static void end_world(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		page_put(pages[i]);
}

/* The entry's page goes into the gather, as an unmap does it. */
static void gather_page(unsigned i)
{
	struct pt_slot slot = pt_lock(&mm->pt, base + i * PAGE_SIZE);

	hw_pte_get_and_clear(slot.hw);
	__atomic_fetch_sub(&pages[i]->mapcount, 1, __ATOMIC_SEQ_CST);
	pgtable_account(&mm->pt, -1);
	mmu_gather_page(&g, base + i * PAGE_SIZE, pages[i]);
	pt_unlock(slot);
}

static bool has(unsigned i)
{
	return sim_tlb_has(sim_cpu(), base + i * PAGE_SIZE);
}

/* Nothing is flushed and nothing freed before the end; then both, in this order. */
static void deferred_to_the_end(void *arg)
{
	make_world();
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	CHECK(mm->pt.gathers == 1);
	for (unsigned i = 1; i < 4; i++) {
		gather_page(i);
		CHECK(pages[i]->refs == 2 && has(i));
	}
	mmu_gather_finish(&g);
	CHECK(mm->pt.gathers == 0);
	for (unsigned i = 0; i < 5; i++)
		CHECK(pages[i]->refs == (i >= 1 && i < 4 ? 1 : 2));
	CHECK(!has(1) && !has(2) && !has(3) && sim_tlb_stale(true) == 0);
	end_world();
}

/* Full, it flushes and frees by itself, and goes on. */
static void full_gather_empties_itself(void *arg)
{
	make_world();
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	for (unsigned i = 0; i < GATHER_PAGES - 1; i++)
		gather_page(i);
	CHECK(pages[0]->refs == 2 && g.nr == GATHER_PAGES - 1);
	gather_page(GATHER_PAGES - 1);
	CHECK(pages[0]->refs == 1 && pages[GATHER_PAGES - 1]->refs == 1 && g.nr == 0 && g.start >= g.end);
	CHECK(!has(GATHER_PAGES - 1));
	gather_page(GATHER_PAGES);
	CHECK(pages[GATHER_PAGES]->refs == 2);
	mmu_gather_finish(&g);
	CHECK(pages[GATHER_PAGES]->refs == 1);
	end_world();
}

/* Nothing gathered, nothing flushed. */
static void empty_gather_is_free(void *arg)
{
	unsigned long flushes;

	make_world();
	flushes = sim_tlb_flushes();
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	mmu_gather_flush_tlb(&g);
	mmu_gather_flush(&g);
	mmu_gather_finish(&g);
	CHECK(sim_tlb_flushes() == flushes && has(PAGES - 1));
	end_world();
}

/* Flush now, free later. */
static void flush_alone(void *arg)
{
	make_world();
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	gather_page(2);
	mmu_gather_flush_tlb(&g);
	CHECK(!has(2) && pages[2]->refs == 2);
	mmu_gather_finish(&g);
	CHECK(pages[2]->refs == 1);
	end_world();
}

/* An entry without a page to free is flushed all the same. */
static void entry_without_page(void *arg)
{
	struct pt_slot slot;
	pte_t pte;

	make_world();
	slot = pt_lock(&mm->pt, base);
	pte = hw_pte_get_and_clear(slot.hw);
	pt_unlock(slot);
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	mmu_gather_entry(&g, base);
	mmu_gather_finish(&g);
	CHECK(!has(0) && pages[0]->refs == 2);
	slot = pt_lock(&mm->pt, base);
	hw_pte_set(slot.hw, pte);
	pt_unlock(slot);
	CHECK(load_word(base) == 0);
	end_world();
}

/* Tables are freed after the flush too. */
static void tables_wait_for_the_flush(void *arg)
{
	unsigned long tables = phys_table_pages;
	struct pgtable pt;

	CHECK(pgtable_init(&pt) == 0 && pt_populate(&pt, PT_MIDDLE, PT_MIDDLE + PAGE_SIZE) == 0);
	CHECK(phys_table_pages == tables + pt.nr_tables && pt.nr_tables == PT_LEVELS);
	mmu_gather_begin(&g, &pt, 0, USER_END, MMU_UNMAP);
	pt_free_tables(&pt, &g, PT_MIDDLE, PT_MIDDLE + PAGE_SIZE, 0, USER_END);
	CHECK(pt.nr_tables == 1 && phys_table_pages == tables + PT_LEVELS && g.reload == PT_ROOT_COPIED);
	mmu_gather_finish(&g);
	CHECK(phys_table_pages == tables + 1);
	pgtable_destroy(&pt);
}

/* -- other CPUs ------------------------------------------------------------------------------------------------------------ */
static struct completion ready, changed;

static void other_cpu(void *arg)
{
	load_word(base);
	complete(&ready);
	completion_wait(&changed);
}

static unsigned points;
static bool had[2];
static int refs[2];

static void at_point(const char *name)
{
	unsigned i = !strcmp(name, "flush-before-free");

	if (i == 0 && strcmp(name, "clear-before-flush"))
		return;
	had[i] = sim_tlb_has(2, base);
	refs[i] = pages[0]->refs;
	points |= 1u << i;
}

static void gather_seen_from_cpu2(unsigned mutation)
{
	struct sim_thread *t;

	make_world();
	completion_init(&ready);
	completion_init(&changed);
	t = sim_spawn(mm, 2, other_cpu, NULL);
	completion_wait(&ready);
	CHECK(sim_tlb_has(2, base));
	sync_point_hook = at_point;
	sync_points_armed = 1;
	mutation_active = mutation;
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	gather_page(0);
	mmu_gather_finish(&g);
	mutation_active = 0;
	sync_points_armed = 0;
	CHECK(points == (mutation == 2 ? 1 : 3)); /* M2 has nothing left to free afterwards */
	pgtable_flush_all(&mm->pt);
	complete(&changed);
	sim_join(t);
	end_world();
}

/* The page is kept until no CPU can reach it any more. */
static void order_seen_by_others(void *arg)
{
	gather_seen_from_cpu2(0);
	CHECK(had[0] && refs[0] == 2);  /* cleared */
	CHECK(!had[1] && refs[1] == 2); /* flushed */
	CHECK(pages[0] != NULL);
}

static void mutation_frees_before_flush(void *arg)
{
	gather_seen_from_cpu2(2);
	CHECK(had[0] && refs[0] == 1);
}

static void mutation_does_not_flush(void *arg)
{
	gather_seen_from_cpu2(1);
	CHECK(had[0] && had[1]);
}

/* Another gather has cleared an entry and not flushed it: who ends first flushes for it. */
static void two_gathers(void *arg)
{
	struct mmu_gather second;

	make_world();
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	gather_page(0);
	mmu_gather_begin(&second, &mm->pt, 0, USER_END, MMU_CLEAR); /* finds the entry empty */
	mmu_gather_finish(&second);
	CHECK(!has(0) && pages[0]->refs == 2);
	mmu_gather_finish(&g);
	CHECK(pages[0]->refs == 1);
	end_world();
}

static void finished_twice(void *arg)
{
	make_world();
	mmu_gather_begin(&g, &mm->pt, 0, USER_END, MMU_CLEAR);
	mmu_gather_finish(&g);
	mmu_gather_finish(&g);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(deferred_to_the_end);
	CASE_CALM(full_gather_empties_itself);
	CASE_CALM(empty_gather_is_free);
	CASE_CALM(flush_alone);
	CASE_CALM(entry_without_page);
	CASE_CALM(tables_wait_for_the_flush);
	CASE_CALM(order_seen_by_others);
	CASE_CALM(mutation_frees_before_flush);
	CASE_CALM(mutation_does_not_flush);
	CASE_CALM(two_gathers);
	CASE_PANICS(finished_twice);
	return sim_end();
}
