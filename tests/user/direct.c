/*
 * direct.c - O_DIRECT against the page cache: what one writes the other reads; T1-21 (spec 2f).
 */
#define _GNU_SOURCE
#include "disk.h"
#include "puppet.h"
#include "race.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define SECTOR 512
#define N 80ul /* pages: more than one chunk of the kernel's */

static int direct_open(const char *name)
{
	return CHECK_OK(open(path_in(disk_dir(), name), O_RDWR | O_DIRECT));
}

/* A file of N tagged pages on the disk, and a description that goes past the cache. */
static int direct_file(const char *name, int *direct)
{
	int fd = make_file(disk_dir(), name, 0);

	tag_file(fd, N);
	CHECK_OK(fsync(fd));
	*direct = direct_open(name);
	return fd;
}

TEST(direct_align, "direct.alignment and addresses")
{
	int d, fd = direct_file("da", &d);
	u8 *p = map_anon(3, RW);

	if (on_pteron()) { /* how memory must be aligned depends on the device */
		CHECK_ERRNO(pread(d, p + 1, SECTOR, 0), EINVAL);
		CHECK_ERRNO(pwrite(d, p + 4, SECTOR, 0), EINVAL);
	}
	CHECK_ERRNO(pread(d, p, SECTOR - 1, 0), EINVAL);
	CHECK_ERRNO(pread(d, p, SECTOR, 100), EINVAL);
	CHECK_EQ(pread(d, p + P - SECTOR, 2 * SECTOR, SECTOR), 2 * SECTOR); /* across a page of memory */
	CHECK_EQ(pread(d, p, 0, 0), 0);
	CHECK_EQ(pread(d, p, P, (off_t)(N * P)), 0);
	CHECK_OK(munmap(p + 2 * P, P));
	CHECK_ERRNO(pread(d, p + 2 * P, P, 0), EFAULT);
	CHECK_ERRNO(pwrite(d, p + 2 * P, P, 0), EFAULT);
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_ERRNO(pread(d, p, P, 0), EFAULT);
	if (on_pteron()) /* as far as the memory goes; it may also be nothing */
		CHECK_EQ(pread(d, p + P, 2 * P, 4 * P), P);
	else
		CHECK_EQ(pread(d, p + P, P, 4 * P), P);
	CHECK_EQ(tag(p, 1), 4);
	close(fd);
}

TEST(direct_coherent, "direct.coherent with read, write and mappings")
{
	int d, fd = direct_file("dc", &d);
	u8 *p = map_shared(fd, N, RW), *buf = map_anon(N, RW);

	for (size_t i = 0; i < N; i++)
		set_tag(p, i, i + 1000); /* dirty in the cache */
	CHECK_EQ(pread(d, buf, N * P, 0), N * P);
	for (size_t i = 0; i < N; i++) {
		CHECK_EQ(tag(buf, i), i + 1000);
		set_tag(buf, i, i + 2000);
	}
	CHECK_EQ(pwrite(d, buf, N * P, 0), N * P);
	for (size_t i = 0; i < N; i++) {
		CHECK_EQ(tag(p, i), i + 2000);
		CHECK_EQ(file_tag(fd, i), i + 2000);
	}
	set_tag(p, 3, 7); /* the rest of a page that is written in part */
	*(u64 *)(p + 3 * P + 2 * SECTOR) = 8;
	set_tag(buf, 0, 9);
	CHECK_EQ(pwrite(d, buf, SECTOR, 3 * P + SECTOR), SECTOR);
	CHECK_EQ(tag(p, 3), 7);
	CHECK_EQ(*(u64 *)(p + 3 * P + SECTOR), 9);
	CHECK_EQ(*(u64 *)(p + 3 * P + 2 * SECTOR), 8);
	drop_caches();
	CHECK_EQ(file_tag(fd, 3), 7);
}

