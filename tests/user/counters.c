/*
 * counters.c - /proc/vmstat and /proc/lock_waits: each number moves by what was done, and by nothing else.
 *
 * The numbers are the whole machine's.  The suite runs one test at a time, so what others add is little: the flusher,
 * an init that reaps.
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define N 256
#define OTHERS 16 /* what others may add */
#define RW (PROT_READ | PROT_WRITE)

static void touch(u8 *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		*(volatile u8 *)(p + i * P) = 1;
}

TEST(vmstat_faults, "vmstat.faults pgfault counts each, pgmajfault those that wait for a device")
{
	u8 *p = map_anon(N, RW);
	long faults, major;

	PTERON_ONLY();
	faults = vmstat("pgfault");
	major = vmstat("pgmajfault");
	CHECK_OP(faults, >=, major);
	touch(p, N);
	CHECK_OP(vmstat("pgfault") - faults, >=, N);
	CHECK_OP(vmstat("pgfault") - faults, <=, N + OTHERS);
	faults = vmstat("pgfault");
	touch(p, N); /* nothing to fault on */
	CHECK_OP(vmstat("pgfault") - faults, <=, OTHERS);
	CHECK_EQ(vmstat("pgmajfault"), major);
}

TEST(vmstat_major, "vmstat.major a page that must be read is a major fault, once")
{
	const char *dir = slow_mount();
	u8 *p;
	int fd;

	if (!dir)
		SKIP("needs a disk that can be mounted afresh");
	fd = CHECK_OK(open(path_in(dir, "big"), O_RDONLY));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0); /* nothing is read ahead */
	p = map_shared(fd, 8, PROT_READ);
	for (int round = 0; round < 2; round++) {
		long major = vmstat("pgmajfault");

		for (size_t i = 0; i < 8; i++)
			CHECK_EQ(tag(p, i), i);
		CHECK_EQ(vmstat("pgmajfault") - major, round ? 0 : 8);
	}
	CHECK_OK(munmap(p, 8 * P));
	CHECK_OK(close(fd));
	slow_unmount();
}

TEST(vmstat_dirty, "vmstat.dirty pages are dirty, then written, or dropped")
{
	int fd = make_file(disk_dir(), "dirty", 0);
	long dirty, written;
	u8 *p;

	PTERON_ONLY();
	tag_file(fd, N);
	CHECK_OK(fsync(fd));
	p = map_shared(fd, N, RW);
	for (int round = 0; round < 2; round++) {
		sync();
		dirty = vmstat("nr_dirty");
		written = vmstat("nr_written");
		touch(p, N);
		CHECK_OP(vmstat("nr_dirty") - dirty, >=, N - OTHERS);
		CHECK_OP(vmstat("nr_dirty") - dirty, <=, N + OTHERS);
		if (round) { /* given up */
			CHECK_OK(ftruncate(fd, 0));
			CHECK_OP(vmstat("nr_written") - written, <=, OTHERS);
		} else {
			CHECK_OK(fsync(fd));
			CHECK_OP(vmstat("nr_written") - written, >=, N);
			CHECK_OP(vmstat("nr_written") - written, <=, N + OTHERS);
		}
		CHECK_OP(vmstat("nr_dirty"), <=, dirty + OTHERS);
		CHECK_OP(vmstat("nr_writeback"), <=, OTHERS);
	}
	CHECK_OK(munmap(p, N * P));
	CHECK_OK(close(fd));
}

struct flushing {
	struct gate gate;
	int fd;
	u8 *clean; /* pages that a store is noticed on */
	u8 *mapped;
	long by_stores, by_munmap;
	bool over;
};

static void flushing_member(unsigned me, void *arg)
{
	struct flushing *f = arg;
	long before;

	gate_pass(&f->gate);
	if (me) { /* be there, on another CPU, with the same page tables: no sleep */
		while (!LOAD(f->over))
			__builtin_ia32_pause();
		return;
	}
	before = vmstat("tlb_shootdowns");
	touch(f->clean, N);
	f->by_stores = vmstat("tlb_shootdowns") - before;
	before = vmstat("tlb_shootdowns");
	for (size_t i = 0; i < N; i++)
		CHECK_OK(munmap(f->mapped + i * P, P));
	f->by_munmap = vmstat("tlb_shootdowns") - before;
	STORE(f->over, true);
}

TEST(vmstat_shootdowns, "vmstat.shootdowns taking away interrupts other CPUs, allowing more does not")
{
	struct flushing f = {.gate = {.n = 2}, .fd = make_file(disk_dir(), "flush", 0)};

	PTERON_ONLY();
	tag_file(f.fd, N);
	f.clean = map_shared(f.fd, N, RW);
	f.mapped = map_anon(N, RW);
	touch(f.mapped, N);
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(f.clean, i), i);
	CHECK_OK(fsync(f.fd));
	crew_run(2, flushing_member, &f);
	test_note("%ld by %d stores, %ld by as many munmaps", f.by_stores, N, f.by_munmap);
	CHECK_OP(f.by_stores, <=, OTHERS);
	if (cpu_total() > 1)
		CHECK_OP(f.by_munmap, >=, N / 2);
	else
		CHECK_EQ(f.by_munmap, 0);
	CHECK_OK(close(f.fd));
}

/* The number after @rank in /proc/lock_waits; -1: there is no such line. */
static long lock_waits(const char *rank)
{
	FILE *f = fopen("/proc/lock_waits", "r");
	long n = -1, value;
	char name[32];

	while (f && fscanf(f, "%31s %ld", name, &value) == 2)
		if (!strcmp(name, rank))
			n = value;
	if (f)
		fclose(f);
	return n;
}

struct writing {
	struct gate gate;
	int fd;
	u64 end;
	long before;
};

/* The inode lock is held while a long write copies. */
static void writing_member(unsigned me, void *arg)
{
	static const u8 buf[64 * P];
	struct writing *w = arg;

	(void)me;
	gate_pass(&w->gate);
	do
		CHECK_EQ(pwrite(w->fd, buf, sizeof(buf), 0), sizeof(buf));
	while (lock_waits("LOCK_INODE") == w->before && now_ns() < w->end);
}

TEST(lock_waits, "lock_waits counts who finds a lock taken, and nobody else")
{
	struct writing w = {.gate = {.n = 1}, .fd = make_file(tmp_dir(), "waits", 0), .end = now_ns() + 10000000000ull};
	u8 *p = map_anon(N, RW);
	long tables;

	PTERON_ONLY();
	w.before = lock_waits("LOCK_INODE");
	tables = lock_waits("LOCK_PTL");
	CHECK_OP(w.before, >=, 0);
	CHECK_OP(tables, >=, 0);
	touch(p, N); /* alone: there is nobody to wait for */
	for (int i = 0; i < 20; i++)
		CHECK_EQ(pwrite(w.fd, p, N * P, 0), N * P);
	CHECK_EQ(lock_waits("LOCK_PTL"), tables);
	CHECK_EQ(lock_waits("LOCK_INODE"), w.before);
	if (cpu_total() < 2)
		return;
	w.gate.n = 2;
	crew_run(2, writing_member, &w);
	CHECK_OP(lock_waits("LOCK_INODE"), >, w.before);
	CHECK_OK(close(w.fd));
}
