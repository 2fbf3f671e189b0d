/*
 * t2_move.c - UFFDIO_MOVE on small pages: what moves, what is refused and how, and that nothing is lost on the way:
 * T2-04 to 13, 23, 27.
 */
#define _GNU_SOURCE
#include "swap.h"
#include "t2.h"
#include "t3.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 16

static int fd;
static u8 *dst, *src;

/* Two ranges of N pages, of which the first is registered; page i of the other begins with i + 1. */
static void two_ranges(void)
{
	fd = uffd_open(UFFDX_MOVE, 0);
	dst = map_anon(N, RW);
	src = map_anon(N, RW);
	uffd_register(fd, dst, N, UFFDX_REGISTER_MISSING);
	for (size_t i = 0; i < N; i++)
		set_tag(src, i, i + 1);
}

static int move(size_t to, size_t from, size_t pages, u64 mode, int64_t *done)
{
	return uffd_move(fd, dst + to * P, src + from * P, pages, mode, done);
}

/* -- T2-04 to T2-07 -------------------------------------------------------------------------------------------- */

static void answer_move(int ufd, const struct uffdx_msg *msg, void *ctx)
{
	u8 *to = (u8 *)(uintptr_t)msg->pagefault.address;

	(void)ctx;
	CHECK_EQ(uffd_move(ufd, to, src + (to - dst), 1, 0, NULL), 0);
}

TEST(t2_move_basic, "T2-04 MOVE: the frame itself comes, and the source is empty")
{
	struct answerer a;
	int mm = mm_open();
	u64 pfn = 0;

	two_ranges();
	if (mm >= 0)
		pfn = mm_entry_at(mm, src + 3 * P, 0).pfn;
	answer_start(&a, fd, answer_move, NULL);
	CHECK_EQ(tag(dst, 3), 4);
	CHECK_EQ(tag(src, 3), 0);
	set_tag(dst, 5, 77);
	CHECK_EQ(tag(dst, 5), 77);
	CHECK_EQ(tag(src, 5), 0);
	answer_stop(&a);
	CHECK_EQ(a.count, 2);
	if (mm >= 0) {
		CHECK_EQ(mm_entry_at(mm, dst + 3 * P, 0).pfn, pfn);
		CHECK_EQ(mm_entry_at(mm, dst + 3 * P, 0).index, (uintptr_t)(dst + 3 * P) / P);
		mm_audit_clean(mm, "after the moves");
	}
}

TEST(t2_move_holes, "T2-05 MOVE of what was never touched: ENOENT, or with ALLOW_SRC_HOLES nothing")
{
	int64_t done;

	two_ranges();
	CHECK_OK(madvise(src + 2 * P, P, MADV_DONTNEED));
	CHECK_EQ(move(2, 2, 1, 0, &done), ENOENT);
	CHECK_EQ(done, -ENOENT);
	CHECK_EQ(move(2, 2, 1, UFFDX_MOVE_ALLOW_SRC_HOLES, &done), 0);
	CHECK_EQ(done, P);
	CHECK_EQ(resident(dst + 2 * P), 0); /* still missing */
	CHECK_EQ(move(0, 0, N, UFFDX_MOVE_ALLOW_SRC_HOLES, &done), 0);
	CHECK_EQ(done, N * P);
	for (size_t i = 0; i < N; i++)
		if (i != 2)
			CHECK_EQ(tag(dst, i), i + 1);
	CHECK_EQ(tag(src, 2), 0); /* the page of zeros */
	CHECK_EQ(move(2, 2, 1, 0, &done), 0);
	CHECK_EQ(tag(dst, 2), 0);
	set_tag(dst, 2, 5);
	CHECK_EQ(tag(src, 2), 0);
}

