/*
 * swap_tmpfs.c - pages of files without a disk (memfd, tmpfs, shared anonymous memory) out to swap and back.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "swap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define AREA 1024
#define N 64

static long used_kb(const char *path)
{
	struct swap_line line;

	CHECK(swap_line(path, &line));
	return line.used_kb;
}

static int new_memfd(size_t pages)
{
	int fd = CHECK_OK(memfd_create("swapped", 0));

	CHECK_OK(ftruncate(fd, (off_t)(pages * P)));
	return fd;
}

static void check_read(int fd, size_t pages, u32 seed)
{
	static u8 buf[N * P] __attribute__((aligned(4096)));

	CHECK_EQ(pread(fd, buf, pages * P, 0), pages * P);
	swap_check(buf, pages, seed);
}

TEST(tmpfs_roundtrip, "SWAP-30 a memfd's pages go to swap, and come back to loads, stores, read and write")
{
	const char *path = swap_begin(AREA);
	int fd = new_memfd(N);
	u8 *p = map_shared(fd, N, RW);
	static u8 block[P + 100];
	struct stat st;

	swap_fill(p, N, 1);
	CHECK_EQ(swap_out(p, N), N);
	CHECK_EQ(used_kb(path), N * 4);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_blocks, N * 8);
	swap_check(p, N, 1);
	CHECK_EQ(used_kb(path), 0);

	CHECK_EQ(swap_out(p, N), N);
	check_read(fd, N, 1);
	swap_check(p, N, 1);
	CHECK_EQ(swap_out(p, N), N);
	for (size_t i = 0; i < N; i++) /* stores into pages that are not here */
		p[i * P] ^= 0xff;
	for (size_t i = 0; i < N; i++)
		p[i * P] ^= 0xff;
	swap_check(p, N, 1);

	CHECK_EQ(swap_out(p, N), N);
	memset(block, 0x5a, sizeof(block));
	CHECK_EQ(pwrite(fd, block, sizeof(block), 3 * P), sizeof(block)); /* one whole page, and a part of the next */
	CHECK_EQ(p[3 * P], 0x5a);
	CHECK_EQ(p[4 * P + 99], 0x5a);
	swap_check(p, 3, 1);
	CHECK(p[4 * P + 100] != 0x5a);
	CHECK_OK(munmap(p, N * P));
	CHECK_OK(close(fd));
	CHECK_EQ(used_kb(path), 0);
	swap_end();
}

TEST(tmpfs_sizes, "SWAP-31 truncation, holes and the last close give the slots back; what is cut reads as zeros")
{
	const char *path = swap_begin(AREA);
	int fd = new_memfd(N);
	u8 *p = map_shared(fd, N, RW);

	swap_fill(p, N, 2);
	CHECK_EQ(swap_out(p, N), N);
	CHECK_OK(ftruncate(fd, 32 * P + 10));
	CHECK_EQ(used_kb(path), 32 * 4); /* page 32 came back to have its end zeroed */
	CHECK_BUS(try_read(p + 33 * P), p + 33 * P);
	CHECK_OK(ftruncate(fd, N * P));
	CHECK_EQ(p[32 * P + 10], 0);
	CHECK_EQ(p[40 * P], 0);
	swap_check(p, 32, 2);

	CHECK_OP(swap_out(p, 32), ==, 32);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * P, 8 * P));
	CHECK_EQ(p[8 * P], 0);
	CHECK_EQ(p[15 * P + 4095], 0);
	swap_check(p, 8, 2);
	CHECK_OK(munmap(p, N * P));
	CHECK_OK(close(fd));
	CHECK_EQ(used_kb(path), 0);
	swap_end();
}

TEST(tmpfs_nonlinear, "SWAP-32 a window with orders and protections of its own keeps them while its pages are in swap")
{
	const char *path = swap_begin(AREA);
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);

	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(w + i * P, P, i % 3 == 0 ? PROT_NONE : i % 3 == 1 ? PROT_READ : RW, N - 1 - i, MAP_CHGPROT));
	swap_out(w, N);
	CHECK_OP(used_kb(path), >, N * 3); /* what nobody may read nobody has used lately, either */
	CHECK_EQ(vma_count(w, N * P, NULL), 1);
	for (size_t i = 0; i < N; i++) {
		if (i % 3 == 0)
			CHECK_ACCERR(try_read(w + i * P), w + i * P);
		else
			CHECK_EQ(tag(w, i), N - 1 - i);
		if (i % 3 == 1)
			CHECK_ACCERR(try_write(w + i * P, 1), w + i * P);
		if (i % 3 == 2)
			CHECK_NOFAULT(try_write(w + i * P + 9, 1));
	}
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(file_tag(fd, i), i);
	CHECK_OK(munmap(w, N * P));
	CHECK_OK(close(fd));
	swap_end();
}

