/*
 * t2_huge_race.c - UFFDIO_MOVE of huge pages against whatever else is done to them, in chosen orders and as a storm.
 */
#define _GNU_SOURCE
#include "spans.h"
#include "t3.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct moving m;

/* -- orders ---------------------------------------------------------------------------------------------------------------------- */

/* What is done to the source while it moves, or first: on another CPU. */
struct other {
	void (*fn)(void *ctx);
	int result;
};

static void do_move(void *arg)
{
	*(int *)arg = moving_span(&m, m.dst, m.src, 0);
}

static void split_it(void *arg)
{
	struct other *o = arg;

	o->result = madvise(m.src + P, P, MADV_COLD); /* splits, and takes nothing away */
}

static void zap_it(void *arg)
{
	struct other *o = arg;

	o->result = madvise(m.src, m.size, MADV_DONTNEED);
}

static void pin_it(void *arg)
{
	struct edu_pin pin = {.addr = (uintptr_t)(m.src + 5 * P), .len = P, .flags = EDU_PIN_WRITE};
	struct other *o = arg;
	int edu = open("/dev/edu", O_RDWR);

	o->result = edu < 0 ? -1 : ioctl(edu, EDU_IOC_PIN, &pin); /* it stays open */
}

static void fork_it(void *arg)
{
	struct other *o = arg;
	pid_t pid = fork();

	if (pid == 0) {
		span_check(m.dst, 1); /* what it has is what was there before or after, never between */
		_exit(0);
	}
	join(pid);
	o->result = 0;
}

/* @first is held at @point, @second comes; it waits, for locks. */
static void meet(void (*first)(void *), void *a, void (*second)(void *), void *b, const char *point)
{
	struct puppet one = {0}, two = {0};

	m.mm = mm_need();
	puppet_need(2);
	moving_begin(&m, 1);
	puppet_start(&one, 1);
	puppet_start(&two, 2);
	mm_arm(m.mm, point, one.tid);
	puppet_tell(&one, first, a);
	mm_await(m.mm, point);
	puppet_tell(&two, second, b);
	CHECK(!puppet_within(&two, 20));
	mm_release(m.mm, point);
	CHECK_NOFAULT(puppet_wait(&one));
	CHECK_NOFAULT(puppet_wait(&two));
	mm_disarm(m.mm, point);
	puppet_stop(&one);
	puppet_stop(&two);
}

/* The move is held between the look at its source and the next step, the other comes. */
static void while_it_moves(void (*fn)(void *), const char *point)
{
	struct other o = {.result = -1};
	int err = -1;

	meet(do_move, &err, fn, &o, point);
	CHECK_EQ(err, 0);
	CHECK_EQ(o.result, 0);
	CHECK(moving_whole(&m, m.dst));
	span_check(m.dst, 1);
	moving_audit(&m, "both");
}

/* The other is held at @point, the move comes. */
static int while_it_is_held(void (*fn)(void *), const char *point)
{
	struct other o = {.result = -1};
	int err = -1;

	meet(fn, &o, do_move, &err, point);
	CHECK_EQ(o.result, 0);
	moving_audit(&m, "both");
	return err;
}

TEST(t2_huge_order_split, "T2-15s both orders: a huge page moves, and somebody splits it")
{
	while_it_moves(split_it, "move-judged");
	CHECK_EQ(while_it_is_held(split_it, "huge-split"), 0);
	CHECK(!moving_whole(&m, m.dst));
	span_check(m.dst, 1);
	CHECK_EQ(resident(m.src), 0);
}

TEST(t2_huge_order_zap, "T2-15s both orders: a huge page moves, and its source is given back")
{
	while_it_moves(zap_it, "move-judged");
	CHECK_EQ(while_it_is_held(zap_it, "clear-before-flush"), ENOENT);
	CHECK_EQ(resident(m.dst), 0);
}

TEST(t2_huge_order_pin, "T2-15s both orders: a huge page moves, and a device wants a page of it")
{
	if (access("/dev/edu", F_OK))
		SKIP("no /dev/edu");
	while_it_moves(pin_it, "move-judged");
	CHECK_EQ(mm_entry_at(m.mm, m.dst + 5 * P, 0).pins_w, 0); /* it got what was at the source then: a new page */
	CHECK_EQ(mm_entry_at(m.mm, m.src + 5 * P, 0).pins_w, 1);
	CHECK_EQ(while_it_is_held(pin_it, "pin-counted"), EBUSY);
	CHECK(moving_whole(&m, m.src));
	CHECK_EQ(mm_entry_at(m.mm, m.src + 5 * P, 0).pins_w, 1);
}

TEST(t2_huge_order_fork, "T2-15s a huge page moves, and the process is forked: the child has it at the new place")
{
	while_it_moves(fork_it, "move-cleared");
}

