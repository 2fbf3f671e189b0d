/*
 * test_reclaim.c - mm/service/reclaim.c: an allocation gets what can be had, background reclaim keeps the marks, and what
 * cannot be had is refused.
 *
 * machine: all
 */
#include "mm/object/pagecache.h"
#include "mm/phys/vmstat.h"
#include "mm/service/reclaim.h"

#include "tests/unit/sim_swap.h"

#define MANY 100000

static struct page *held[MANY];
static unsigned nr_held;

/* Take frames until there are no more. */
static void hold_all(void)
{
	while ((held[nr_held] = page_alloc(0, GFP_USER | GFP_NOWARN)) ||
	       (held[nr_held] = page_alloc(0, GFP_KERNEL | GFP_NOWARN))) /* the users leave some of the low ones */
		nr_held++;
}

static void let_go(unsigned n)
{
	while (n-- && nr_held)
		page_put(held[--nr_held]);
}

static unsigned long free_now(void)
{
	struct page_marks low, high;

	page_marks(CLASS_LOW, &low);
	page_marks(CLASS_HIGH, &high);
	return low.free + high.free;
}

/* A file that fills what is left, all of it clean. */
static struct sim_file *fill_with_file(unsigned long pages)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(pages), true);

	for (unsigned long i = 0; i < pages; i++) {
		struct page *page = pagecache_read(sim_file_object(f), i);

		CHECK(!IS_ERR(page));
		page_put(page);
	}
	return f;
}

/* Clean pages give way to who needs memory. */
static void clean_pages_give_way(void *arg)
{
	struct sim_file *f = fill_with_file(200);
	unsigned long stolen = vm_event_sum(VM_PGSTEAL_DIRECT);

	reclaim_init();
	hold_all();
	CHECK(vm_event_sum(VM_PGSTEAL_DIRECT) - stolen >= 190 && vm_event_sum(VM_ALLOCSTALL) > 0);
	CHECK(sim_file_object(f)->nr_pages <= 10);
	CHECK(reclaim_hopeless());
	let_go(nr_held);
	CHECK(!reclaim_hopeless());
	sim_file_put(f);
}

static void one_round(void *arg)
{
	reclaim_wait();
	reclaim_round();
}

/* Those that are used a lot go, too, when there is nothing else: they become old first. */
static void used_pages_give_way(void *arg)
{
	struct sim_file *f = fill_with_file(200);
	unsigned long refilled = vm_event_sum(VM_PGREFILL);

	for (pgoff_t i = 0; i < 200; i++) {
		struct page *page = pagecache_find(sim_file_object(f), i);

		lru_activate(page);
		page_put(page);
	}
	CHECK(lru_count(LRU_INACTIVE_FILE) < lru_count(LRU_INACTIVE_FILE + 1));
	reclaim_init();
	hold_all();
	CHECK(vm_event_sum(VM_PGREFILL) - refilled >= 100 && sim_file_object(f)->nr_pages <= 10);
	let_go(nr_held);
	sim_file_put(f);
}

/* The background writes anonymous memory to swap, and waits for the device before it looks again. */
static void anonymous_pages_go_to_swap(void *arg)
{
	struct sim_swap *swap = sim_swap_on(256, SWAP_PRIO_DEFAULT);
	vaddr_t a = enter_filled(64);

	reclaim_init();
	while ((held[nr_held] = page_alloc(0, GFP_USER | GFP_NORECLAIM | GFP_NOWARN)))
		nr_held++;
	for (unsigned i = 0; i < 20 && !slots_used(swap); i++)
		reclaim_round();
	CHECK(slots_used(swap) > 0 && vm_event_sum(VM_PGSCAN_KSWAPD) > 0);
	let_go(nr_held);
	for (unsigned i = 0; i < 64; i++)
		CHECK(load_word(a + P(i)) == i + 1);
	CHECK(mm_munmap(sim_mm(), a, P(64)) == 0 && sim_swap_off(swap) == 0);
}

static bool stop;

static void background_for_ever(void *arg)
{
	while (!READ_ONCE(stop))
		one_round(NULL);
}

