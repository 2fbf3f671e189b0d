/*
 * thp.c - huge pages of anonymous memory: T4-14, T1-23, T3-22, and the calls on memory that has them.
 *
 * Whether a range has huge pages is what smaps says (AnonHugePages), here as on Linux.
 */
#define _GNU_SOURCE
#include "spans.h"
#include "swap.h"
#include "t3.h"
#include "threads.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <unistd.h>

/* -- faults -------------------------------------------------------------------------------------------------------------- */

TEST(thp_fault, "thp.fault one store makes a huge page, one load the zero page")
{
	size_t size = span();
	u8 *p = map_spans(2, true);

	CHECK_EQ(tag(p, 5), 0);
	CHECK_EQ(smaps_kb(p, size, "Rss"), 0);
	set_tag(p, 7, 1);
	CHECK_EQ(huge_kb(p, size), (long)(size >> 10));
	CHECK_OP(meminfo_kb("AnonHugePages"), >=, (long)(size >> 10));
	CHECK_EQ(smaps_kb(p, size, "Rss"), (long)(size >> 10));
	for (size_t i = 0; i < size / P; i++)
		CHECK_EQ(tag(p, i), i == 7);
	CHECK_OK(madvise(p, size, MADV_DONTNEED));
	CHECK_EQ(smaps_kb(p, 2 * size, "Rss"), 0);
	CHECK_EQ(tag(p, 7), 0);
	p = map_spans(1, false);
	set_tag(p, 0, 1);
	CHECK_EQ(huge_kb(p, size), 0);
}

/* -- parts ------------------------------------------------------------------------------------------------------------------ */

TEST(thp_parts, "thp.parts of a huge page are given back, protected, unmapped; the rest stays")
{
	size_t size = span(), n = size / P;
	u8 *p = span_filled(100);

	CHECK_OK(madvise(p + 3 * P, P, MADV_DONTNEED));
	CHECK_EQ(huge_kb(p, size), 0);
	CHECK_EQ(smaps_kb(p, size, "Rss"), (long)((size - P) >> 10));
	CHECK_EQ(tag(p, 3), 0);
	set_tag(p, 3, 103);
	span_check(p, 100);
	CHECK_OK(munmap(p, size));
	p = span_filled(200);
	CHECK_OK(mprotect(p + size / 2, size / 2, PROT_READ));
	CHECK_ACCERR(try_write(p + size / 2, 1), p + size / 2);
	CHECK_NOFAULT(try_write64(p + size / 2 - P, 200 + n / 2 - 1));
	span_check(p, 200);
	CHECK_OK(munmap(p + size / 2, size / 2));
	CHECK_MAPERR(try_read(p + size / 2), p + size / 2);
	CHECK_EQ(tag(p, n / 2 - 1), 200 + n / 2 - 1);
}

TEST(thp_protect, "thp.protect all of a huge page: it stays one")
{
	size_t size = span();
	u8 *p = span_filled(1);

	CHECK_OK(mprotect(p, size, PROT_NONE));
	CHECK_ACCERR(try_read(p + P), p + P);
	CHECK_OK(mprotect(p, size, PROT_READ));
	CHECK_ACCERR(try_write(p + P, 1), p + P);
	span_check(p, 1);
	CHECK_OK(mprotect(p, size, RW));
	span_fill(p, 2);
	span_check(p, 2);
	CHECK_EQ(huge_kb(p, size), (long)(size >> 10));
}

/* -- fork, mremap --------------------------------------------------------------------------------------------------------------- */

static void child_stores(void *arg)
{
	u8 *p = arg;

	span_check(p, 1);
	CHECK_EQ(huge_kb(p, span()), (long)(span() >> 10));
	span_fill(p, 50);
	span_check(p, 50);
}

TEST(thp_fork, "thp.fork both have it, and neither sees the other's stores")
{
	u8 *p = span_filled(1);

	in_child(child_stores, p);
	span_check(p, 1);
	span_fill(p, 2);
	CHECK_EQ(huge_kb(p, span()), (long)(span() >> 10)); /* the last one that has it keeps it */
	span_check(p, 2);
}

