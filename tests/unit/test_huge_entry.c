/*
 * test_huge_entry.c - mm/pgtable/huge.c: huge entries and their deposits, without an address space around them (T2-15,
 * T2-16: what UFFDIO_MOVE and mremap stand on).
 *
 * machine: all
 */
#include "tests/unit/pt_test.h"

#include "kernel/lib/string.h"
#include "mm/pgtable/huge.h"
#include "mm/phys/vmstat.h"

#define AT (PT_MIDDLE)
#define ELSEWHERE (PT_MIDDLE + 2 * PT_HUGE_SIZE)
#define FRAME (8 * PT_HUGE_PAGES) /* nobody uses the page itself here */

static struct pgtable pt;
static unsigned long tables_before;

static pte_t sample(void)
{
	return pte_mk_huge(pte_mkdirty(pte_mkwrite(pte_mk_page(FRAME, GRANT_R | GRANT_W))));
}

static bool set_huge(struct pgtable *tree, vaddr_t va, pte_t huge, struct page *deposit)
{
	bool set;

	spin_lock(&tree->lock);
	set = pt_set_huge(tree, va, huge, deposit);
	spin_unlock(&tree->lock);
	return set;
}

static void begin(vaddr_t va, pte_t huge)
{
	tables_before = phys_table_pages;
	CHECK(pgtable_init(&pt) == 0 && pt_populate_upper(&pt, va) == 0);
	CHECK(set_huge(&pt, va, huge, pt_deposit_alloc()));
}

/* As zap does. */
static void clear_huge(struct pgtable *tree, vaddr_t va)
{
	struct page *deposit;
	struct pt_huge h;

	CHECK(pt_lock_huge(tree, va, &h));
	pt_clear_huge(&h, &deposit);
	pt_unlock_huge(&h);
	pgtable_flush_cpus(tree, h.base, h.end);
	pt_deposit_free(deposit);
}

static void clear_base(struct pgtable *tree, vaddr_t va)
{
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		hw_pte_get_and_clear(pt_find(tree, va + i * PAGE_SIZE).hw);
	pgtable_flush_cpus(tree, va, va + PT_HUGE_SIZE);
}

static void end(void)
{
	pgtable_destroy(&pt);
	CHECK(phys_table_pages == tables_before && pt_huge_mapped == 0);
}

static void one_entry_and_its_deposit(void *arg)
{
	unsigned long tables;
	struct pt_huge h;

	begin(AT, sample());
	tables = pt.nr_tables;
	CHECK(pt.nr_huge == 1 && pt_count_deposits(&pt) == 1 && pt_huge_mapped == PT_HUGE_PAGES);
	CHECK(pt_count_tables(&pt) == tables && phys_table_pages == tables_before + tables + 1);
	CHECK(pt_lock_huge(&pt, AT + PT_HUGE_SIZE - 1, &h) && h.base == AT && pt_huge_whole(&h));
	CHECK(pte_same(h.pte, sample()));
	pt_unlock_huge(&h);
	CHECK(!pt_lock_huge(&pt, AT + PT_HUGE_SIZE, &h) && !pt_lock_huge(&pt, AT - 1, &h));
	CHECK(!pt_peek(&pt, AT) && !pt_lock_table(&pt, AT).hw && pt.nr_huge == 1);
	clear_huge(&pt, AT);
	CHECK(pt.nr_huge == 0 && pt_count_deposits(&pt) == 0 && pt.nr_tables == tables);
	end();
}

/* What is there already stays. */
static void nothing_is_overwritten(void *arg)
{
	struct page *deposit;

	begin(AT, sample());
	deposit = pt_deposit_alloc();
	CHECK(!set_huge(&pt, AT, sample(), deposit) && pt.nr_huge == 1);
	CHECK(pt_populate(&pt, ELSEWHERE, ELSEWHERE + PAGE_SIZE) == 0);
	CHECK(!set_huge(&pt, ELSEWHERE, sample(), deposit));
	pt_deposit_free(deposit);
	clear_huge(&pt, AT);
	end();
}

static void check_parts(pte_t huge)
{
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++) {
		pte_t pte = hw_pte_get_lockless(pt_peek(&pt, AT + i * PAGE_SIZE));

		CHECK(pte_same(pte, pt_huge_part(huge, i)));
		CHECK(pte_pfn(pte) == FRAME + i && pte_dirty(pte) == pte_dirty(huge) && pte_young(pte) == pte_young(huge));
	}
}

