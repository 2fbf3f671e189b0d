/*
 * t4_bits.c - accessed and dirty bits of entries that many CPUs use: T4-04 to 07, T4-16 (spec 5f).
 */
#define _GNU_SOURCE
#include "puppet.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define N 32

/* -- T4-04, T4-05: what was stored reaches the disk --------------------------------------------------------------- */

#define WRITERS 3

struct disk_race {
	bool toggling; /* T4-04: mprotect R and RW; else msync without end */
	int fd;
	u8 *w;
	const char *dir; /* of the slow disk, or NULL */
	struct gate gate;
	u64 end;
	unsigned writing;
	u32 round, toggles;
	bool stop;
	long written_before;
};

static void write_round(struct disk_race *d, unsigned me)
{
	for (size_t i = 0; i < N; i++) {
		struct access a = {.at = (volatile u32 *)(d->w + i * P) + me, .value = d->round, .write = true};
		struct fault f;

		while ((f = access_try(&a)).signo) { /* read-only for a moment */
			CHECK_ACCERR(f, a.at);
			sched_yield();
		}
	}
	ADD(d->writing, -1);
}

static void disturb(struct disk_race *d)
{
	while (LOAD(d->writing)) {
		if (d->toggling) {
			CHECK_OK(mprotect(d->w, N * P, PROT_READ));
			CHECK_OK(mprotect(d->w, N * P, RW));
		} else {
			CHECK_OK(msync(d->w, N * P, MS_SYNC));
		}
		d->toggles++;
	}
}

static void check_disk_file(int fd, u32 round)
{
	u32 words[1 + WRITERS];

	for (size_t i = 0; i < N; i++) {
		CHECK_EQ(pread(fd, words, sizeof(words), (off_t)(i * P)), sizeof(words));
		for (unsigned k = 1; k <= WRITERS; k++)
			if (words[k] != round)
				FAIL("page %zu: thread %u stored %u, found %u", i, k, round, words[k]);
	}
}

/* All pages were stored to since the last msync: at least so many must have been written out after this one. */
static void finish_round(struct disk_race *d)
{
	long written;

	CHECK_OK(msync(d->w, N * P, MS_SYNC));
	written = vmstat("nr_written");
	if (on_pteron() && d->toggling && written >= 0)
		CHECK_OP(written - d->written_before, >=, N);
	d->written_before = written;
	check_disk_file(d->fd, d->round);
	d->stop = !race_on(d->end, d->round);
}

static void disk_member(unsigned me, void *arg)
{
	struct disk_race *d = arg;

	while (!d->stop) {
		if (me == 0) {
			d->round++;
			d->writing = WRITERS;
		}
		gate_pass(&d->gate);
		if (me)
			write_round(d, me);
		else
			disturb(d);
		gate_pass(&d->gate);
		if (me == 0)
			finish_round(d);
		gate_pass(&d->gate);
	}
}

static void disk_race(bool toggling)
{
	struct disk_race d = {.toggling = toggling, .dir = slow_mount(), .gate.n = 1 + WRITERS, .end = race_end(1500)};
	const char *dir = d.dir ? d.dir : disk_dir();

	d.fd = make_file(dir, "race", 0);
	tag_file(d.fd, N);
	CHECK_OK(fsync(d.fd));
	d.w = map_shared(d.fd, N, RW);
	d.written_before = vmstat("nr_written");
	crew_run(1 + WRITERS, disk_member, &d);
	test_note("%u rounds, %u disturbances", d.round, d.toggles);
	CHECK_OK(munmap(d.w, N * P));
	CHECK_OK(close(d.fd));
	if (d.dir) { /* what the disk itself holds */
		int fd;

		slow_unmount();
		CHECK(slow_mount() != NULL);
		fd = CHECK_OK(open(path_in(d.dir, "race"), O_RDONLY));
		check_disk_file(fd, d.round);
		close(fd);
		CHECK_OK(unlink(path_in(d.dir, "race")));
		slow_unmount();
	}
}

TEST(T4_04, "T4-04 no dirty bit is lost to mprotect")
{
	disk_race(true);
}

TEST(T4_05, "T4-05 no store is lost to msync")
{
	disk_race(false);
}

/* -- T4-06, T4-07: the accessed bit ---------------------------------------------------------------------------------- */

