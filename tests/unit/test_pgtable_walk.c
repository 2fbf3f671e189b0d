/*
 * test_pgtable_walk.c - mm/pgtable/walk.c: from an address to its entry, and over ranges, table by table.
 *
 * machine: all
 */
#include "tests/unit/pt_test.h"

static struct pgtable pt;
static struct spans spans;

static void make_tree(void)
{
	CHECK(pgtable_init(&pt) == 0);
	spans.nr = 0;
	for (unsigned i = 0; i < 8; i++) {
		vaddr_t start, end;

		pt_random_range(&start, &end);
		CHECK(pt_populate(&pt, start, end) == 0);
		spans_populate(&spans, start, end);
	}
}

/* Each address has an entry of its own, where its table exists; its number is in the address. */
static void find(void *arg)
{
	make_tree();
	for (unsigned i = 0; i < 500; i++) {
		vaddr_t va = pt_random_page();
		struct pt_slot slot = pt_find(&pt, va + 123);

		CHECK(!slot.hw == !spans_have_leaf(&spans, va) && !slot.hw == !slot.table);
		if (!slot.hw)
			continue;
		CHECK(page_test(slot.table, PG_TABLE) && slot.hw == hw_pte_at(page_address(slot.table), pt_index(0, va)));
		CHECK(slot.table == pt_find(&pt, ALIGN_DOWN(va, pt_span(1))).table);
		if (va + PAGE_SIZE < USER_END && ALIGN_DOWN(va, pt_span(1)) == ALIGN_DOWN(va + PAGE_SIZE, pt_span(1)))
			CHECK(hw_pte_next(slot.hw) == pt_find(&pt, va + PAGE_SIZE).hw);
	}
	pgtable_destroy(&pt);
}

static void locks(void *arg)
{
	vaddr_t va = PT_MIDDLE, next = va + pt_span(1); /* in two tables */
	struct pt_slot one, same, other;

	CHECK(pgtable_init(&pt) == 0 && pt_populate(&pt, va, next + PAGE_SIZE) == 0);
	one = pt_lock(&pt, va);
	CHECK(spin_held(&one.table->ptl));
	same = pt_lock_pair(&pt, va + PAGE_SIZE, one.table);
	CHECK(same.table == one.table && same.hw == hw_pte_next(one.hw));
	pt_unlock_pair(same, one.table);
	CHECK(spin_held(&one.table->ptl));
	other = pt_lock_pair(&pt, next, one.table);
	CHECK(other.table != one.table && spin_held(&other.table->ptl));
	pt_unlock_pair(other, one.table);
	CHECK(!spin_held(&other.table->ptl) && spin_held(&one.table->ptl));
	other = pt_lock_nested(&pt, next);
	CHECK(spin_held(&other.table->ptl));
	pt_unlock(other);
	pt_unlock(one);
	CHECK(!spin_held(&one.table->ptl));
	CHECK(!pt_lock(&pt, 0).hw && !pt_lock_nested(&pt, 0).hw);
	pgtable_destroy(&pt);
}

/* -- walks ------------------------------------------------------------------------------------------------------------------ */
struct seen {
	vaddr_t start, end, at; /* the walk; everything before has been dealt with */
	unsigned tables, stop_at;
};

static void skip_to(struct seen *s, vaddr_t va)
{
	for (; s->at < va; s->at = ALIGN_DOWN(s->at, pt_span(1)) + pt_span(1))
		CHECK(!spans_have_leaf(&spans, s->at));
}

/* Extents come in order, each within one table, and leave out only what has no table. */
static int see(struct pt_extent *x, void *ctx)
{
	struct seen *s = ctx;
	struct pt_slot slot = pt_find(&pt, x->va);

	CHECK(x->va >= s->start && x->va < x->end && x->end <= s->end && x->va >= s->at);
	skip_to(s, ALIGN_DOWN(x->va, pt_span(1)));
	CHECK(x->va == max(s->start, ALIGN_DOWN(x->va, pt_span(1))));
	CHECK(x->end == min(s->end, ALIGN_DOWN(x->va, pt_span(1)) + pt_span(1)));
	CHECK(x->pt == &pt && x->hw == slot.hw && x->table == slot.table && spin_held(&x->table->ptl));
	s->at = x->end;
	for (; x->va < x->end; pt_extent_next(x))
		if (x->hw != pt_find(&pt, x->va).hw)
			sim_fail("entry of %lx", x->va);
	return ++s->tables == s->stop_at ? 42 : 0;
}