/* Every way to a base entry splits, without an allocation; the table is the deposit. */
static void who_wants_a_base_entry_splits(void *arg)
{
	static const char *const ways[] = {"find", "lock", "populate", "split"};

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		unsigned long tables;

		begin(AT, i % 2 ? pte_mkold(sample()) : sample());
		tables = pt.nr_tables;
		sim_failpoint("page_alloc", 1);
		switch (i) {
		case 0:
			CHECK(pt_find(&pt, AT + PAGE_SIZE).hw);
			break;
		case 1: {
			struct pt_slot slot = pt_lock(&pt, AT + PAGE_SIZE);

			CHECK(slot.hw && slot.table->index == AT / PT_HUGE_SIZE);
			pt_unlock(slot);
			break;
		}
		case 2:
			CHECK(pt_populate(&pt, AT, AT + PAGE_SIZE) == 0);
			break;
		default:
			pt_split_huge(&pt, AT + PT_HUGE_SIZE - PAGE_SIZE);
		}
		CHECK(sim_failpoint_end("page_alloc") == 0);
		CHECK(pt.nr_huge == 0 && pt_count_deposits(&pt) == 0 && pt.nr_tables == tables + 1);
		CHECK(pt_count_tables(&pt) == pt.nr_tables);
		check_parts(i % 2 ? pte_mkold(sample()) : sample());
		clear_base(&pt, AT);
		end();
	}
}

struct visit {
	unsigned huge, extents;
	vaddr_t va, end;
	int answer;
};

static int on_huge(struct pt_huge *h, void *ctx)
{
	struct visit *v = ctx;

	CHECK(spin_held(&pt.lock));
	v->huge++;
	v->va = h->va;
	v->end = h->end;
	return v->answer;
}

static int on_extent(struct pt_extent *x, void *ctx)
{
	struct visit *v = ctx;

	v->extents++;
	return 0;
}

static void walks_ask_or_split(void *arg)
{
	vaddr_t from = AT + PAGE_SIZE, to = ELSEWHERE;
	struct visit v = {0};

	begin(AT, sample());
	CHECK(pt_walk_huge(&pt, from, to, on_extent, on_huge, &v) == 0);
	CHECK(v.huge == 1 && v.extents == 0 && v.va == from && v.end == AT + PT_HUGE_SIZE);
	CHECK(pt_walk_huge(&pt, from, to, on_extent, NULL, &v) == 0 && v.huge == 1 && pt.nr_huge == 1);
	v.answer = 42;
	CHECK(pt_walk_huge(&pt, AT, to, on_extent, on_huge, &v) == 42 && v.va == AT);
	v = (struct visit){.answer = PT_WALK_SPLIT};
	CHECK(pt_walk_huge(&pt, from, to, on_extent, on_huge, &v) == 0 && v.huge == 1 && v.extents == 1);
	CHECK(pt.nr_huge == 0);
	clear_base(&pt, AT);
	end();
	begin(AT, sample());
	v = (struct visit){0};
	CHECK(pt_walk(&pt, from, to, on_extent, &v) == 0 && v.extents == 1 && pt.nr_huge == 0);
	clear_base(&pt, AT);
	end();
}

static pte_t made_old(pte_t pte, void *ctx)
{
	return pte_mkold(pte);
}

/* T2-15: the entry goes with its deposit, and can still be split; also to another tree. */
static void move_takes_the_deposit(void *arg)
{
	unsigned long before = phys_table_pages;
	struct pgtable other;
	struct pt_huge h;

	begin(AT, sample());
	CHECK(pgtable_init(&other) == 0 && pt_populate_upper(&other, AT) == 0 && pt_populate_upper(&pt, ELSEWHERE) == 0);
	pgtable_account(&pt, (long)PT_HUGE_PAGES);
	CHECK(pt_move_huge(&pt, AT, &pt, ELSEWHERE, sample(), NULL, NULL));
	CHECK(!pt_lock_huge(&pt, AT, &h) && pt.nr_huge == 1 && pt_count_deposits(&pt) == 1);
	CHECK(pt_move_huge(&pt, ELSEWHERE, &other, AT, sample(), made_old, NULL));
	CHECK(pt.nr_huge == 0 && pt_count_deposits(&pt) == 0 && pt.nr_pages == 0);
	CHECK(other.nr_huge == 1 && pt_count_deposits(&other) == 1 && other.nr_pages == PT_HUGE_PAGES);
	CHECK(pt_lock_huge(&other, AT, &h) && pte_same(h.pte, pte_mkold(sample())));
	pt_unlock_huge(&h);
	sim_failpoint("page_alloc", 1);
	pt_split_huge(&other, AT);
	CHECK(sim_failpoint_end("page_alloc") == 0);
	CHECK(other.nr_huge == 0 && other.nr_tables == pt_count_tables(&other));
	clear_base(&other, AT);
	pgtable_account(&other, -(long)PT_HUGE_PAGES);
	pgtable_destroy(&other);
	end();
	CHECK(phys_table_pages == before);
}

