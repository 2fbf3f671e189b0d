/*
 * t2_huge.c - UFFDIO_MOVE of huge pages: as one where they fit, in pages where not: T2-15, T2-16; pins, forks, devices,
 * write protection of them; in chosen orders and as a storm.
 */
#define _GNU_SOURCE
#include "spans.h"
#include "t3.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd, mm;
static size_t size, pages;
static u8 *dst, *src;

/* A huge page whose pages are tagged from 1 on, and @n registered spans where nothing is. */
static void begin(size_t n)
{
	mm = mm_open();
	size = span();
	pages = size / P;
	src = span_filled(1);
	dst = map_spans(n, true);
	fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(fd, dst, n * pages, UFFDX_REGISTER_MISSING);
}

static bool whole(const u8 *p)
{
	return mm >= 0 ? mm_entry_at(mm, p, 0).page & MM_PAGE_HUGE : huge_kb(p, 1) >= (long)(size >> 10);
}

static u64 frame(const u8 *p)
{
	return mm >= 0 ? mm_entry_at(mm, p, 0).pfn : 0;
}

static void audit(const char *when)
{
	if (mm >= 0)
		mm_audit_clean(mm, when);
}

static int move_span(u8 *to, u8 *from, u64 mode)
{
	int64_t done;
	int err = uffd_move(fd, to, from, pages, mode, &done);

	CHECK_EQ(done, err ? -err : (int64_t)size);
	return err;
}

/* -- T2-15: as one ------------------------------------------------------------------------------------------------ */

TEST(t2_huge_whole, "T2-15 MOVE of a huge page moves one entry: the same frames, no split; then it is like any other")
{
	long splits;
	u64 pfn;

	begin(1);
	splits = vmstat("thp_split_pmd");
	pfn = frame(src + 5 * P);
	CHECK_EQ(move_span(dst, src, 0), 0);
	CHECK(whole(dst));
	CHECK_EQ(vmstat("thp_split_pmd"), splits);
	CHECK_EQ(frame(dst + 5 * P), pfn);
	CHECK_EQ(resident(src), 0);
	if (mm >= 0)
		CHECK_EQ(mm_entry_at(mm, dst + 5 * P, 0).index, (uintptr_t)(dst + 5 * P) / P);
	audit("moved");
	span_check(dst, 1);
	CHECK_EQ(tag(src, 5), 0);
	CHECK_OK(mprotect(dst, size, PROT_READ));
	CHECK_ACCERR(try_write(dst + P, 1), dst + P);
	CHECK_OK(mprotect(dst, size, RW));
	CHECK(whole(dst));
	CHECK_OK(madvise(dst + 3 * P, P, MADV_DONTNEED)); /* its deposit came along: M8 */
	CHECK(!whole(dst));
	audit("split");
	CHECK_EQ(uffd_zero(fd, dst + 3 * P, 1, 0, NULL), 0);
	set_tag(dst, 3, 4);
	span_check(dst, 1);
	CHECK_OK(munmap(dst + size / 2, size / 2));
	CHECK_EQ(tag(dst, 7), 8);
	audit("unmapped");
}

static void answer_span(int ufd, const struct uffdx_msg *msg, void *ctx)
{
	(void)ctx;
	CHECK_EQ(ufd, fd);
	CHECK_OP(msg->pagefault.address, >=, (uintptr_t)dst);
	CHECK_EQ(move_span(dst, src, 0), 0);
}