TEST(t2_huge_order_read,
     "T2-15s while a huge page is between its places nobody reaches it: who reads either waits (R2.1)")
{
	struct access at_src, at_dst;
	struct puppet mover = {0}, one = {0}, two = {0};
	int err = -1;

	m.mm = mm_need();
	puppet_need(3);
	moving_begin(&m, 1);
	at_src = (struct access){.at = word(m.src, 3)};
	at_dst = (struct access){.at = word(m.dst, 3)};
	puppet_start(&mover, 1);
	puppet_start(&one, 2);
	puppet_start(&two, 3);
	CHECK_NOFAULT(puppet_try(&one, &at_src)); /* its TLB knows */
	mm_arm(m.mm, "move-cleared", mover.tid);
	puppet_tell(&mover, do_move, &err);
	mm_await(m.mm, "move-cleared");
	puppet_access(&one, &at_src);
	puppet_access(&two, &at_dst);
	CHECK(!puppet_within(&one, 30) && !puppet_within(&two, 1));
	mm_release(m.mm, "move-cleared");
	CHECK_NOFAULT(puppet_wait(&mover));
	CHECK_NOFAULT(puppet_wait(&one));
	CHECK_NOFAULT(puppet_wait(&two));
	CHECK_EQ(err, 0);
	CHECK_EQ(at_src.value, 0);
	CHECK_EQ(at_dst.value, 4);
	mm_disarm(m.mm, "move-cleared");
	puppet_stop(&mover);
	puppet_stop(&one);
	puppet_stop(&two);
	moving_audit(&m, "read");
}

/* -- X-09 ------------------------------------------------------------------------------------------------------------------------ */

struct tearing {
	u64 end, moves, whole, splits, collapses;
	int dev;
	bool stop;
};

static void move_all_of_it(u8 *to, u8 *from, struct tearing *x)
{
	for (size_t at = 0; at < m.size;) {
		int64_t done;
		int err = uffd_move(m.fd, to + at, from + at, (m.size - at) / P, 0, &done);

		if (err)
			CHECK(err == EAGAIN || err == EBUSY);
		if (done > 0)
			at += (size_t)done;
	}
	x->moves++;
	x->whole += moving_whole(&m, to);
}

/* There, looked at, and back: who reads the source meanwhile puts zeros there, until it is registered. */
static void shuttle(struct tearing *x)
{
	for (u64 n = 0; race_on(x->end, n); n++) {
		move_all_of_it(m.dst, m.src, x);
		span_check(m.dst, 1);
		uffd_register(m.fd, m.src, m.pages, UFFDX_REGISTER_MISSING);
		CHECK_OK(madvise(m.src, m.size, MADV_DONTNEED));
		move_all_of_it(m.src, m.dst, x);
		uffd_unregister(m.fd, m.src, m.pages);
		span_check(m.src, 1);
		set_tag(m.src, n % m.pages, n % m.pages + 1);
	}
	STORE(x->stop, true);
}

static void device_looks(struct tearing *x, size_t i)
{
	u32 value;

	if (!device_try_load(x->dev, m.src + i * P, &value) && value && value != i + 1)
		FAIL("page %zu of the source has %u", i, value);
	if (!device_try_load(x->dev, m.dst + i * P, &value) && value != i + 1)
		FAIL("page %zu of the destination has %u", i, value);
}

static void tear(unsigned me, void *arg)
{
	struct tearing *x = arg;
	u32 rng = suite_seed() + me;

	if (!me)
		shuttle(x);
	while (!LOAD(x->stop)) {
		u8 *p = rnd(&rng) % 2 ? m.src : m.dst;

		if (me == 1) {
			CHECK_OK(madvise(p + rnd(&rng) % m.pages * P, P, MADV_COLD));
			x->splits++;
		} else if (me == 2) {
			if (!madvise(p, m.size, MADV_COLLAPSE))
				x->collapses++;
			else
				CHECK(errno == EAGAIN || errno == EINVAL || errno == ENOMEM || errno == EBUSY);
		} else {
			device_looks(x, rnd(&rng) % m.pages);
		}
	}
}

TEST(x_tearing,
     "X-09 storm: a huge page moves under a device, and is split and collapsed: deposits and content are right")
{
	struct tearing x = {.end = race_end(1500)};

	moving_begin(&m, 1);
	x.dev = device_open();
	crew_run(4, tear, &x);
	test_note("%llu moves, after %llu whole, %llu splits, %llu collapses", (unsigned long long)x.moves,
	          (unsigned long long)x.whole, (unsigned long long)x.splits, (unsigned long long)x.collapses);
	CHECK_OP(x.moves, >, 0);
	moving_audit(&m, "torn"); /* huge entries, their count and the deposits are the same number */
}
