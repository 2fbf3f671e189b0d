/*
 * test_lru.c - mm/phys/lru.c and vmstat.c: on exactly one list, the right one, in the right order, whoever takes pages off.
 *
 * machine: amd64 pae
 */
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"

#include "tests/unit/sim_laws.h"

static struct lru *own(void)
{
	return &lrus[sim_cpu()][CLASS_LOW];
}

/* A frame that plays a page of a file, or, with @flags, something else. */
static struct page *make(unsigned long flags)
{
	struct page *page = page_alloc(0, GFP_KERNEL);

	page->flags |= flags;
	lru_add(page);
	return page;
}

static unsigned take(enum lru_list list, unsigned max, struct page **pages)
{
	struct list out = LIST_INIT(out);
	unsigned scan = max, got = lru_isolate_old(own(), list, max, &scan, &out), n = 0;
	struct page *page, *tmp;

	list_for_each_entry_safe(page, tmp, &out, link) {
		list_del(&page->link);
		pages[n++] = page;
	}
	CHECK(n == got);
	return got;
}

static void give_back(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		lru_putback(pages[i]);
}

/* The flags say which list. */
static void flags_say_where(void *arg)
{
	static const struct {
		unsigned long flags;
		enum lru_list list;
	} kinds[] = {{0, LRU_INACTIVE_FILE},
	             {BIT(PG_ACTIVE), LRU_ACTIVE_FILE},
	             {BIT(PG_SWAPBACKED), LRU_INACTIVE_ANON},
	             {BIT(PG_SWAPBACKED) | BIT(PG_ACTIVE), LRU_ACTIVE_ANON},
	             {BIT(PG_UNEVICTABLE) | BIT(PG_SWAPBACKED), LRU_UNEVICTABLE}};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		unsigned long before = lru_count(kinds[i].list);
		struct page *page = make(kinds[i].flags);

		CHECK(page_test(page, PG_LRU) && lru_count(kinds[i].list) == before + 1);
		CHECK(lru_list_of(page->flags) == kinds[i].list && lru_of(page) == own());
		page_put(page); /* the end of a page is the end of its place */
		CHECK(lru_count(kinds[i].list) == before);
	}
}

/* First in, first out; what is put back comes last. */
static void oldest_first(void *arg)
{
	struct page *made[4], *got[4];

	for (unsigned i = 0; i < 4; i++)
		made[i] = make(0);
	CHECK(take(LRU_INACTIVE_FILE, 2, got) == 2 && got[0] == made[0] && got[1] == made[1]);
	CHECK(!page_test(got[0], PG_LRU) && got[0]->refs == 2);
	give_back(got, 2);
	CHECK(take(LRU_INACTIVE_FILE, 4, got) == 4 && got[0] == made[2] && got[3] == made[1]);
	give_back(got, 4);
	for (unsigned i = 0; i < 4; i++)
		page_put(made[i]);
}

/* Each CPU adds to its own lists; everybody can take off everybody's. */
static void others_lists(void *arg)
{
	struct page *page;

	sim_move(1);
	page = make(0);
	sim_move(0);
	CHECK(lru_of(page) == &lrus[1][CLASS_LOW] && lru_isolate(page) && !lru_isolate(page));
	CHECK(lrus[1][CLASS_LOW].lists[LRU_INACTIVE_FILE].nr == 0);
	lru_putback(page);
	CHECK(lru_of(page) == own() && own()->lists[LRU_INACTIVE_FILE].nr == 1);
	page_put(page);
}

