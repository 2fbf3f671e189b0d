/*
 * t2_huge.c - UFFDIO_MOVE of huge pages: as one where they fit, in pages where not: T2-15, T2-16; pins, forks, devices, write
 * protection of them.  Races: t2_huge_race.c.
 */
#define _GNU_SOURCE
#include "spans.h"
#include "t3.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct moving m;

/* -- T2-15: as one ------------------------------------------------------------------------------------------------ */

TEST(t2_huge_whole, "T2-15 MOVE of a huge page moves one entry: the same frames, no split; then it is like any other")
{
	long splits;
	u64 pfn;

	moving_begin(&m, 1);
	splits = vmstat("thp_split_pmd");
	pfn = moving_frame(&m, m.src + 5 * P);
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), 0);
	CHECK(moving_whole(&m, m.dst));
	CHECK_EQ(vmstat("thp_split_pmd"), splits);
	CHECK_EQ(moving_frame(&m, m.dst + 5 * P), pfn);
	CHECK_EQ(resident(m.src), 0);
	if (m.mm >= 0)
		CHECK_EQ(mm_entry_at(m.mm, m.dst + 5 * P, 0).index, (uintptr_t)(m.dst + 5 * P) / P);
	moving_audit(&m, "moved");
	span_check(m.dst, 1);
	CHECK_EQ(tag(m.src, 5), 0);
	CHECK_OK(mprotect(m.dst, m.size, PROT_READ));
	CHECK_ACCERR(try_write(m.dst + P, 1), m.dst + P);
	CHECK_OK(mprotect(m.dst, m.size, RW));
	CHECK(moving_whole(&m, m.dst));
	CHECK_OK(madvise(m.dst + 3 * P, P, MADV_DONTNEED)); /* its deposit came along: M8 */
	CHECK(!moving_whole(&m, m.dst));
	moving_audit(&m, "split");
	CHECK_EQ(uffd_zero(m.fd, m.dst + 3 * P, 1, 0, NULL), 0);
	set_tag(m.dst, 3, 4);
	span_check(m.dst, 1);
	CHECK_OK(munmap(m.dst + m.size / 2, m.size / 2));
	CHECK_EQ(tag(m.dst, 7), 8);
	moving_audit(&m, "unmapped");
}

static void answer_span(int ufd, const struct uffdx_msg *msg, void *ctx)
{
	(void)ctx;
	CHECK_EQ(ufd, m.fd);
	CHECK_OP(msg->pagefault.address, >=, (uintptr_t)m.dst);
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), 0);
}

TEST(t2_huge_fault, "T2-15 a fault answered by a whole huge page; it goes there and back, and tables are no obstacle")
{
	struct answerer a;

	moving_begin(&m, 2);
	answer_start(&a, m.fd, answer_span, NULL);
	CHECK_EQ(tag(m.dst, 7), 8);
	answer_stop(&a);
	CHECK_EQ(a.count, 1);
	CHECK(moving_whole(&m, m.dst));
	uffd_register(m.fd, m.src, m.pages, UFFDX_REGISTER_MISSING);
	for (unsigned i = 0; i < 10; i++) {
		CHECK_EQ(moving_span(&m, i % 2 ? m.dst : m.src, i % 2 ? m.src : m.dst, 0), 0);
		CHECK(moving_whole(&m, i % 2 ? m.dst : m.src));
	}
	span_check(m.dst, 1);
	if (!on_pteron())
		return;
	CHECK_EQ(uffd_zero(m.fd, m.dst + m.size + 3 * P, 1, 0, NULL), 0);
	CHECK_EQ(uffd_move(m.fd, m.dst + m.size + 3 * P, m.dst, 1, 0, NULL), EEXIST);
	CHECK(moving_whole(&m, m.dst));
	CHECK_OK(madvise(m.dst + m.size, m.size, MADV_DONTNEED)); /* an empty table is left */
	CHECK_EQ(moving_span(&m, m.dst + m.size, m.dst, 0), 0);
	CHECK(moving_whole(&m, m.dst + m.size));
	span_check(m.dst + m.size, 1);
	moving_audit(&m, "there and back");
}

TEST(t2_huge_zero, "T2-15 MOVE of the huge zero page moves it as that")
{
	moving_begin(&m, 1);
	m.src = map_spans(1, true);
	CHECK_EQ(tag(m.src, 9), 0);
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), 0);
	CHECK_EQ(resident(m.src), 0);
	if (m.mm >= 0)
		CHECK(mm_entry_at(m.mm, m.dst + 9 * P, 0).special);
	CHECK(moving_whole(&m, m.dst) || !on_pteron());
	CHECK_EQ(tag(m.dst, 9), 0);
	set_tag(m.dst, 9, 1);
	CHECK_EQ(tag(m.dst, 8), 0);
	CHECK_EQ(tag(m.dst, 9), 1);
	moving_audit(&m, "zeros moved");
}

/* -- T2-15: refused ------------------------------------------------------------------------------------------------------ */