TEST(direct_grow, "direct.growth, holes and the end of the file")
{
	int fd = make_file(disk_dir(), "dg", 0), d = direct_open("dg");
	u8 *buf = map_anon(4, RW);
	struct stat st;

	memset(buf, 'x', 4 * P);
	CHECK_EQ(pwrite(d, buf, 2 * P, 8 * P), 2 * P); /* behind a hole */
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 10 * P);
	CHECK_EQ(pread(d, buf, 4 * P, 6 * P), 4 * P);
	CHECK_EQ(buf[0], 0);
	CHECK_EQ(buf[2 * P - 1], 0);
	CHECK_EQ(buf[2 * P], 'x');
	memset(buf, 'y', P);
	CHECK_EQ(pwrite(d, buf, P, 2 * P), P); /* into the hole */
	CHECK_EQ(pread(fd, buf, 3 * P, P), 3 * P);
	CHECK(buf[0] == 0 && buf[P] == 'y' && buf[2 * P - 1] == 'y' && buf[2 * P] == 0);
	CHECK_OK(ftruncate(fd, 9 * P + 100));
	CHECK_EQ(pread(d, buf, 4 * P, 8 * P), P + 100);
	CHECK_EQ(buf[P + 99], 'x');
	CHECK_OK(ftruncate(fd, 10 * P));
	CHECK_EQ(pread(d, buf, P, 9 * P), P);
	CHECK(buf[99] == 'x' && buf[100] == 0 && buf[P - 1] == 0);
}

TEST(direct_itself, "direct.write and write whose source is a mapping of the destination")
{
	int d, fd = direct_file("di", &d);
	u8 *p = map_shared(fd, N, RW);

	CHECK_EQ(pwrite(d, p + 4 * P, 4 * P, 6 * P), 4 * P); /* source and destination overlap */
	for (size_t i = 0; i < 2; i++)
		CHECK_EQ(tag(p, 6 + i), 4 + i);
	CHECK_EQ(pwrite(d, p + 20 * P, P, 20 * P), P); /* the very same page */
	CHECK_EQ(tag(p, 20), 20);
	CHECK_EQ(pread(d, p + 30 * P, P, 31 * P), P); /* into a page of itself */
	CHECK_EQ(tag(p, 30), 31);
	CHECK_OK(munmap(p, N * P));
	p = map_shared(fd, N, RW);
	CHECK_EQ(pwrite(fd, p + 40 * P, 2 * P, 40 * P), 2 * P); /* through the cache: the page is locked when it is read */
	CHECK_EQ(pwrite(fd, p + 50 * P + 100, 3 * P, 50 * P), 3 * P);
	CHECK_EQ(tag(p, 40), 40);
	CHECK_OK(fsync(fd));
	CHECK_EQ(file_tag(fd, 30), 31);
}

/* -- against other threads ----------------------------------------------------------------------------------------- */

struct neighbours {
	int fd, d;
	u8 *p;
	u64 end;
	bool stop;
	u32 written, stored;
};

/* One thread writes sector 0 of a page past the cache, the other stores into sector 1 of it through a mapping. */
static void neighbour(unsigned me, void *arg)
{
	struct neighbours *n = arg;
	volatile u32 *word = (volatile u32 *)(n->p + SECTOR);
	u8 *buf = map_anon(1, RW);

	if (me == 0) {
		do {
			*(u32 *)buf = ++n->written;
			CHECK_EQ(pwrite(n->d, buf, SECTOR, 0), SECTOR);
		} while (race_on(n->end, n->written));
		STORE(n->stop, true);
		return;
	}
	while (!LOAD(n->stop)) {
		*word = ++n->stored;
		CHECK_EQ(*word, n->stored);
	}
}

