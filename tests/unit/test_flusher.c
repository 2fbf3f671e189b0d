/*
 * test_flusher.c - mm/object/flusher.c: dirty pages do not stay forever, and sync(2) writes them all.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

#define SECOND 1000000000ull
#define FILES 3
#define BATCH 64 /* pages written at once */

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

static void sync_one(void *arg)
{
	CHECK(sim_file_sync(arg) == 0);
}

static void round_of_flusher(void *arg)
{
	flusher_round();
}

/* A disk that fails at once: each file is tried once, whatever the clock says (sync asks for files of any age). */
static void fails_at_once(void *arg)
{
	dirty_files();
	for (unsigned i = 0; i < FILES; i++)
		sim_disk_fail_writes(f[i], ~0u, -EIO);
	writeback_sync_all();
	for (unsigned i = 0; i < FILES; i++) {
		CHECK(sim_file_object(f[i])->wb_failures == 1);
		sim_disk_fail_writes(f[i], 0, 0);
	}
	writeback_sync_all();
	for (unsigned i = 0; i < FILES; i++)
		CHECK(disk_word(f[i], i % 2) == i + 1);
	put_files();
}

/* What has been written is young when it is dirtied again, whoever wrote it. */
static void young_after_fsync(void *arg)
{
	sim_sleep(10 * SECOND);
	dirty_files();
	sim_sleep(60 * SECOND);
	sync_one(f[0]);
	store_word(a[0], 5);
	flusher_round();
	CHECK(written(0, 1) && written(1, 1));
	put_files();
}

/* sync(2) waits for what the flusher has begun to write. */
static void sync_meets_flusher(void *arg)
{
	struct sim_thread *t;

	sim_sleep(10 * SECOND);
	dirty_files();
	sim_sleep(60 * SECOND);
	for (unsigned i = 0; i < FILES; i++)
		sim_disk_delay(f[i], 1000000);
	t = sim_spawn(NULL, 1, round_of_flusher, NULL);
	sim_sleep(500000);
	CHECK(written(0, 0));
	writeback_sync_all();
	for (unsigned i = 0; i < FILES; i++)
		CHECK(written(i, 1) && disk_word(f[i], i % 2) == i + 1);
	sim_join(t);
	put_files();
}

/* Two who sync at once: neither is ready before all is written. */
static void syncs_meet(void *arg)
{
	struct sim_thread *t;

	dirty_files();
	for (unsigned i = 0; i < FILES; i++)
		sim_disk_delay(f[i], 1000000);
	t = sim_spawn(NULL, 1, sync_all, NULL);
	sim_sleep(500000);
	writeback_sync_all();
	for (unsigned i = 0; i < FILES; i++)
		CHECK(written(i, 1));
	sim_join(t);
	put_files();
}

/* A file that somebody is writing is left to him, or two would cut each other's requests. */
static void left_to_fsync(void *arg)
{
	struct sim_file *big = sim_file_create(SIM_FILE_DISK, P(3 * BATCH), false);
	struct sim_thread *t;
	u64 word = 1;

	sim_sleep(10 * SECOND);
	for (unsigned i = 0; i < 3 * BATCH; i++)
		CHECK(sim_file_write(big, P(i), &word, 8) == 8);
	sim_sleep(60 * SECOND);
	sim_disk_delay(big, 1000000);
	t = sim_spawn(NULL, 1, sync_one, big);
	sim_sleep(500000);
	flusher_round();
	CHECK(sim_disk_writes(big, 0) == 0 && sim_disk_writes(big, BATCH) == 0); /* and it has not waited */
	sim_join(t);
	CHECK(sim_disk_writes(big, 0) == 1 && sim_disk_writes(big, 3 * BATCH - 1) == 1);
	sim_file_put(big);
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
	CASE(fails_at_once);
	CASE_CALM(young_after_fsync);
	CASE_CALM(sync_meets_flusher);
	CASE_CALM(syncs_meet);
	CASE_CALM(left_to_fsync);
	CASE_CALM(last_user_leaves);
	return sim_end();
}