TEST(thp_mremap, "thp.mremap moves it whole where it fits, in pages where not")
{
	size_t size = span();
	u8 *p = span_filled(1), *to = map_spans(2, true);

	CHECK(CHECK_OK(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to)) == to);
	CHECK_EQ(huge_kb(to, size), (long)(size >> 10));
	span_check(to, 1);
	CHECK_MAPERR(try_read(p), p);
	CHECK(CHECK_OK(mremap(to, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, p + P)) == p + P);
	CHECK_EQ(huge_kb(p + P, size), 0);
	span_check(p + P, 1);
}

/* -- collapse -------------------------------------------------------------------------------------------------------------------- */

TEST(thp_collapse, "thp.collapse base pages become a huge one, on request")
{
	size_t size = span();
	u8 *p = map_spans(1, false), *file;

	CHECK_ERRNO(madvise(p, size, MADV_COLLAPSE), EINVAL); /* NOHUGEPAGE */
	span_fill(p, 1);
	CHECK_EQ(huge_kb(p, size), 0);
	CHECK_OK(madvise(p, size, MADV_HUGEPAGE));
	CHECK_OK(madvise(p, size, MADV_COLLAPSE));
	CHECK_EQ(huge_kb(p, size), (long)(size >> 10));
	span_check(p, 1);
	span_fill(p, 2);
	CHECK_OK(madvise(p, size, MADV_COLLAPSE));
	span_check(p, 2);
	CHECK_ERRNO(madvise(p + 1, size, MADV_COLLAPSE), EINVAL);
	CHECK_OK(munmap(p, size));
	CHECK_ERRNO(madvise(p, size, MADV_COLLAPSE), ENOMEM);
	if (!on_pteron())
		return;
	file = map_shared(tagged_memfd(size / P), size / P, RW);
	CHECK_ERRNO(madvise(file, size, MADV_COLLAPSE), EINVAL); /* anonymous memory only */
}

/* -- out to swap -------------------------------------------------------------------------------------------------------------------- */

TEST(thp_pageout, "thp.pageout a huge page goes to swap page by page, and comes back")
{
	size_t size = span();
	u8 *p;

	swap_begin((u32)(2 * size / P));
	p = span_filled(1000);
	CHECK_OK(madvise(p, size, MADV_PAGEOUT));
	CHECK_EQ(huge_kb(p, size), 0);
	CHECK_OP(smaps_kb(p, size, "Swap"), >, (long)(size >> 11));
	span_check(p, 1000);
	CHECK_OK(munmap(p, size));
	swap_end();
}

/* -- T1-23 ---------------------------------------------------------------------------------------------------------------------------- */

static struct edu_stat edu_at(int edu, const volatile void *p)
{
	struct edu_stat st = {.addr = (uintptr_t)p};

	CHECK_OK(ioctl(edu, EDU_IOC_STAT, &st));
	return st;
}

TEST(t1_23, "T1-23 a pin on one page of a huge one: it may be split, the page stays, counts are each page's")
{
	int edu = open("/dev/edu", O_RDWR), mm = mm_open();
	size_t size = span();
	u8 *p = span_filled(1);
	struct edu_pin pin = {.addr = (uintptr_t)(p + 5 * P), .len = P, .flags = EDU_PIN_WRITE};
	struct edu_unpin un;
	u64 pfn;

	if (edu < 0 || mm < 0)
		SKIP("needs /dev/edu and /dev/mm");
	CHECK_OK(ioctl(edu, EDU_IOC_PIN, &pin));
	pfn = mm_entry_at(mm, p + 5 * P, 0).pfn;
	CHECK_EQ(edu_at(edu, p + 5 * P).pins_w, 1);
	CHECK_EQ(edu_at(edu, p + 4 * P).pins_w, 0);
	CHECK_OK(madvise(p + 4 * P, P, MADV_DONTNEED));
	CHECK_OK(mprotect(p, size / 2, PROT_READ));
	CHECK_OK(mprotect(p, size / 2, RW));
	CHECK_ERRNO(madvise(p, size, MADV_COLLAPSE), EAGAIN);
	CHECK_EQ(mm_entry_at(mm, p + 5 * P, 0).pfn, pfn);
	CHECK_EQ(edu_at(edu, p + 5 * P).pins_w, 1);
	CHECK_EQ(tag(p, 5), 6);
	mm_audit_clean(mm, "with a pinned part");
	un = (struct edu_unpin){.id = pin.id};
	CHECK_OK(ioctl(edu, EDU_IOC_UNPIN, &un));
	CHECK_OK(madvise(p, size, MADV_COLLAPSE));
	CHECK_EQ(huge_kb(p, size), (long)(size >> 10));
	CHECK_EQ(tag(p, 5), 6);
	mm_audit_clean(mm, "collapsed");
}

