/*
 * t3_storm.c - a secondary MMU against everything else at once: T3-03, 07, 14, 23, X-02's like (spec 4f).
 */
#define _GNU_SOURCE
#include "t3.h"

#include <fcntl.h>
#include <unistd.h>

/* -- T3-03: refill ------------------------------------------------------------------------------------------------------------ */

#define PAGES 16
#define STAMP(page, gen) ((u32)(page) << 24 | (gen))

struct refill {
	u8 *p;
	int dev;
	u64 end, rounds, loads, zeros;
	u32 seed;
	u32 gen[PAGES];  /* that was begun to be stored */
	u32 done[PAGES]; /* that was stored */
	bool stop;
};

/* What the device saw: zero, or a stamp of that page that was not yet stored when it began, or the last one before. */
static void check_refill(struct refill *r, const u32 *got, size_t n, const u32 *before)
{
	for (size_t i = 0; i < n; i++) {
		size_t page = i % PAGES;
		u32 gen = got[i] & 0xffffff;

		r->zeros += got[i] == 0;
		if (got[i] && (got[i] >> 24 != page || gen < before[page] || gen > LOAD(r->gen[page])))
			FAIL("page %zu: the device saw %#x, stamps %#x to %#x were possible", page, got[i],
			     STAMP(page, before[page]), STAMP(page, LOAD(r->gen[page])));
	}
	r->loads += n;
}

static void refill_device(struct refill *r)
{
	u32 got[PAGES * 8], before[PAGES];

	while (!LOAD(r->stop)) {
		for (size_t i = 0; i < PAGES; i++)
			before[i] = LOAD(r->done[i]);
		check_refill(r, got, device_loads(r->dev, r->p, P, PAGES, got, PAGES * 8), before);
	}
}

static void refill_cpu(struct refill *r)
{
	while (race_on(r->end, r->rounds)) {
		size_t page = rnd(&r->seed) % PAGES;
		u32 gen = r->gen[page] + 1;

		CHECK_OK(madvise(r->p + page * P, P, MADV_DONTNEED));
		STORE(r->gen[page], gen);
		STORE(*word(r->p, page), STAMP(page, gen));
		STORE(r->done[page], gen);
		r->rounds++;
	}
	STORE(r->stop, true);
}

/* Others take the frames that are freed, and put something else into them. */
static void refill_others(struct refill *r)
{
	while (!LOAD(r->stop)) {
		u8 *q = map_anon(32, RW);

		for (size_t i = 0; i < 32; i++)
			*word(q, i) = 0xf0f0f0f0u;
		CHECK_OK(munmap(q, 32 * P));
	}
}

static void refill_member(unsigned me, void *arg)
{
	if (me == 0)
		refill_cpu(arg);
	else if (me == 1)
		refill_device(arg);
	else
		refill_others(arg);
}

TEST_SECONDS(T3_03, "T3-03 refill storm", 600)
{
	struct refill r = {.p = map_anon(PAGES, RW), .dev = device_open(), .seed = suite_seed()};

	for (size_t i = 0; i < PAGES; i++) {
		r.gen[i] = r.done[i] = 1;
		*word(r.p, i) = STAMP(i, 1);
	}
	r.end = race_end(3000);
	crew_run(3, refill_member, &r);
	test_note("%llu drops, %llu loads, %llu of them zero, %llu retries", (unsigned long long)r.rounds,
	          (unsigned long long)r.loads, (unsigned long long)r.zeros, (unsigned long long)device_stat(r.dev).retries);
	CHECK_EQ(device_stat(r.dev).in_flight, 0);
}

/* -- T3-07: two addresses (the litmus of Linux's mmu_notifier.rst) ------------------------------------------------------------------ */

#define LITMUS 128

struct litmus {
	volatile u32 *flag, *data; /* the device reads flag, then data; data is a page of a file until it is stored to */
	int dev;
	struct gate gate;
	u64 end, rounds, seen;
	u64 took; /* ns, by the device, of late */
	u32 seed;
	bool stop;
};

static void litmus_cpu(struct litmus *l, u32 round)
{
	u64 begin = now_ns() + l->took * (rnd(&l->seed) % 128) / 128; /* some time while the device reads */

	while (now_ns() < begin)
		;
	*l->data = round; /* another page from here on */
	*l->flag = round;
}

static void litmus_device(struct litmus *l, u32 round)
{
	u32 got[LITMUS];
	u64 began = now_ns();
	size_t n = device_loads(l->dev, l->flag, P, 2, got, LITMUS);

	CHECK_EQ(n, LITMUS);
	for (size_t i = 0; i < n; i += 2)
		if (got[i] == round && got[i + 1] != round)
			FAIL("round %u: new flag, and old data %#x", round, got[i + 1]);
	l->took = (l->took * 7 + (now_ns() - began)) / 8;
	l->seen += got[0] != round && got[LITMUS - 2] == round;
}