static void walks_see_every_table(void *arg)
{
	make_tree();
	for (unsigned i = 0; i < 200; i++) {
		struct seen s = {0};

		pt_random_range(&s.start, &s.end);
		s.at = s.start;
		CHECK(pt_walk(&pt, s.start, s.end, see, &s) == 0);
		skip_to(&s, s.end);
	}
	CHECK(pt_walk(&pt, PAGE_SIZE, PAGE_SIZE, see, NULL) == 0);
	pgtable_destroy(&pt);
}

static int count(struct pt_extent *x, void *ctx)
{
	++*(unsigned *)ctx;
	return 0;
}

/* All of user space: as many extents as there are leaf tables, and holes of any size cost one step. */
static void walk_of_everything(void *arg)
{
	unsigned tables = 0, leaves = 0;

	make_tree();
	for (unsigned i = 0; i < spans.nr; i++)
		leaves += spans.at[i].level == 1;
	CHECK(pt_walk(&pt, 0, USER_END, count, &tables) == 0 && tables == leaves);
	pgtable_destroy(&pt);
	tables = 0;
	CHECK(pgtable_init(&pt) == 0);
	CHECK(pt_walk(&pt, 0, USER_END, count, &tables) == 0 && tables == 0);
	pgtable_destroy(&pt);
}

static void visitor_stops_the_walk(void *arg)
{
	vaddr_t start = PT_MIDDLE;

	CHECK(pgtable_init(&pt) == 0);
	CHECK(pt_populate(&pt, start, start + 3 * pt_span(1)) == 0);
	spans_populate(&spans, start, start + 3 * pt_span(1));
	for (unsigned n = 1; n <= 3; n++) {
		struct seen s = {start, start + 3 * pt_span(1), start, 0, n};

		CHECK(pt_walk(&pt, s.start, s.end, see, &s) == 42 && s.tables == n);
	}
	pgtable_destroy(&pt);
}

/* -- without locks ------------------------------------------------------------------------------------------------------------ */
static void lockless_look(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t va = map_pages(2, MAP_PRIVATE, NULL, 0);
	unsigned long flags = irq_save();

	CHECK(!pt_lookup_lockless(&mm->pt, PT_MIDDLE));
	irq_restore(flags);
	store_word(va, 1);
	flags = irq_save();
	CHECK(pt_lookup_lockless(&mm->pt, va) == pt_find(&mm->pt, va).hw);
	irq_restore(flags);
}

static struct mm *mm;
static vaddr_t window;
static bool over;

/* What it found stays readable as long as its interrupts are off. */
static void look_thread(void *arg)
{
	while (!READ_ONCE(over)) {
		unsigned long flags = irq_save();
		struct hw_pte *hw = pt_lookup_lockless(&mm->pt, window);

		sim_point();
		if (hw) {
			pte_t pte = hw_pte_get_lockless(hw); /* the address sanitizer looks at freed tables */

			CHECK(pte_is_none(pte) || pte_has_page(pte));
		}
		irq_restore(flags);
		sim_point();
	}
}

/* A table is freed only when every CPU that may walk it has been interrupted. */
static void lockless_look_against_free(void *arg)
{
	struct sim_thread *t;

	mm = enter_space();
	window = PT_MIDDLE;
	t = sim_spawn(mm, 1, look_thread, NULL);
	for (unsigned i = 0; i < 60; i++) {
		CHECK(sim_mmap(mm, window, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)window);
		store_word(window, i);
		CHECK(mm_munmap(mm, window, PAGE_SIZE) == 0);
		CHECK(!pt_find(&mm->pt, window).hw);
	}
	WRITE_ONCE(over, true);
	sim_join(t);
}

static void look_with_interrupts_on(void *arg)
{
	pt_lookup_lockless(&enter_space()->pt, 0);
}

static void walk_askew(void *arg)
{
	CHECK(pgtable_init(&pt) == 0);
	pt_walk(&pt, 1, PAGE_SIZE, see, NULL);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(find);
	CASE_CALM(locks);
	CASE(walks_see_every_table);
	CASE(walk_of_everything);
	CASE_CALM(visitor_stops_the_walk);
	CASE_CALM(lockless_look);
	CASE(lockless_look_against_free);
	CASE_PANICS(look_with_interrupts_on);
	CASE_PANICS(walk_askew);
	return sim_end();
}