static void store_half(void *arg)
{
	u8 *p = arg;

	swap_check(p, N, 3);
	for (size_t i = 0; i < N / 2; i++)
		set_tag(p, i, 1000 + i);
	swap_out(p, N);
}

TEST(tmpfs_shared, "SWAP-33 shared anonymous memory: parent and child see one page, wherever it has been")
{
	u8 *p;

	swap_begin(AREA);
	p = CHECK_OK(mmap(NULL, N * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	swap_fill(p, N, 3);
	CHECK_EQ(swap_out(p, N), N);
	in_child(store_half, p);
	for (size_t i = 0; i < N / 2; i++)
		CHECK_EQ(tag(p, i), 1000 + i);
	CHECK_OK(munmap(p, N * P));
	swap_end();
}

TEST(tmpfs_swapoff, "SWAP-34 swapoff brings a file's pages back, mapped or not, with and without a name")
{
	int fd, named = CHECK_OK(open("/tmp/swapped", O_RDWR | O_CREAT | O_TRUNC, 0600));
	u8 *p, *q;

	swap_begin(AREA);
	fd = new_memfd(N);
	CHECK_OK(ftruncate(named, N * P));
	p = map_shared(fd, N, RW);
	q = map_shared(named, N, RW);
	swap_fill(p, N, 4);
	swap_fill(q, N, 5);
	CHECK_EQ(swap_out(p, N), N);
	CHECK_EQ(swap_out(q, N), N);
	CHECK_OK(munmap(q, N * P));
	CHECK_OK(close(named));
	swap_end();
	swap_check(p, N, 4);
	check_read(fd, N, 4);
	named = CHECK_OK(open("/tmp/swapped", O_RDONLY));
	check_read(named, N, 5);
	CHECK_OK(close(named));
	CHECK_OK(unlink("/tmp/swapped"));
	CHECK_OK(munmap(p, N * P));
	CHECK_OK(close(fd));
}

TEST(tmpfs_fails, "SWAP-35 a device that cannot read: SIGBUS, EIO, and nothing is lost once it can")
{
	int mm = mm_need(), fd = new_memfd(N);
	static u8 buf[P];
	u8 *p;

	swap_begin(AREA);
	p = map_shared(fd, N, RW);
	swap_fill(p, N, 6);
	CHECK_EQ(swap_out(p, N), N);
	mm_fail_arm(mm, "block_read", 1);
	CHECK_BUS(try_read(p + 5 * P), p + 5 * P);
	mm_fail_arm(mm, "block_read", 1);
	CHECK_ERRNO(pread(fd, buf, P, 16 * P), EIO);
	mm_fail_arm(mm, "block_read", 1);
	CHECK_ERRNO(pwrite(fd, buf, 1, 32 * P), EIO);
	CHECK(mm_fail_arm(mm, "block_read", 0).failed);
	swap_check(p, N, 6);
	CHECK_OK(munmap(p, N * P));
	CHECK_OK(close(fd));
	swap_end();
}

/* -- races -------------------------------------------------------------------------------------------------------- */

static void page_out(void *page)
{
	CHECK_OK(madvise(page, P, MADV_PAGEOUT));
}

TEST(tmpfs_out_held, "SWAP-36 a store between the unmapping of a page and its way to a slot: it stays")
{
	int mm = mm_need(), fd = new_memfd(1);
	struct puppet out = {0};
	u8 *p;

	puppet_need(1);
	swap_begin(AREA);
	p = map_shared(fd, 1, RW);
	swap_fill(p, 1, 7);
	puppet_start(&out, 1);
	mm_arm(mm, "object-swap-out", out.tid);
	puppet_tell(&out, page_out, p);
	mm_await(mm, "object-swap-out");
	CHECK_EQ(resident(p), 1); /* in the cache still */
	*(volatile u32 *)p = 70;
	mm_release(mm, "object-swap-out");
	CHECK_NOFAULT(puppet_wait(&out));
	CHECK_EQ(*(volatile u32 *)p, 70);
	CHECK_EQ(swap_out(p, 1), 1);
	CHECK_EQ(*(volatile u32 *)p, 70);
	puppet_stop(&out);
	CHECK_OK(munmap(p, P));
	CHECK_OK(close(fd));
	swap_end();
}

TEST(tmpfs_in_held, "SWAP-37 a reader held with an old content, while others store, and send the page out again")
{
	int mm = mm_need(), fd = new_memfd(1);
	struct puppet reader = {0};
	u8 *p;

	puppet_need(1);
	swap_begin(AREA);
	p = map_shared(fd, 1, RW);
	puppet_start(&reader, 1);
	for (u32 again = 0; again < 2; again++) {
		struct access a = {.at = (volatile u32 *)p};

		swap_fill(p, 1, 8);
		CHECK_EQ(swap_out(p, 1), 1);
		mm_arm(mm, "object-swap-in", reader.tid);
		puppet_access(&reader, &a);
		mm_await(mm, "object-swap-in");
		*(volatile u32 *)p = 80 + again;
		if (again)
			swap_out(p, 1);
		mm_release(mm, "object-swap-in");
		CHECK_NOFAULT(puppet_wait(&reader));
		CHECK_EQ(a.value, 80 + again);
	}
	puppet_stop(&reader);
	CHECK_OK(munmap(p, P));
	CHECK_OK(close(fd));
	swap_end();
}

/* Every thread has a word of its own in every page, which it counts up: by stores, and by read and write. */
struct storm {
	int fd;
	u8 *p;
	u64 end, rounds;
	u32 shadow[4][N];
};

static void count_up(struct storm *s, unsigned me, u32 *seed)
{
	size_t page = rnd(seed) % N;
	volatile u32 *word = (volatile u32 *)(s->p + page * P) + me;
	u32 v = ++s->shadow[me][page];
	off_t at = (off_t)(page * P + me * sizeof(v));

	if (rnd(seed) % 2) {
		CHECK_EQ(*word, v - 1);
		*word = v;
	} else {
		CHECK_EQ(pread(s->fd, &v, sizeof(v), at), sizeof(v));
		CHECK_EQ(v + 1, s->shadow[me][page]);
		v++;
		CHECK_EQ(pwrite(s->fd, &v, sizeof(v), at), sizeof(v));
	}
}

static void storm_member(unsigned me, void *arg)
{
	struct storm *s = arg;
	u32 seed = suite_seed() + me;

	for (u64 rounds = 0; race_on(s->end, rounds); rounds++) {
		size_t first = rnd(&seed) % N;

		if (me < 2)
			count_up(s, me, &seed);
		else if (me == 2)
			CHECK_OK(madvise(s->p + first * P, (1 + rnd(&seed) % (N - first)) * P, MADV_PAGEOUT));
		else if (rnd(&seed) % 64 == 0) /* what lies behind the counted pages is cut and grown */
			CHECK_OK(ftruncate(s->fd, (off_t)((N + rnd(&seed) % N) * P)));
		else if (rounds % 2)
			(void)try_write(s->p + (N + first) * P, 1);
		else
			CHECK_OK(madvise(s->p + N * P, N * P, MADV_PAGEOUT));
		if (!me)
			s->rounds = rounds;
	}
}

TEST_SECONDS(tmpfs_storm, "SWAP-38 stores, read and write, truncation and MADV_PAGEOUT at once: no store is lost", 300)
{
	static struct storm s;
	long out = vmstat("pswpout");

	swap_begin(AREA);
	s = (struct storm){.fd = new_memfd(2 * N), .end = race_end(1500)};
	s.p = map_shared(s.fd, 2 * N, RW);
	crew_run(4, storm_member, &s);
	for (unsigned me = 0; me < 2; me++)
		for (size_t page = 0; page < N; page++)
			CHECK_EQ(((volatile u32 *)(s.p + page * P))[me], s.shadow[me][page]);
	test_note("%llu rounds of the first, %ld pages went out", (unsigned long long)s.rounds, vmstat("pswpout") - out);
	CHECK_OP(vmstat("pswpout"), >, out);
	CHECK_OK(munmap(s.p, 2 * N * P));
	CHECK_OK(close(s.fd));
	swap_end();
}
