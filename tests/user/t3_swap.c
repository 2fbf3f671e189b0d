/*
 * t3_swap.c - memory that a secondary MMU translates can leave: nothing is pinned between two faults: T3-08, 10, 25 (spec 4f, R3.4, R3.9).
 */
#define _GNU_SOURCE
#include "swap.h"
#include "t3.h"

#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64
#define PROCESSES 12

/* -- T3-10: everything of everybody ----------------------------------------------------------------------------------------- */

/* All of it.  That somebody else has a page in his hands for a moment is no reason to keep it in the end. */
static void all_out(u8 *p)
{
	unsigned tries = 0;

	while (swap_out(p, PAGES) < PAGES && tries++ < 100)
		sleep_ms(10);
	CHECK_OP(tries, <=, 100);
	CHECK_EQ(swap_out(p, PAGES), PAGES);
}

/* A process whose memory only its device has ever used. */
static void idle_process(u32 me)
{
	int dev = device_open();
	u8 *p = map_anon(PAGES, RW);

	for (u32 i = 0; i < PAGES; i++)
		device_store(dev, word(p, i), me << 16 | i);
	CHECK_EQ(device_stat(dev).sptes, PAGES);
	all_out(p);
	CHECK_EQ(device_stat(dev).sptes, 0);
	for (u32 i = 0; i < PAGES; i += 2)
		CHECK_EQ(device_load(dev, word(p, i)), me << 16 | i); /* the device's fault brings it in */
	for (u32 i = 1; i < PAGES; i += 2)
		CHECK_EQ(*word(p, i), me << 16 | i);
	/* Again, the device having stored to what was only read since it came back. */
	for (u32 i = 0; i < PAGES; i++)
		device_store(dev, word(p, i), me << 20 | i);
	all_out(p);
	for (u32 i = 0; i < PAGES; i++)
		CHECK_EQ(*word(p, i), me << 20 | i);
}

TEST_SECONDS(T3_10, "T3-10 all memory of twelve mirrored processes goes to swap and comes back", 120)
{
	pid_t pids[PROCESSES];

	close(device_open());
	swap_begin(PROCESSES * PAGES * 2);
	for (u32 i = 0; i < PROCESSES; i++) {
		pids[i] = CHECK_OK(fork());
		if (pids[i] == 0) {
			idle_process(i + 1);
			_exit(0);
		}
	}
	for (u32 i = 0; i < PROCESSES; i++)
		join(pids[i]);
	swap_end();
}

/* -- at once ------------------------------------------------------------------------------------------------------------------ */

struct tide {
	u8 *p;
	int dev;
	u64 end, rounds, stores;
	u32 seed;
	bool stop;
};

/* The device counts in word 0 of each page, the CPU in word 1; both see their own last number, whatever was swapped meanwhile. */
static void count_by_device(struct tide *t)
{
	u32 last[PAGES] = {0}, seed = t->seed + 1;

	while (!LOAD(t->stop)) {
		u32 i = rnd(&seed) % PAGES;

		CHECK_EQ(device_load(t->dev, word(t->p, i)), last[i]);
		device_store(t->dev, word(t->p, i), ++last[i]);
		t->stores++;
	}
	for (u32 i = 0; i < PAGES; i++)
		CHECK_EQ(*word(t->p, i), last[i]);
}

static void count_by_cpu(struct tide *t)
{
	u32 last[PAGES] = {0}, seed = t->seed + 2;

	while (!LOAD(t->stop)) {
		u32 i = rnd(&seed) % PAGES;

		CHECK_EQ(word(t->p, i)[1], last[i]);
		word(t->p, i)[1] = ++last[i];
	}
}

static void tide_member(unsigned me, void *arg)
{
	struct tide *t = arg;

	if (me == 1)
		count_by_device(t);
	else if (me == 2)
		count_by_cpu(t);
	while (me == 0 && race_on(t->end, t->rounds)) {
		size_t first = rnd(&t->seed) % PAGES;

		CHECK_OK(madvise(t->p + first * P, (1 + rnd(&t->seed) % (PAGES - first)) * P, MADV_PAGEOUT));
		t->rounds++;
	}
	STORE(t->stop, true);
}

