/*
 * t4_race.c - the page-table entry between its many users: T4-04..11, 15, 16 (spec 5f).
 */
#define _GNU_SOURCE
#include "race.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
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

/* -- T4-08, T4-09: an entry is never seen half changed ------------------------------------------------------------------ */

/* Every word of a page holds that page's number. */
static void fill(u8 *page, u32 value)
{
	for (size_t i = 0; i < P / 4; i++)
		((volatile u32 *)page)[i] = value;
}

struct flip {
	int mm, edu;
	bool drop; /* T4-09: leave the entry without a page in between */
	bool only_loads;
	unsigned crew;
	u8 *window;
	size_t off[2]; /* the two pages of the file that take turns */
	u64 pfn[2];
	u64 end, flips, looks[5];
	bool stop;
	unsigned running;
};

static bool is_one_of(const struct flip *f, u32 value)
{
	return value == f->off[0] || value == f->off[1];
}

static void look_load(struct flip *f, u32 *random)
{
	for (int k = 0; k < 64; k++) {
		u32 value = ((volatile u32 *)f->window)[rnd(random) % (P / 4)];

		if (!is_one_of(f, value))
			FAIL("loaded 0x%x: neither page 0x%zx nor 0x%zx", value, f->off[0], f->off[1]);
	}
}

static void look_entry(struct flip *f, u64 flags)
{
	struct mm_entry e = mm_entry_at(f->mm, f->window, flags);

	if (e.kind == MM_ENTRY_PAGE) {
		if (e.pfn != f->pfn[0] && e.pfn != f->pfn[1])
			FAIL("an entry with frame 0x%llx: neither 0x%llx nor 0x%llx", (unsigned long long)e.pfn,
			     (unsigned long long)f->pfn[0], (unsigned long long)f->pfn[1]);
	} else {
		CHECK(e.kind == MM_ENTRY_NONE || e.kind == MM_ENTRY_FILE);
	}
}

static void look_pinned(struct flip *f)
{
	struct edu_stat st = {.addr = (uintptr_t)f->window};

	CHECK_OK(ioctl(f->edu, EDU_IOC_STAT, &st));
	if (st.flags & EDU_STAT_PRESENT && f->pfn[0])
		CHECK(st.pfn == f->pfn[0] || st.pfn == f->pfn[1]);
}

static void look_copied(struct flip *f)
{
	u32 value = ~0u;
	struct iovec to = {&value, 4}, from = {f->window + 128, 4};

	CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), 4);
	CHECK(is_one_of(f, value));
}

static void look_everyhow(struct flip *f, unsigned me, u32 *random)
{
	unsigned how = f->only_loads || me > 1 ? 0 : rnd(random) % 5;

	ADD(f->looks[how], 1);
	if (how == 1)
		CHECK_OP(resident(f->window), >=, 0);
	else if (how == 2 && f->mm >= 0)
		look_entry(f, rnd(random) & 1 ? MM_ENTRY_LOCKLESS : 0);
	else if (how == 3 && f->edu >= 0)
		look_pinned(f);
	else if (how == 4)
		look_copied(f);
	else
		look_load(f, random);
}

static void flip_member(unsigned me, void *arg)
{
	struct flip *f = arg;
	u32 random = suite_seed() + me;

	if (me) {
		ADD(f->running, 1);
		while (!LOAD(f->stop))
			look_everyhow(f, me, &random);
		return;
	}
	SPIN_UNTIL(LOAD(f->running) == f->crew - 1);
	while (race_on(f->end, f->flips))
		for (int k = 0; k < 64; k++) {
			if (f->drop)
				CHECK_OK(madvise(f->window, P, MADV_DONTNEED));
			CHECK_OK(rfp(f->window, P, 0, f->off[f->flips++ & 1], MAP_NONBLOCK));
		}
	STORE(f->stop, true);
}

static u64 pfn_of(const struct flip *f, const volatile u8 *p)
{
	struct edu_stat st = {.addr = (uintptr_t)p};

	if (f->mm >= 0)
		return mm_entry_at(f->mm, p, 0).pfn;
	if (f->edu >= 0 && ioctl(f->edu, EDU_IOC_STAT, &st) == 0)
		return st.pfn;
	return 0;
}

#define FOUR_GIB (1ull << 20) /* in frames */

