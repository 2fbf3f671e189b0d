/*
 * test_mremap_tables.c - mm/space/mremap.c: leaf tables that move whole, and who may not meet one on its way.
 *
 * machine: all
 */
#include "mm/pgtable/huge.h"
#include "mm/rmap/anon.h"
#include "mm/service/pin.h"
#include "tests/unit/sim_laws.h"

#define SPAN PT_HUGE_SIZE
#define LAST (SPAN - PAGE_SIZE)
#define SPANS 2

static struct mm *mm;
static vaddr_t here, there;

/* Two places, aligned alike; at the first @spans spans and @more pages on both sides, of @f or anonymous. */
static void two_places(unsigned spans, unsigned more, unsigned flags, struct sim_file *f)
{
	mm = enter_space();
	here = ALIGN_DOWN((vaddr_t)USER_END / 2, SPAN) - P(more);
	there = here - (spans + 2) * SPAN;
	CHECK(sim_mmap(mm, here, spans * SPAN + 2 * P(more), RW, flags | MAP_FIXED, f, 0) == (long)here);
}

static long move(vaddr_t from, vaddr_t to, size_t length, unsigned flags)
{
	return mm_mremap(mm, from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);
}

/* First and last word of each span. */
static void fill(vaddr_t a, unsigned spans)
{
	for (unsigned i = 0; i < spans; i++) {
		store_word(a + i * SPAN, 2 * i + 1);
		store_word(a + i * SPAN + LAST, 2 * i + 2);
	}
}

static void check_filled(vaddr_t a, unsigned spans)
{
	for (unsigned i = 0; i < spans; i++)
		CHECK(load_word(a + i * SPAN) == 2 * i + 1 && load_word(a + i * SPAN + LAST) == 2 * i + 2);
}

static struct page *table_of(vaddr_t va)
{
	struct pt_slot slot;

	rwsem_read_lock(&mm->lock);
	slot = pt_find_table(&mm->pt, va);
	rwsem_read_unlock(&mm->lock);
	return slot.table;
}

/* -- one thread ------------------------------------------------------------------------------------------------------- */

static void tables_go_over(void *arg)
{
	struct page *tables[SPANS];
	unsigned long before;

	two_places(SPANS, 0, MAP_PRIVATE, NULL);
	fill(here, SPANS);
	for (unsigned i = 0; i < SPANS; i++)
		tables[i] = table_of(here + i * SPAN);
	before = mm->pt.nr_tables;
	CHECK(move(here, there, SPANS * SPAN, MREMAP_DONTUNMAP) == (long)there);
	for (unsigned i = 0; i < SPANS; i++)
		CHECK(table_of(there + i * SPAN) == tables[i] && !table_of(here + i * SPAN));
	CHECK(mm->pt.nr_tables >= before && !sim_audit(false));
	check_filled(there, SPANS);
	CHECK(load_word(here) == 0 && kind_at(here + LAST) == PTE_KIND_NONE);
	CHECK(move(there, here, SPANS * SPAN, 0) == (long)here && table_of(here) == tables[0]);
	CHECK(sim_touch(there, FAULT_READ) == FAULT_MAPERR && mm->pt.nr_tables == before && !sim_audit(false));
	check_filled(here, SPANS);
}

/* Also what was left where no range is, and what was never touched. */
static void the_way_is_cleared(void *arg)
{
	struct page *table;

	two_places(SPANS, 0, MAP_PRIVATE, NULL);
	store_word(here, 1);
	table = table_of(here);
	rwsem_write_lock(&mm->lock);
	CHECK(pt_populate(&mm->pt, there, there + SPANS * SPAN) == 0);
	rwsem_write_unlock(&mm->lock);
	CHECK(move(here, there, SPANS * SPAN, 0) == (long)there && table_of(there) == table && !table_of(there + SPAN));
	CHECK(load_word(there) == 1 && load_word(there + SPAN) == 0 && !sim_audit(false));
}