static void refused(void *arg)
{
	CHECK(!page_alloc(0, GFP_KERNEL | GFP_NOWARN));
}

/* Who waits for the background hears when it is hopeless, and waits no longer once he is killed. */
static void waits_end(void *arg)
{
	struct sim_thread *t;

	WRITE_ONCE(stop, false);
	reclaim_init();
	t = sim_spawn(NULL, 1, background_for_ever, NULL);
	sim_sleep(1000000);
	hold_all();
	CHECK(vm_event_sum(VM_PAGEOUTRUN) >= 3 && reclaim_hopeless());
	by_killed(refused, NULL);
	refused(NULL);
	WRITE_ONCE(stop, true);
	page_reclaim_wake();
	sim_join(t);
	let_go(nr_held);
}

/* Without anything to take: refused, and soon. */
static void nothing_to_take(void *arg)
{
	reclaim_init();
	hold_all();
	CHECK(!page_alloc(0, GFP_KERNEL | GFP_NOWARN) && !page_alloc(0, GFP_USER | GFP_NOWARN));
	let_go(nr_held);
}

static void (*wake)(void);
static struct page_marks at_wake; /* of the users' class, when the background was woken first */

static void note_marks(void)
{
	if (!at_wake.high)
		page_marks(page_class(held[0]), &at_wake);
	wake();
}

/* Below `low` the background is woken, and stops at `high`. Users' pages: where they come from, the file's pages are. */
static void background_keeps_marks(void *arg)
{
	struct sim_file *f = fill_with_file(400);
	struct page_marks users;
	struct sim_thread *t;

	reclaim_init();
	wake = page_reclaim_wake;
	page_reclaim_wake = note_marks;
	at_wake.high = 0;
	t = sim_spawn(NULL, 1, one_round, NULL);
	while (!vm_event_sum(VM_PAGEOUTRUN) && (held[nr_held] = page_alloc(0, GFP_USER | GFP_NORECLAIM | GFP_NOWARN))) {
		nr_held++;
		sim_sleep(10000); /* the background's CPU comes to run */
	}
	sim_join(t);
	page_marks(page_class(held[0]), &users);
	CHECK(vm_event_sum(VM_PAGEOUTRUN) == 1 && vm_event_sum(VM_PGSTEAL_KSWAPD) > 0);
	/* Not because an allocation failed: that wakes it, too. */
	CHECK(at_wake.free < at_wake.low && at_wake.free > at_wake.min);
	CHECK(users.free >= users.high && sim_file_object(f)->nr_pages > 0);
	let_go(nr_held);
	sim_file_put(f);
}

/* Who reclaims does not reclaim again to get memory, and may have the last of it. */
static void no_recursion(void *arg)
{
	unsigned long stalls;

	reclaim_init();
	hold_all();
	stalls = vm_event_sum(VM_ALLOCSTALL);
	*sync_memory_rights() |= SYNC_MEMORY_RECLAIM;
	hold_all();
	*sync_memory_rights() &= ~(unsigned)SYNC_MEMORY_RECLAIM;
	CHECK(vm_event_sum(VM_ALLOCSTALL) == stalls && free_now() == 0);
	let_go(nr_held);
}

static unsigned long asked;
static unsigned long give(unsigned long nr)
{
	asked += nr;
	return 0;
}

/* The kernel's own caches are asked when the lists do not help. */
static void caches_are_asked(void *arg)
{
	static struct shrinker s = {.shrink = give};
	struct sim_thread *t;

	shrinker_register(&s);
	reclaim_init();
	hold_all();
	t = sim_spawn(NULL, 1, one_round, NULL);
	page_reclaim_wake();
	sim_join(t);
	CHECK(asked > 0);
	let_go(nr_held);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(clean_pages_give_way);
	CASE_CALM(nothing_to_take);
	CASE_CALM(background_keeps_marks);
	CASE_CALM(no_recursion);
	CASE_CALM(caches_are_asked);
	CASE_CALM(used_pages_give_way);
	CASE_CALM(anonymous_pages_go_to_swap);
	CASE_CALM(waits_end);
	return sim_end();
}
