/*
 * t1_stable.c - pinned file pages and the disk: T1-11, T1-14 (spec 2f).
 */
#define _GNU_SOURCE
#include "disk.h"
#include "race.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define SYNCS 100
#define SOURCE 16 /* pages */
#define SECTOR_BYTES 512

static int edu_need(void)
{
	int fd = open("/dev/edu", O_RDWR);

	if (fd < 0)
		SKIP("no /dev/edu");
	return fd;
}

static long pin(int edu, const void *p, u64 flags, u64 *id)
{
	struct edu_pin arg = {.addr = (uintptr_t)p, .len = P, .flags = flags};
	long r = ioctl(edu, EDU_IOC_PIN, &arg);

	*id = arg.id;
	return r;
}

static struct edu_stat stat_at(int edu, const void *p)
{
	struct edu_stat st = {.addr = (uintptr_t)p};

	CHECK_OK(ioctl(edu, EDU_IOC_STAT, &st));
	return st;
}

struct device_writes {
	int edu, fd, source; /* source: read past the cache, so that the disk's DMA stores into the page */
	u8 *page;
	bool stop;
	u32 stores;
};

static void store_and_sync(unsigned me, void *arg)
{
	struct device_writes *d = arg;

	if (me == 0) {
		for (int i = 0; i < SYNCS; i++) {
			CHECK_OK(fsync(d->fd));
			CHECK(stat_at(d->edu, d->page).flags & EDU_STAT_DIRTY);
		}
		STORE(d->stop, true);
		return;
	}
	while (!LOAD(d->stop) || d->stores < 10) {
		d->stores++;
		CHECK_EQ(pread(d->source, d->page, P, (off_t)(d->stores % SOURCE * P)), P);
	}
}

static int make_source(void)
{
	static u8 buf[4096];
	int fd = make_file(disk_dir(), "src", 0);

	for (int i = 0; i < SOURCE; i++) {
		memset(buf, 'A' + i, sizeof(buf));
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	}
	CHECK_OK(fsync(fd));
	CHECK_OK(close(fd));
	return CHECK_OK(open(path_in(disk_dir(), "src"), O_RDONLY | O_DIRECT));
}

/* The page is under a write pin of the edu device all the time; what really stores is the disk. */
TEST(T1_11, "T1-11 stable writeback of a page into which a device stores")
{
	struct device_writes d = {.edu = edu_need(), .fd = make_file(disk_dir(), "st", 0), .source = make_source()};
	struct disk_stat st;
	u8 v[4096];
	u64 id;

	tag_file(d.fd, 2);
	CHECK_OK(fsync(d.fd));
	d.page = map_shared(d.fd, 2, RW);
	CHECK_OK(pin(d.edu, d.page, EDU_PIN_WRITE, &id));
	st = disk_stat();
	crew_run(2, store_and_sync, &d);
	st = disk_since(st);
	test_note("%d syncs, %u stores, %ld pages copied, %ld writes checked", SYNCS, d.stores, st.copied, st.checked);
	CHECK_EQ(st.mismatches, 0);
	CHECK_OP(st.copied, >=, SYNCS);
	CHECK_OK(ioctl(d.edu, EDU_IOC_UNPIN, &(struct edu_unpin){.id = id, .dirty = 1}));
	CHECK_OK(fsync(d.fd));
	CHECK(!(stat_at(d.edu, d.page).flags & EDU_STAT_DIRTY));
	CHECK_OK(munmap(d.page, 2 * P));
	drop_caches();
	CHECK_EQ(pread(d.fd, v, P, 0), P);
	CHECK_EQ(v[0], 'A' + d.stores % SOURCE);
	CHECK_EQ(v[P - 1], 'A' + d.stores % SOURCE);
}

TEST_SECONDS(T1_14, "T1-14 reservation: a write pin over a hole of a full disk", 120)
{
	static u8 buf[256 * 1024];
	int edu = edu_need(), fd, fill;
	const char *dir = disk_dir();
	struct statfs fs;
	ssize_t n;
	u64 id;
	u8 *p;

	CHECK_OK(statfs(dir, &fs));
	if ((u64)fs.f_bavail * (u64)fs.f_bsize > 256ull << 20)
		SKIP("the disk is too big to fill");
	fd = make_file(dir, "hole", 0);
	CHECK_OK(ftruncate(fd, 4 * P));
	p = map_shared(fd, 4, RW);
	CHECK_EQ(p[P], 0);
	fill = make_file(dir, "fill", 0);
	for (size_t size = sizeof(buf); size >= SECTOR_BYTES; size /= 4)
		while ((n = write(fill, buf, size)) > 0)
			;
	CHECK_EQ(errno, ENOSPC);
	CHECK_ERRNO(pin(edu, p + P, EDU_PIN_WRITE, &id), EFAULT);
	CHECK_ERRNO(pin(edu, p + 2 * P, EDU_PIN_WRITE, &id), EFAULT); /* also of a page that was not there yet */
	CHECK_BUS(try_write(p + 3 * P, 1), p + 3 * P);
	CHECK_EQ(stat_at(edu, p + P).flags & EDU_STAT_DIRTY, 0);
	CHECK_OK(fsync(fd)); /* nothing is dirty without a block, so nothing can fail */
	CHECK_OK(ftruncate(fill, 0));
	CHECK_OK(pin(edu, p + P, EDU_PIN_WRITE, &id));
	CHECK(stat_at(edu, p + P).flags & EDU_STAT_DIRTY);
	CHECK_OK(ioctl(edu, EDU_IOC_UNPIN, &(struct edu_unpin){.id = id, .dirty = 1}));
	CHECK_OK(fsync(fd));
	CHECK_OK(unlink(path_in(dir, "fill")));
}
