/*
 * swap_area.c - swapon(2) and swapoff(2): what they refuse, priorities, areas that fill up, devices that fail.
 */
#define _GNU_SOURCE
#include "swap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

/* A file whose first page is @header. */
static const char *file_with(const u8 *header, size_t bytes, off_t size)
{
	int fd = make_file(disk_dir(), "bad", 0);

	CHECK_EQ(pwrite(fd, header, bytes, 0), bytes);
	CHECK_OK(ftruncate(fd, size));
	CHECK_OK(close(fd));
	return path_in(disk_dir(), "bad");
}

TEST(swap_errors, "SWAP-10 swapon and swapoff refuse as Linux does")
{
	static u8 h[SWAP_HEADER_BYTES];
	const char *good;
	int fd;

	PTERON_ONLY();
	swap_end();
	good = swap_file("good", 64);
	CHECK_ERRNO(swap_on(BAD, 0), EFAULT);
	CHECK_ERRNO(swap_on("/none/such", 0), ENOENT);
	CHECK_ERRNO(swap_on(disk_dir(), 0), EISDIR);
	CHECK_ERRNO(swap_on("/dev/null", 0), EINVAL);
	CHECK_ERRNO(swap_on(good, 0x80000), EINVAL);
	CHECK_ERRNO(swap_off(good), EINVAL);
	swap_header(h, 64, NULL, 0);
	h[SWAP_HEADER_BYTES - 1] ^= 1;
	CHECK_ERRNO(swap_on(file_with(h, sizeof(h), 64 * P), 0), EINVAL); /* magic */
	swap_header(h, 65, NULL, 0);
	CHECK_ERRNO(swap_on(file_with(h, sizeof(h), 64 * P), 0), EINVAL); /* shorter than it says */
	swap_header(h, 1, NULL, 0);
	CHECK_ERRNO(swap_on(file_with(h, sizeof(h), 64 * P), 0), EINVAL); /* nothing but the header */
	swap_header(h, 64, NULL, 0);
	h[1024] = 2;
	CHECK_ERRNO(swap_on(file_with(h, sizeof(h), 64 * P), 0), EINVAL); /* version */
	swap_header(h, 64, NULL, 0);
	CHECK_ERRNO(swap_on(file_with(h, sizeof(h), 64 * P), 0), EINVAL); /* a hole */
	swap_header(h, 64, (const u32[]){5}, 1);
	CHECK_ERRNO(swap_on(file_with(h, sizeof(h), 64 * P), 0), EINVAL); /* bad blocks are for devices */
	CHECK_ERRNO(swap_on(file_with(h, 100, 100), 0), EINVAL);
	CHECK_ERRNO(swap_on("/dev/vda", 0), EBUSY); /* mounted */

	CHECK_OK(swap_on(good, 0));
	CHECK_ERRNO(swap_on(good, 0), EBUSY);
	fd = CHECK_OK(open(good, O_RDWR));
	CHECK_ERRNO(write(fd, h, 1), ETXTBSY);
	CHECK_ERRNO(ftruncate(fd, 0), ETXTBSY);
	CHECK_ERRNO(unlink(good), EPERM);
	CHECK_OK(swap_off(good));
	CHECK_EQ(write(fd, h, 1), 1);
	CHECK_OK(unlink(good));
	CHECK_OK(close(fd));
}

TEST(swap_priorities, "SWAP-11 the area with the highest priority first, equal ones in turn")
{
	const char *low = swap_begin(256), *high, *other;
	struct swap_line l, h, o;
	u8 *p = map_anon(300, RW);

	high = swap_file("high", 101);
	other = swap_file("other", 101);
	CHECK_OK(swap_on(high, 0x8000 | 7));
	CHECK_OK(swap_on(other, 0x8000 | 7));
	CHECK(swap_line(low, &l) && swap_line(high, &h) && swap_line(other, &o));
	CHECK_OP(l.prio, <, 0);
	CHECK_EQ(h.prio, 7);
	swap_fill(p, 300, 1);
	CHECK_EQ(swap_out(p, 128), 128);
	CHECK(swap_line(low, &l) && swap_line(high, &h) && swap_line(other, &o));
	CHECK_EQ(l.used_kb, 0);
	CHECK_EQ(h.used_kb + o.used_kb, 512);
	CHECK_OP(h.used_kb, >=, 4 * 32);
	CHECK_OP(o.used_kb, >=, 4 * 32);
	CHECK_EQ(swap_out(p, 300), 300);
	CHECK(swap_line(low, &l) && swap_line(high, &h));
	CHECK_EQ(h.used_kb, 400);
	CHECK_EQ(l.used_kb, 400);
	swap_check(p, 300, 1);
	swap_end();
	swap_check(p, 300, 1);
}