/* Flags and place change together, and only of a page that is on a list. */
static void changes(void *arg)
{
	struct page *page = make(0), *first = make(0), *got[2];

	CHECK(lru_activate(page) && page_test(page, PG_ACTIVE) && own()->lists[LRU_ACTIVE_FILE].nr == 1);
	CHECK(lru_deactivate(page) && own()->lists[LRU_INACTIVE_FILE].nr == 2);
	CHECK(take(LRU_INACTIVE_FILE, 2, got) == 2 && got[0] == page && got[1] == first); /* to the old end */
	CHECK(!lru_activate(page) && !page_test(page, PG_ACTIVE));
	give_back(got, 2);
	CHECK(lru_change(page, BIT(PG_UNEVICTABLE), 0) && own()->lists[LRU_UNEVICTABLE].nr == 1);
	lru_rescue(page);
	CHECK(own()->lists[LRU_UNEVICTABLE].nr == 0 && !page_test(page, PG_UNEVICTABLE));
	CHECK(lru_change(page, BIT(PG_UNEVICTABLE) | BIT(PG_SWAPBACKED), 0));
	lru_rescue(page); /* of tmpfs */
	CHECK(own()->lists[LRU_INACTIVE_ANON].nr == 1);
	page_put(page);
	page_put(first);
}

/* The second time it is used it becomes active. */
static void used_twice(void *arg)
{
	struct page *page = make(0);

	lru_accessed(page);
	CHECK(page_test(page, PG_REFERENCED) && !page_test(page, PG_ACTIVE));
	lru_accessed(page);
	CHECK(page_test(page, PG_ACTIVE) && own()->lists[LRU_ACTIVE_FILE].nr == 1);
	page_put(page);
}

/* -- races ------------------------------------------------------------------------------------------------------------------ */

#define ROUNDS 200

/* One CPU takes pages and puts them back while others make and free theirs: nobody's page is lost or kept. */
static void shuffle(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		for (unsigned cpu = 0; cpu < 4; cpu++) {
			struct list out = LIST_INIT(out);
			unsigned scan = 4;
			struct page *page;

			lru_isolate_old(&lrus[cpu][CLASS_LOW], LRU_INACTIVE_FILE, 4, &scan, &out);
			while (!list_empty(&out)) {
				page = list_first_entry(&out, struct page, link);
				list_del(&page->link);
				lru_putback(page);
			}
		}
}

static void make_and_free(void *arg)
{
	struct page *pages[4];

	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned n = 0; n < 4; n++)
			pages[n] = make(0);
		lru_activate(pages[0]);
		lru_deactivate(pages[0]);
		for (unsigned n = 0; n < 4; n++)
			page_put(pages[n]);
	}
}

static void races(void *arg)
{
	struct sim_thread *t[4];

	for (int i = 0; i < 4; i++)
		t[i] = sim_spawn(NULL, i, i ? make_and_free : shuffle, NULL);
	for (unsigned i = 0; i < 4; i++)
		sim_join(t[i]);
	CHECK(lru_count(LRU_INACTIVE_FILE) == 0 && lru_count(LRU_ACTIVE_FILE) == 0);
}

/* -- counters ------------------------------------------------------------------------------------------------------------------- */

static void counters(void *arg)
{
	unsigned long before = vm_event_sum(VM_PGACTIVATE);
	struct sim_file *tmp;
	struct vm_census c;
	vaddr_t va;

	CHECK(!strcmp(vm_event_name(VM_PGACTIVATE), "pgactivate") && !strcmp(vm_event_name(VM_OOM_KILL), "oom_kill"));
	vm_count(VM_PGACTIVATE, 2);
	sim_move(1);
	vm_count(VM_PGACTIVATE, 1);
	CHECK(vm_event_sum(VM_PGACTIVATE) == before + 3);
	enter_space();
	va = map_pages(3, MAP_PRIVATE, NULL, 0);
	tmp = sim_file_create(SIM_FILE_TMPFS, P(2), false);
	store_word(va, 1);
	store_word(va + P(1), 1);
	vm_census(&c);
	CHECK(c.anon == 2 && c.mapped == 0);
	load_word(map_pages(2, MAP_SHARED, tmp, 0));
	vm_census(&c);
	CHECK(c.anon == 2 && c.mapped == 1 && c.shmem >= 1);
	sim_file_put(tmp);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(flags_say_where);
	CASE_CALM(oldest_first);
	CASE_CALM(others_lists);
	CASE_CALM(changes);
	CASE_CALM(used_twice);
	CASE(races);
	CASE_CALM(counters);
	return sim_end();
}