/* Nothing is moved that is not there, to where something is, or that is another page by now. */
static void move_refuses(void *arg)
{
	pte_t another = pte_mk_huge(pte_mk_page(FRAME + PT_HUGE_PAGES, GRANT_R));

	begin(AT, sample());
	CHECK(pt_populate(&pt, ELSEWHERE, ELSEWHERE + PAGE_SIZE) == 0);
	CHECK(!pt_move_huge(&pt, AT, &pt, ELSEWHERE, sample(), NULL, NULL)); /* a table, though empty */
	CHECK(!pt_move_huge(&pt, AT, &pt, AT + PT_HUGE_SIZE, another, NULL, NULL));
	CHECK(!pt_move_huge(&pt, AT, &pt, AT + PT_HUGE_SIZE, pte_wrprotect(sample()), NULL, NULL));
	CHECK(!pt_move_huge(&pt, ELSEWHERE, &pt, AT, sample(), NULL, NULL));
	CHECK(pt.nr_huge == 1 && pt_count_deposits(&pt) == 1);
	clear_huge(&pt, AT);
	end();
}

/* The empty table of the range becomes the deposit of the entry that takes its place. */
static void a_table_can_be_taken_out(void *arg)
{
	struct page *table;
	unsigned long tables;

	begin(AT, sample());
	CHECK(pt_populate(&pt, ELSEWHERE, ELSEWHERE + PAGE_SIZE) == 0 && pt_find(&pt, ELSEWHERE).hw);
	tables = pt.nr_tables;
	CHECK(!pt_take_table(&pt, AT));
	table = pt_take_table(&pt, ELSEWHERE + PAGE_SIZE);
	CHECK(table && pt.nr_tables == tables - 1 && !pt_peek(&pt, ELSEWHERE) && !pt.recent);
	pt_put_table(&pt, ELSEWHERE, table);
	CHECK(pt.nr_tables == tables && pt_find(&pt, ELSEWHERE).table == table);
	CHECK(pt_take_table(&pt, ELSEWHERE) == table && set_huge(&pt, ELSEWHERE, sample(), table));
	CHECK(pt.nr_huge == 2 && pt_count_deposits(&pt) == 2);
	clear_huge(&pt, ELSEWHERE);
	clear_huge(&pt, AT);
	end();
}

/* A part of the huge zero page is the zero page. */
static void zero_parts(void *arg)
{
	struct pt_reading r;

	begin(AT, pte_mk_huge(pte_mk_special(FRAME, GRANT_R)));
	CHECK(pt_huge_mapped == 0);
	CHECK(pt_read_lock(&pt, AT + PAGE_SIZE, &r));
	CHECK(pte_special(r.pte) && pte_pfn(r.pte) == pt_zero_pfn && pte_pfn(r.raw) == FRAME && r.lock == &pt.lock);
	pt_read_unlock(&r);
	CHECK(pte_same(pt_peek_pte(&pt, AT + PAGE_SIZE), r.pte));
	CHECK(pte_same(hw_pte_get_lockless(pt_find(&pt, AT + PAGE_SIZE).hw), r.pte));
	CHECK(pt_read_lock(&pt, AT, &r) && r.lock == &pt_find(&pt, AT).table->ptl);
	pt_read_unlock(&r);
	CHECK(!pt_read_lock(&pt, ELSEWHERE, &r) && pte_is_none(pt_peek_pte(&pt, ELSEWHERE)));
	clear_base(&pt, AT);
	end();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(one_entry_and_its_deposit);
	CASE(nothing_is_overwritten);
	CASE(who_wants_a_base_entry_splits);
	CASE(walks_ask_or_split);
	CASE(move_takes_the_deposit);
	CASE(move_refuses);
	CASE(a_table_can_be_taken_out);
	CASE(zero_parts);
	return sim_end();
}
