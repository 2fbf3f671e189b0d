/*
 * t3_order.c - a secondary MMU in chosen orders: T3-03s, 04, 05, 15, 16, 17 (spec 4f).
 *
 * One side is held at a sync point while the device does its access.  What must not happen is the same in all of them: the
 * device uses a page that the address no longer shows, or that is somebody else's by now.
 */
#define _GNU_SOURCE
#include "t3.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define OLD 0x01d01d01u
#define NEW 0x2e32e32eu
#define A_WHILE_MS 200

static void drop_page(void *p)
{
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
}

static void remap_page(void *p)
{
	CHECK_OK(rfp(p, P, 0, 1, 0));
}

static void unmap_page(void *p)
{
	CHECK_OK(munmap(p, P));
}

static void store_page(void *p)
{
	*(volatile u32 *)p = NEW;
}

/* -- T3-03: the device uses the page in the middle of its removal ------------------------------------------------------------ */

struct scene {
	int mm, dev;
	struct puppet taker, user;
	struct device_access access;
	u8 *p;
};

static void scene_begin(struct scene *s)
{
	puppet_need(2);
	s->mm = mm_need();
	s->dev = device_open();
	s->p = map_anon(1, RW);
	s->access = (struct device_access){.dev = s->dev, .at = s->p};
	puppet_start(&s->taker, 1);
	puppet_start(&s->user, 2);
}

static void scene_end(struct scene *s)
{
	puppet_stop(&s->taker);
	puppet_stop(&s->user);
}

/* The taker is held at @point, the device loads, the taker goes on.  @before, @after: what it may see then, 0 or OLD */
static void use_at(struct scene *s, const char *point, bool old_is_fine)
{
	*word(s->p, 0) = OLD;
	CHECK_EQ(device_load(s->dev, s->p), OLD);
	mm_arm(s->mm, point, s->taker.tid);
	puppet_tell(&s->taker, drop_page, s->p);
	mm_await(s->mm, point);
	puppet_tell(&s->user, device_access_do, &s->access);
	(void)puppet_within(&s->user, A_WHILE_MS); /* it may have to wait for the end */
	mm_release(s->mm, point);
	CHECK_NOFAULT(puppet_wait(&s->taker));
	CHECK_NOFAULT(puppet_wait(&s->user));
	CHECK_EQ(s->access.error, 0);
	if (s->access.value != 0 && !(old_is_fine && s->access.value == OLD))
		FAIL("at %s the device saw %#x", point, s->access.value);
	if (device_load(s->dev, s->p) != 0)
		FAIL("after the end, the device having come at %s, it sees %#x", point, device_load(s->dev, s->p));
	mm_disarm(s->mm, point);
}

TEST(T3_03s, "T3-03s the device uses a page that is being dropped")
{
	struct scene s = {0};

	scene_begin(&s);
	use_at(&s, "notify-started", true);
	use_at(&s, "clear-before-flush", true);
	use_at(&s, "flush-before-free", false);
	use_at(&s, "flush-before-notify", true);
	scene_end(&s);
}

/* -- T3-04: the page goes between the device's look and its install --------------------------------------------------------------- */

static void change_before_install(struct scene *s, void (*change)(void *), u8 *p, u32 expect)
{
	u64 retries = device_stat(s->dev).retries;

	s->access.at = p;
	mm_arm(s->mm, "mirror-got-page", 0);
	puppet_tell(&s->user, device_access_do, &s->access);
	mm_await(s->mm, "mirror-got-page");
	change(p);
	mm_release(s->mm, "mirror-got-page");
	CHECK_NOFAULT(puppet_wait(&s->user));
	mm_disarm(s->mm, "mirror-got-page");
	if (expect == POISON) {
		CHECK_EQ(s->access.error, EFAULT);
	} else {
		CHECK_EQ(s->access.error, 0);
		CHECK_EQ(s->access.value, expect);
	}
	CHECK_OP(device_stat(s->dev).retries, >=, retries + 1);
}

TEST(T3_04, "T3-04 what was looked at is gone before it is installed")
{
	u8 *w = map_shared(tagged_memfd(2), 2, RW), *gone = map_anon(1, RW);
	struct scene s = {0};

	scene_begin(&s);
	*word(s.p, 0) = OLD;
	change_before_install(&s, drop_page, s.p, 0);
	change_before_install(&s, remap_page, w, 1);
	*word(gone, 0) = OLD;
	change_before_install(&s, unmap_page, gone, POISON);
	scene_end(&s);
}

