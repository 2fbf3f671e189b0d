/*
 * t2_race.c - userfaultfd and UFFDIO_MOVE against everything else, in chosen orders and as storms:
 * T2-12, 14, 18 to 21, R2.1, R2.6.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "swap.h"
#include "t2.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int fd;

/* -- orders ------------------------------------------------------------------------------------------------------ */

TEST(t2_order_queue, "T2-24 both orders: the answer comes before the question is queued, and after")
{
	static u8 data[4096] __attribute__((aligned(4096))) = {9};
	int mm = mm_need();
	u8 *p = map_anon(2, RW);
	struct access a[2] = {{.at = (volatile u32 *)p}, {.at = (volatile u32 *)(p + P)}};
	struct puppet puppet = {0};

	puppet_need(1);
	fd = uffd_open(0, 0);
	uffd_register(fd, p, 2, UFFDX_REGISTER_MISSING);
	puppet_start(&puppet, 1);
	mm_arm(mm, "fault-snapshot", puppet.tid); /* it has seen that nothing is there */
	puppet_access(&puppet, &a[0]);
	mm_await(mm, "fault-snapshot");
	CHECK_EQ(uffd_copy(fd, p, data, 1, 0, NULL), 0);
	mm_release(mm, "fault-snapshot");
	CHECK_NOFAULT(puppet_wait(&puppet)); /* M160: for ever */
	CHECK_EQ(a[0].value, 9);
	mm_disarm(mm, "fault-snapshot");
	mm_arm(mm, "uffd-queued", puppet.tid);
	puppet_access(&puppet, &a[1]);
	mm_await(mm, "uffd-queued");
	CHECK_EQ(uffd_copy(fd, p + P, data, 1, 0, NULL), 0);
	mm_release(mm, "uffd-queued");
	CHECK_NOFAULT(puppet_wait(&puppet));
	CHECK_EQ(a[1].value, 9);
	mm_disarm(mm, "uffd-queued");
	uffd_quiet(fd); /* nobody is asked in vain */
	puppet_stop(&puppet);
}

struct mover {
	u8 *dst, *src;
	u64 mode;
	int err;
};

static void do_move(void *arg)
{
	struct mover *m = arg;

	m->err = uffd_move(fd, m->dst, m->src, 1, m->mode, NULL);
}

TEST(t2_order_move, "T2-04 while a page is between its places nobody reaches it: who reads either waits (R2.1)")
{
	u8 *dst = map_anon(1, RW), *src = map_anon(1, RW);
	struct access at_src = {.at = (volatile u32 *)src}, at_dst = {.at = (volatile u32 *)dst};
	struct mover m = {.dst = dst, .src = src};
	struct puppet mover = {0}, one = {0}, two = {0};
	int mm = mm_need();

	puppet_need(3);
	fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(fd, dst, 1, UFFDX_REGISTER_MISSING);
	puppet_start(&mover, 1);
	puppet_start(&one, 2);
	puppet_start(&two, 3);
	set_tag(src, 0, 5);
	mm_arm(mm, "move-cleared", mover.tid);
	puppet_tell(&mover, do_move, &m);
	mm_await(mm, "move-cleared");
	puppet_access(&one, &at_src);
	puppet_access(&two, &at_dst);
	CHECK(!puppet_within(&one, 30) && !puppet_within(&two, 1));
	mm_release(mm, "move-cleared");
	CHECK_NOFAULT(puppet_wait(&mover));
	CHECK_EQ(m.err, 0);
	CHECK_NOFAULT(puppet_wait(&one));
	CHECK_NOFAULT(puppet_wait(&two));
	CHECK_EQ(at_src.value, 0);
	CHECK_EQ(at_dst.value, 5);
	mm_disarm(mm, "move-cleared");
	puppet_stop(&mover);
	puppet_stop(&one);
	puppet_stop(&two);
}

TEST(t2_order_dirty, "T2-18 a store between the look and the clear: its dirty bit comes along (R2.2)")
{
	u8 *dst = map_anon(1, RW), *src = map_anon(1, RW);
	struct access store = {.at = (volatile u32 *)src, .write = true, .value = 77};
	struct mover m = {.dst = dst, .src = src};
	struct puppet mover = {0}, other = {0};
	int mm = mm_need();

	puppet_need(2);
	fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(fd, dst, 1, UFFDX_REGISTER_MISSING);
	puppet_start(&mover, 1);
	puppet_start(&other, 2);
	set_tag(src, 0, 5);
	CHECK_OK(madvise(src, P, MADV_FREE)); /* clean, and writable */
	CHECK(!mm_entry_at(mm, src, 0).dirty);
	mm_arm(mm, "move-judged", mover.tid);
	puppet_tell(&mover, do_move, &m);
	mm_await(mm, "move-judged");
	CHECK_NOFAULT(puppet_try(&other, &store));
	mm_release(mm, "move-judged");
	CHECK_NOFAULT(puppet_wait(&mover));
	mm_disarm(mm, "move-judged");
	CHECK_EQ(m.err, 0);
	CHECK(mm_entry_at(mm, dst, 0).dirty); /* M6: no */
	CHECK_EQ(*(volatile u32 *)dst, 77);
	puppet_stop(&mover);
	puppet_stop(&other);
}

