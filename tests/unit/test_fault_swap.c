/*
 * test_fault_swap.c - mm/space/fault_swap.c: pages come back from their slots.
 *
 * machine: all
 */
#include "mm/service/pin.h"
#include "tests/unit/sim_swap.h"

static struct sim_swap *swap;
static vaddr_t a;

static void out_and_in(void *arg)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(8);
	page_out(a, 8);
	CHECK(sim_mm()->pt.nr_swap == 8 && sim_mm()->pt.nr_pages == 0 && slots_used(swap) == 8);
	for (unsigned i = 0; i < 8; i++)
		CHECK(load_word(a + P(i)) == i + 1);
	CHECK(sim_mm()->pt.nr_swap == 0 && sim_mm()->pt.nr_pages == 8);
	CHECK(page_test(frame_at(a), PG_SWAPCACHE) && page_test(frame_at(a), PG_ANON_EXCLUSIVE));
	CHECK(!sim_entry(sim_mm(), a).dirty && slots_used(swap) == 8);
	CHECK(!sim_swap_off(swap) && !page_test(frame_at(a), PG_SWAPCACHE) && load_word(a) == 1);
}

/* A store takes an exclusive page for good. */
static void store_frees_the_slot(void *arg)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(2);
	page_out(a, 2);
	store_word(a, 7);
	CHECK(!page_test(frame_at(a), PG_SWAPCACHE) && sim_entry(sim_mm(), a).write && frame_at(a)->refs == 1);
	CHECK(slots_used(swap) == 1);
	/* First read, then stored into. */
	CHECK(load_word(a + P(1)) == 2 && slots_used(swap) == 1);
	store_word(a + P(1), 8);
	CHECK(slots_used(swap) == 0);
	page_out(a, 2);
	CHECK(load_word(a) == 7 && load_word(a + P(1)) == 8);
	CHECK(!sim_swap_off(swap));
}

/* Two mms, one slot: each store copies, but the last one's. */
static void shared_slot(void *arg)
{
	struct mm *child;
	u64 word = 0;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	CHECK(sim_entry(sim_mm(), a).exclusive);
	child = mm_fork(sim_mm());
	CHECK(!sim_entry(sim_mm(), a).exclusive && !sim_entry(child, a).exclusive && slot_count(slot_at(a)) == 2);
	store_word(a, 5);
	CHECK(mm_access(child, a, &word, 8, false) == 8 && word == 1);
	word = 6;
	CHECK(mm_access(child, a, &word, 8, true) == 8 && load_word(a) == 5 && slots_used(swap) == 0);
	mm_put(child);
	CHECK(!sim_swap_off(swap));
}

/* A page that comes back for several is of the family that all of them belong to. */
static void root_family(void *arg)
{
	struct mm *child, *grandchild;
	u64 word = 0;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(2);
	child = mm_fork(sim_mm());
	word = 9;
	CHECK(mm_access(child, a + P(1), &word, 8, true) == 8); /* its own family now */
	grandchild = mm_fork(child);
	mm_page_out(child, a, a + P(2));
	sim_use(child);
	page_out(a + P(1), 0);
	mm_page_out(grandchild, a, a + P(2));
	CHECK(mm_access(grandchild, a + P(1), &word, 8, false) == 8 && word == 9);
	CHECK(mm_access(child, a + P(1), &word, 8, false) == 8 && word == 9);
	CHECK(!sim_audit(false));
	mm_put(grandchild);
	sim_use(NULL);
	mm_put(child);
	CHECK(!sim_swap_off(swap));
}

static void hold_in_fault(void *arg)
{
	CHECK(load_word(a) == *(u64 *)arg);
}

/* Between the look into the cache and the page lock the page is stored into, and leaves the cache. */
static void overtaken(void *arg)
{
	struct sim_thread *t;
	u64 expected = 7;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	swap_prefetch(slot_at(a));
	race_arm("swap-found", 0);
	t = sim_spawn(sim_mm(), 1, hold_in_fault, &expected);
	race_wait("swap-found");
	store_word(a, 7);
	race_release("swap-found");
	sim_join(t);
	CHECK(!sim_swap_off(swap));
}

static void read_error(void *arg)
{
	u64 word = 0;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(4);
	page_out(a, 4);
	sim_swap_fail(swap, 1, 0);
	CHECK(sim_load(a, &word, 8) == FAULT_SIGBUS);
	for (unsigned i = 0; i < 4; i++)
		CHECK(load_word(a + P(i)) == i + 1);
	CHECK(!sim_swap_off(swap));
}

/* Of an unreadable page swapoff leaves a note. */
static void poisoned(void *arg)
{
	struct mm *child;
	u64 word = 0;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	sim_swap_fail(swap, 1, 0);
	CHECK(!sim_swap_off(swap) && kind_at(a) == PTE_KIND_MARKER);
	CHECK(sim_load(a, &word, 8) == FAULT_POISON && sim_mm()->pt.nr_swap == 0);
	child = mm_fork(sim_mm());
	CHECK(sim_entry(child, a).kind == PTE_KIND_MARKER);
	mm_put(child);
	CHECK(!mm_madvise(sim_mm(), a, PAGE_SIZE, MADV_DONTNEED) && load_word(a) == 0);
}

static void permissions(void *arg)
{
	u64 word = 0;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	CHECK(!mm_mprotect(sim_mm(), a, PAGE_SIZE, PROT_READ) && sim_store(a, &word, 8) == FAULT_ACCERR);
	CHECK(kind_at(a) == PTE_KIND_SWAP && sim_entry(sim_mm(), a).grant == pte_grant_normal(GRANT_R));
	CHECK(!mm_mprotect(sim_mm(), a, PAGE_SIZE, 0) && sim_load(a, &word, 8) == FAULT_ACCERR);
	CHECK(!sim_swap_off(swap) && kind_at(a) == PTE_KIND_PAGE); /* swapoff asks nobody */
	CHECK(!mm_mprotect(sim_mm(), a, PAGE_SIZE, RW) && load_word(a) == 1);
}

/* A read pin wants the page for itself. */
static void pinned(void *arg)
{
	struct mm *child;
	struct page *page;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(2);
	page_out(a, 2);
	child = mm_fork(sim_mm());
	CHECK(pin_user_pages(sim_mm(), a, 1, FOLL_LONGTERM, &page) == 1 && page_test(page, PG_ANON_EXCLUSIVE));
	mm_page_out(sim_mm(), a, a + P(1));
	CHECK(frame_at(a) == page); /* and it stays */
	unpin_user_pages(&page, 1, FOLL_LONGTERM, false);
	page_out(a, 1);
	mm_put(child);
	CHECK(!sim_swap_off(swap));
}

/* No page for it: the entry stays. */
static void no_memory(void *arg)
{
	u64 word = 0;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	sim_failpoint("page_alloc", 1);
	CHECK(sim_load(a, &word, 8) == FAULT_OOM && sim_failpoint_end("page_alloc") >= 1);
	sim_failpoint("page_alloc", 1);
	CHECK(sim_swap_off(swap) == -ENOMEM && sim_failpoint_end("page_alloc") >= 1);
	CHECK(kind_at(a) == PTE_KIND_SWAP && load_word(a) == 1);
	page_out(a, 1); /* the area is in use as before */
	CHECK(!sim_swap_off(swap));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(out_and_in);
	CASE(store_frees_the_slot);
	CASE(shared_slot);
	CASE(root_family);
	CASE_CALM(overtaken);
	CASE(read_error);
	CASE(poisoned);
	CASE(permissions);
	CASE(pinned);
	CASE(no_memory);
	return sim_end();
}
