/*
 * test_pgtable_table.c - mm/pgtable/table.c and count.c: tables are made on the way down, and freed when nothing can lie
 * in them any more.
 *
 * machine: all
 */
#include "tests/unit/pt_test.h"

#include "kernel/lib/string.h"

static struct spans spans;

/* A table is made for each span that the range touches, once. */
static void populate_makes_the_paths(void *arg)
{
	unsigned long before = phys_table_pages;
	struct pgtable pt;

	CHECK(pgtable_init(&pt) == 0 && pt.nr_tables == 1 && phys_table_pages == before + 1);
	CHECK(page_test(pt.root, PG_TABLE));
	for (unsigned i = 0; i < 30; i++) {
		vaddr_t start, end;

		pt_random_range(&start, &end);
		CHECK(pt_populate(&pt, start, end) == 0);
		spans_populate(&spans, start, end);
		spans_check(&spans, &pt);
	}
	CHECK(pt_populate(&pt, PAGE_SIZE, PAGE_SIZE) == 0); /* nothing, or the table of the page before */
	CHECK(phys_table_pages == before + pt.nr_tables);
	pgtable_destroy(&pt);
	CHECK(phys_table_pages == before);
}

static void new_tables_are_empty(void *arg)
{
	struct page *table = table_alloc();

	for (unsigned i = 0; i < pt_entries(0); i++)
		CHECK(pte_is_none(hw_pte_get_lockless(hw_pte_at(page_address(table), i))));
	CHECK(page_test(table, PG_TABLE) && table->refs == 1 && !spin_held(&table->ptl));
	table_free(table);
}

/* Which tables go when [start, end) was unmapped and nothing is mapped in [floor, ceiling): those that can only have been
 * used for these addresses, with all that is below them. */
static void spans_free(vaddr_t start, vaddr_t end, vaddr_t floor, vaddr_t ceiling)
{
	unsigned kept = 0;

	for (unsigned level = PT_LEVELS - 1; level > 0; level--)
		for (unsigned i = 0; i < spans.nr; i++) {
			vaddr_t base = spans.at[i].base, last = base + pt_span(level) - 1;

			if (spans.at[i].level != level || base < floor || last >= ceiling || base >= end || last < start)
				continue;
			for (unsigned k = 0; k < spans.nr; k++) /* it, and what is below */
				if (spans.at[k].level <= level && spans.at[k].base >= base && spans.at[k].base <= last)
					spans.at[k].level = 0;
		}
	for (unsigned i = 0; i < spans.nr; i++)
		if (spans.at[i].level)
			spans.at[kept++] = spans.at[i];
	spans.nr = kept;
}

static void free_takes_what_cannot_be_used(void *arg)
{
	struct mmu_gather g;
	struct pgtable pt;

	CHECK(pgtable_init(&pt) == 0);
	for (unsigned i = 0; i < 60; i++) {
		vaddr_t start, end, floor, ceiling, other;

		pt_random_range(&start, &end);
		CHECK(pt_populate(&pt, start, end) == 0);
		spans_populate(&spans, start, end);
		if (i % 2)
			pt_random_range(&start, &end);
		floor = pt_random_page();
		other = pt_random_page();
		floor = sim_below(3) ? min(start, floor) : 0;
		ceiling = sim_below(3) ? max(end, other) : USER_END;
		mmu_gather_begin(&g, &pt, 0, USER_END, MMU_UNMAP);
		pt_free_tables(&pt, &g, start, end, floor, ceiling);
		mmu_gather_finish(&g);
		spans_free(start, end, floor, ceiling);
		spans_check(&spans, &pt);
	}
	pgtable_destroy(&pt);
}

