/*
 * cache.c - the page cache and the disk: request sizes, read-ahead and advice, dropping, limits, errors.
 */
#define _GNU_SOURCE
#include "disk.h"
#include "race.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define MIB (1024 * 1024ul)
#define BIG 1024ul /* pages: 4 MiB */

/* A file of @pages tagged pages, on the disk and nowhere else. */
static int cold_file(const char *name, size_t pages)
{
	static u8 buf[64 * 4096];
	int fd = make_file(disk_dir(), name, 0);

	for (size_t i = 0; i < pages; i++) {
		set_tag(buf, i % 64, i);
		if (i % 64 == 63 || i + 1 == pages)
			CHECK_EQ(write(fd, buf, (i % 64 + 1) * P), (i % 64 + 1) * P);
	}
	CHECK_OK(fsync(fd));
	drop_caches();
	return fd;
}

/* -- requests -------------------------------------------------------------------------------------------------- */

/* Passes over the first @pages pages of a file. Each test makes a short one first: then no page of this program has to
 * be read in the one that counts. */
#define SHORT 32ul

static void check_mean(struct disk_stat st)
{
	test_note("%ld requests and %ld for metadata, %ld of at least 128 KiB, of data %ld KiB on average",
	          st.reads + st.writes - st.meta, st.meta, st.large, data_request_kib(st));
	CHECK_OP(data_request_kib(st), >=, 128);
}

static struct disk_stat write_and_sync(int fd, size_t pages)
{
	static u8 buf[16 * 1024];
	struct disk_stat st = disk_stat();

	for (size_t i = 0; i < pages * P / sizeof(buf); i++)
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	CHECK_OK(fsync(fd));
	return disk_since(st);
}

TEST(cache_write_requests, "cache.requests writeback merges pages into 128 KiB and more")
{
	struct disk_stat st;

	PTERON_ONLY();
	(void)write_and_sync(make_file(disk_dir(), "wr0", 0), SHORT);
	sync();
	st = write_and_sync(make_file(disk_dir(), "wr", 0), BIG);
	check_mean(st);
	CHECK_OP(st.sectors_written - st.meta_sectors, >=, BIG * 8);
	CHECK_OP(st.large, >=, (long)(BIG * P / (256 * 1024)) * 3 / 4);
}

static struct disk_stat store_and_msync(u8 *p, size_t pages)
{
	struct disk_stat st;

	for (size_t i = 0; i < pages; i++)
		set_tag(p, i, i + 7);
	st = disk_stat();
	CHECK_OK(msync(p, pages * P, MS_SYNC));
	return disk_since(st);
}

TEST(cache_map_requests, "cache.msync merges pages into 128 KiB and more")
{
	struct disk_stat st;
	u8 *p;

	PTERON_ONLY();
	p = map_shared(cold_file("mr", BIG), BIG, RW);
	(void)store_and_msync(p, SHORT);
	st = store_and_msync(p, BIG);
	check_mean(st);
	CHECK_OP(st.large, >=, (long)(BIG * P / (256 * 1024)) * 3 / 4);
	CHECK_OP(st.writes, <, (long)BIG / 16);
}

/* -- read-ahead ------------------------------------------------------------------------------------------------ */

static void check_sequential(struct disk_stat st)
{
	check_mean(st);
	CHECK_OP(st.sectors_read, >=, (long)(BIG * 8));
	CHECK_OP(st.sectors_read, <, (long)(BIG * 8) * 5 / 4); /* nothing twice */
	CHECK_OP(st.large, >=, (long)(BIG * P / (256 * 1024)) / 2);
}

static struct disk_stat read_all(int fd, size_t pages)
{
	static u8 buf[3 * 4096];
	struct disk_stat st;

	CHECK_OK(lseek(fd, 0, SEEK_SET));
	st = disk_stat();
	for (size_t i = 0; i < pages;) {
		ssize_t n = CHECK_OK(read(fd, buf, sizeof(buf)));

		CHECK(n > 0 && n % (ssize_t)P == 0);
		for (size_t k = 0; k < (size_t)n / P; k++)
			CHECK_EQ(tag(buf, k), i + k);
		i += (size_t)n / P;
	}
	return disk_since(st);
}

TEST(cache_read_ahead, "cache.readahead of a sequential read")
{
	int small, big;

	PTERON_ONLY();
	small = cold_file("ra0", SHORT);
	big = cold_file("ra", BIG);
	(void)read_all(small, SHORT);
	check_sequential(read_all(big, BIG));
}