/* What changes elsewhere in the same subscription is no reason to begin again. */
TEST(T3_04u, "T3-04u unrelated changes make nobody retry")
{
	u8 *other = map_anon(64, RW);
	struct scene s = {0};

	scene_begin(&s);
	*word(s.p, 0) = OLD;
	mm_arm(s.mm, "mirror-got-page", 0);
	puppet_tell(&s.user, device_access_do, &s.access);
	mm_await(s.mm, "mirror-got-page");
	for (u32 i = 0; i < 16; i++) {
		*word(other, i) = i;
		drop_page(other + i * P);
	}
	mm_release(s.mm, "mirror-got-page");
	CHECK_NOFAULT(puppet_wait(&s.user));
	CHECK_EQ(s.access.value, OLD);
	CHECK_EQ(device_stat(s.dev).retries, 0);
	scene_end(&s);
}

/* An acknowledging device has dropped its translation when the range is announced; it must not come back before the end. */
TEST(T3_04a, "T3-04a no install while the range is in flight")
{
	struct scene s = {0};

	scene_begin(&s);
	s.dev = s.access.dev = device_open_range(s.p, P, MIRROR_ACKNOWLEDGE, 0);
	*word(s.p, 0) = OLD;
	CHECK_EQ(device_load(s.dev, s.p), OLD);
	mm_arm(s.mm, "notify-started", s.taker.tid);
	puppet_tell(&s.taker, drop_page, s.p);
	mm_await(s.mm, "notify-started");
	CHECK_EQ(device_prot(s.dev, s.p), MIRROR_PROT_NONE);
	CHECK_EQ(device_stat(s.dev).in_flight, 1);
	puppet_tell(&s.user, device_access_do, &s.access);
	CHECK(!puppet_within(&s.user, A_WHILE_MS));
	mm_release(s.mm, "notify-started");
	CHECK_NOFAULT(puppet_wait(&s.taker));
	CHECK_NOFAULT(puppet_wait(&s.user));
	CHECK_EQ(s.access.error, 0);
	CHECK_EQ(s.access.value, 0);
	CHECK_EQ(device_load(s.dev, s.p), 0);
	CHECK_EQ(device_stat(s.dev).in_flight, 0);
	CHECK_EQ(device_stat(s.dev).starts, device_stat(s.dev).ends);
	scene_end(&s);
}

/* -- T3-05: the order, as the trace has it ------------------------------------------------------------------------------------- */

#define RECORDS 4096
#define EVENTS (1 << MM_TRACE_CLEAR | 1 << MM_TRACE_FLUSH | 1 << MM_TRACE_NOTIFY | 1 << MM_TRACE_FREE)

static struct mm_trace_record *trace_of(int mm, void (*fn)(void *), void *arg, u64 *count)
{
	struct mm_trace_record *records = malloc(RECORDS * sizeof(*records));
	struct mm_trace_control c = {.events = EVENTS, .clear = 1};
	struct mm_trace_read r = {.records = (uintptr_t)records, .max = RECORDS};

	memset(records, 0, RECORDS * sizeof(*records));
	CHECK_OK(ioctl(mm, MM_IOC_TRACE_CONTROL, &c));
	fn(arg);
	c = (struct mm_trace_control){0};
	CHECK_OK(ioctl(mm, MM_IOC_TRACE_CONTROL, &c));
	CHECK_OK(ioctl(mm, MM_IOC_TRACE_READ, &r));
	*count = r.count;
	return records;
}

static bool covers(const struct mm_trace_record *r, u64 va)
{
	return r->va <= va && va < r->new_entry;
}

/* clear < flush < notify [< free] for the page at @p, whatever else is in between. */
static void check_order(int mm, const char *what, void (*fn)(void *), u8 *p, bool frees)
{
	u64 n, pfn = mm_entry_at(mm, p, 0).pfn, va = (uintptr_t)p;
	struct mm_trace_record *r;
	int step = 0;

	r = trace_of(mm, fn, p, &n);
	for (u64 i = 0; i < n; i++) {
		if (r[i].event == MM_TRACE_CLEAR && r[i].pfn == pfn && r[i].va == va && step == 0)
			step = 1;
		else if (r[i].event == MM_TRACE_FLUSH && covers(&r[i], va) && step == 1)
			step = 2;
		else if (r[i].event == MM_TRACE_NOTIFY && covers(&r[i], va) && step == 2)
			step = 3;
		else if (r[i].event == MM_TRACE_FREE && r[i].pfn == pfn) {
			if (step != 3)
				FAIL("%s: the frame was freed after step %d", what, step);
			step = 4;
		}
	}
	if (step != (frees ? 4 : 3))
		FAIL("%s: only step %d of clear, flush, notify, free was seen in its order", what, step);
	free(r);
}