TEST(direct_neighbours, "direct.write loses no store to the rest of the page")
{
	struct neighbours n = {.end = race_end(800)};
	u32 v[2];

	n.fd = direct_file("dn", &n.d);
	n.p = map_shared(n.fd, 1, RW);
	crew_run(2, neighbour, &n);
	test_note("%u direct writes, %u stores", n.written, n.stored);
	CHECK_EQ(*(u32 *)n.p, n.written);
	CHECK_EQ(*(u32 *)(n.p + SECTOR), n.stored);
	CHECK_OK(munmap(n.p, P));
	drop_caches();
	CHECK_EQ(pread(n.fd, &v[0], 4, 0), 4);
	CHECK_EQ(pread(n.fd, &v[1], 4, SECTOR), 4);
	CHECK_EQ(v[0], n.written);
	CHECK_EQ(v[1], n.stored);
}

struct into_map {
	int a, b; /* A past the cache, B */
	u8 *p;    /* B */
	u64 end;
	bool stop;
	u32 rounds, syncs;
};

#define WINDOW 8ul

/* Pages of the disk arrive in the mapping of B, other ones each time, while B is written back without end. */
static void read_into_map(unsigned me, void *arg)
{
	struct into_map *m = arg;

	if (me == 0) {
		do {
			m->rounds++;
			CHECK_EQ(pread(m->a, m->p, WINDOW * P, (off_t)(m->rounds % (N - WINDOW) * P)), WINDOW * P);
		} while (race_on(m->end, m->rounds) || LOAD(m->syncs) < 100);
		STORE(m->stop, true);
		return;
	}
	while (!LOAD(m->stop)) {
		CHECK_OK(fsync(m->b));
		ADD(m->syncs, 1);
	}
}

static u8 half[2048] __attribute__((aligned(4096)));

/* The second half of the page, past the cache. @arg: the description */
static void read_half(void *arg)
{
	memset(half, 1, sizeof(half));
	CHECK_EQ(pread(*(int *)arg, half, sizeof(half), 2048), sizeof(half));
}

/* A page that was full becomes a hole, and its block may be had again. */
static void make_hole(int fd, u8 *p)
{
	memset(p, 0xda, P);
	CHECK_OK(fsync(fd));
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P));
	CHECK_OK(fsync(fd));
}

TEST(direct_hole, "direct.read of a hole that gets its block meanwhile")
{
	struct puppet reader = {0};
	int fd, direct, mm = mm_need();
	u8 *p;

	puppet_need(1);
	fd = make_file(disk_dir(), "hole", 0);
	CHECK_OK(ftruncate(fd, P));
	direct = direct_open("hole");
	p = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	puppet_start(&reader, 1);
	for (int i = 0; i < 8; i++) {
		make_hole(fd, p);
		mm_arm(mm, "direct-read", reader.tid);
		puppet_tell(&reader, read_half, &direct);
		mm_await(mm, "direct-read");
		*(volatile u8 *)p = 1; /* in the first half: the page is dirty, with a block that still holds other things */
		mm_release(mm, "direct-read");
		CHECK_NOFAULT(puppet_wait(&reader));
		for (size_t k = 0; k < sizeof(half); k++)
			CHECK_EQ(half[k], 0);
	}
	puppet_stop(&reader);
	CHECK_OK(munmap(p, P));
	CHECK_OK(close(direct));
	CHECK_OK(close(fd));
}

TEST(T1_21, "T1-21 O_DIRECT into a mapping under writeback")
{
	struct into_map m = {.end = race_end(1000)};
	struct disk_stat st;
	size_t last;

	close(direct_file("A", &m.a));
	m.b = make_file(disk_dir(), "B", 0);
	tag_file(m.b, WINDOW);
	CHECK_OK(fsync(m.b));
	m.p = map_shared(m.b, WINDOW, RW);
	st = disk_stat();
	crew_run(2, read_into_map, &m);
	CHECK_OK(fsync(m.b));
	st = disk_since(st);
	test_note("%u reads, %u syncs, %ld pages copied, %ld writes checked", m.rounds, m.syncs, st.copied, st.checked);
	CHECK_EQ(st.mismatches, 0);
	CHECK_OK(munmap(m.p, WINDOW * P));
	drop_caches();
	last = m.rounds % (N - WINDOW);
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_EQ(file_tag(m.b, i), last + i);
}
