/*
 * test_swap.c - mm/object/swap.c: areas come and go, slots are given, counted and given back.
 *
 * machine: all
 */
#include "mm/object/swap_area.h"
#include "tests/unit/sim_swap.h"

static vaddr_t a;

static const struct swap_ops no_ops;

static int start(unsigned long pages, int prio, const u32 *bad, unsigned nr_bad)
{
	struct swap_setup setup = {.ops = &no_ops, .pages = pages, .prio = prio, .bad = bad, .nr_bad = nr_bad};

	return swap_area_start(&setup);
}

static void stop(int type)
{
	swap_area_close((unsigned)type);
	CHECK(swap_area_stop((unsigned)type));
}

static void refused(void *arg)
{
	CHECK(start(0, 0, NULL, 0) == -EINVAL && start(1, 0, NULL, 0) == -EINVAL);
	CHECK(start(3, 0, (const u32[]){1, 2}, 2) == -EINVAL); /* nothing is left */
	CHECK(start(4, 0, (const u32[]){4}, 1) == -EINVAL);    /* no such slot */
	CHECK(start(4, 0, (const u32[]){0}, 1) == -EINVAL);    /* the header is bad anyway */
	CHECK(start(8, 0, (const u32[]){5, 5}, 2) == -EINVAL);
	CHECK(!swap_has_room());
}

static void all_numbers(void *arg)
{
	for (int i = 0; i < (int)SWAP_AREAS; i++)
		CHECK(start(2, i, NULL, 0) == i);
	CHECK(start(2, 0, NULL, 0) == -EPERM);
	for (int i = 0; i < (int)SWAP_AREAS; i++)
		stop(i);
	CHECK(start(2, 0, NULL, 0) == 0); /* numbers are used again */
	stop(0);
}

/* Bad slots are never given, the others once each, one after another; a full area gives none. */
static void every_slot_once(void *arg)
{
	int type = start(10, 0, (const u32[]){3, 7}, 2);
	static const unsigned long expected[] = {1, 2, 4, 5, 6, 8, 9};
	struct swap_area_stat st;
	swap_entry_t e[7];
	unsigned long slot = 0;

	for (unsigned i = 0; i < 7; i++) {
		CHECK(swap_has_room());
		e[i] = swap_slot_alloc();
		CHECK(e[i].v == swap_word((unsigned)type, expected[i]));
	}
	CHECK(!swap_has_room() && !swap_slot_alloc().v);
	CHECK(swap_area_stat((unsigned)type, &st) && st.slots == 10 && st.pages == 7 && st.used == 7);
	CHECK(swap_area_next_used((unsigned)type, &slot) && slot == 1);
	for (unsigned i = 0; i < 7; i++) {
		struct swap_area *area = swap_area_of(e[i]);

		spin_lock(&area->lock);
		*swap_slot(area, swap_slot_of(e[i])) = 0;
		swap_slot_freed(area, swap_slot_of(e[i]));
		spin_unlock(&area->lock);
	}
	slot = 0;
	CHECK(!swap_area_next_used((unsigned)type, &slot));
	CHECK(swap_slot_alloc().v == swap_word((unsigned)type, 1)); /* from the start again */
	spin_lock(&swap_areas[type].lock);
	*swap_slot(&swap_areas[type], 1) = 0;
	swap_slot_freed(&swap_areas[type], 1);
	spin_unlock(&swap_areas[type].lock);
	stop(type);
}

/* More slots than a chunk of numbers has. */
static void chunks(void *arg)
{
	unsigned long pages = 2 * CHUNK_SLOTS + 5, n = 0;
	int type = start(pages, 0, NULL, 0);
	struct swap_area *area = &swap_areas[type];

	CHECK(type >= 0);
	while (swap_slot_alloc().v)
		n++;
	CHECK(n == pages - 1 && area->free == 0);
	for (unsigned long slot = 1; slot < pages; slot++) {
		spin_lock(&area->lock);
		CHECK(*swap_slot(area, slot) == SLOT_CACHED);
		*swap_slot(area, slot) = 0;
		swap_slot_freed(area, slot);
		spin_unlock(&area->lock);
	}
	stop(type);
}

