/*
 * t2_between.c - UFFDIO_MOVE between two processes (UFFDX_MOVE_FROM_CALLER): T2-34.  And X-08: fork of all that at once.
 */
#define _GNU_SOURCE
#include "spans.h"
#include "t3.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <unistd.h>

#define N 16

static struct moving m;
static u8 *shared; /* both have its pages */

static void give_pages(void *arg)
{
	u8 *mine = map_anon(N, RW), *window = arg;
	int64_t done;

	for (size_t i = 0; i < N; i++)
		set_tag(mine, i, i + 1);
	CHECK_EQ(uffd_move(m.fd, window, mine, N, 0, &done), EINVAL); /* not of the context's address space */
	CHECK_EQ(uffd_move(m.fd, window, shared, 1, UFFDX_MOVE_FROM_CALLER, &done), EBUSY);
	CHECK_EQ(done, -EBUSY);
	CHECK_EQ(uffd_move(m.fd, window, mine, N - 1, UFFDX_MOVE_FROM_CALLER, &done), 0);
	CHECK_EQ(done, (N - 1) * (int64_t)P);
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(mine, i), i < N - 1 ? 0 : N);
	CHECK_EQ(uffd_move(m.fd, window, mine, 1, UFFDX_MOVE_FROM_CALLER, &done), EEXIST);
	CHECK_EQ(uffd_move(m.fd, window + (N - 1) * P, shared, 1, UFFDX_MOVE_FROM_CALLER | UFFDX_MOVE_UNSHARE, &done), 0);
}

TEST(t2_between_pages,
     "T2-34 MOVE from the caller's memory into another process: pages, who waits for them, and what is refused")
{
	struct toucher t;
	u8 *window = map_anon(N, RW);

	PTERON_ONLY();
	m.mm = mm_open();
	m.fd = uffd_open(UFFDX_MOVE, 0);
	shared = map_anon(1, RW);
	set_tag(shared, 0, 99);
	uffd_register(m.fd, window, N, UFFDX_REGISTER_MISSING);
	touch_start(&t, window + 3 * P, false, 0);
	uffd_expect(m.fd, window + 3 * P, 0);
	in_child(give_pages, window);
	CHECK_EQ(touch_end(&t), 4);
	for (size_t i = 0; i < N - 1; i++)
		CHECK_EQ(tag(window, i), i + 1);
	CHECK_EQ(tag(window, N - 1), 99);
	set_tag(window, N - 1, 1);
	CHECK_EQ(tag(shared, 0), 99);
	moving_audit(&m, "the other one is gone");
}

/* One that is filled, one of zeros, one that is split. */
static void give_spans(void *arg)
{
	u8 *mine = map_spans(3, true), *window = arg;
	int64_t done;

	span_fill(mine, 500);
	CHECK_EQ(tag(mine + m.size, 3), 0); /* the huge zero page */
	span_fill(mine + 2 * m.size, 900);
	CHECK_OK(madvise(mine + 2 * m.size, P, MADV_COLD)); /* no huge page any more */
	CHECK_EQ(uffd_move(m.fd, window, mine, 3 * m.pages, UFFDX_MOVE_FROM_CALLER, &done), 0);
	CHECK_EQ(done, 3 * (int64_t)m.size);
	CHECK_EQ(resident(mine), 0);
	CHECK_EQ(uffd_move(m.fd, window, m.src, 1, UFFDX_MOVE_FROM_CALLER, &done), EEXIST);
	moving_audit(&m, "both are there");
}

TEST(t2_between_huge, "T2-34 MOVE of huge pages into another process: as one, each with its deposit; zeros as zeros")
{
	PTERON_ONLY();
	moving_begin(&m, 3);
	in_child(give_spans, m.dst);
	CHECK(moving_whole(&m, m.dst) && moving_whole(&m, m.dst + m.size) && !moving_whole(&m, m.dst + 2 * m.size));
	span_check(m.dst, 500);
	span_check(m.dst + 2 * m.size, 900);
	CHECK_EQ(tag(m.dst + m.size, 3), 0);
	set_tag(m.dst + m.size, 3, 4);
	CHECK_EQ(tag(m.dst + m.size, 2), 0);
	CHECK_OK(madvise(m.dst, P, MADV_COLD)); /* its deposit came along */
	span_check(m.dst, 500);
	moving_audit(&m, "the other one is gone");
}

