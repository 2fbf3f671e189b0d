/*
 * test_debug_move.c - mm/debug/move.c: a page moved, merged, split, a block made, on request.
 *
 * machine: amd64 pae
 */
#include "mm/debug/debug.h"
#include "mm/pgtable/huge.h"
#include "mm/service/migrate.h"
#include "tests/unit/sim_laws.h"

static vaddr_t a;

static void begin(void)
{
	enter_space();
	a = map_pages(4, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 4; i++)
		store_word(a + P(i), i / 2 + 1);
}

/* Anywhere within the page names it. */
static void another_frame(void *arg)
{
	struct mm_move arg_of = {.addr = 0};
	struct page *before;

	begin();
	before = frame_at(a + P(1));
	arg_of.addr = a + P(1) + 40;
	CHECK(debug_migrate(sim_mm(), &arg_of) == 0 && frame_at(a + P(1)) != before && load_word(a + P(1)) == 1);
	arg_of.addr = USER_END;
	CHECK(debug_migrate(sim_mm(), &arg_of) == -EFAULT);
}

static void one_page(void *arg)
{
	struct mm_move same, other, far;

	begin();
	same = (struct mm_move){.addr = a, .other = a + P(1) + 8};
	other = (struct mm_move){.addr = a, .other = a + P(2)};
	far = (struct mm_move){.addr = a, .other = USER_END};
	CHECK(debug_merge(sim_mm(), &same) == 0 && frame_at(a) == frame_at(a + P(1)));
	CHECK(debug_merge(sim_mm(), &other) == -EDOM && debug_merge(sim_mm(), &far) == -EFAULT);
}

/* test_compact.c says what comes of it. */
static void a_block(void *arg)
{
	struct mm_move some = {.addr = 2}, usual = {.addr = 0}, too_large = {.addr = PAGE_MAX_ORDER + 1};

	begin();
	CHECK(debug_compact(&some) == compact_memory(2) && debug_compact(&usual) == compact_memory(PT_HUGE_ORDER));
	CHECK(debug_compact(&too_large) == -EINVAL);
	CHECK(load_word(a + P(3)) == 2);
}

static void parts(void *arg)
{
	struct mm_move at, far = {.addr = USER_END};
	vaddr_t huge = ALIGN_DOWN((vaddr_t)USER_END / 2, PT_HUGE_SIZE);

	enter_space();
	CHECK(sim_mmap(sim_mm(), huge, PT_HUGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) == (long)huge);
	CHECK(mm_madvise(sim_mm(), huge, PT_HUGE_SIZE, MADV_HUGEPAGE) == 0);
	store_word(huge + P(1), 7);
	CHECK(sim_mm()->pt.nr_huge == 1);
	at = (struct mm_move){.addr = huge + P(1)};
	CHECK(debug_split(sim_mm(), &at) == 0 && sim_mm()->pt.nr_huge == 0 && load_word(huge + P(1)) == 7);
	CHECK(debug_split(sim_mm(), &far) == -EFAULT);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(another_frame);
	CASE_CALM(one_page);
	CASE_WITH(CALM_BIG, a_block);
	CASE_WITH(CALM_BIG, parts);
	return sim_end();
}