TEST(t2_huge_fault, "T2-15 a fault answered by a whole huge page; it goes there and back, and tables are no obstacle")
{
	struct answerer a;

	begin(2);
	answer_start(&a, fd, answer_span, NULL);
	CHECK_EQ(tag(dst, 7), 8);
	answer_stop(&a);
	CHECK_EQ(a.count, 1);
	CHECK(whole(dst));
	uffd_register(fd, src, pages, UFFDX_REGISTER_MISSING);
	for (unsigned i = 0; i < 10; i++) {
		CHECK_EQ(move_span(i % 2 ? dst : src, i % 2 ? src : dst, 0), 0);
		CHECK(whole(i % 2 ? dst : src));
	}
	span_check(dst, 1);
	if (!on_pteron())
		return;
	CHECK_EQ(uffd_zero(fd, dst + size + 3 * P, 1, 0, NULL), 0);
	CHECK_EQ(uffd_move(fd, dst + size + 3 * P, dst, 1, 0, NULL), EEXIST);
	CHECK(whole(dst));
	CHECK_OK(madvise(dst + size, size, MADV_DONTNEED)); /* an empty table is left */
	CHECK_EQ(move_span(dst + size, dst, 0), 0);
	CHECK(whole(dst + size));
	span_check(dst + size, 1);
	audit("there and back");
}

TEST(t2_huge_zero, "T2-15 MOVE of the huge zero page moves it as that")
{
	begin(1);
	src = map_spans(1, true);
	CHECK_EQ(tag(src, 9), 0);
	CHECK_EQ(move_span(dst, src, 0), 0);
	CHECK_EQ(resident(src), 0);
	if (mm >= 0)
		CHECK(mm_entry_at(mm, dst + 9 * P, 0).special);
	CHECK(whole(dst) || !on_pteron());
	CHECK_EQ(tag(dst, 9), 0);
	set_tag(dst, 9, 1);
	CHECK_EQ(tag(dst, 8), 0);
	CHECK_EQ(tag(dst, 9), 1);
	audit("zeros moved");
}

/* -- T2-15: refused ------------------------------------------------------------------------------------------------------ */