TEST(T3_05, "T3-05 clear, flush, notify, free: by the trace")
{
	int mm = mm_need(), dev = device_open();
	u8 *a = map_anon(2, RW), *w = map_shared(tagged_memfd(2), 2, RW);
	u8 *f = CHECK_OK(mmap(NULL, P, RW, MAP_PRIVATE, tagged_memfd(1), 0));

	for (u32 i = 0; i < 2; i++)
		device_store(dev, word(a, i), 1);
	device_store(dev, w, 1);
	CHECK_EQ(device_load(dev, f), 0);
	store_page(w + P); /* so that a remap finds it cached */
	check_order(mm, "madvise", drop_page, a, true);
	check_order(mm, "munmap", unmap_page, a + P, true);
	check_order(mm, "remap_file_pages", remap_page, w, false);
	check_order(mm, "copy on write", store_page, f, false);
}

/* -- T3-15: to subscribe in the middle of something ------------------------------------------------------------------------------ */

struct opener {
	int dev;
};

static void open_device(void *arg)
{
	struct opener *o = arg;

	STORE(o->dev, open("/dev/mirror", O_RDWR));
}

static void punch(void *arg)
{
	CHECK_OK(fallocate(*(int *)arg, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P));
}

TEST(T3_15, "T3-15 subscribe while a truncation is between clear and flush")
{
	int mm = mm_need(), fd = tagged_memfd(1);
	u8 *w = map_shared(fd, 1, RW);
	struct puppet taker = {0}, user = {0};
	struct opener o = {-1};

	puppet_need(2);
	if (access("/dev/mirror", F_OK))
		SKIP("no /dev/mirror");
	puppet_start(&taker, 1);
	puppet_start(&user, 2);
	*word(w, 0) = OLD;
	mm_arm(mm, "clear-before-flush", taker.tid);
	puppet_tell(&taker, punch, &fd);
	mm_await(mm, "clear-before-flush");
	puppet_tell(&user, open_device, &o);
	CHECK(!puppet_within(&user, A_WHILE_MS)); /* whoever does not know of us is waited for */
	mm_release(mm, "clear-before-flush");
	CHECK_NOFAULT(puppet_wait(&taker));
	CHECK_NOFAULT(puppet_wait(&user));
	CHECK(o.dev >= 0);
	CHECK_EQ(device_load(o.dev, w), 0);
	puppet_stop(&taker);
	puppet_stop(&user);
}

/* -- T3-16, T3-17: subscribers that sleep ------------------------------------------------------------------------------------------ */

TEST(T3_16, "T3-16 an acknowledgement that takes 100 ms")
{
	u8 *p = map_anon(1, RW), *q = map_anon(1, RW);
	int dev = device_open_range(p, P, MIRROR_ACKNOWLEDGE, 100000);
	struct puppet taker = {0};
	u64 began;
	unsigned others = 0;

	puppet_need(1);
	puppet_start(&taker, 1);
	*word(p, 0) = OLD;
	CHECK_EQ(device_load(dev, p), OLD);
	began = now_ns();
	puppet_tell(&taker, drop_page, p);
	while (now_ns() - began < 50000000) { /* who is not concerned goes on */
		*word(q, 0) = others++;
		drop_page(q);
	}
	CHECK_NOFAULT(puppet_wait(&taker));
	CHECK_OP(now_ns() - began, >=, 100000000);
	CHECK_OP(others, >, 5);
	CHECK_EQ(device_load(dev, p), 0);
	CHECK_EQ(device_stat(dev).starts, 1);
	CHECK_EQ(device_stat(dev).ends, 1);
	puppet_stop(&taker);
}

TEST(T3_17, "T3-17 who must not sleep leaves the entries alone")
{
	int mm = mm_need();
	u8 *p = map_anon(2, RW);
	int quick = device_open_range(p, 2 * P, MIRROR_ACKNOWLEDGE, 0);
	int slow = device_open_range(p, 2 * P, MIRROR_ACKNOWLEDGE, 1000);
	struct mm_range r = {.addr = (uintptr_t)p, .len = 2 * P};
	u64 pfn;

	for (u32 i = 0; i < 2; i++)
		*word(p, i) = OLD + i;
	CHECK_EQ(device_load(quick, p), OLD);
	CHECK_EQ(device_load(slow, p), OLD);
	pfn = mm_entry_at(mm, p, 0).pfn;
	CHECK_ERRNO(ioctl(mm, MM_IOC_REAP, &r), EAGAIN);
	CHECK_EQ(mm_entry_at(mm, p, 0).pfn, pfn);
	CHECK_EQ(*word(p, 1), OLD + 1);
	CHECK_EQ(device_stat(slow).refused, 1);
	CHECK_EQ(device_stat(slow).ends, 0);
	CHECK_EQ(device_stat(quick).starts, 1); /* whoever was told of the beginning is told of the end */
	CHECK_EQ(device_stat(quick).ends, 1);
	CHECK_EQ(device_stat(quick).in_flight, 0);
	CHECK_EQ(device_load(quick, p), OLD);
	close(slow);
	CHECK_OK(ioctl(mm, MM_IOC_REAP, &r));
	CHECK_EQ(device_load(quick, p), 0);
	CHECK_EQ(*word(p, 1), 0);
}