TEST(t2_move_occupied, "T2-06 MOVE to where something is: EEXIST, and the source stays as it was")
{
	struct mm_entry before, after;
	int mm = mm_open();
	int64_t done;

	two_ranges();
	CHECK_EQ(uffd_zero(fd, dst, 1, 0, NULL), 0);
	if (mm >= 0)
		before = mm_entry_at(mm, src, 0);
	CHECK_EQ(move(0, 0, 1, 0, &done), EEXIST);
	CHECK_EQ(done, -EEXIST);
	if (mm >= 0) {
		after = mm_entry_at(mm, src, 0);
		CHECK(!memcmp(&before, &after, sizeof(before)));
	}
	CHECK_EQ(tag(src, 0), 1);
	CHECK_EQ(tag(dst, 0), 0);
	uffd_register(fd, src, N, UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_move(fd, src, src, 1, 0, NULL), EEXIST);     /* onto itself */
	CHECK_EQ(uffd_move(fd, src + P, src, 2, 0, NULL), EEXIST); /* overlapping */
	CHECK_OK(madvise(src, P, MADV_DONTNEED));
	CHECK_EQ(uffd_move(fd, src, src + P, N - 1, 0, &done), 0); /* down by one: page by page */
	CHECK_EQ(done, (N - 1) * P);
	CHECK_EQ(tag(src, 0), 2);
	CHECK_EQ(tag(src, N - 2), N);
	CHECK_EQ(resident(src + (N - 1) * P), 0);
}

TEST(t2_move_partial, "T2-07 MOVE up to an obstacle: EAGAIN and how far; then its errno")
{
	int64_t done;

	two_ranges();
	CHECK_OK(madvise(src + 5 * P, P, MADV_DONTNEED));
	CHECK_EQ(move(0, 0, 8, 0, &done), EAGAIN);
	CHECK_EQ(done, 5 * P);
	CHECK_EQ(tag(dst, 4), 5);
	CHECK_EQ(resident(dst + 5 * P), 0);
	CHECK_EQ(tag(src, 6), 7);
	CHECK_EQ(move(5, 5, 3, 0, &done), ENOENT);
	CHECK_EQ(done, -ENOENT);
}

/* -- T2-08, T2-09 ---------------------------------------------------------------------------------------------------- */

static int raw_move(int ufd, u64 to, u64 from, u64 len, u64 mode, int64_t *done)
{
	struct uffdx_move m = {to, from, len, mode, 77};
	int err = ioctl(ufd, UFFDX_IOC_MOVE, &m) ? errno : 0;

	*done = m.move;
	return err;
}

static int other_process(int ufd)
{
	pid_t pid = CHECK_OK(fork());
	int64_t done;
	int status;

	if (pid == 0)
		_exit(uffd_move(ufd, dst, src, 1, 0, &done));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

TEST(t2_move_einval, "T2-08 MOVE: EINVAL for everything that does not fit, the source untouched")
{
	const u64 beyond = is64 ? 1ull << 47 : 0xc0000000u;
	int64_t done;
	int other;
	u64 d, s;
	u8 *shared, *file;

	two_ranges();
	d = (uintptr_t)dst;
	s = (uintptr_t)src;
	CHECK_ERRNO(ioctl(fd, UFFDX_IOC_MOVE, 8), EFAULT);
	CHECK_EQ(raw_move(fd, d + 1, s, P, 0, &done), EINVAL);
	CHECK_EQ(done, 77);
	CHECK_EQ(raw_move(fd, d, s + 1, P, 0, &done), EINVAL);
	CHECK_EQ(raw_move(fd, d, s, P + 1, 0, &done), EINVAL);
	CHECK_EQ(raw_move(fd, d, s, 0, 0, &done), EINVAL);
	CHECK_EQ(raw_move(fd, d, s, ~0ull - P + 1, 0, &done), EINVAL);
	CHECK_EQ(raw_move(fd, d, beyond, P, 0, &done), EINVAL);
	CHECK_EQ(raw_move(fd, beyond, s, P, 0, &done), EINVAL);
	CHECK_EQ(raw_move(fd, d + (1ull << 62), s, P, 0, &done), EINVAL);
	CHECK_EQ(raw_move(fd, d, s, P, 4, &done), EINVAL);
	CHECK_EQ(done, 77);
	CHECK_EQ(other_process(fd), EINVAL);
	CHECK_EQ(raw_move(fd, s, d, P, 0, &done), EINVAL); /* the destination is not registered */
	CHECK_EQ(done, -EINVAL);
	CHECK_EQ(raw_move(fd, d, s, 2 * N * P, 0, &done), EINVAL); /* beyond one mapping */
	other = uffd_open(UFFDX_MOVE, 0);
	CHECK_EQ(raw_move(other, d, s, P, 0, &done), EINVAL); /* with another context */
	CHECK_OK(mprotect(src + 3 * P, P, PROT_READ));
	CHECK_EQ(move(3, 3, 1, 0, &done), EINVAL); /* protections differ */
	CHECK_OK(mprotect(dst + 3 * P, P, PROT_READ));
	CHECK_EQ(move(3, 3, 1, 0, &done), EINVAL); /* ... and neither may be written */
	CHECK_EQ(move(2, 2, 2, 0, &done), EINVAL); /* two mappings */
	CHECK_OK(mlock(src + 5 * P, P));
	CHECK_EQ(move(5, 5, 1, 0, &done), EINVAL); /* locked and not */
	shared = mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*shared = 1;
	CHECK_EQ(raw_move(fd, d, (uintptr_t)shared, P, 0, &done), EINVAL);
	file = mmap(NULL, P, RW, MAP_PRIVATE, tagged_memfd(1), 0);
	*file = 1;
	CHECK_EQ(raw_move(fd, d, (uintptr_t)file, P, 0, &done), EINVAL);
	CHECK_OK(munmap(shared, P));
	CHECK_EQ(raw_move(fd, d, (uintptr_t)shared, P, 0, &done), ENOENT);
	CHECK_EQ(raw_move(fd, (uintptr_t)shared, s, P, 0, &done), ENOENT);
	CHECK_EQ(done, -ENOENT);
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(src, i), i + 1);
}