static void young_exact(int mm, u8 *w, u32 *random)
{
	for (int round = 0; round < 40; round++) {
		u32 touched = rnd(random), stored = touched & rnd(random);

		mm_clear_young(mm, w, N * P);
		for (size_t i = 0; i < N; i++)
			CHECK_EQ(mm_entry_at(mm, w + i * P, 0).accessed, 0);
		for (size_t i = 0; i < N; i++)
			if (stored >> i & 1)
				w[i * P] = 1;
			else if (touched >> i & 1)
				(void)*(volatile u8 *)(w + i * P);
		for (size_t i = 0; i < N; i++)
			CHECK_EQ(mm_entry_at(mm, w + i * P, 0).accessed, touched >> i & 1);
	}
}

TEST(T4_06, "T4-06 young exactly where touched")
{
	int mm = mm_need(), fd = tagged_memfd(N);
	u8 *anon = map_anon(N, RW), *file = map_shared(fd, N, RW);
	u32 random = suite_seed();

	for (size_t i = 0; i < N; i++)
		anon[i * P] = file[i * P] = 1;
	young_exact(mm, anon, &random);
	young_exact(mm, file, &random);
}

#define YOUNG_SEEN "young-seen" /* the accessed bit is set, and about to be cleared */

struct young_race {
	int mm;
	u8 *w;
	struct gate gate;
	u64 end, rounds, clears;
	unsigned writing;
	bool stop;
};

/* Present, writable, clean, in every entry: the CPU itself sets the dirty bit at the first store. */
static void make_clean(struct young_race *y)
{
	CHECK_OK(rfp(y->w, N * P, RW, 0, MAP_CHGPROT | MAP_NONBLOCK));
	y->writing = 2;
}

static void check_dirty(struct young_race *y)
{
	for (size_t i = 0; i < N; i++) {
		struct mm_entry e = mm_entry_at(y->mm, y->w + i * P, 0);

		if (!e.dirty)
			FAIL("round %llu: entry %zu was stored to and is clean (write %llu accessed %llu)",
			     (unsigned long long)y->rounds, i, (unsigned long long)e.write, (unsigned long long)e.accessed);
	}
}

static void young_member(unsigned me, void *arg)
{
	struct young_race *y = arg;

	for (;;) {
		if (me == 0) {
			y->stop = !race_on(y->end, y->rounds);
			make_clean(y);
		}
		gate_pass(&y->gate);
		if (y->stop)
			return;
		if (me) {
			for (size_t i = me - 1; i < N; i += 2)
				*(volatile u32 *)(y->w + i * P + 8) = 7;
			ADD(y->writing, -1);
		}
		for (; me == 0 && LOAD(y->writing); y->clears++)
			mm_clear_young(y->mm, y->w, N * P);
		gate_pass(&y->gate);
		if (me == 0) {
			check_dirty(y);
			y->rounds++;
		}
	}
}

TEST(T4_07, "T4-07 clearing young never clears dirty")
{
	struct young_race y = {.mm = mm_need(), .gate.n = 3, .end = race_end(2500)};
	int fd = tagged_memfd(N);

	y.w = map_shared(fd, N, RW);
	make_clean(&y);
	if (!mm_entry_at(y.mm, y.w, 0).write || mm_entry_at(y.mm, y.w, 0).dirty)
		SKIP("no entry is writable and clean here");
	crew_run(3, young_member, &y);
	test_note("%llu rounds, %llu clearings", (unsigned long long)y.rounds, (unsigned long long)y.clears);
	CHECK_OP(y.rounds, >, 0);
}

static void clear_young_once(void *race)
{
	struct young_race *y = race;

	mm_clear_young(y->mm, y->w, P);
}

/* The first entry: writable, accessed and clean. False: not on this kernel. */
static bool make_young(struct young_race *y)
{
	struct mm_entry e;

	make_clean(y);
	(void)*(volatile u32 *)y->w;
	e = mm_entry_at(y->mm, y->w, 0);
	return e.write && e.accessed && !e.dirty;
}

/* A store while another CPU has seen the accessed bit and is about to clear it: no fault, the CPU sets the dirty bit
 * by itself; and a store just before. */