/* The highest priority gives; equals take turns; one without a number comes last. (Three areas: 2-level tables name no more.) */
static void priorities(void *arg)
{
	struct sim_swap *low = sim_swap_on(64, SWAP_PRIO_DEFAULT), *one = sim_swap_on(41, 5), *two = sim_swap_on(41, 5);

	a = enter_filled(100);
	page_out(a, 64);
	CHECK(slots_used(one) == 32 && slots_used(two) == 32 && slots_used(low) == 0);
	page_out(a, 100);
	CHECK(slots_used(one) == 40 && slots_used(two) == 40 && slots_used(low) == 20);
	CHECK(!sim_swap_off(one) && !sim_swap_off(low) && !sim_swap_off(two));
	for (unsigned i = 0; i < 100; i++)
		CHECK(load_word(a + P(i)) == i + 1);
}

/* Without a number: the later the lower. */
static void default_priorities(void *arg)
{
	struct sim_swap *low = sim_swap_on(8, SWAP_PRIO_DEFAULT), *lower = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	struct swap_area_stat l, ll;

	CHECK(swap_area_stat(sim_swap_type(low), &l) && swap_area_stat(sim_swap_type(lower), &ll));
	CHECK(l.prio < 0 && ll.prio < l.prio);
	a = enter_filled(10);
	page_out(a, 10);
	CHECK(slots_used(low) == 7 && slots_used(lower) == 3);
	CHECK(!sim_swap_off(low) && !sim_swap_off(lower) && load_word(a) == 1);
}

static void counts(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	struct swap_stat st;
	swap_entry_t e;

	a = enter_filled(1);
	page_out(a, 1);
	e = slot_at(a);
	CHECK(slot_count(e) == 1 && !slot_cached(e));
	CHECK(swap_dup(e) && swap_dup(e) && slot_count(e) == 3);
	swap_put(e);
	swap_put(e);
	swap_stat(&st);
	CHECK(st.total == 15 && st.free == 14 && st.cached == 0 && st.out == 1 && slot_count(e) == 1);
	sim_failpoint("swap_dup", 1);
	CHECK(!swap_dup(e));
	sim_failpoint_end("swap_dup");
	CHECK(!sim_swap_off(swap));
	CHECK(!swap_slot_look(e, &(unsigned){0}, &(struct page *){NULL})); /* an entry of long ago does no harm */
	CHECK(!swap_find(e) && !swap_read(e));
}

/* A count that is full refuses, and fork tells. */
static void count_is_full(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	swap_entry_t e;
	unsigned n = 1;

	a = enter_filled(1);
	page_out(a, 1);
	e = slot_at(a);
	while (swap_dup(e))
		n++;
	CHECK(n == SLOT_COUNT_MAX && PTR_ERR(mm_fork(sim_mm())) == -ENOMEM && kind_at(a) == PTE_KIND_SWAP);
	while (--n)
		swap_put(e);
	CHECK(load_word(a) == 1);
	CHECK(!sim_swap_off(swap));
}

static void put_too_often(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);

	a = enter_filled(1);
	page_out(a, 1);
	swap_put(slot_at(a));
	swap_put(slot_at(a));
	CHECK(swap != NULL);
}

static long start_one(void)
{
	int type = start(CHUNK_SLOTS + 2, 0, NULL, 0);

	if (type >= 0)
		stop(type);
	return type;
}

static void unchanged(void)
{
	CHECK(!swap_has_room());
}

static void no_memory(void *arg)
{
	CHECK(each_fails("slab_alloc", start_one, unchanged) >= 1);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refused);
	CASE(all_numbers);
	CASE(every_slot_once);
	CASE(chunks);
	CASE(priorities);
	CASE(default_priorities);
	CASE(counts);
	CASE(count_is_full);
	CASE_PANICS(put_too_often);
	CASE(no_memory);
	return sim_end();
}