static struct disk_stat load_all(const u8 *p, size_t pages)
{
	struct disk_stat st = disk_stat();

	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(tag(p, i), i);
	return disk_since(st);
}

TEST(cache_map_ahead, "cache.readahead of a sequential pass over a mapping")
{
	int small, big;

	PTERON_ONLY();
	small = cold_file("ma0", SHORT);
	big = cold_file("ma", BIG);
	(void)load_all(map_shared(small, SHORT, PROT_READ), SHORT);
	check_sequential(load_all(map_shared(big, BIG, PROT_READ), BIG));
}

#define JUMPS 24

static void jump_about(int fd, const u8 *p)
{
	u32 random = suite_seed();
	u64 v;

	for (int i = 0; i < JUMPS; i++) {
		size_t page = 2 + 8 * (size_t)(rnd(&random) % (BIG / 8 - 1));

		if (p)
			CHECK_EQ(tag(p, page), page);
		else
			CHECK_EQ(pread(fd, &v, 8, (off_t)(page * P)), 8);
	}
}

TEST(cache_random, "cache.random reads fetch what is asked for")
{
	int fd;
	u8 *p;

	PTERON_ONLY();
	fd = cold_file("rnd", BIG);
	jump_about(fd, NULL);
	CHECK_OP(cached_pages(fd, BIG), <=, JUMPS + 4);
	drop_caches();
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
	for (size_t i = 0; i < 8; i++) { /* in sequence, yet nothing is read ahead */
		u64 v;

		CHECK_EQ(pread(fd, &v, 8, (off_t)(i * P)), 8);
	}
	CHECK_EQ(cached_pages(fd, BIG), 8);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), 0);
	drop_caches();
	p = map_shared(fd, BIG, PROT_READ);
	CHECK_OK(madvise(p, BIG * P, MADV_RANDOM));
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(tag(p, i), i);
	CHECK_EQ(cached_pages(fd, BIG), 8);
	CHECK_OK(madvise(p, BIG * P, MADV_SEQUENTIAL));
	CHECK_EQ(tag(p, 8), 8);
	for (int i = 0; i < 200 && cached_pages(fd, BIG) < 64; i++)
		sleep_ms(10);
	CHECK_OP(cached_pages(fd, BIG), >=, 64);
	CHECK_EQ(vma_count(p, BIG * P, NULL), 1);
}

/* Within two seconds @pages of the file are in the cache. */
static void await_cached(int fd, size_t pages)
{
	for (int i = 0; i < 200 && cached_pages(fd, BIG) < pages; i++)
		sleep_ms(10);
	CHECK_EQ(cached_pages(fd, BIG), pages);
}