TEST(t2_move_prot, "T2-09 MOVE is no way around a mapping's protection")
{
	u8 *to, *from;
	int64_t done;

	two_ranges();
	to = map_anon(1, PROT_READ);
	from = map_anon(1, RW);
	*from = 1;
	uffd_register(fd, to, 1, UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_move(fd, to, from, 1, 0, &done), EINVAL);
	CHECK_EQ(*from, 1);
	CHECK_OK(mprotect(to, P, RW));
	CHECK_EQ(uffd_move(fd, to, from, 1, 0, &done), 0);
	CHECK_EQ(*to, 1);
}

/* -- T2-10, T2-11 --------------------------------------------------------------------------------------------------------- */

static void wait_for_byte(int pipe_fd)
{
	char c;

	CHECK_EQ(read(pipe_fd, &c, 1), 1);
}

TEST(t2_move_fork, "T2-10 MOVE of what a child has too: EBUSY; UNSHARE copies; what was DONTFORK moves")
{
	int64_t done;
	int pipes[2];
	pid_t pid;

	two_ranges();
	CHECK_OK(pipe(pipes));
	CHECK_OK(madvise(src + 8 * P, 8 * P, MADV_DONTFORK));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		close(pipes[1]);
		wait_for_byte(pipes[0]);
		for (size_t i = 0; i < 8; i++)
			CHECK_EQ(tag(src, i), i + 1);
		_exit(0);
	}
	CHECK_EQ(move(0, 0, 1, 0, &done), EBUSY);
	CHECK_EQ(done, -EBUSY);
	CHECK_EQ(tag(src, 0), 1);
	CHECK_EQ(move(8, 8, 8, 0, &done), 0);
	CHECK_EQ(tag(dst, 8), 9);
	if (on_pteron()) {
		CHECK_EQ(move(1, 1, 2, UFFDX_MOVE_UNSHARE, &done), 0);
		CHECK_EQ(tag(dst, 1), 2);
		CHECK_EQ(tag(dst, 2), 3);
		set_tag(dst, 1, 99);
	}
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	join(pid);
	if (!on_pteron())
		set_tag(src, 0, 1); /* Linux does not look whether the page is ours alone again; a store does */
	CHECK_EQ(move(0, 0, 1, 0, &done), 0);
	CHECK_EQ(tag(dst, 0), 1);
}

static int edu_need(void)
{
	int edu = open("/dev/edu", O_RDWR);

	if (edu < 0)
		SKIP("no /dev/edu");
	return edu;
}

