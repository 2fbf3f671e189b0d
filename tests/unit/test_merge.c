/*
 * test_merge.c - mm/service/merge.c: equal pages become one.
 *
 * machine: all
 */
#include "kernel/lib/mutation.h"
#include "mm/phys/vmstat.h"
#include "mm/service/migrate.h"
#include "mm/service/pin.h"
#include "tests/unit/sim_swap.h"

static vaddr_t a; /* pages 0 to 3: the same word, but for number 2 */

static void begin(void)
{
	enter_space();
	a = map_pages(6, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 4; i++)
		store_word(a + P(i), i == 2 ? 2 : 1);
}

static int merge(unsigned keep, unsigned drop)
{
	return mm_merge(sim_mm(), a + P(keep), a + P(drop));
}

static void become_one(void *arg)
{
	struct page *page;

	begin();
	CHECK(merge(0, 1) == 0 && frame_at(a) == frame_at(a + P(1)) && merge(0, 1) == 0 && merge(1, 3) == 0);
	page = frame_at(a);
	CHECK(page->mapcount == 3 && page_test(page, PG_MERGED) && !page_test(page, PG_ANON_EXCLUSIVE));
	CHECK(mm_migrate(sim_mm(), a) == -EBUSY && merge(2, 0) == -EBUSY && !sim_audit(false));
	store_word(a + P(1), 5);
	CHECK(load_word(a) == 1 && load_word(a + P(3)) == 1 && page->mapcount == 2);
	store_word(a, 6);
	store_word(a + P(3), 7);
	CHECK(load_word(a + P(1)) == 5 && page->refs <= 0 && mm_migrate(sim_mm(), a) == 0 && !sim_audit(false));
}

static void obstacles(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	unsigned long refused = vm_event_sum(VM_KSM_REFUSED);
	struct page *page;
	struct mm *child;
	vaddr_t b;

	begin();
	b = map_pages(1, MAP_PRIVATE, f, 0);
	load_word(a + P(4));
	CHECK(merge(0, 2) == -EDOM && load_word(a) == 1 && load_word(a + P(2)) == 2);
	CHECK(merge(0, 4) == -ENOENT && merge(5, 0) == -ENOENT && merge(0, 99) == -EINVAL);
	CHECK(mm_merge(sim_mm(), a, b) == -EINVAL);
	CHECK(pin_user_pages(sim_mm(), a + P(1), 1, 0, &page) == 1);
	CHECK(merge(0, 1) == -EBUSY && merge(1, 0) == -EBUSY && vm_event_sum(VM_KSM_REFUSED) == refused + 2);
	mutation_active = 184;
	CHECK(merge(0, 1) == 0); /* the device goes on with a page that is nobody's */
	mutation_active = 0;
	CHECK(page != frame_at(a + P(1)));
	unpin_user_pages(&page, 1, 0, false);
	page = frame_at(a + P(3));
	page_get(page);
	CHECK(merge(0, 3) == -EAGAIN && merge(3, 0) == -EAGAIN);
	page_put(page);
	CHECK(merge(3, 0) == -EBUSY);
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child) && merge(0, 3) == -EBUSY);
	mm_put(child);
	CHECK(merge(0, 3) == 0 && !sim_audit(false));
	sim_file_put(f);
}

static void with_slots(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);

	begin();
	page_out(a, 4);
	CHECK(merge(0, 1) == -ENOENT && load_word(a) == 1 && load_word(a + P(1)) == 1);
	CHECK(merge(0, 1) == 0);
	mm_page_out(sim_mm(), a, a + P(4));
	CHECK(kind_at(a) == PTE_KIND_PAGE && load_word(a + P(1)) == 1 && !sim_audit(false));
	CHECK(!mm_munmap(sim_mm(), a, P(4)) && !sim_swap_off(swap));
}

int main(void)
{
	CASE(become_one);
	CASE_CALM(obstacles);
	CASE_CALM(with_slots);
	return sim_end();
}