/* -- T3-22 ---------------------------------------------------------------------------------------------------------------------------- */

static void device_sees(int dev, u8 *p, size_t first, size_t last)
{
	for (size_t i = first; i < last; i++)
		CHECK_EQ(device_load(dev, word(p, i)), *word(p, i));
}

TEST(t3_22, "T3-22 a device's translations follow: split, collapse, partial unmap leave no hole")
{
	int dev = device_open(), mm = mm_open();
	size_t size = span(), n = size / P;
	u8 *p = span_filled(1);
	u32 value;

	device_sees(dev, p, 0, n);
	device_store(dev, word(p, 9), 90);
	CHECK_EQ(*word(p, 9), 90);
	CHECK_OK(madvise(p + 3 * P, P, MADV_DONTNEED)); /* split */
	set_tag(p, 3, 33);
	device_sees(dev, p, 0, n);
	CHECK_OK(madvise(p, size, MADV_COLLAPSE));
	set_tag(p, 4, 44);
	device_sees(dev, p, 0, n);
	device_store(dev, word(p, n - 1), 91);
	CHECK_EQ(*word(p, n - 1), 91);
	CHECK_OK(munmap(p + size / 2, size / 2));
	CHECK_EQ(device_try_load(dev, word(p, n / 2), &value), EFAULT);
	device_sees(dev, p, 0, n / 2);
	if (mm >= 0)
		mm_audit_clean(mm, "with a device");
}

/* -- T4-14 ----------------------------------------------------------------------------------------------------------------------------- */

struct tearing {
	u8 *p;
	u64 end, rounds, splits;
	bool stop;
	u32 lost;
};

/* Everybody counts in words of his own; number 0 splits and collapses underneath. */
static void tear(struct tearing *x)
{
	size_t size = span();

	while (race_on(x->end, x->rounds++)) {
		CHECK_OK(madvise(x->p + size - P, P, MADV_DONTNEED)); /* nobody counts there */
		x->splits++;
		(void)*(volatile u8 *)(x->p + size - P);
		if (madvise(x->p, size, MADV_COLLAPSE))
			CHECK_EQ(errno, EAGAIN);
	}
	STORE(x->stop, true);
}

static void member(unsigned me, void *arg)
{
	struct tearing *x = arg;
	size_t pages = span() / P - 1;
	u32 state = me + 1;

	if (me == 0) {
		tear(x);
		return;
	}
	while (!LOAD(x->stop)) {
		volatile u32 *at = word(x->p, rnd(&state) % pages) + me;
		u32 was = *at;

		*at = was + 1;
		if (*at != was + 1)
			ADD(x->lost, 1);
	}
}

TEST(t4_14, "T4-14 split and collapse under faulting threads: nothing is lost")
{
	struct tearing x = {.p = span_filled(0), .end = race_end(400)};
	int mm = mm_open();

	crew_run(4, member, &x);
	CHECK_EQ(x.lost, 0);
	CHECK_OP(x.splits, >, 0);
	if (mm >= 0)
		mm_audit_clean(mm, "torn");
}