TEST(t2_move_pinned,
     "T2-11 MOVE of what a device uses: EBUSY, the entry as it was; or with MOVE_PINNED, device and all")
{
	struct mm_entry before, after;
	struct edu_pin pin;
	struct edu_dma dma;
	struct edu_unpin unpin;
	int edu = edu_need(), mm = mm_need();
	int64_t done;

	two_ranges();
	pin = (struct edu_pin){.addr = (uintptr_t)(src + P), .len = P, .flags = EDU_PIN_WRITE | EDU_PIN_LONGTERM};
	CHECK_OK(ioctl(edu, EDU_IOC_PIN, &pin));
	before = mm_entry_at(mm, src + P, 0);
	CHECK_EQ(move(0, 0, 3, 0, &done), EAGAIN);
	CHECK_EQ(done, P);
	CHECK_EQ(move(1, 1, 2, 0, &done), EBUSY);
	CHECK_EQ(done, -EBUSY);
	after = mm_entry_at(mm, src + P, 0);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	CHECK_EQ(move(1, 1, 1, UFFDX_MOVE_PINNED, &done), 0);
	CHECK_EQ(mm_entry_at(mm, dst + P, 0).pfn, before.pfn);
	set_tag(dst, 1, 0x1234567812345678);
	dma = (struct edu_dma){.id = pin.id, .length = 8};
	CHECK_OK(ioctl(edu, EDU_IOC_DMA_TO_DEVICE, &dma));
	set_tag(dst, 1, 0);
	CHECK_OK(ioctl(edu, EDU_IOC_DMA_FROM_DEVICE, &dma));
	CHECK_EQ(tag(dst, 1), 0x1234567812345678);
	unpin = (struct edu_unpin){.id = pin.id, .dirty = 1};
	CHECK_OK(ioctl(edu, EDU_IOC_UNPIN, &unpin));
	CHECK_EQ(move(2, 2, 1, 0, &done), 0);
}

/* -- T2-13 ---------------------------------------------------------------------------------------------------------------- */

TEST(t2_move_swapped, "T2-13 MOVE of what is swapped out: the slot moves, nothing is read, the content is right")
{
	int mm = mm_open();
	int64_t done;
	long in;

	swap_begin(256);
	two_ranges();
	swap_fill(src, N, 11);
	CHECK_EQ(swap_out(src, N), N);
	in = vmstat("pswpin");
	CHECK_EQ(move(0, 0, N, 0, &done), 0);
	CHECK_EQ(done, N * P);
	CHECK_EQ(vmstat("pswpin"), in);
	if (mm >= 0) {
		CHECK_EQ(mm_entry_at(mm, dst, 0).kind, MM_ENTRY_SWAP);
		mm_audit_clean(mm, "slots moved");
	}
	CHECK_EQ(resident(src), 0);
	swap_check(dst, N, 11);
	if (mm >= 0)
		mm_audit_clean(mm, "and read");
	CHECK_EQ(tag(src, 0), 0);
	swap_end();
}

/* -- T2-23 ---------------------------------------------------------------------------------------------------------------- */

TEST(t2_move_wp, "T2-23 MOVE of a write-protected page: a store at its new place asks as before")
{
	struct toucher t;
	int64_t done;

	PTERON_ONLY();
	fd = uffd_open(UFFDX_MOVE | UFFDX_PAGEFAULT_FLAG_WP, 0);
	dst = map_anon(N, RW);
	src = map_anon(N, RW);
	uffd_register(fd, dst, N, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	uffd_register(fd, src, N, UFFDX_REGISTER_WP);
	set_tag(src, 0, 5);
	set_tag(src, 1, 6);
	CHECK_EQ(uffd_protect(fd, src, 1, UFFDX_WRITEPROTECT_WP), 0);
	CHECK_EQ(move(0, 0, 2, 0, &done), 0);
	set_tag(dst, 1, 7);
	CHECK_EQ(tag(dst, 0), 5);
	touch_start(&t, dst, true, 9);
	uffd_expect(fd, dst, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
	CHECK_EQ(uffd_protect(fd, dst, 1, 0), 0);
	touch_end(&t);
	CHECK_EQ(dst[0], 9);
}

/* -- T2-27 ------------------------------------------------------------------------------------------------------------------- */

TEST(t2_move_mirror,
     "T2-27 MOVE under a device that mirrors both ranges: it never reads the old frame at the old place")
{
	int dev;
	u32 value;

	two_ranges();
	dev = device_open();
	for (u32 i = 0; i < N; i++) {
		CHECK_EQ(device_load(dev, src + i * P), i + 1); /* it has a translation */
		CHECK_EQ(move(i, i, 1, 0, NULL), 0);
		CHECK_EQ(device_try_load(dev, src + i * P, &value), 0);
		CHECK_EQ(value, 0);
		CHECK_EQ(device_load(dev, dst + i * P), i + 1);
		device_store(dev, dst + i * P, i + 100);
		CHECK_EQ(*word(dst, i), i + 100);
	}
}