/* What belongs to others, too, in the tables at both ends. */
static void ends_go_entry_by_entry(void *arg)
{
	struct page *table, *end;

	two_places(1, 1, MAP_PRIVATE, NULL);
	store_word(here, 7);
	fill(here + P(1), 1);
	store_word(here + P(1) + SPAN, 8);
	table = table_of(here + P(1));
	end = table_of(here);
	CHECK(move(here, there, SPAN + P(2), 0) == (long)there && !sim_audit(false));
	CHECK(table_of(there + P(1)) == table && table_of(there) != end);
	CHECK(load_word(there) == 7 && load_word(there + P(1) + SPAN) == 8);
	check_filled(there + P(1), 1);
	CHECK(move(there, here + P(1), SPAN + P(2), 0) == (long)(here + P(1)) && !sim_audit(false)); /* they do not fit */
	CHECK(load_word(here + P(1)) == 7 && load_word(here + P(2) + SPAN) == 8);
	check_filled(here + P(2), 1);
}

/* A store through a translation that another CPU still has goes where the page is, or is a fault. */
static void other_cpus_forget(void *arg)
{
	two_places(1, 0, MAP_PRIVATE, NULL);
	sim_move(1);
	store_word(here, 1);
	sim_move(0);
	CHECK(move(here, there, SPAN, 0) == (long)there && !sim_tlb_stale(true));
	sim_move(1);
	CHECK(sim_touch(here, FAULT_WRITE) == FAULT_MAPERR && load_word(there) == 1);
}

static void dirty_pages_of_a_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, SPANS * SPAN, true);

	two_places(SPANS, 0, MAP_SHARED, f);
	store_word(here, 5);
	CHECK(move(here, there, SPANS * SPAN, 0) == (long)there && load_word(there + LAST) == FILLED(LAST >> PAGE_SHIFT));
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 5 && !sim_audit(false));
	store_word(there, 6);
	CHECK(mm_munmap(mm, there, SPANS * SPAN) == 0 && sim_file_sync(f) == 0 && disk_word(f, 0) == 6);
	sim_file_put(f);
}

static long to_there(void)
{
	return move(here, there, SPANS * SPAN, 0);
}

static void as_before(void)
{
	check_filled(here, SPANS);
	CHECK(count_vmas() == 1 && sim_touch(there, FAULT_READ) == FAULT_MAPERR);
}

static void no_memory(void *arg)
{
	two_places(SPANS, 0, MAP_PRIVATE, NULL);
	fill(here, SPANS);
	CHECK(each_fails("slab_alloc", to_there, as_before) > 0);
	two_places(SPANS, 0, MAP_PRIVATE, NULL);
	fill(here, SPANS);
	(void)each_fails("page_alloc", to_there, as_before);
}

/* -- in the middle of it ------------------------------------------------------------------------------------------------ */

static void mover(void *arg)
{
	CHECK(to_there() == (long)there);
}

static bool count_visit(const struct rmap_hit *hit, void *ctx)
{
	++*(unsigned *)ctx;
	return true;
}

/* The table is in no tree: the family's walk is refused, not shown nothing. */
static void no_walk_of_the_family(void *arg)
{
	struct sim_thread *t;
	struct page *page;
	unsigned n = 0;

	two_places(SPANS, 0, MAP_PRIVATE, NULL);
	fill(here, SPANS);
	page = frame_at(here);
	t = race_begin("clear-before-flush", mover, NULL);
	page_lock(page);
	CHECK(!rmap_try_walk_anon(page, RMAP_CHANGES, count_visit, &n) && n == 0);
	page_unlock(page);
	race_end("clear-before-flush", t);
	page_lock(page);
	CHECK(rmap_try_walk_anon(page, RMAP_CHANGES, count_visit, &n) && n == 1);
	page_unlock(page);
}

static bool synced;

static void syncer(void *arg)
{
	CHECK(sim_file_sync(arg) == 0);
	synced = true;
}