TEST(t2_huge_occupied, "T2-15 MOVE onto a huge page: EEXIST, and both stay whole; so do COPY and ZEROPAGE")
{
	static u8 data[4096] __attribute__((aligned(4096)));
	u8 *taken;
	int64_t done;

	moving_begin(&m, 1);
	taken = span_filled(1000);
	uffd_register(m.fd, taken, m.pages, UFFDX_REGISTER_MISSING);
	uffd_register(m.fd, m.src, m.pages, UFFDX_REGISTER_MISSING);
	CHECK_EQ(moving_span(&m, taken, m.src, 0), EEXIST);
	CHECK_EQ(uffd_move(m.fd, taken + 3 * P, m.src + P, 1, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	CHECK_EQ(moving_span(&m, m.src, m.src, 0), EEXIST);
	CHECK_EQ(uffd_copy(m.fd, taken + P, data, 1, 0, NULL), EEXIST);
	CHECK_EQ(uffd_zero(m.fd, taken + P, 1, 0, NULL), EEXIST);
	CHECK(moving_whole(&m, taken) && moving_whole(&m, m.src));
	span_check(taken, 1000);
	span_check(m.src, 1);
}

TEST(t2_huge_range, "T2-15 MOVE of several: up to the obstacle, EAGAIN and how far; then its errno; holes stay holes")
{
	int64_t done;

	moving_begin(&m, 4);
	m.src = map_spans(4, true);
	for (size_t i = 0; i < 4; i++)
		if (i != 2)
			span_fill(m.src + i * m.size, i * 1000);
	CHECK_EQ(uffd_move(m.fd, m.dst, m.src, 4 * m.pages, 0, &done), EAGAIN);
	CHECK_EQ(done, 2 * (int64_t)m.size);
	CHECK_EQ(uffd_move(m.fd, m.dst + 2 * m.size, m.src + 2 * m.size, 2 * m.pages, 0, &done), ENOENT);
	CHECK_EQ(done, -ENOENT);
	CHECK_EQ(uffd_move(m.fd, m.dst + 2 * m.size, m.src + 2 * m.size, 2 * m.pages, UFFDX_MOVE_ALLOW_SRC_HOLES, &done),
	         0);
	CHECK_EQ(done, 2 * (int64_t)m.size);
	CHECK_EQ(resident(m.dst + 2 * m.size), 0);
	if (m.mm >= 0)
		CHECK(!mm_entry_at(m.mm, m.dst + 2 * m.size, 0).table); /* nothing was made for nothing */
	for (size_t i = 0; i < 4; i++) {
		if (i != 2) {
			CHECK(moving_whole(&m, m.dst + i * m.size));
			span_check(m.dst + i * m.size, i * 1000);
		}
	}
	moving_audit(&m, "all of it");
}

static void shares(void *arg)
{
	int64_t done;

	(void)arg;
	span_check(m.src, 1);
	set_tag(m.src, 9, 50); /* the child's own page, of what is no huge page any more for it */
	CHECK_EQ(tag(m.src, 9), 50);
	CHECK_EQ(uffd_move(m.fd, m.dst, m.src, 1, 0, &done), EINVAL); /* not its context */
}

TEST(t2_huge_fork,
     "T2-15 MOVE of a huge page that a child has: EBUSY, and it stays whole; UNSHARE copies; or it is gone")
{
	int go[2], status;
	int64_t done;
	char c = 0;
	pid_t pid;

	moving_begin(&m, 1);
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_EQ(read(go[0], &c, 1), 1);
		span_check(m.src, 1);
		_exit(0);
	}
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), EBUSY);
	CHECK_EQ(uffd_move(m.fd, m.dst + P, m.src + 3 * P, 2, 0, &done), EBUSY);
	CHECK_EQ(done, -EBUSY);
	CHECK(moving_whole(&m, m.src));
	if (on_pteron()) {
		CHECK_EQ(uffd_move(m.fd, m.dst, m.src, 2, UFFDX_MOVE_UNSHARE, &done), 0);
		CHECK_EQ(tag(m.dst, 1), 2);
		CHECK_EQ(uffd_move(m.fd, m.dst + 2 * P, m.src + 2 * P, 1, 0, &done), EBUSY);
	}
	CHECK_EQ(write(go[1], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	m.src = span_filled(1);
	m.dst = map_spans(1, true);
	uffd_register(m.fd, m.dst, m.pages, UFFDX_REGISTER_MISSING);
	in_child(shares, NULL);
	if (!on_pteron())
		set_tag(m.src, 0, 1); /* Linux does not look whether it is ours alone again; a store does */
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), 0);
	CHECK(moving_whole(&m, m.dst));
	span_check(m.dst, 1);
	moving_audit(&m, "after the child");
}