/* Out of memory on the way: what was made stays and does no harm. */
static void populate_fails_anywhere(void *arg)
{
	const vaddr_t at = PT_MIDDLE; /* two paths that share the root only */
	struct pgtable pt;
	int err;

	for (u64 n = 1; n < 20; n++) {
		CHECK(pgtable_init(&pt) == 0);
		sim_failpoint("page_alloc", n);
		err = pt_populate(&pt, at - PAGE_SIZE, at + PAGE_SIZE);
		CHECK(err == (sim_failpoint_end("page_alloc") < n ? 0 : -ENOMEM));
		CHECK(pt.nr_tables == (err ? n : pt.nr_tables) && pt_count_tables(&pt) == pt.nr_tables);
		CHECK(pt_populate(&pt, at - PAGE_SIZE, at + PAGE_SIZE) == 0);
		CHECK(pt_find(&pt, at - PAGE_SIZE).hw && pt_find(&pt, at).hw);
		pgtable_destroy(&pt);
	}
	CHECK(err == 0);
	sim_failpoint("page_alloc", 1);
	CHECK(pgtable_init(&pt) == -ENOMEM);
	sim_failpoint_end("page_alloc");
}

/* A move that failed has left tables where no range is.  When the range beside it goes, they go with the tables above. */
static void leftovers_go_with_their_parent(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t source = map_pages(2, MAP_PRIVATE, NULL, 0), beside, to;
	unsigned long tables;

	beside = PT_MIDDLE;
	to = beside + 2 * pt_span(1) - PAGE_SIZE; /* the last page below one leaf table, the first of the next */
	CHECK(mm_munmap(mm, to, 2 * PAGE_SIZE) == 0);
	store_word(source, 1);
	tables = mm->pt.nr_tables;
	CHECK(sim_mmap(mm, beside, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)beside);
	store_word(beside, 2);
	for (u64 n = 1;; n++) {
		long moved;

		sim_failpoint("page_alloc", n);
		moved = mm_mremap(mm, source, 2 * PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		if (sim_failpoint_end("page_alloc") < n) {
			CHECK(moved == (long)to);
			source = to;
			break;
		}
		CHECK(moved == -ENOMEM && n < 20);
		CHECK(mm_munmap(mm, beside, PAGE_SIZE) == 0);
		CHECK(pt_count_tables(&mm->pt) == mm->pt.nr_tables);
		CHECK(sim_mmap(mm, beside, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)beside);
		store_word(beside, 2);
	}
	CHECK(load_word(source) == 1);
	CHECK(mm_munmap(mm, beside, PAGE_SIZE) == 0 && mm_munmap(mm, to, 2 * PAGE_SIZE) == 0);
	CHECK(mm->pt.nr_tables <= tables);
}

/* -- two at once ------------------------------------------------------------------------------------------------------------ */
static struct pgtable shared;

static void populate_thread(void *arg)
{
	for (unsigned i = 0; i < 4; i++)
		CHECK(pt_populate(&shared, i * pt_span(PT_LEVELS - 2), i * pt_span(PT_LEVELS - 2) + PAGE_SIZE) == 0);
}

/* Who comes second uses the table of the first. */
static void one_table_for_all(void *arg)
{
	struct sim_thread *threads[4];

	CHECK(pgtable_init(&shared) == 0);
	for (unsigned i = 0; i < 4; i++)
		spans_populate(&spans, i * pt_span(PT_LEVELS - 2), i * pt_span(PT_LEVELS - 2) + PAGE_SIZE);
	for (unsigned i = 0; i < 4; i++)
		threads[i] = sim_spawn(NULL, (int)i, populate_thread, NULL);
	for (unsigned i = 0; i < 4; i++)
		sim_join(threads[i]);
	spans_check(&spans, &shared);
	pgtable_destroy(&shared);
}

static void free_of_no_table(void *arg)
{
	table_free(page_alloc(0, GFP_KERNEL));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(populate_makes_the_paths);
	CASE(new_tables_are_empty);
	CASE(free_takes_what_cannot_be_used);
	CASE_CALM(populate_fails_anywhere);
	CASE_CALM(leftovers_go_with_their_parent);
	CASE_WITH(&(struct sim_config){.switch_one_in = 2}, one_table_for_all);
	CASE_PANICS(free_of_no_table);
	return sim_end();
}
