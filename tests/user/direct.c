/*
 * direct.c - O_DIRECT against the page cache: what one writes the other reads; T1-21 (spec 2f).
 */
#define _GNU_SOURCE
#include "disk.h"
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

struct hole {
	int fd, direct;
	u8 *p;
	u32 go, round, stop;
};

/* One thread makes a hole and reads its second half past the cache; the other stores into the first half meanwhile. */
static void read_or_fill(unsigned me, void *arg)
{
	static u8 buf[2048] __attribute__((aligned(4096)));
	struct hole *h = arg;

	for (u32 i = 1; i <= 2000; i++) {
		if (me) {
			SPIN_UNTIL(LOAD(h->go) >= i || LOAD(h->stop));
			for (u32 k = i * 7 % 400; k; k--)
				__asm__ volatile("pause");
			*(volatile u8 *)h->p = (u8)i;
			STORE(h->round, i);
			continue;
		}
		memset(h->p, 0xda, P);
		CHECK_OK(fsync(h->fd));
		CHECK_OK(fallocate(h->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P));
		if (i % 8 == 0)
			CHECK_OK(fsync(h->fd)); /* the block may be had again */
		memset(buf, 1, sizeof(buf));
		STORE(h->go, i);
		CHECK_EQ(pread(h->direct, buf, sizeof(buf), 2048), sizeof(buf));
		for (size_t k = 0; k < sizeof(buf); k++)
			CHECK_EQ(buf[k], 0);
		SPIN_UNTIL(LOAD(h->round) >= i);
	}
}

TEST_SECONDS(direct_hole, "direct.read of a hole that gets its block meanwhile", 120)
{
	struct hole h = {.go = 0};

	PTERON_ONLY(); /* Linux's ext2 does not promise it */
	h.fd = make_file(disk_dir(), "hole", 0);
	CHECK_OK(ftruncate(h.fd, P));
	h.direct = CHECK_OK(open(path_in(disk_dir(), "hole"), O_RDWR | O_DIRECT));
	h.p = map_shared(h.fd, 1, PROT_READ | PROT_WRITE);
	crew_run(2, read_or_fill, &h);
	CHECK_OK(munmap(h.p, P));
	CHECK_OK(close(h.direct));
	CHECK_OK(close(h.fd));
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