TEST(t2_huge_occupied, "T2-15 MOVE onto a huge page: EEXIST, and both stay whole; so do COPY and ZEROPAGE")
{
	static u8 data[4096] __attribute__((aligned(4096)));
	u8 *taken;
	int64_t done;

	begin(1);
	taken = span_filled(1000);
	uffd_register(fd, taken, pages, UFFDX_REGISTER_MISSING);
	uffd_register(fd, src, pages, UFFDX_REGISTER_MISSING);
	CHECK_EQ(move_span(taken, src, 0), EEXIST);
	CHECK_EQ(uffd_move(fd, taken + 3 * P, src + P, 1, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	CHECK_EQ(move_span(src, src, 0), EEXIST);
	CHECK_EQ(uffd_copy(fd, taken + P, data, 1, 0, NULL), EEXIST);
	CHECK_EQ(uffd_zero(fd, taken + P, 1, 0, NULL), EEXIST);
	CHECK(whole(taken) && whole(src));
	span_check(taken, 1000);
	span_check(src, 1);
}

TEST(t2_huge_range, "T2-15 MOVE of several: up to the obstacle, EAGAIN and how far; then its errno; holes stay holes")
{
	int64_t done;

	begin(4);
	src = map_spans(4, true);
	for (size_t i = 0; i < 4; i++)
		if (i != 2)
			span_fill(src + i * size, i * 1000);
	CHECK_EQ(uffd_move(fd, dst, src, 4 * pages, 0, &done), EAGAIN);
	CHECK_EQ(done, 2 * (int64_t)size);
	CHECK_EQ(uffd_move(fd, dst + 2 * size, src + 2 * size, 2 * pages, 0, &done), ENOENT);
	CHECK_EQ(done, -ENOENT);
	CHECK_EQ(uffd_move(fd, dst + 2 * size, src + 2 * size, 2 * pages, UFFDX_MOVE_ALLOW_SRC_HOLES, &done), 0);
	CHECK_EQ(done, 2 * (int64_t)size);
	CHECK_EQ(resident(dst + 2 * size), 0);
	if (mm >= 0)
		CHECK(!mm_entry_at(mm, dst + 2 * size, 0).table); /* nothing was made for nothing */
	for (size_t i = 0; i < 4; i++) {
		if (i != 2) {
			CHECK(whole(dst + i * size));
			span_check(dst + i * size, i * 1000);
		}
	}
	audit("all of it");
}

static void shares(void *arg)
{
	int64_t done;

	(void)arg;
	span_check(src, 1);
	set_tag(src, 9, 50); /* the child's own page, of what is no huge page any more for it */
	CHECK_EQ(tag(src, 9), 50);
	CHECK_EQ(uffd_move(fd, dst, src, 1, 0, &done), EINVAL); /* not its context */
}

TEST(t2_huge_fork,
     "T2-15 MOVE of a huge page that a child has: EBUSY, and it stays whole; UNSHARE copies; or it is gone")
{
	int go[2], status;
	int64_t done;
	char c = 0;
	pid_t pid;

	begin(1);
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_EQ(read(go[0], &c, 1), 1);
		span_check(src, 1);
		_exit(0);
	}
	CHECK_EQ(move_span(dst, src, 0), EBUSY);
	CHECK_EQ(uffd_move(fd, dst + P, src + 3 * P, 2, 0, &done), EBUSY);
	CHECK_EQ(done, -EBUSY);
	CHECK(whole(src));
	if (on_pteron()) {
		CHECK_EQ(uffd_move(fd, dst, src, 2, UFFDX_MOVE_UNSHARE, &done), 0);
		CHECK_EQ(tag(dst, 1), 2);
		CHECK_EQ(uffd_move(fd, dst + 2 * P, src + 2 * P, 1, 0, &done), EBUSY);
	}
	CHECK_EQ(write(go[1], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	src = span_filled(1);
	dst = map_spans(1, true);
	uffd_register(fd, dst, pages, UFFDX_REGISTER_MISSING);
	in_child(shares, NULL);
	if (!on_pteron())
		set_tag(src, 0, 1); /* Linux does not look whether it is ours alone again; a store does */
	CHECK_EQ(move_span(dst, src, 0), 0);
	CHECK(whole(dst));
	span_check(dst, 1);
	audit("after the child");
}

TEST(t2_huge_pinned,
     "T2-15 MOVE of a huge page of which a device uses one page: EBUSY, the entry as it was; or with it")
{
	struct edu_pin pin;
	struct mm_entry before, after;
	int64_t done;
	int edu = open("/dev/edu", O_RDWR);

	mm = mm_need();
	if (edu < 0)
		SKIP("no /dev/edu");
	begin(2);
	pin = (struct edu_pin){.addr = (uintptr_t)(src + 5 * P), .len = P, .flags = EDU_PIN_WRITE | EDU_PIN_LONGTERM};
	CHECK_OK(ioctl(edu, EDU_IOC_PIN, &pin));
	before = mm_entry_at(mm, src + 5 * P, 0);
	CHECK_EQ(move_span(dst, src, 0), EBUSY);
	CHECK_EQ(uffd_move(fd, dst + size + P, src + 5 * P, 1, 0, &done), EBUSY); /* nor the page alone */
	after = mm_entry_at(mm, src + 5 * P, 0);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	CHECK(whole(src));
	CHECK_EQ(move_span(dst, src, UFFDX_MOVE_PINNED), 0);
	CHECK(whole(dst));
	CHECK_EQ(mm_entry_at(mm, dst + 5 * P, 0).pfn, before.pfn);
	CHECK_EQ(mm_entry_at(mm, dst + 5 * P, 0).pins_w, 1);
	CHECK_OK(close(edu));
	uffd_register(fd, dst + size, pages, UFFDX_REGISTER_MISSING);
	CHECK_EQ(move_span(dst + size, dst, 0), 0);
	CHECK(whole(dst + size));
	span_check(dst + size, 1);
	audit("unpinned");
}

/* -- T2-16: in pages ------------------------------------------------------------------------------------------------------- */

TEST(t2_huge_part,
     "T2-16 MOVE of a part of a huge page, and of all of it to where it does not fit: split, moved, the rest intact")
{
	u64 pfn;
	int64_t done;

	begin(2);
	pfn = frame(src + 3 * P);
	CHECK_EQ(uffd_move(fd, dst + P, src + 3 * P, 1, 0, &done), 0);
	CHECK_EQ(done, P);
	CHECK(!whole(src) && !whole(dst));
	CHECK_EQ(frame(dst + P), pfn);
	CHECK_EQ(tag(dst, 1), 4);
	CHECK_EQ(tag(src, 3), 0);
	set_tag(src, 3, 4);
	span_check(src, 1);
	audit("a page");
	src = span_filled(5000);
	CHECK_EQ(uffd_move(fd, dst + 2 * P, src, pages, 0, &done), 0); /* at another alignment */
	CHECK_EQ(done, (int64_t)size);
	CHECK(!whole(dst) && !whole(dst + size));
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(tag(dst, i + 2), 5000 + i);
	CHECK_EQ(tag(src, 0), 0);
	audit("all pages");
}

/* -- T2-23, T2-27 ---------------------------------------------------------------------------------------------------------------- */

TEST(t2_huge_wp, "T2-23 MOVE of a write-protected huge page: stores at its new place ask as before")
{
	struct toucher t;

	PTERON_ONLY();
	begin(1);
	fd = uffd_open(UFFDX_MOVE | UFFDX_PAGEFAULT_FLAG_WP, 0);
	dst = map_spans(1, true);
	uffd_register(fd, dst, pages, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	uffd_register(fd, src, pages, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(fd, src, pages, UFFDX_WRITEPROTECT_WP), 0);
	CHECK_EQ(move_span(dst, src, 0), 0);
	CHECK_EQ(tag(dst, 7), 8);
	touch_start(&t, dst + 7 * P, true, 9);
	uffd_expect(fd, dst + 7 * P, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
	CHECK_EQ(uffd_protect(fd, dst, pages, 0), 0);
	touch_end(&t);
	CHECK_EQ(dst[7 * P], 9);
	set_tag(dst, 7, 8);
	span_check(dst, 1);
	audit("released");
}

TEST(t2_huge_mirror, "T2-27 MOVE of a huge page under a device: it never reads the old frames at the old place")
{
	u32 value;
	int dev;

	begin(1);
	dev = device_open();
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(device_load(dev, src + i * P), i + 1); /* it has translations */
	CHECK_EQ(move_span(dst, src, 0), 0);
	for (size_t i = 0; i < pages; i++) {
		CHECK_EQ(device_try_load(dev, src + i * P, &value), 0);
		CHECK_EQ(value, 0);
		CHECK_EQ(device_load(dev, dst + i * P), i + 1);
	}
	device_store(dev, dst + 9 * P, 99);
	CHECK_EQ(*word(dst, 9), 99);
	CHECK(whole(dst));
}

/* -- orders ---------------------------------------------------------------------------------------------------------------------- */

/* What is done to the source while it moves, or first: on another CPU. */
struct other {
	void (*fn)(void *ctx);
	int result;
};

static void do_move(void *arg)
{
	*(int *)arg = move_span(dst, src, 0);
}

static void split_it(void *arg)
{
	struct other *o = arg;

	o->result = madvise(src + P, P, MADV_COLD); /* splits, and takes nothing away */
}

static void zap_it(void *arg)
{
	struct other *o = arg;

	o->result = madvise(src, size, MADV_DONTNEED);
}

static void pin_it(void *arg)
{
	struct edu_pin pin = {.addr = (uintptr_t)(src + 5 * P), .len = P, .flags = EDU_PIN_WRITE};
	struct other *o = arg;
	int edu = open("/dev/edu", O_RDWR);

	o->result = edu < 0 ? -1 : ioctl(edu, EDU_IOC_PIN, &pin); /* it stays open */
}

static void fork_it(void *arg)
{
	struct other *o = arg;
	pid_t pid = fork();

	if (pid == 0) {
		span_check(dst, 1); /* what it has is what was there before or after, never between */
		_exit(0);
	}
	join(pid);
	o->result = 0;
}

/* The move is held between the look at its source and the next step, @o comes; it waits, for locks. */
static void while_it_moves(void (*fn)(void *), const char *point)
{
	struct puppet mover = {0}, second = {0};
	struct other o = {.result = -1};
	int err = -1;

	mm = mm_need();
	puppet_need(2);
	begin(1);
	puppet_start(&mover, 1);
	puppet_start(&second, 2);
	mm_arm(mm, point, mover.tid);
	puppet_tell(&mover, do_move, &err);
	mm_await(mm, point);
	puppet_tell(&second, fn, &o);
	CHECK(!puppet_within(&second, 20));
	mm_release(mm, point);
	CHECK_NOFAULT(puppet_wait(&mover));
	CHECK_NOFAULT(puppet_wait(&second));
	mm_disarm(mm, point);
	CHECK_EQ(err, 0);
	CHECK_EQ(o.result, 0);
	CHECK(whole(dst));
	span_check(dst, 1);
	puppet_stop(&mover);
	puppet_stop(&second);
	audit("both");
}

/* The other is held at @point, the move comes. */
static int while_it_is_held(void (*fn)(void *), const char *point, bool waits)
{
	struct puppet mover = {0}, first = {0};
	struct other o = {.result = -1};
	int err = -1;

	mm = mm_need();
	puppet_need(2);
	begin(1);
	puppet_start(&mover, 1);
	puppet_start(&first, 2);
	mm_arm(mm, point, first.tid);
	puppet_tell(&first, fn, &o);
	mm_await(mm, point);
	puppet_tell(&mover, do_move, &err);
	CHECK_EQ(puppet_within(&mover, waits ? 20 : 4000), !waits);
	mm_release(mm, point);
	CHECK_NOFAULT(puppet_wait(&mover));
	CHECK_NOFAULT(puppet_wait(&first));
	mm_disarm(mm, point);
	CHECK_EQ(o.result, 0);
	puppet_stop(&mover);
	puppet_stop(&first);
	audit("both");
	return err;
}

TEST(t2_huge_order_split, "T2-15s both orders: a huge page moves, and somebody splits it")
{
	while_it_moves(split_it, "move-judged");
	CHECK_EQ(while_it_is_held(split_it, "huge-split", true), 0);
	CHECK(!whole(dst));
	span_check(dst, 1);
	CHECK_EQ(resident(src), 0);
}

TEST(t2_huge_order_zap, "T2-15s both orders: a huge page moves, and its source is given back")
{
	while_it_moves(zap_it, "move-judged");
	CHECK_EQ(while_it_is_held(zap_it, "clear-before-flush", false), ENOENT);
	CHECK_EQ(resident(dst), 0);
}

TEST(t2_huge_order_pin, "T2-15s both orders: a huge page moves, and a device wants a page of it")
{
	if (access("/dev/edu", F_OK))
		SKIP("no /dev/edu");
	while_it_moves(pin_it, "move-judged");
	CHECK_EQ(mm_entry_at(mm, dst + 5 * P, 0).pins_w, 0); /* it got what was at the source then: a new page */
	CHECK_EQ(mm_entry_at(mm, src + 5 * P, 0).pins_w, 1);
	CHECK_EQ(while_it_is_held(pin_it, "pin-counted", true), EBUSY);
	CHECK(whole(src));
	CHECK_EQ(mm_entry_at(mm, src + 5 * P, 0).pins_w, 1);
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

	mm = mm_need();
	puppet_need(3);
	begin(1);
	at_src = (struct access){.at = word(src, 3)};
	at_dst = (struct access){.at = word(dst, 3)};
	puppet_start(&mover, 1);
	puppet_start(&one, 2);
	puppet_start(&two, 3);
	CHECK_NOFAULT(puppet_try(&one, &at_src)); /* its TLB knows */
	mm_arm(mm, "move-cleared", mover.tid);
	puppet_tell(&mover, do_move, &err);
	mm_await(mm, "move-cleared");
	puppet_access(&one, &at_src);
	puppet_access(&two, &at_dst);
	CHECK(!puppet_within(&one, 30) && !puppet_within(&two, 1));
	mm_release(mm, "move-cleared");
	CHECK_NOFAULT(puppet_wait(&mover));
	CHECK_NOFAULT(puppet_wait(&one));
	CHECK_NOFAULT(puppet_wait(&two));
	CHECK_EQ(err, 0);
	CHECK_EQ(at_src.value, 0);
	CHECK_EQ(at_dst.value, 4);
	mm_disarm(mm, "move-cleared");
	puppet_stop(&mover);
	puppet_stop(&one);
	puppet_stop(&two);
	audit("read");
}

/* -- X-09 ------------------------------------------------------------------------------------------------------------------------ */

struct tearing {
	u64 end, moves, whole, splits, collapses;
	int dev;
	bool stop;
};

static void move_all_of_it(u8 *to, u8 *from, struct tearing *x)
{
	for (size_t at = 0; at < size;) {
		int64_t done;
		int err = uffd_move(fd, to + at, from + at, (size - at) / P, 0, &done);

		if (err)
			CHECK(err == EAGAIN || err == EBUSY);
		if (done > 0)
			at += (size_t)done;
	}
	x->moves++;
	x->whole += whole(to);
}

/* There, looked at, and back: who reads the source meanwhile puts zeros there, until it is registered. */
static void shuttle(struct tearing *x)
{
	for (u64 n = 0; race_on(x->end, n); n++) {
		move_all_of_it(dst, src, x);
		span_check(dst, 1);
		uffd_register(fd, src, pages, UFFDX_REGISTER_MISSING);
		CHECK_OK(madvise(src, size, MADV_DONTNEED));
		move_all_of_it(src, dst, x);
		uffd_unregister(fd, src, pages);
		span_check(src, 1);
		set_tag(src, n % pages, n % pages + 1);
	}
	STORE(x->stop, true);
}

static void device_looks(struct tearing *x, size_t i)
{
	u32 value;

	if (!device_try_load(x->dev, src + i * P, &value) && value && value != i + 1)
		FAIL("page %zu of the source has %u", i, value);
	if (!device_try_load(x->dev, dst + i * P, &value) && value != i + 1)
		FAIL("page %zu of the destination has %u", i, value);
}

static void tear(unsigned me, void *arg)
{
	struct tearing *x = arg;
	u32 rng = suite_seed() + me;

	if (!me)
		shuttle(x);
	while (!LOAD(x->stop)) {
		u8 *p = rnd(&rng) % 2 ? src : dst;

		if (me == 1) {
			CHECK_OK(madvise(p + rnd(&rng) % pages * P, P, MADV_COLD));
			x->splits++;
		} else if (me == 2) {
			if (!madvise(p, size, MADV_COLLAPSE))
				x->collapses++;
			else
				CHECK(errno == EAGAIN || errno == EINVAL || errno == ENOMEM || errno == EBUSY);
		} else {
			device_looks(x, rnd(&rng) % pages);
		}
	}
}

TEST(x_tearing,
     "X-09 storm: a huge page moves under a device, and is split and collapsed: deposits and content are right")
{
	struct tearing x = {.end = race_end(1500)};

	begin(1);
	x.dev = device_open();
	crew_run(4, tear, &x);
	test_note("%llu moves, after %llu whole, %llu splits, %llu collapses", (unsigned long long)x.moves,
	          (unsigned long long)x.whole, (unsigned long long)x.splits, (unsigned long long)x.collapses);
	CHECK_OP(x.moves, >, 0);
	audit("torn"); /* huge entries, their count and the deposits are the same number */
}
