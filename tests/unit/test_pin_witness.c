/*
 * test_pin_witness.c - mm/object/pin_witness.c: the races that make a verdict from mapcounts wrong, one by one.
 *
 * machine: amd64 i386
 */
#include "mm/object/pin_witness.h"

#include "mm/service/pin.h"

#include "tests/unit/sim_laws.h"

static struct sim_file *f;
static struct mm *mm;
static vaddr_t a, b;
static struct page *page;
static struct pin_witness_stat before;

#define GREW(what) (pin_witness_stat.what - before.what)

/* A page of a file, mapped writable at a; b could map it, too. */
static void make_world(void)
{
	f = sim_file_create(SIM_FILE_DISK, P(1), true);
	mm = enter_space();
	a = map_pages(1, MAP_SHARED, f, 0);
	b = map_pages(1, MAP_SHARED, f, 0);
	store_word(a, 1);
	before = pin_witness_stat;
}

static void pin(void)
{
	CHECK(pin_user_pages(mm, a, 1, FOLL_WRITE, &page) == 1);
	before = pin_witness_stat;
}

static void unpin(void)
{
	unpin_user_pages(&page, 1, FOLL_WRITE, true);
}

static void end_world(void)
{
	CHECK(pin_witness_stat.unwatched == before.unwatched);
	sim_file_put(f);
}

static void write_back(void *arg)
{
	CHECK(sim_file_sync(f) == 0);
}

/* @change is made while writeback is held at @where. */
static void during(const char *where, void (*change)(void))
{
	struct sim_thread *t = race_begin(where, write_back, NULL);

	change();
	race_end(where, t);
}

static void map_once_more(void)
{
	CHECK(load_word(b) != 0);
}

static void unmap_one(void)
{
	CHECK(mm_munmap(mm, b, P(1)) == 0);
}

/* Nothing happens meanwhile: all agree. */
static void calm(void *arg)
{
	make_world();
	write_back(NULL);
	CHECK(GREW(verdicts) == 1 && GREW(pinned) == 0);
	pin();
	store_word(a, 2);
	write_back(NULL);
	CHECK(GREW(verdicts) == 1 && GREW(pinned) == 1);
	unpin();
	write_back(NULL);
	CHECK(GREW(one_walk.missed) + GREW(one_walk.phantom) + GREW(two_walks.missed) + GREW(two_walks.phantom) == 0);
	CHECK(GREW(bias.missed) + GREW(bias.phantom) + GREW(rewalks) + GREW(impossible) == 0);
	end_world();
}

/* A mapping that the walk has counted goes: the pin is taken for it. */
static void goes(void *arg)
{
	make_world();
	map_once_more();
	pin();
	during("mkclean-before-pin", unmap_one);
	CHECK(GREW(one_walk.missed) == 1 && GREW(two_walks.missed) == 1 && GREW(rewalks) == 1);
	CHECK(page_test(page, PG_DIRTY)); /* the exact count was right */
	unpin();
	end_world();
}

/* One appears behind the walk, of a page that was pinned lately: it is taken for a pin. */
static void comes(void *arg)
{
	make_world();
	pin();
	unpin();
	during("mkclean-before-pin", map_once_more);
	CHECK(GREW(one_walk.phantom) == 1 && GREW(two_walks.phantom) == 1);
	end_world();
}

/* One appears before the walk has begun, and after the mapcount was read. */
static void comes_early(void *arg)
{
	make_world();
	pin();
	unpin();
	during("mkclean-begins", map_once_more);
	CHECK(GREW(impossible) == 1 && GREW(two_walks.phantom) == 0);
	pin();
	unmap_one();
	store_word(a, 5);
	b = map_pages(1, MAP_SHARED, f, 0);
	during("mkclean-begins", map_once_more); /* one pin more, one entry more: they cancel each other */
	CHECK(GREW(two_walks.missed) == 1 && GREW(one_walk.missed) == 0);
	unpin();
	end_world();
}

/* A writable entry that goes before the walk comes to it, with a special entry that the walk takes away. */
static void writable_goes(void *arg)
{
	make_world();
	store_word(b, 3);
	pin();
	during("mkclean-begins", unmap_one);
	CHECK(GREW(two_walks.missed) == 0 && GREW(two_walks.phantom) == 0);
	unpin();
	end_world();
}

/* References alone look like a pin to the other rule. */
static void many_references(void *arg)
{
	make_world();
	page = frame_at(a);
	for (unsigned i = 0; i < PIN_BIAS; i++)
		page_get(page);
	write_back(NULL);
	CHECK(GREW(bias.phantom) == 1 && GREW(pinned) == 0 && !page_test(page, PG_DIRTY));
	for (unsigned i = 0; i < PIN_BIAS; i++)
		page_put(page);
	end_world();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(calm);
	CASE_CALM(goes);
	CASE_CALM(comes);
	CASE_CALM(comes_early);
	CASE_CALM(writable_goes);
	CASE_CALM(many_references);
	return sim_end();
}