TEST(T4_07s, "T4-07s at the sync point: clearing young never clears dirty")
{
	struct young_race y = {.mm = mm_need()};
	struct puppet clearer = {0};
	struct mm_entry e;

	puppet_need(1);
	puppet_start(&clearer, 1);
	y.w = map_shared(tagged_memfd(N), N, RW);
	for (int k = 0; k < 8; k++) {
		if (!make_young(&y))
			SKIP("no entry is writable and clean here");
		mm_arm(y.mm, YOUNG_SEEN, clearer.tid);
		puppet_tell(&clearer, clear_young_once, &y);
		mm_await(y.mm, YOUNG_SEEN);
		*(volatile u32 *)(y.w + 8) = 7;
		CHECK_EQ(mm_entry_at(y.mm, y.w, MM_ENTRY_LOCKLESS).dirty, 1);
		mm_release(y.mm, YOUNG_SEEN);
		CHECK_NOFAULT(puppet_wait(&clearer));
		mm_disarm(y.mm, YOUNG_SEEN);
		CHECK_EQ(mm_entry_at(y.mm, y.w, 0).dirty, 1);
		CHECK(make_young(&y));
		*(volatile u32 *)(y.w + 8) = 7;
		puppet_tell(&clearer, clear_young_once, &y);
		CHECK_NOFAULT(puppet_wait(&clearer));
		e = mm_entry_at(y.mm, y.w, 0);
		CHECK_EQ(e.dirty, 1);
		CHECK_EQ(e.accessed, 0);
	}
	puppet_stop(&clearer);
}
/* -- T4-16: the bits of a batch ------------------------------------------------------------------------------------------------ */

#define BATCH 512

TEST(T4_16, "T4-16 unmapping 512 entries of which one is dirty")
{
	int fd = make_file(disk_dir(), "batch", 0);
	long before, after;
	u8 *w;

	tag_file(fd, BATCH);
	CHECK_OK(fsync(fd));
	for (size_t dirty = 0; dirty < BATCH; dirty += 73) {
		w = map_shared(fd, BATCH, RW);
		for (size_t i = 0; i < BATCH; i++)
			CHECK_EQ((u32)tag(w, i), i);
		CHECK_OK(fsync(fd));
		((volatile u32 *)(w + dirty * P))[1] = (u32)dirty + 1;
		(void)*(volatile u32 *)(w + (dirty + 1) % BATCH * P);
		CHECK_OK(munmap(w, BATCH * P));
		before = vmstat("nr_written");
		CHECK_OK(fsync(fd));
		after = vmstat("nr_written");
		if (on_pteron() && before >= 0)
			CHECK_OP(after - before, <=, 3); /* that page, and what describes the file */
		CHECK_EQ(file_tag(fd, dirty) >> 32, dirty + 1);
	}
}

struct batch {
	u8 *w;
	struct gate gate;
	volatile u32 stored; /* entries that the store went through */
	u32 round;
};

static void store_until_gone(void *arg)
{
	struct batch *b = arg;

	for (size_t i = 0; i < BATCH; i++) {
		((volatile u32 *)(b->w + i * P))[1] = b->round;
		b->stored = (u32)i + 1;
	}
}

/* munmap at a random moment: what was stored before is in the file, and was noticed. */
static void batch_member(unsigned me, void *arg)
{
	struct batch *b = arg;
	u32 random = suite_seed() + b->round;

	gate_pass(&b->gate);
	if (me) {
		struct fault f = try_call(store_until_gone, b);

		if (f.signo)
			CHECK_MAPERR(f, b->w + b->stored * P + 4);
		return;
	}
	for (u32 target = rnd(&random) % BATCH, spins = 0; b->stored < target;)
		relax(&spins);
	CHECK_OK(munmap(b->w, BATCH * P));
}

TEST(T4_16b, "T4-16b unmapping 512 entries while they are stored to")
{
	int fd = make_file(disk_dir(), "batch", 0);
	struct batch b = {.gate.n = 2};
	u64 end = race_end(1000);

	suite_seed();
	tag_file(fd, BATCH);
	while (race_on(end, b.round)) {
		long before, after;

		CHECK_OK(fsync(fd));
		b.w = map_shared(fd, BATCH, RW);
		b.stored = 0;
		b.round++;
		before = vmstat("nr_written");
		crew_run(2, batch_member, &b);
		CHECK_OK(fsync(fd));
		after = vmstat("nr_written");
		for (size_t i = 0; i < b.stored; i++)
			CHECK_EQ(file_tag(fd, i) >> 32, b.round);
		if (on_pteron() && before >= 0)
			CHECK_OP(after - before, >=, b.stored);
	}
	test_note("%u rounds", b.round);
}