/* Make the file longer until it has a page below 4 GiB and one above, if there is memory of both kinds. */
static void choose_pages(struct flip *f, u8 *all, size_t pages)
{
	long spare = meminfo_kb("MemFree") / 4 - 16384;
	bool found[2] = {false, false};

	for (size_t i = 0; i < pages && (long)i < spare && !(found[0] && found[1]); i++) {
		u64 pfn;
		bool high;

		all[i * P] = 0;
		pfn = pfn_of(f, all + i * P);
		high = pfn >= FOUR_GIB;
		if (!found[high]) {
			found[high] = true;
			f->off[high] = i;
			f->pfn[high] = pfn;
		}
		if (i == 64 && !found[1])
			break; /* frames above 4 GiB are given out first: there are none, or nobody tells us */
	}
	for (size_t k = 0; k < 2; k++) {
		if (!found[0] || !found[1])
			f->off[k] = k;
		fill(all + f->off[k] * P, (u32)f->off[k]);
		f->pfn[k] = pfn_of(f, all + f->off[k] * P);
	}
	test_note("frames 0x%llx and 0x%llx", (unsigned long long)f->pfn[0], (unsigned long long)f->pfn[1]);
}

/* Every flip waits for all CPUs that look: two threads flip often, four rarely. */
static void flip_with(struct flip *f, unsigned crew, bool only_loads, unsigned ms)
{
	f->crew = crew;
	f->only_loads = only_loads;
	f->stop = false;
	f->running = 0;
	f->end = race_end(ms);
	crew_run(crew, flip_member, f);
	test_note(
		"%u threads: %llu flips so far; looked %llu times by loads, %llu mincore, %llu entry, %llu pin, %llu copy",
		crew, (unsigned long long)f->flips, (unsigned long long)f->looks[0], (unsigned long long)f->looks[1],
		(unsigned long long)f->looks[2], (unsigned long long)f->looks[3], (unsigned long long)f->looks[4]);
}

static void flip_race(bool drop)
{
	const size_t pages = 80000;
	struct flip f = {.mm = mm_open(), .edu = open("/dev/edu", O_RDWR), .drop = drop};
	int fd = tagged_memfd(0);
	u8 *all;

	CHECK_OK(ftruncate(fd, (off_t)(pages * P)));
	all = map_shared(fd, pages, RW);
	choose_pages(&f, all, pages);
	f.window = map_shared(fd, pages, PROT_READ);
	suite_seed();
	flip_with(&f, 2, true, 700);
	flip_with(&f, 2, false, 700);
	flip_with(&f, 4, false, 400);
}

TEST(T4_08, "T4-08 an entry flipped between two frames is never torn")
{
	flip_race(false);
}

TEST(T4_09, "T4-09 an entry flipped between none and present is never a third frame")
{
	flip_race(true);
}

/* -- T4-10, T4-11: two CPUs in step ------------------------------------------------------------------------------------- */

struct pair {
	u8 *p;
	void (*set)(u8 *p, int prot);
	struct gate gate;
	u64 end, rounds;
	bool stop;
};

static long own_minor_faults(void)
{
	struct rusage ru;

	CHECK_OK(getrusage(RUSAGE_THREAD, &ru));
	return ru.ru_minflt;
}

static void set_vma(u8 *p, int prot)
{
	CHECK_OK(mprotect(p, N * P, prot));
}

static void set_entries(u8 *p, int prot)
{
	CHECK_OK(rfp(p, N * P, prot, 0, MAP_CHGPROT));
}

/* B has read-only translations; A relaxes; B stores. */
static void upgrade_member(unsigned me, void *arg)
{
	struct pair *x = arg;

	while (!x->stop) {
		if (me == 0)
			x->set(x->p, PROT_READ);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++)
			(void)*(volatile u8 *)(x->p + i * P);
		gate_pass(&x->gate);
		if (me == 0)
			x->set(x->p, RW);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++) {
			long before = own_minor_faults();

			CHECK_NOFAULT(try_write(x->p + i * P, (u8)x->rounds));
			if (on_pteron()) /* Linux counts faults that it retries twice */
				CHECK_OP(own_minor_faults() - before, <=, 1);
		}
		gate_pass(&x->gate);
		if (me == 0) {
			x->rounds++;
			x->stop = !race_on(x->end, x->rounds);
		}
		gate_pass(&x->gate);
	}
}

/* B has writable translations; A revokes; every store of B faults. */
static void downgrade_member(unsigned me, void *arg)
{
	struct pair *x = arg;

	while (!x->stop) {
		if (me == 0)
			x->set(x->p, RW);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++)
			CHECK_NOFAULT(try_write(x->p + i * P, 1));
		gate_pass(&x->gate);
		if (me == 0)
			x->set(x->p, PROT_READ);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++) {
			CHECK_ACCERR(try_write(x->p + i * P, 2), x->p + i * P);
			CHECK_EQ(x->p[i * P], 1);
		}
		gate_pass(&x->gate);
		if (me == 0) {
			x->rounds++;
			x->stop = !race_on(x->end, x->rounds);
		}
		gate_pass(&x->gate);
	}
}

static void pair_run(void (*member)(unsigned, void *), u8 *p, void (*set)(u8 *, int))
{
	struct pair x = {.p = p, .set = set, .gate.n = 2, .end = race_end(400)};

	for (size_t i = 0; i < N; i++)
		p[i * P] = 1;
	crew_run(2, member, &x);
	test_note("%llu rounds", (unsigned long long)x.rounds);
	CHECK_OP(x.rounds, >, 0);
}