static void litmus_member(unsigned me, void *arg)
{
	struct litmus *l = arg;

	for (u32 round = 1;; round++) {
		if (me == 0) {
			*l->flag = 0;
			CHECK_OK(madvise((void *)l->data, P, MADV_DONTNEED));
			CHECK_EQ(device_load(l->dev, l->data), 0); /* the file's page */
			l->stop = !race_on(l->end, ++l->rounds);
		}
		gate_pass(&l->gate);
		if (l->stop)
			break;
		if (me == 0)
			litmus_cpu(l, round);
		else
			litmus_device(l, round);
		gate_pass(&l->gate);
	}
}

TEST_SECONDS(T3_07, "T3-07 memory model: never a new flag with old data", 300)
{
	struct litmus l = {.dev = device_open(), .gate = {.n = 2}, .seed = suite_seed()};
	u8 *p = map_anon(2, RW);

	CHECK_OK(mmap(p + P, P, RW, MAP_PRIVATE | MAP_FIXED, tagged_memfd(1), 0));
	l.flag = word(p, 0);
	l.data = word(p, 1);
	l.end = race_end(2000);
	crew_run(2, litmus_member, &l);
	test_note("%llu rounds, %llu times the change came while the device looked", (unsigned long long)l.rounds,
	          (unsigned long long)l.seen);
}

/* -- T3-23: ranges that overlap ------------------------------------------------------------------------------------------------------- */

#define AREA 24

struct nest {
	u8 *p;
	int prompt, far;
	u64 end, rounds;
	u32 seed;
	bool stop;
};

static void one_change(u8 *p, u32 *seed)
{
	size_t first = rnd(seed) % AREA, n = 1 + rnd(seed) % (AREA - first);

	switch (rnd(seed) % 3) {
	case 0:
		CHECK_OK(madvise(p + first * P, n * P, MADV_DONTNEED));
		break;
	case 1:
		CHECK_OK(mprotect(p + first * P, n * P, PROT_READ));
		CHECK_OK(mprotect(p + first * P, n * P, RW));
		break;
	default:
		CHECK_OK(mmap(p + first * P, n * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	}
}

static void nest_member(unsigned me, void *arg)
{
	struct nest *x = arg;
	u32 seed = x->seed + me * 977 + 1, got[AREA];
	u64 rounds = 0;

	while (me ? !LOAD(x->stop) : race_on(x->end, rounds)) {
		one_change(x->p, &seed);
		size_t n = device_loads(me % 2 ? x->prompt : x->far, x->p, P, AREA, got, AREA);

		for (size_t i = 0; i < n; i++)
			if (got[i])
				FAIL("thread %u: %#x in page %zu, where nobody stores", me, got[i], i);
		rounds++;
	}
	ADD(x->rounds, rounds);
	STORE(x->stop, true);
}

TEST_SECONDS(T3_23, "T3-23 overlapping ranges from four threads", 300)
{
	struct nest x = {.p = map_anon(AREA, RW), .seed = suite_seed()};
	int mm = mm_open();

	x.prompt = device_open();
	x.far = device_open_range(x.p, AREA * P, MIRROR_ACKNOWLEDGE, 0);
	x.end = race_end(2000);
	crew_run(4, nest_member, &x);
	CHECK_EQ(device_stat(x.far).in_flight, 0);
	CHECK_EQ(device_stat(x.far).starts, device_stat(x.far).ends);
	CHECK_OP(device_stat(x.far).starts, >, 0);
	for (u32 i = 0; i < AREA; i++) {
		device_store(x.prompt, word(x.p, i), i);
		CHECK_EQ(device_load(x.far, word(x.p, i)), i);
	}
	if (mm >= 0)
		mm_audit_clean(mm, "after the storm");
	test_note("%llu rounds, %llu retries", (unsigned long long)x.rounds,
	          (unsigned long long)device_stat(x.prompt).all_retries);
}

/* -- T3-14: come and go ------------------------------------------------------------------------------------------------------------------ */

static void come_and_go(unsigned me, void *arg)
{
	struct nest *x = arg;
	u32 seed = x->seed + me, got[AREA];
	u64 rounds = 0;

	while (me ? !LOAD(x->stop) : race_on(x->end, rounds)) {
		if (me == 0) {
			one_change(x->p, &seed);
		} else if (me == 1) {
			int dev = device_open();

			(void)device_loads(dev, x->p, P, AREA, got, AREA);
			close(dev);
		} else { /* the end of a process, with its mirror open and in use */
			pid_t pid = CHECK_OK(fork());

			if (pid == 0) {
				int dev = device_open();

				one_change(x->p, &seed);
				(void)device_loads(dev, x->p, P, AREA, got, AREA);
				_exit(0);
			}
			join(pid);
		}
		rounds++;
	}
	ADD(x->rounds, rounds);
	STORE(x->stop, true);
}

TEST_SECONDS(T3_14, "T3-14 subscribe, unsubscribe, exit and invalidate at once", 300)
{
	struct nest x = {.p = map_anon(AREA, RW), .seed = suite_seed()};
	int dev = device_open();
	u64 before = device_stat(dev).subscriptions;

	x.end = race_end(2000);
	crew_run(3, come_and_go, &x);
	CHECK_EQ(device_stat(dev).subscriptions, before);
	CHECK_EQ(device_stat(dev).in_flight, 0);
	test_note("%llu rounds", (unsigned long long)x.rounds);
}