/* -- T2-12, T2-18: there and back ------------------------------------------------------------------------------------ */

struct shuttle {
	u8 *home, *away;
	u64 end, moves, refused;
	int edu, mm;
	bool stop;
	u32 stored;
};

/* Home and back, until the end; whoever wants it meanwhile waits. */
static void shuttle_run(struct shuttle *s)
{
	while (race_on(s->end, s->moves)) {
		int err = uffd_move(fd, s->away, s->home, 1, 0, NULL);

		if (err == EBUSY) {
			s->refused++;
			sched_yield();
			continue;
		}
		CHECK_EQ(err, 0);
		s->moves++;
		while ((err = uffd_move(fd, s->home, s->away, 1, 0, NULL)) == EBUSY)
			;
		CHECK_EQ(err, 0);
	}
	STORE(s->stop, true);
}

static void store_or_move(unsigned me, void *arg)
{
	struct shuttle *s = arg;
	volatile u32 *word = (volatile u32 *)s->home + me;

	if (!me) {
		shuttle_run(s);
		return;
	}
	for (u32 n = 1; !LOAD(s->stop); n++) {
		__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
		if (LOAD(*word) != n)
			FAIL("thread %u: %u after %u additions", me, *word, n);
	}
}

static struct shuttle make_shuttle(unsigned ms)
{
	struct shuttle s = {.home = map_anon(1, RW), .away = map_anon(1, RW), .end = race_end(ms), .mm = -1};

	fd = uffd_open(UFFDX_MOVE, 0);
	memset(s.home, 0, P);
	uffd_register(fd, s.home, 1, UFFDX_REGISTER_MISSING);
	uffd_register(fd, s.away, 1, UFFDX_REGISTER_MISSING);
	return s;
}

TEST(t2_shuttle, "T2-18 storm: a page goes away and comes back under threads that add to it: no addition is lost")
{
	struct shuttle s = make_shuttle(1000);

	crew_run(3, store_or_move, &s);
	test_note("%llu moves", (unsigned long long)s.moves);
	CHECK_OP(s.moves, >, 0);
}

static void pin_or_move(unsigned me, void *arg)
{
	struct shuttle *s = arg;

	if (!me) {
		shuttle_run(s);
		return;
	}
	while (!LOAD(s->stop)) {
		struct edu_pin pin = {.addr = (uintptr_t)s->home, .len = P, .flags = EDU_PIN_WRITE};
		struct edu_unpin unpin = {0};
		struct edu_stat st = {0};

		CHECK_OK(ioctl(s->edu, EDU_IOC_PIN, &pin));
		st.id = unpin.id = pin.id;
		CHECK_OK(ioctl(s->edu, EDU_IOC_STAT, &st));
		CHECK_EQ(mm_entry_at(s->mm, s->home, 0).pfn, st.pfn); /* while it is pinned it stays */
		CHECK_OK(ioctl(s->edu, EDU_IOC_UNPIN, &unpin));
	}
}

TEST(t2_shuttle_pinned, "T2-12 storm: pins of a page that goes away and comes back: what is pinned stays")
{
	struct shuttle s = make_shuttle(1000);

	s.mm = mm_need();
	s.edu = open("/dev/edu", O_RDWR);
	if (s.edu < 0)
		SKIP("no /dev/edu");
	crew_run(3, pin_or_move, &s);
	test_note("%llu moves, %llu refused", (unsigned long long)s.moves, (unsigned long long)s.refused);
	CHECK_OP(s.moves, >, 0);
}

/* -- T2-19 ------------------------------------------------------------------------------------------------------------- */

struct contest {
	struct gate gate;
	u8 *from[2], *to[2];
	int err[2];
	u64 rounds, end;
	bool more;
};

static void contend(unsigned me, void *arg)
{
	struct contest *c = arg;

	for (;;) {
		if (!me) {
			c->more = race_on(c->end, c->rounds++);
			for (unsigned i = 0; i < 2; i++) {
				CHECK_OK(madvise(c->to[i], P, MADV_DONTNEED));
				set_tag(c->from[i], 0, 7 + i);
			}
		}
		gate_pass(&c->gate);
		if (!c->more)
			return;
		c->err[me] = uffd_move(fd, c->to[me], c->from[me], 1, 0, NULL);
		gate_pass(&c->gate);
		if (me)
			continue;
		if ((c->err[0] == 0) == (c->err[1] == 0))
			FAIL("round %llu: %d and %d", (unsigned long long)c->rounds, c->err[0], c->err[1]);
		CHECK_EQ(c->err[0] ? c->err[0] : c->err[1], c->from[0] == c->from[1] ? ENOENT : EEXIST);
	}
}

static void contest(u8 *from0, u8 *from1, u8 *to0, u8 *to1)
{
	struct contest c = {.gate = {.n = 2}, .from = {from0, from1}, .to = {to0, to1}, .end = race_end(500)};

	crew_run(2, contend, &c);
	test_note("%llu rounds", (unsigned long long)c.rounds);
}

