/*
 * test_flusher.c - mm/object/flusher.c: dirty pages do not stay forever, and sync(2) writes them all.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

#define SECOND 1000000000ull
#define FILES 3

static struct sim_file *f[FILES];
static vaddr_t a[FILES];

static void dirty_files(void)
{
	enter_space();
	for (unsigned i = 0; i < FILES; i++) {
		f[i] = sim_file_create(SIM_FILE_DISK, P(2), true);
		a[i] = map_pages(2, MAP_SHARED, f[i], 0);
		store_word(a[i] + P(i % 2), i + 1);
	}
}

static void put_files(void)
{
	for (unsigned i = 0; i < FILES; i++)
		sim_file_put(f[i]);
}

static bool written(unsigned i, unsigned long times)
{
	return sim_disk_writes(f[i], i % 2) == times;
}

/* Every file, and when it returns they are on the disk. */
static void sync_writes_all(void *arg)
{
	dirty_files();
	for (unsigned i = 0; i < FILES; i++)
		sim_disk_delay(f[i], 1000000);
	writeback_sync_all();
	for (unsigned i = 0; i < FILES; i++)
		CHECK(written(i, 1) && disk_word(f[i], i % 2) == i + 1);
	writeback_sync_all();
	CHECK(written(0, 1) && written(1, 1));
	put_files();
}

/* What became dirty just now may become so again soon: the flusher writes what is old. */
static void old_ones_first(void *arg)
{
	sim_sleep(10 * SECOND); /* the clock may have begun at 0 */
	dirty_files();
	flusher_round();
	CHECK(written(0, 0) && written(1, 0) && written(2, 0));
	sim_sleep(60 * SECOND);
	flusher_round();
	CHECK(written(0, 1) && written(1, 1) && written(2, 1));
	store_word(a[2], 5); /* young again */
	flusher_round();
	CHECK(written(2, 1));
	sim_sleep(60 * SECOND);
	flusher_round();
	CHECK(written(2, 2) && written(0, 1) && disk_word(f[2], 0) == 5);
	put_files();
}

/* A page that could not be written is tried again. */
static void comes_back(void *arg)
{
	dirty_files();
	sim_disk_fail_writes(f[0], 1, -EIO);
	sim_sleep(60 * SECOND);
	flusher_round();
	CHECK(disk_word(f[0], 0) == FILLED(0) && written(1, 1));
	sim_sleep(60 * SECOND);
	flusher_round();
	CHECK(disk_word(f[0], 0) == 1 && written(1, 1));
	put_files();
}

static void sync_all(void *arg)
{
	writeback_sync_all();
}

/* The file's last user leaves while it is being written. */
static void last_user_leaves(void *arg)
{
	struct sim_thread *t;

	dirty_files();
	for (unsigned i = 0; i < FILES; i++)
		sim_disk_delay(f[i], 1000000);
	t = sim_spawn(NULL, 1, sync_all, NULL);
	sim_sleep(500000);
	sim_use(NULL);
	put_files();
	sim_join(t);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(sync_writes_all);
	CASE(old_ones_first);
	CASE(comes_back);
	CASE_CALM(last_user_leaves);
	return sim_end();
}