static void on_every_memory(void (*member)(unsigned, void *))
{
	pair_run(member, map_anon(N, RW), set_vma);
	pair_run(member, map_shared(tagged_memfd(N), N, RW), set_vma);
	if (on_pteron())
		pair_run(member, map_shared(tagged_memfd(N), N, RW), set_entries);
}

TEST(T4_10, "T4-10 stores through a stale read-only translation: no signal, one fault at most")
{
	on_every_memory(upgrade_member);
}

TEST(T4_11, "T4-11 after the call that revokes, every store faults")
{
	on_every_memory(downgrade_member);
}

static void set_page(u8 *page, int prot)
{
	CHECK_OK(mprotect(page, P, prot));
}

TEST(T4_11b, "T4-11b after the call that revokes, nothing is stored: storm")
{
	int fd = tagged_memfd(4);
	u8 *w = map_shared(fd, 4, RW), *alias = map_shared(fd, 4, PROT_READ);

	race_revoke(&(struct revoke){w + P, alias + P, PROT_READ, set_page, 1000});
	race_revoke(&(struct revoke){w + 2 * P, alias + 2 * P, PROT_NONE, set_page, 500});
}

/* -- T4-15: walkers without locks against tables that go away --------------------------------------------------------------- */

#define SPAN (8u << 20) /* two tables of the widest kind, four of the others */
#define STEP (1u << 20)
#define CONTENT 0x15151515u

struct tables {
	int mm, edu;
	u8 *at;
	u64 end, rounds, found;
	bool stop;
};

static void map_and_unmap(struct tables *t)
{
	while (race_on(t->end, t->rounds)) {
		u8 *p = CHECK_OK(mmap(t->at, SPAN, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));

		for (size_t off = 0; off < SPAN; off += STEP)
			*(volatile u32 *)(p + off) = CONTENT;
		CHECK_OK(munmap(p, SPAN));
		t->rounds++;
	}
	STORE(t->stop, true);
}

static void walk_content(struct tables *t, u8 *p)
{
	u32 value = CONTENT;
	struct iovec to = {&value, 4}, from = {p, 4};
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	if (n < 0)
		CHECK_EQ(errno, EFAULT);
	else
		CHECK(value == CONTENT || value == 0);
	if (n == 4 && value)
		ADD(t->found, 1);
}

static void walk_residence(u8 *p)
{
	u8 vec[STEP / P];

	if (mincore(p, STEP, vec) < 0)
		CHECK_EQ(errno, ENOMEM);
}

static void walk_entry(struct tables *t, u8 *p, u64 flags)
{
	struct mm_entry e = mm_entry_at(t->mm, p, flags);

	CHECK(e.kind == MM_ENTRY_NONE || e.kind == MM_ENTRY_PAGE);
	if (e.kind == MM_ENTRY_PAGE) {
		CHECK(e.grant & PROT_READ);
		CHECK(!t->stop || e.pfn);
		ADD(t->found, 1);
	}
}

static void walk(struct tables *t, u32 *random)
{
	u8 *p = t->at + rnd(random) % (SPAN / STEP) * STEP;
	struct edu_stat st = {.addr = (uintptr_t)p};

	switch (rnd(random) % 4) {
	case 0:
		walk_content(t, p);
		break;
	case 1:
		walk_residence(p);
		break;
	case 2:
		if (t->edu >= 0)
			(void)ioctl(t->edu, EDU_IOC_STAT, &st);
		break;
	default:
		if (t->mm >= 0)
			walk_entry(t, p, rnd(random) & 1 ? MM_ENTRY_LOCKLESS : 0);
	}
}

static void table_member(unsigned me, void *arg)
{
	struct tables *t = arg;
	u32 random = suite_seed() + me;

	if (me == 0)
		map_and_unmap(t);
	while (!LOAD(t->stop))
		walk(t, &random);
}

TEST(T4_15, "T4-15 walkers without locks against the freeing of tables")
{
	struct tables t = {.mm = mm_open(), .edu = open("/dev/edu", O_RDWR)};
	u8 *hole = CHECK_OK(mmap(NULL, 2 * SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	/* The neighbours are reserved for good, so that what lies between is the only user of its tables; it stays
	 * reserved until all threads have their stacks. */
	t.at = (u8 *)(((uintptr_t)hole + SPAN / 2 - 1) & ~(uintptr_t)(SPAN / 2 - 1));
	suite_seed();
	t.end = race_end(2000);
	crew_run(4, table_member, &t);
	test_note("%llu spans, %llu pages found in them", (unsigned long long)t.rounds, (unsigned long long)t.found);
	CHECK_OP(t.rounds, >, 0);
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