TEST(t2_huge_pinned,
     "T2-15 MOVE of a huge page of which a device uses one page: EBUSY, the entry as it was; or with it")
{
	struct edu_pin pin;
	struct mm_entry before, after;
	int64_t done;
	int edu = open("/dev/edu", O_RDWR);

	m.mm = mm_need();
	if (edu < 0)
		SKIP("no /dev/edu");
	moving_begin(&m, 2);
	pin = (struct edu_pin){.addr = (uintptr_t)(m.src + 5 * P), .len = P, .flags = EDU_PIN_WRITE | EDU_PIN_LONGTERM};
	CHECK_OK(ioctl(edu, EDU_IOC_PIN, &pin));
	before = mm_entry_at(m.mm, m.src + 5 * P, 0);
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), EBUSY);
	CHECK_EQ(uffd_move(m.fd, m.dst + m.size + P, m.src + 5 * P, 1, 0, &done), EBUSY); /* nor the page alone */
	after = mm_entry_at(m.mm, m.src + 5 * P, 0);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	CHECK(moving_whole(&m, m.src));
	CHECK_EQ(moving_span(&m, m.dst, m.src, UFFDX_MOVE_PINNED), 0);
	CHECK(moving_whole(&m, m.dst));
	CHECK_EQ(mm_entry_at(m.mm, m.dst + 5 * P, 0).pfn, before.pfn);
	CHECK_EQ(mm_entry_at(m.mm, m.dst + 5 * P, 0).pins_w, 1);
	CHECK_OK(close(edu));
	uffd_register(m.fd, m.dst + m.size, m.pages, UFFDX_REGISTER_MISSING);
	CHECK_EQ(moving_span(&m, m.dst + m.size, m.dst, 0), 0);
	CHECK(moving_whole(&m, m.dst + m.size));
	span_check(m.dst + m.size, 1);
	moving_audit(&m, "unpinned");
}

/* -- T2-16: in pages ------------------------------------------------------------------------------------------------------- */

TEST(t2_huge_part,
     "T2-16 MOVE of a part of a huge page, and of all of it to where it does not fit: split, moved, the rest intact")
{
	u64 pfn;
	int64_t done;

	moving_begin(&m, 2);
	pfn = moving_frame(&m, m.src + 3 * P);
	CHECK_EQ(uffd_move(m.fd, m.dst + P, m.src + 3 * P, 1, 0, &done), 0);
	CHECK_EQ(done, P);
	CHECK(!moving_whole(&m, m.src) && !moving_whole(&m, m.dst));
	CHECK_EQ(moving_frame(&m, m.dst + P), pfn);
	CHECK_EQ(tag(m.dst, 1), 4);
	CHECK_EQ(tag(m.src, 3), 0);
	set_tag(m.src, 3, 4);
	span_check(m.src, 1);
	moving_audit(&m, "a page");
	m.src = span_filled(5000);
	CHECK_EQ(uffd_move(m.fd, m.dst + 2 * P, m.src, m.pages, 0, &done), 0); /* at another alignment */
	CHECK_EQ(done, (int64_t)m.size);
	CHECK(!moving_whole(&m, m.dst) && !moving_whole(&m, m.dst + m.size));
	for (size_t i = 0; i < m.pages; i++)
		CHECK_EQ(tag(m.dst, i + 2), 5000 + i);
	CHECK_EQ(tag(m.src, 0), 0);
	moving_audit(&m, "all pages");
}

/* -- T2-23, T2-27 ---------------------------------------------------------------------------------------------------------------- */

TEST(t2_huge_wp, "T2-23 MOVE of a write-protected huge page: stores at its new place ask as before")
{
	struct toucher t;

	PTERON_ONLY();
	moving_begin(&m, 1);
	m.fd = uffd_open(UFFDX_MOVE | UFFDX_PAGEFAULT_FLAG_WP, 0);
	m.dst = map_spans(1, true);
	uffd_register(m.fd, m.dst, m.pages, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	uffd_register(m.fd, m.src, m.pages, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(m.fd, m.src, m.pages, UFFDX_WRITEPROTECT_WP), 0);
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), 0);
	CHECK_EQ(tag(m.dst, 7), 8);
	touch_start(&t, m.dst + 7 * P, true, 9);
	uffd_expect(m.fd, m.dst + 7 * P, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
	CHECK_EQ(uffd_protect(m.fd, m.dst, m.pages, 0), 0);
	touch_end(&t);
	CHECK_EQ(m.dst[7 * P], 9);
	set_tag(m.dst, 7, 8);
	span_check(m.dst, 1);
	moving_audit(&m, "released");
}

TEST(t2_huge_mirror, "T2-27 MOVE of a huge page under a device: it never reads the old frames at the old place")
{
	u32 value;
	int dev;

	moving_begin(&m, 1);
	dev = device_open();
	for (size_t i = 0; i < m.pages; i++)
		CHECK_EQ(device_load(dev, m.src + i * P), i + 1); /* it has translations */
	CHECK_EQ(moving_span(&m, m.dst, m.src, 0), 0);
	for (size_t i = 0; i < m.pages; i++) {
		CHECK_EQ(device_try_load(dev, m.src + i * P, &value), 0);
		CHECK_EQ(value, 0);
		CHECK_EQ(device_load(dev, m.dst + i * P), i + 1);
	}
	device_store(dev, m.dst + 9 * P, 99);
	CHECK_EQ(*word(m.dst, 9), 99);
	CHECK(moving_whole(&m, m.dst));
}
