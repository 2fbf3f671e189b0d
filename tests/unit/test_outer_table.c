/*
 * test_outer_table.c - mm/service/outer_table.c: tables of another format, whole paths made before they are needed.
 *
 * machine: amd64 tiny2
 */
#include "mm/service/outer_table.h"

#include "kernel/lib/syncpoint.h"
#include "tests/unit/sim_laws.h"

static struct outer_table t;

static u64 table_entry(paddr_t pa)
{
	return pa | 7;
}

/* Entries are the table's own, one for each page, at every place of every level. */
static void entries(void *arg)
{
	static const u64 places[] = {0,          0x1000,       0x1ff000,       0x200000,
	                             0x40000000, 0x8000000000, 0x7ffffffff000, 0xfffffffff000};

	CHECK(outer_table_init(&t, 4, table_entry) == 0 && t.tables == 1 && outer_table_end(&t) == (u64)1 << 48);
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
		CHECK(outer_table_prepare(&t, places[i]) == 0);
	CHECK(t.tables == 1 + 3 + 1 + 2 + 3 + 3 + 3); /* the first three share theirs; the last is in another upper half */
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		CHECK(*outer_table_entry(&t, places[i]) == 0);
		*outer_table_entry(&t, places[i]) = i + 1;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
		CHECK(*outer_table_entry(&t, places[i] + 0xfff) == i + 1);
	CHECK(!outer_table_entry(&t, 0x80000000) && t.root[0] & 7);
	outer_table_free(&t);
}

static void three_levels(void *arg)
{
	CHECK(outer_table_init(&t, 3, table_entry) == 0 && outer_table_end(&t) == (u64)1 << 39);
	CHECK(outer_table_prepare(&t, 0x7ffffff000) == 0 && t.tables == 3 && outer_table_entry(&t, 0x7ffffff000));
	CHECK(outer_table_prepare(&t, 0x7ffffff000) == 0 && t.tables == 3);
	outer_table_free(&t);
}

/* Whichever allocation fails, what is there is whole, and goes. */
static void out_of_memory(void *arg)
{
	sim_failpoint("page_alloc", 1);
	CHECK(outer_table_init(&t, 4, table_entry) == -ENOMEM);
	sim_failpoint_end("page_alloc");
	for (unsigned nth = 1; nth <= 3; nth++) {
		CHECK(outer_table_init(&t, 4, table_entry) == 0);
		sim_failpoint("page_alloc", nth);
		CHECK(outer_table_prepare(&t, 0x5000) == -ENOMEM && !outer_table_entry(&t, 0x5000) && t.tables == nth);
		sim_failpoint_end("page_alloc");
		CHECK(outer_table_prepare(&t, 0x5000) == 0 && outer_table_entry(&t, 0x5000) && t.tables == 4);
		outer_table_free(&t);
	}
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(entries);
	CASE_CALM(three_levels);
	CASE_CALM(out_of_memory);
	return sim_end();
}