/* Nor the object's: writeback waits, and sees what was stored. */
static void no_walk_of_the_object(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, SPANS * SPAN, true);
	struct sim_thread *t, *s;

	two_places(SPANS, 0, MAP_SHARED, f);
	store_word(here, 5);
	t = race_begin("clear-before-flush", mover, NULL);
	s = sim_spawn(mm, 2, syncer, f);
	sim_sleep(1000000);
	CHECK(!synced);
	race_end("clear-before-flush", t);
	sim_join(s);
	CHECK(disk_word(f, 0) == 5);
	store_word(there, 6); /* it was made clean at its new place: this one is noticed */
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 6);
	sim_file_put(f);
}

static void pinner(void *arg)
{
	struct page *page;
	bool got = pin_user_pages(mm, here, 1, FOLL_WRITE, &page) == 1;

	CHECK(!got); /* it waited, and found the place empty */
	if (got)
		unpin_user_pages(&page, 1, FOLL_WRITE, true);
}

static void pins_wait(void *arg)
{
	struct sim_thread *t, *p;

	two_places(SPANS, 0, MAP_PRIVATE, NULL);
	fill(here, SPANS);
	t = race_begin("clear-before-flush", mover, NULL);
	p = sim_spawn(mm, 2, pinner, NULL);
	sim_sleep(1000000);
	race_end("clear-before-flush", t);
	sim_join(p);
}

/* -- all at once -------------------------------------------------------------------------------------------------------- */

static struct page *pages[2 * SPANS];
static bool over;

/* A word of its own in each page, at whichever place it is: no store may be lost. */
static void count_up(void *arg)
{
	vaddr_t word = (vaddr_t)(uintptr_t)arg * 8;

	for (u64 round = 0; round < 20; round++)
		for (unsigned i = 0; i < 2 * SPANS; i++) {
			vaddr_t at = i / 2 * SPAN + (i & 1 ? LAST : 0) + word;
			u64 was = 0, next = round + 1;

			while (sim_load(here + at, &was, 8) != FAULT_OK && sim_load(there + at, &was, 8) != FAULT_OK)
				sim_yield();
			if (was != round)
				sim_fail("place %u: %llu in round %llu", i, (unsigned long long)was, (unsigned long long)round);
			while (sim_store(here + at, &next, 8) != FAULT_OK && sim_store(there + at, &next, 8) != FAULT_OK)
				sim_yield();
		}
}

/* Whenever a walk is let in, it finds the page's one entry. */
static void walk_around(void *arg)
{
	while (!over) {
		struct page *page = pages[sim_below(ARRAY_SIZE(pages))];
		unsigned n = 0;

		page_lock(page);
		if (rmap_try_walk_anon(page, RMAP_CHANGES, count_visit, &n) && n != 1)
			sim_fail("%u entries", n);
		page_unlock(page);
		sim_yield();
	}
}

static void storm(void *arg)
{
	struct sim_thread *counters[2], *walker;

	two_places(SPANS, 0, MAP_PRIVATE, NULL);
	fill(here, SPANS);
	over = false;
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		vaddr_t va = here + i / 2 * SPAN + (i & 1 ? LAST : 0);

		pages[i] = frame_at(va);
		store_word(va, 0);
	}
	walker = sim_spawn(mm, 3, walk_around, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++)
		counters[i] = sim_spawn(mm, 1 + (int)i, count_up, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < 30; i++) {
		CHECK(move(here, there, SPANS * SPAN, 0) == (long)there);
		sim_yield();
		CHECK(move(there, here, SPANS * SPAN, 0) == (long)here);
		sim_yield();
	}
	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++)
		sim_join(counters[i]);
	over = true;
	sim_join(walker);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(tables_go_over);
	CASE(the_way_is_cleared);
	CASE(ends_go_entry_by_entry);
	CASE_CALM(other_cpus_forget);
	CASE(dirty_pages_of_a_file);
	CASE_CALM(no_memory);
	CASE_CALM(no_walk_of_the_family);
	CASE_CALM(no_walk_of_the_object);
	CASE_CALM(pins_wait);
	CASE(storm);
	return sim_end();
}