TEST(cache_willneed, "cache.WILLNEED by posix_fadvise, readahead and madvise; DONTNEED")
{
	int fd;
	u8 *p;

	PTERON_ONLY();
	fd = cold_file("will", BIG);
	CHECK_EQ(posix_fadvise(fd, 100 * (off_t)P, 64 * (off_t)P, POSIX_FADV_WILLNEED), 0);
	await_cached(fd, 64);
	CHECK_OK(readahead(fd, 200 * (off_t)P, 32 * P));
	await_cached(fd, 96);
	p = map_shared(fd, BIG, RW);
	CHECK_OK(madvise(p + 300 * P, 16 * P, MADV_WILLNEED));
	await_cached(fd, 112);
	CHECK_EQ(posix_fadvise(fd, 110 * (off_t)P, 4 * (off_t)P, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(cached_pages(fd, BIG), 108);
	set_tag(p, 300, 4711); /* mapped and dirty: stays, whoever asks */
	vm_set("drop_caches", "1");
	CHECK_EQ(cached_pages(fd, BIG), 1);
	CHECK_EQ(tag(p, 300), 4711);
	CHECK_OK(munmap(p, BIG * P));
	drop_caches();
	CHECK_EQ(cached_pages(fd, BIG), 0);
	CHECK_EQ(file_tag(fd, 300), 4711);
	CHECK_EQ(file_tag(fd, 301), 301);
}

/* -- preadv2, pwritev2 ------------------------------------------------------------------------------------------- */

TEST(cache_rwf, "cache.RWF_NOWAIT reads what is there, RWF_APPEND writes at the end")
{
	static u8 buf[4 * 4096];
	struct iovec iov = {buf, sizeof(buf)};
	struct stat st;
	int fd;

	PTERON_ONLY();
	fd = cold_file("rwf", 64);
	CHECK_ERRNO(preadv2(fd, &iov, 1, 8 * (off_t)P, RWF_NOWAIT), EAGAIN);
	CHECK_EQ(file_tag(fd, 8), 8);
	CHECK_EQ(posix_fadvise(fd, 9 * (off_t)P, (off_t)(50 * P), POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(preadv2(fd, &iov, 1, 8 * (off_t)P, RWF_NOWAIT), P); /* as far as it is */
	CHECK_EQ(preadv2(fd, &iov, 1, 64 * (off_t)P, RWF_NOWAIT), 0);
	iov.iov_len = 8;
	CHECK_EQ(pwritev2(fd, &iov, 1, 0, RWF_APPEND), 8); /* the offset is of no account */
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 64 * P);
	CHECK_EQ(pwritev2(fd, &iov, 1, -1, RWF_APPEND | RWF_DSYNC), 8);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 64 * P + 16);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 64 * P + 16);
	CHECK_EQ(file_tag(fd, 0), 0);
}

TEST(cache_rwf_write, "cache.RWF_NOWAIT writes into pages that need nothing")
{
	static u8 buf[4 * 4096];
	struct iovec iov = {buf, sizeof(buf)};
	int fd, tmp = tagged_memfd(1);
	u64 v = 7;

	PTERON_ONLY();
	fd = cold_file("rwfw", 8);
	CHECK_ERRNO(pwritev2(fd, &iov, 1, 0, RWF_NOWAIT), EAGAIN); /* not in memory */
	CHECK_EQ(file_tag(fd, 0), 0);
	CHECK_ERRNO(pwritev2(fd, &iov, 1, 0, RWF_NOWAIT), EAGAIN); /* clean: may need a block */
	CHECK_EQ(pwrite(fd, &v, 8, 0), 8);
	CHECK_EQ(pwrite(fd, &v, 8, P), 8);
	set_tag(buf, 0, 100);
	set_tag(buf, 1, 101);
	CHECK_EQ(pwritev2(fd, &iov, 1, 0, RWF_NOWAIT), 2 * P); /* as far as they are */
	CHECK_EQ(file_tag(fd, 0), 100);
	CHECK_EQ(file_tag(fd, 1), 101);
	CHECK_EQ(file_tag(fd, 2), 2);
	CHECK_ERRNO(pwritev2(fd, &iov, 1, 8 * (off_t)P, RWF_NOWAIT), EAGAIN); /* the file would grow */
	CHECK_ERRNO(pwritev2(fd, &iov, 1, 0, RWF_NOWAIT | RWF_DSYNC), EAGAIN);
	CHECK_EQ(pwritev2(tmp, &iov, 1, 0, RWF_NOWAIT), sizeof(buf)); /* has no device */
	CHECK_EQ(pwritev2(tmp, &iov, 1, 0, RWF_NOWAIT | RWF_APPEND), sizeof(buf));
	CHECK_EQ(file_tag(tmp, 4), 100);
}

/* -- limits ------------------------------------------------------------------------------------------------------ */

#define LIMIT (1 * MIB)

static void check_below_limit(void)
{
	long dirty = vmstat("nr_dirty"), writeback = vmstat("nr_writeback");

	CHECK_OP(dirty + writeback, <=, (long)(LIMIT / P) + 80); /* a batch may be counted twice for a moment */
}

static void dirty_by_write(void)
{
	static u8 buf[64 * 1024];
	int fd = make_file(disk_dir(), "lim", 0);

	for (int i = 0; i < 128; i++) {
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
		check_below_limit();
	}
}

static void dirty_by_map(void)
{
	int fd = make_file(disk_dir(), "lim", 0);
	u8 *p;

	CHECK_OK(ftruncate(fd, (off_t)(8 * MIB)));
	p = map_shared(fd, 8 * MIB / P, RW);
	for (size_t i = 0; i < 8 * MIB / P; i++) {
		set_tag(p, i, i);
		if (i % 16 == 0)
			check_below_limit();
	}
	for (size_t i = 0; i < 8 * MIB / P; i += 97)
		CHECK_EQ(file_tag(fd, i), i);
}

/* Run fn with low limits; they are as they were afterwards, whatever happens. */
static void with_limits(void (*fn)(void))
{
	long ratio = vm_number("dirty_ratio"), background = vm_number("dirty_background_ratio"), throttled;
	pid_t pid;

	sync();
	disk_dir();
	throttled = vmstat("nr_throttled_dirty");
	vm_set_number("dirty_bytes", LIMIT);
	vm_set_number("dirty_background_bytes", LIMIT); /* the flusher has no head start */
	pid = CHECK_OK(fork());
	if (pid == 0) {
		fn();
		_exit(0);
	}
	{
		int status;

		CHECK_EQ(waitpid(pid, &status, 0), pid);
		vm_set_number("dirty_ratio", ratio);
		vm_set_number("dirty_background_ratio", background);
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(vm_number("dirty_bytes"), 0);
	CHECK_EQ(vm_number("dirty_ratio"), ratio);
	test_note("throttled %ld times", vmstat("nr_throttled_dirty") - throttled);
	CHECK_OP(vmstat("nr_throttled_dirty"), >, throttled);
}

TEST(cache_throttle, "cache.limits hold back write(2)")
{
	PTERON_ONLY();
	with_limits(dirty_by_write);
}

TEST(cache_throttle_map, "cache.limits hold back stores through mappings")
{
	PTERON_ONLY();
	with_limits(dirty_by_map);
}

/* One thread writes and is held back with the file's lock; the other renames over that file. */
static void write_or_replace(unsigned me, void *arg)
{
	static u8 buf[64 * 1024];
	u32 *files = arg;

	if (me == 0) {
		for (int i = 0; i < 6; i++) {
			int fd = CHECK_OK(open(path_in(disk_dir(), "victim"), O_RDWR | O_CREAT, 0600));

			for (int k = 0; k < 32; k++)
				CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
			CHECK_OK(close(fd));
		}
		STORE(files[1], 1);
		return;
	}
	while (!LOAD(files[1])) {
		char from[256], to[256];

		snprintf(from, sizeof(from), "%s/new", disk_dir());
		snprintf(to, sizeof(to), "%s/victim", disk_dir());
		CHECK_OK(close(CHECK_OK(open(from, O_RDWR | O_CREAT, 0600))));
		CHECK_OK(rename(from, to));
		files[0]++;
	}
}

static void dirty_and_rename(void)
{
	u32 files[2] = {0, 0};

	crew_run(2, write_or_replace, files);
	test_note("%u renames", files[0]);
}

TEST(cache_throttle_rename, "cache.limits hold back a writer whose file is renamed over")
{
	PTERON_ONLY();
	with_limits(dirty_and_rename);
}

TEST(cache_age, "cache.age what is old is written without being asked for")
{
	int fd;
	long before;

	PTERON_ONLY();
	fd = make_file(disk_dir(), "age", 0);
	sync();
	before = vmstat("nr_written");
	tag_file(fd, 4);
	for (int i = 0; i < 100 && vmstat("nr_written") < before + 4; i++)
		sleep_ms(100);
	CHECK_OP(vmstat("nr_written"), >=, before + 4);
	for (int i = 0; i < 100 && vmstat("nr_dirty"); i++)
		sleep_ms(100);
	CHECK_EQ(vmstat("nr_dirty"), 0);
	CHECK_EQ(meminfo_kb("Dirty"), 0);
}

/* The device that has "/", read past the file system. */
static int root_device(void)
{
	char line[256], source[128], where[128], type[32];
	FILE *f = fopen("/proc/mounts", "r");
	int fd = -1;

	while (f && fd < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%127s %127s %31s", source, where, type) == 3 && !strcmp(where, "/") && !strcmp(type, "ext2"))
			fd = open(source, O_RDONLY);
	if (f)
		fclose(f);
	return CHECK_OK(fd);
}

static u32 free_inodes_on_disk(int device)
{
	u32 n;

	CHECK_EQ(pread(device, &n, sizeof(n), 1024 + 16), sizeof(n)); /* of the super block */
	return n;
}

TEST_SECONDS(cache_meta_age, "cache.age metadata is written without being asked for", 60)
{
	struct statfs st;
	int device;
	u32 before;

	PTERON_ONLY();
	device = root_device();
	sync();
	before = free_inodes_on_disk(device);
	for (int i = 0; i < 3; i++)
		CHECK_OK(close(make_file(disk_dir(), (const char *const[]){"m1", "m2", "m3"}[i], 0)));
	CHECK_OK(statfs(disk_dir(), &st));
	CHECK_OP(st.f_ffree, <, before);
	for (int i = 0; i < 200 && free_inodes_on_disk(device) != st.f_ffree; i++)
		sleep_ms(100);
	CHECK_EQ(free_inodes_on_disk(device), st.f_ffree);
	CHECK_OK(close(device));
}

TEST(cache_osync, "cache.O_DSYNC writes its own range and nothing else")
{
	int fd, other;
	long before;
	u64 v = 5;

	PTERON_ONLY();
	fd = make_file(disk_dir(), "os", 0);
	tag_file(fd, 16);
	sync(); /* whatever others left behind is too young for the flusher from now on */
	other = CHECK_OK(open(path_in(disk_dir(), "os"), O_RDWR | O_DSYNC));
	CHECK_EQ(pwrite(fd, &v, 8, 9 * (off_t)P), 8);
	before = vmstat("nr_written");
	CHECK_EQ(pwrite(other, &v, 8, 3 * (off_t)P), 8);
	CHECK_EQ(vmstat("nr_written") - before, 1);
	CHECK_OK(sync_file_range(fd, 0, 8 * (off_t)P, 7));
	CHECK_EQ(vmstat("nr_written") - before, 1);
	CHECK_OK(sync_file_range(fd, 8 * (off_t)P, 8 * (off_t)P,
	                         SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	CHECK_EQ(vmstat("nr_written") - before, 2);
}

/* -- errors ------------------------------------------------------------------------------------------------------ */

/* The next write request of this process fails (@nth 1); 0: take that back, and tell whether one did. */
static bool fail_write(int mm, u64 nth)
{
	struct mm_fail f = {.name = "block_write", .nth = nth};

	CHECK_OK(ioctl(mm, MM_IOC_FAIL_ARM, &f));
	return f.failed;
}

static int reopen(void)
{
	return CHECK_OK(open(path_in(disk_dir(), "err"), O_RDWR));
}

TEST(cache_errors, "cache.errors each open file hears of a failed write once")
{
	int mm = mm_need(), fd = make_file(disk_dir(), "err", 0), second = reopen(), third;
	u8 *p;

	tag_file(fd, 2);
	CHECK_OK(fsync(fd));
	sync();
	p = map_shared(second, 2, RW);
	set_tag(p, 1, 99);
	fail_write(mm, 1);
	CHECK_ERRNO(fsync(fd), EIO);
	CHECK(fail_write(mm, 0));
	third = reopen(); /* somebody has heard of it: not for newcomers */
	CHECK_OK(fsync(third));
	CHECK_OK(fsync(fd));
	CHECK_ERRNO(msync(p, 2 * P, MS_SYNC), EIO); /* the mapping's file */
	CHECK_OK(fsync(second));
	CHECK_OK(munmap(p, 2 * P));
	drop_caches(); /* it stayed dirty, and the second try went well */
	CHECK_EQ(file_tag(fd, 1), 99);
}

TEST(cache_errors_unheard, "cache.errors nobody heard of are told to who opens next, and by syncfs")
{
	int mm = mm_need(), fd = make_file(disk_dir(), "err", 0), dir = CHECK_OK(open(disk_dir(), O_RDONLY)), late;

	tag_file(fd, 2);
	sync();
	set_tag(map_shared(fd, 2, RW), 1, 98);
	fail_write(mm, 1);
	sync(); /* tells nobody */
	CHECK(fail_write(mm, 0));
	late = reopen();
	CHECK_ERRNO(fdatasync(late), EIO);
	CHECK_OK(fdatasync(late));
	CHECK_ERRNO(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_AFTER), EIO);
	CHECK_OK(fsync(fd));
	CHECK_ERRNO(syncfs(dir), EIO);
	CHECK_OK(syncfs(dir));
	CHECK_EQ(file_tag(late, 1), 98);
}

TEST(cache_osync_error, "cache.O_SYNC write tells of its own failure")
{
	int mm = mm_need(), fd = make_file(disk_dir(), "err", O_SYNC);
	u64 v = 1;

	tag_file(fd, 2);
	fail_write(mm, 1);
	CHECK_ERRNO(pwrite(fd, &v, 8, 0), EIO);
	CHECK(fail_write(mm, 0));
	CHECK_EQ(pwrite(fd, &v, 8, 0), 8);
	CHECK_OK(fsync(fd));
}