/* Its context's process ends first. */
static void outlived(void *arg)
{
	u8 *p = map_anon(2, RW);
	int *result = arg;
	pid_t parent = getpid();

	m.fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(m.fd, p, 1, UFFDX_REGISTER_MISSING);
	if (CHECK_OK(fork()))
		return;
	while (getppid() == parent)
		sleep_ms(1);
	p[P] = 1;
	STORE(*result, uffd_move(m.fd, p, p + P, 1, UFFDX_MOVE_FROM_CALLER, NULL));
	_exit(0);
}

TEST(t2_between_dead, "T2-34 MOVE into a process that is no more: ESRCH")
{
	int *result = mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	PTERON_ONLY();
	CHECK(result != MAP_FAILED);
	*result = -1;
	in_child(outlived, result);
	for (u64 end = now_ns() + 10000000000ull; LOAD(*result) == -1 && now_ns() < end;)
		sleep_ms(1);
	CHECK_EQ(*result, ESRCH);
}

/* -- X-08 ----------------------------------------------------------------------------------------------------------- */

#define FILE_PAGES 4

static u8 *file_window;

/* The child's view: content as it was, no device, nothing registered, no protection. */
static void as_it_was(void *arg)
{
	(void)arg;
	span_check(m.src, 1);
	for (size_t i = 0; i < FILE_PAGES; i++)
		CHECK_EQ(tag(file_window, i), FILE_PAGES - 1 - i);
	CHECK_EQ(tag(m.dst, 7), 0); /* not registered: zeros, and nobody is asked */
	span_fill(m.src, 50);       /* no store is asked for */
	span_check(m.src, 50);
	CHECK_EQ(uffd_move(m.fd, m.dst, m.src, m.pages, 0, NULL), EINVAL);
	moving_audit(&m, "in the child");
}

TEST(
	x_fork_all,
	"X-08 fork of remapped pages of a file, a pinned part of a huge page, a protected one, under a device: each has its own")
{
	struct edu_pin pin;
	int edu = open("/dev/edu", O_RDWR), dev;
	struct toucher t;
	u8 *protected;
	u64 frame;

	PTERON_ONLY();
	m.mm = mm_need();
	if (edu < 0)
		SKIP("no /dev/edu");
	moving_begin(&m, 1);
	m.fd = uffd_open(UFFDX_PAGEFAULT_FLAG_WP, 0);
	protected = span_filled(700);
	uffd_register(m.fd, protected, m.pages, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(m.fd, protected, m.pages, UFFDX_WRITEPROTECT_WP), 0);
	file_window = map_shared(tagged_memfd(FILE_PAGES), FILE_PAGES, RW);
	for (size_t i = 0; i < FILE_PAGES; i++)
		CHECK_OK(rfp(file_window + i * P, P, RW, FILE_PAGES - 1 - i, MAP_CHGPROT));
	pin = (struct edu_pin){.addr = (uintptr_t)(m.src + 5 * P), .len = P, .flags = EDU_PIN_WRITE | EDU_PIN_LONGTERM};
	CHECK_OK(ioctl(edu, EDU_IOC_PIN, &pin));
	frame = moving_frame(&m, m.src + 5 * P);
	dev = device_open();
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(device_load(dev, m.src + i * P), i + 1);
	in_child(as_it_was, NULL);
	CHECK_EQ(moving_frame(&m, m.src + 5 * P), frame); /* the device's page stays the parent's */
	CHECK_EQ(mm_entry_at(m.mm, m.src + 5 * P, 0).pins_w, 1);
	span_fill(m.src, 2);
	CHECK_EQ(moving_frame(&m, m.src + 5 * P), frame);
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(device_load(dev, m.src + i * P), i + 2); /* and its translations have followed */
	touch_start(&t, protected + 3 * P, true, 9);
	uffd_expect(m.fd, protected + 3 * P, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
	CHECK_EQ(uffd_protect(m.fd, protected, m.pages, 0), 0);
	touch_end(&t);
	CHECK_OK(close(edu));
	moving_audit(&m, "afterwards");
}