TEST(swap_full, "SWAP-12 a full area: what has no slot stays in memory, slots of pages that came back are taken again")
{
	u8 *p, *q;

	swap_begin(101);
	p = map_anon(100, RW);
	q = map_anon(60, RW);
	swap_fill(p, 100, 1);
	swap_fill(q, 60, 2);
	CHECK_EQ(swap_out(p, 100), 100);
	CHECK_EQ(swap_out(q, 60), 0);
	swap_check(q, 60, 2);
	swap_check(p, 50, 1); /* these are in memory and keep their slots, for they are clean */
	CHECK_OP(swap_out(q, 60), >=, 40);
	swap_check(q, 60, 2);
	swap_check(p, 100, 1);
	swap_end();
	swap_check(q, 60, 2);
	swap_check(p, 100, 1);
}

TEST(swap_off_all, "SWAP-13 swapoff brings everything back, of all processes, protected ranges too")
{
	const char *path = swap_begin(1024);
	u8 *p = map_anon(256, RW);
	int go[2];
	pid_t pid[3];
	char c;

	swap_fill(p, 256, 1);
	CHECK_OK(pipe(go));
	for (int k = 0; k < 3; k++) {
		pid[k] = CHECK_OK(fork());
		if (pid[k] == 0) {
			swap_fill(p + 64 * P, 64, (u32)k + 10);
			/* The others hold the family's lock now and then, and read ahead what lies between theirs. */
			for (int try = 0; try < 50 && swap_out(p + 64 * P, 64) == 0; try++)
				sleep_ms(2);
			CHECK_OP(swap_out(p + 64 * P, 64), >=, 1);
			CHECK_OK(mprotect(p + 64 * P, 16 * P, PROT_NONE));
			CHECK_EQ(read(go[0], &c, 1), 1);
			CHECK_OK(mprotect(p + 64 * P, 16 * P, RW));
			swap_check(p + 64 * P, 64, (u32)k + 10);
			swap_check(p, 64, 1);
			_exit(0);
		}
	}
	swap_out(p, 256);
	sleep_ms(200);
	CHECK_OK(swap_off(path));
	CHECK_ERRNO(swap_off(path), EINVAL);
	CHECK_EQ(write(go[1], "xxx", 3), 3);
	for (int k = 0; k < 3; k++)
		join(pid[k]);
	swap_check(p, 256, 1);
}

static void fail_next(int mm, const char *name, u64 nth)
{
	struct mm_fail f = {.nth = nth};

	snprintf(f.name, sizeof(f.name), "%s", name);
	CHECK_OK(ioctl(mm, MM_IOC_FAIL_ARM, &f));
}

TEST(swap_io_errors, "SWAP-14 the device fails: reading is SIGBUS once, writing leaves the page where it is")
{
	int mm = mm_need();
	u8 *p;

	swap_begin(256);
	p = map_anon(8, RW);
	swap_fill(p, 8, 1);
	fail_next(mm, "block_write", 1);
	CHECK_EQ(swap_out(p, 8), 0); /* one request */
	fail_next(mm, "block_write", 0);
	swap_check(p, 8, 1);
	CHECK_EQ(swap_out(p, 8), 8);
	fail_next(mm, "block_read", 1);
	CHECK_BUS(try_read(p + 3 * P), p + 3 * P);
	fail_next(mm, "block_read", 0);
	swap_check(p, 8, 1);
	/* At swapoff there is no next time. */
	CHECK_EQ(swap_out(p, 1), 1);
	fail_next(mm, "block_read", 1);
	swap_end();
	fail_next(mm, "block_read", 0);
	CHECK_FAULT(try_read(p), SIGBUS, BUS_MCEERR_AR, p);
	CHECK_OK(mprotect(p, P, PROT_READ));
	in_child((void (*)(void *))swap_end, NULL); /* fork copies the note */
	CHECK_BUS(try_read(p), p);
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
	CHECK_EQ(p[0], 0);
	swap_check(p + P, 0, 1);
}

/* The disk that util-linux prepared, with bad pages 3 and 4095: these two are never used. */
TEST(swap_disk, "SWAP-15 a disk as mkswap(8) makes it, its bad pages left alone; nobody can mount it meanwhile")
{
	char name[32], path[64];
	struct swap_line line;
	u8 *p;
	int mm = mm_open();

	if (!suite_text("swap", name, sizeof(name)))
		SKIP("no disk to swap to");
	PTERON_ONLY();
	swap_end();
	snprintf(path, sizeof(path), "/dev/%s", name);
	CHECK_OK(swap_on(path, 0));
	CHECK_ERRNO(swap_on(path, 0), EBUSY);
	CHECK_ERRNO(mount(path, "/mnt", "ext2", 0, NULL), EBUSY);
	CHECK(swap_line(path, &line));
	CHECK_EQ(line.size_kb, (4096 - 3) * 4);
	p = map_anon(4093, RW);
	for (u32 round = 0; round < 2; round++) {
		swap_fill(p, 4093, round);
		CHECK_EQ(swap_out(p, 4093), 4093);
		for (size_t i = 0; mm >= 0 && i < 4093; i++) {
			u64 slot = mm_entry_at(mm, p + i * P, 0).pgoff;

			CHECK(slot != 0 && slot != 3 && slot != 4095);
		}
		swap_check(p, 4093, round);
	}
	swap_end();
	CHECK_ERRNO(mount(path, "/mnt", "ext2", 0, NULL), EINVAL);
	swap_check(p, 4093, 1);
}