TEST(t2_contest, "T2-19 two movers want one page, or one place: exactly one gets it")
{
	u8 *p = map_anon(2, RW), *q = map_anon(2, RW);

	fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(fd, q, 2, UFFDX_REGISTER_MISSING);
	contest(p, p, q, q + P);
	contest(p, p + P, q, q);
}

/* -- T2-20 ------------------------------------------------------------------------------------------------------------- */

struct crossing {
	u8 *low[2], *high[2];
	u64 end, rounds[2];
};

static void cross(unsigned me, void *arg)
{
	struct crossing *c = arg;
	u8 *from = me ? c->high[1] : c->low[0], *to = me ? c->low[1] : c->high[0];

	*from = 1;
	for (; race_on(c->end, c->rounds[me]); c->rounds[me]++) {
		CHECK_EQ(uffd_move(fd, to, from, 1, 0, NULL), 0);
		CHECK_EQ(uffd_move(fd, from, to, 1, 0, NULL), 0);
	}
	CHECK_EQ(*from, 1);
}

TEST(t2_crossing, "T2-20 two movers between two tables, in opposite directions: no deadlock")
{
	const size_t span = 1024; /* pages: more than a table has on any format */
	u8 *area = mmap(NULL, 3 * span * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct crossing c = {.end = race_end(800)};

	CHECK(area != MAP_FAILED);
	fd = uffd_open(UFFDX_MOVE, 0);
	for (unsigned i = 0; i < 2; i++) {
		c.low[i] = area + i * P;
		c.high[i] = area + (2 * span + i) * P;
		*c.low[i] = *c.high[i] = 1; /* the tables are there */
	}
	CHECK_OK(madvise(area, 3 * span * P, MADV_DONTNEED));
	uffd_register(fd, area, 2, UFFDX_REGISTER_MISSING);
	uffd_register(fd, area + 2 * span * P, 2, UFFDX_REGISTER_MISSING);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(uffd_zero(fd, i ? c.high[1] : c.low[0], 1, 0, NULL), 0);
	crew_run(2, cross, &c);
	test_note("%llu and %llu rounds", (unsigned long long)c.rounds[0], (unsigned long long)c.rounds[1]);
}

/* -- T2-14, T2-21 --------------------------------------------------------------------------------------------------------- */

#define CREW 4
#define HALF 64

struct storm {
	u8 *memory; /* of each member two halves: every page of its lies in one of them */
	u64 end, moves, outs;
};

static void storm_member(unsigned me, void *arg)
{
	struct storm *s = arg;
	u8 *half[2] = {s->memory + (size_t)me * 2 * HALF * P, s->memory + ((size_t)me * 2 + 1) * HALF * P};
	u32 rng = suite_seed() + me * 919 + 3, value[HALF];
	u8 where[HALF] = {0};

	for (size_t i = 0; i < HALF; i++) {
		CHECK_EQ(uffd_zero(fd, half[0] + i * P, 1, 0, NULL), 0);
		value[i] = 0;
	}
	for (u64 round = 0; race_on(s->end, round); round++) {
		size_t i = rnd(&rng) % HALF, n = 1, other = rnd(&rng) % (CREW * 2 * HALF);
		volatile u32 *word = (volatile u32 *)(half[where[i]] + i * P);
		int64_t done;
		int err;

		switch (rnd(&rng) % 8) {
		case 0 ... 2:
			CHECK_EQ(word[0], value[i]);
			CHECK_EQ(word[1023], value[i]);
			word[0] = word[1023] = value[i] = rnd(&rng);
			break;
		case 3 ... 5:
			while (i + n < HALF && n < 16 && where[i + n] == where[i])
				n++;
			err = uffd_move(fd, half[!where[i]] + i * P, half[where[i]] + i * P, n, 0, &done);
			CHECK(err == 0 || err == EAGAIN || err == EBUSY);
			for (size_t k = 0; done > 0 && k < (size_t)done / P; k++)
				where[i + k] ^= 1;
			ADD(s->moves, done > 0 ? (u64)done / P : 0);
			break;
		default: /* anybody's */
			CHECK_OK(madvise(s->memory + other * P, P, MADV_PAGEOUT));
			ADD(s->outs, 1);
		}
	}
	for (size_t i = 0; i < HALF; i++)
		CHECK_EQ(*(volatile u32 *)(half[where[i]] + i * P), value[i]);
}

TEST_SECONDS(t2_storm,
             "T2-21 storm: moves against PAGEOUT of everybody's pages: nothing is lost, the reverse map is right", 120)
{
	struct storm s = {.memory = map_anon((size_t)CREW * 2 * HALF, RW)};
	int mm = mm_open();

	swap_begin(1024);
	fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(fd, s.memory, (size_t)CREW * 2 * HALF, UFFDX_REGISTER_MISSING);
	s.end = race_end(2000);
	crew_run(CREW, storm_member, &s);
	test_note("%llu pages moved, %llu paged out", (unsigned long long)s.moves, (unsigned long long)s.outs);
	CHECK_OP(s.moves, >, 0);
	if (mm >= 0)
		mm_audit_clean(mm, "after the storm");
	swap_end();
}
