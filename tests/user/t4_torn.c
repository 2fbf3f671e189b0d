/*
 * t4_torn.c - an entry of two words is never seen half changed: T4-08, T4-09 (spec 5f).
 *
 * As a storm everywhere; in chosen orders where an entry has two words (i386 with PAE), with the writer held between
 * its two words, and with a reader held between its own.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

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

/* -- T4-08, T4-09 in chosen orders ------------------------------------------------------------------------------------- */

#define HALF_SET "entry-half-set"   /* one of the two words is written */
#define HALF_READ "entry-half-read" /* one of the two words is read, without a lock */
#define PAGES 16
#define SHOWN 5 /* which page of the file T4-09s shows */

struct torn {
	int mm;
	struct puppet first, second;
	u8 *w;
	struct mm_entry seen;
};

static void torn_begin(struct torn *t)
{
	t->mm = mm_need();
	puppet_need(2);
	puppet_start(&t->first, 1);
	puppet_start(&t->second, 2);
	t->w = map_shared(tagged_memfd(PAGES), PAGES, RW);
	CHECK_EQ(tag(t->w, PAGES - 1), PAGES - 1); /* the table is there */
}

static void torn_end(struct torn *t)
{
	puppet_stop(&t->first);
	puppet_stop(&t->second);
}

/* How often the first puppet comes to @point when it does @fn; the last time is for the entry itself. */
static u64 count_arrivals(struct torn *t, const char *point, void (*fn)(void *), void *arg)
{
	u64 arrivals;

	mm_arm_after(t->mm, point, t->first.tid, ~0ull);
	puppet_tell(&t->first, fn, arg);
	CHECK_NOFAULT(puppet_wait(&t->first));
	arrivals = mm_look(t->mm, point).arrivals;
	mm_disarm(t->mm, point);
	if (!arrivals)
		SKIP("an entry is one word here");
	return arrivals;
}

/* The first puppet's fault is held between the two words of the entry that it sets. */
static void hold_half_set(struct torn *t, size_t page, u64 skip)
{
	struct access a = {.at = (volatile u32 *)(t->w + page * P)}, b = a;

	mm_arm_after(t->mm, HALF_SET, t->first.tid, skip);
	puppet_access(&t->first, &a);
	mm_await(t->mm, HALF_SET);
	CHECK_OP(mm_entry_at(t->mm, a.at, MM_ENTRY_LOCKLESS).kind, !=, MM_ENTRY_PAGE);
	puppet_access(&t->second, &b);
	if (puppet_within(&t->second, 20))
		FAIL("page %zu: loaded 0x%x through an entry of which one word is not there yet", page, b.value);
	mm_release(t->mm, HALF_SET);
	CHECK_NOFAULT(puppet_wait(&t->first));
	CHECK_NOFAULT(puppet_wait(&t->second));
	mm_disarm(t->mm, HALF_SET);
	CHECK_EQ(a.value, page);
	CHECK_EQ(b.value, page);
}

TEST(T4_08s, "T4-08s at the sync point: nobody gets through an entry that is half set")
{
	struct torn t = {0};
	struct access a = {0};
	u64 arrivals;

	torn_begin(&t);
	a.at = (volatile u32 *)(t.w + (PAGES - 2) * P);
	arrivals = count_arrivals(&t, HALF_SET, access_do, &a);
	for (size_t page = 0; page < PAGES - 2; page++)
		hold_half_set(&t, page, arrivals - 1);
	torn_end(&t);
}

static void look_lockless(void *torn)
{
	struct torn *t = torn;

	t->seen = mm_entry_at(t->mm, t->w, MM_ENTRY_LOCKLESS);
}

static void drop_page(void *torn)
{
	CHECK_OK(madvise(((struct torn *)torn)->w, P, MADV_DONTNEED));
}

/* The first puppet, a reader, is held between the two words of the entry that it reads. */
static void hold_half_read(struct torn *t, u64 skip)
{
	mm_arm_after(t->mm, HALF_READ, t->first.tid, skip);
	puppet_tell(&t->first, look_lockless, t);
	mm_await(t->mm, HALF_READ);
}

static void release_half_read(struct torn *t, u64 pfn)
{
	const struct mm_entry *e = &t->seen;

	mm_release(t->mm, HALF_READ);
	CHECK_NOFAULT(puppet_wait(&t->first));
	mm_disarm(t->mm, HALF_READ);
	if (e->kind == MM_ENTRY_PAGE)
		CHECK_EQ(e->pfn, pfn);
	else if (e->kind == MM_ENTRY_FILE)
		CHECK_EQ(e->pgoff, SHOWN);
	else
		CHECK_EQ(e->kind, MM_ENTRY_NONE);
}

TEST(T4_09s, "T4-09s at the sync point: a reader sees the entry before or after, never half of each")
{
	struct torn t = {0};
	u64 skip, pfn;

	torn_begin(&t);
	CHECK_OK(rfp(t.w, P, 0, SHOWN, 0));
	pfn = mm_entry_at(t.mm, t.w, 0).pfn;
	skip = count_arrivals(&t, HALF_READ, look_lockless, &t) - 1;
	for (int k = 0; k < 8; k++) {
		drop_page(&t); /* leaves the offset */
		hold_half_read(&t, skip);
		CHECK_EQ(tag(t.w, 0), SHOWN); /* the page comes */
		release_half_read(&t, pfn);

		hold_half_read(&t, skip);
		mm_arm(t.mm, "clear-before-flush", t.second.tid);
		puppet_tell(&t.second, drop_page, &t); /* it goes; the flush would wait for the reader */
		mm_await(t.mm, "clear-before-flush");
		release_half_read(&t, pfn);
		mm_release(t.mm, "clear-before-flush");
		CHECK_NOFAULT(puppet_wait(&t.second));
		mm_disarm(t.mm, "clear-before-flush");
	}
	torn_end(&t);
}
