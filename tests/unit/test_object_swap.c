/*
 * test_object_swap.c - mm/object/object_swap.c: pages of files without a disk in slots, and back.
 *
 * machine: all
 */
#include "mm/object/object_swap.h"
#include "mm/object/pagecache.h"
#include "tests/unit/sim_swap.h"

#define PAGES 8

static struct sim_swap *swap;
static struct sim_file *f;
static struct vm_object *obj;
static vaddr_t a;

/* A file in memory, mapped, page i's first word i + 1. */
static void filled_file(unsigned long slots)
{
	swap = sim_swap_on(slots, SWAP_PRIO_DEFAULT);
	f = sim_file_create(SIM_FILE_TMPFS, P(PAGES), false);
	obj = sim_file_object(f);
	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i + 1);
}

static void all_out(void)
{
	mm_page_out(sim_mm(), a, a + P(PAGES));
	CHECK(obj->nr_pages == 0 && obj->nr_slots == PAGES && slots_used(swap) == PAGES);
}

static void check_all(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == i + 1);
}

static void leave(void)
{
	CHECK(!mm_munmap(sim_mm(), a, P(PAGES)));
	sim_file_put(f);
	CHECK(!sim_swap_off(swap)); /* which finds no slot that somebody refers to */
}

static void there_and_back(void *arg)
{
	filled_file(64);
	all_out();
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(sim_entry(sim_mm(), a + P(i)).kind == PTE_KIND_NONE && object_slot(obj, i).v && !object_blank(obj, i));
	check_all();
	CHECK(obj->nr_pages == PAGES && obj->nr_slots == 0 && slots_used(swap) == 0);
	all_out();
	store_word(a + P(3), 33);
	all_out();
	CHECK(load_word(a + P(3)) == 33 && object_blank(obj, PAGES));
	leave();
}

/* read(2) and write(2) find it, too; a new page cannot be put where one is in swap. */
static void by_calls(void *arg)
{
	struct page *page;
	u64 word = 0;

	filled_file(64);
	all_out();
	CHECK(object_read(obj, P(2), &word, 8) == 8 && word == 3 && obj->nr_slots == PAGES - 1);
	word = 77;
	CHECK(object_write(obj, P(5) + 8, &word, 8) == 8 && load_word(a + P(5)) == 6 && load_word(a + P(5) + 8) == 77);
	page = pagecache_create_locked(obj, 6, GFP_USER);
	CHECK(PTR_ERR(page) == -EEXIST && object_slot(obj, 6).v);
	CHECK(object_ready(obj, 0, P(1)) == 0 && object_ready(obj, P(2), P(1)) == P(1));
	leave();
}

/* What is cut off gives its slot back; the page that is cut through comes back for it. */
static void cut(void *arg)
{
	filled_file(64);
	all_out();
	sim_file_truncate(f, P(3) + 8);
	CHECK(obj->nr_slots == 3 && slots_used(swap) == 3 && sim_touch(a + P(4), FAULT_READ) == FAULT_SIGBUS);
	sim_file_truncate(f, P(PAGES));
	CHECK(load_word(a + P(2)) == 3 && load_word(a + P(3)) == 4 && load_word(a + P(4)) == 0);
	mm_page_out(sim_mm(), a, a + P(3));
	object_punch(obj, 1, 1);
	CHECK(load_word(a + P(1)) == 0 && load_word(a) == 1);
	leave();
}

static void no_room(void *arg)
{
	filled_file(4); /* three slots */
	mm_page_out(sim_mm(), a, a + P(PAGES));
	CHECK(obj->nr_slots == 3 && obj->nr_pages == PAGES - 3);
	check_all();
	leave();
}

/* Somebody has a reference: it stays, and gives the slot back. */
static void held(void *arg)
{
	struct page *page;

	filled_file(64);
	page = pagecache_find(obj, 4);
	mm_page_out(sim_mm(), a, a + P(PAGES));
	CHECK(obj->nr_pages == 1 && obj->nr_slots == PAGES - 1 && slots_used(swap) == PAGES - 1);
	page_put(page);
	CHECK(load_word(a + P(4)) == 5);
	all_out();
	leave();
}

static void swapoff(void *arg)
{
	filled_file(64);
	all_out();
	CHECK(!sim_swap_off(swap) && obj->nr_pages == PAGES && obj->nr_slots == 0);
	check_all();
	sim_file_put(f);
}

/* A device that cannot read keeps the area in use. */
static void unreadable(void *arg)
{
	filled_file(64);
	all_out();
	sim_swap_fail(swap, 2, 0);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_SIGBUS && sim_swap_off(swap) == -EIO && obj->nr_slots == PAGES);
	check_all();
	leave();
}

static unsigned visited;

static void visit(void *ctx, swap_entry_t entry)
{
	CHECK(entry.v == object_slot_locked(obj, visited).v);
	visited++;
}

static void each(void *arg)
{
	filled_file(64);
	all_out();
	visited = 0;
	object_swap_each(visit, NULL);
	CHECK(visited == PAGES);
	leave();
}

static bool over;

static void keep_out(void *arg)
{
	while (!READ_ONCE(over)) {
		mm_page_out(sim_mm(), a, a + P(PAGES));
		sim_yield();
	}
}

/* Two bring pages in and store, one sends them out, in seeded orders: no store is lost. */
static void count_up(void *arg)
{
	unsigned lane = (unsigned)(uintptr_t)arg;

	for (u64 n = 1; n <= 20; n++)
		for (unsigned i = 0; i < PAGES; i++) {
			vaddr_t at = a + P(i) + 16 + lane * 8;

			CHECK(load_word(at) == n - 1);
			store_word(at, n);
			sim_yield();
		}
}

static void together(void *arg)
{
	struct sim_thread *out, *one, *two;

	filled_file(64);
	over = false;
	out = sim_spawn(sim_mm(), 1, keep_out, NULL);
	one = sim_spawn(sim_mm(), 2, count_up, (void *)0);
	two = sim_spawn(sim_mm(), 3, count_up, (void *)1);
	sim_join(one);
	sim_join(two);
	WRITE_ONCE(over, true);
	sim_join(out);
	check_all();
	leave();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(there_and_back);
	CASE_CALM(by_calls);
	CASE_CALM(cut);
	CASE_CALM(no_room);
	CASE_CALM(held);
	CASE(swapoff);
	CASE_CALM(unreadable);
	CASE_CALM(each);
	CASE(together);
	return sim_end();
}