TEST_SECONDS(T3_10s, "T3-10s the device stores while its memory goes to swap", 300)
{
	struct tide t = {.dev = device_open(), .p = map_anon(PAGES, RW), .seed = suite_seed()};

	swap_begin(PAGES * 4);
	t.end = race_end(2000);
	crew_run(3, tide_member, &t);
	test_note("%llu times out, %llu stores by the device, %llu retries", (unsigned long long)t.rounds,
	          (unsigned long long)t.stores, (unsigned long long)device_stat(t.dev).retries);
	CHECK_EQ(device_stat(t.dev).in_flight, 0);
	swap_end();
}

/* -- T3-25: to take memory away needs none ------------------------------------------------------------------------------------- */

TEST(T3_25, "T3-25 no allocation of a subscriber when memory goes")
{
	int mm = mm_need(), dev = device_open();
	u8 *with = map_anon(PAGES, RW), *without = map_anon(PAGES, RW);
	struct mm_fail slabs = {.name = "slab_alloc"}, pages = {.name = "page_alloc"};
	u64 hits[2][2];

	for (u32 i = 0; i < PAGES; i++) {
		device_store(dev, word(with, i), i);
		*word(without, i) = i;
	}
	for (int k = 0; k < 2; k++) {
		CHECK_OK(ioctl(mm, MM_IOC_FAIL_ARM, &slabs));
		CHECK_OK(ioctl(mm, MM_IOC_FAIL_ARM, &pages));
		CHECK_OK(madvise(k ? with : without, PAGES * P, MADV_DONTNEED));
		CHECK_OK(ioctl(mm, MM_IOC_FAIL_HITS, &slabs));
		CHECK_OK(ioctl(mm, MM_IOC_FAIL_HITS, &pages));
		hits[k][0] = slabs.hits;
		hits[k][1] = pages.hits;
	}
	CHECK_EQ(hits[1][0], hits[0][0]);
	CHECK_EQ(hits[1][1], hits[0][1]);
	CHECK_EQ(device_stat(dev).sptes, 0);
}

/* -- T3-08: used by a device only ------------------------------------------------------------------------------------------------ */

/* Another process that maps the same two pages wants them out; what others use is not its to take. */
static void page_them_out(void *fd)
{
	u8 *q = map_shared(*(int *)fd, 2, PROT_READ);

	for (u32 i = 0; i < 2; i++)
		CHECK_EQ(*word(q, i), i);
	CHECK_OK(madvise(q, 2 * P, MADV_COLD)); /* it is not the user of these */
	CHECK_OK(madvise(q, 2 * P, MADV_PAGEOUT));
}

TEST(T3_08, "T3-08 a page that a device uses stays, the other goes")
{
	int dev = device_open(), fd = make_file(disk_dir(), "aged", 0);
	u8 *p;

	PTERON_ONLY();
	tag_file(fd, 2);
	CHECK_OK(fsync(fd));
	p = map_shared(fd, 2, PROT_READ);
	for (u32 i = 0; i < 2; i++) {
		CHECK_EQ(*word(p, i), i);
		CHECK_EQ(device_load(dev, word(p, i)), i);
	}
	CHECK_OK(madvise(p, 2 * P, MADV_COLD)); /* the CPU's bits, and the device's */
	CHECK_EQ(device_load(dev, word(p, 0)), 0);
	in_child(page_them_out, &fd);
	CHECK(device_prot(dev, word(p, 0)) != MIRROR_PROT_NONE);
	CHECK_EQ(device_prot(dev, word(p, 1)), MIRROR_PROT_NONE);
	for (u32 i = 0; i < 2; i++)
		CHECK_EQ(device_load(dev, word(p, i)), i);
}
