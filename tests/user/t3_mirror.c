/*
 * t3_mirror.c - a secondary MMU sees what the program sees, and nothing else: T3-01, 02, 06, 09, 11 to 13, 18 to 21, 24 (spec 4f).
 */
#define _GNU_SOURCE
#include "t3.h"
#include "disk.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 8

/* -- T3-01: both see what either stores -------------------------------------------------------------------------------- */

static void coherent(int dev, u8 *p)
{
	struct mirror_stat before = device_stat(dev);
	u8 *copy = map_anon(N, RW);
	struct hmm_dmirror_cmd c = {.addr = (uintptr_t)p, .ptr = (uintptr_t)copy, .npages = N};

	for (u32 i = 0; i < N; i++)
		*word(p, i) = 0x1000 + i;
	CHECK_OK(ioctl(dev, HMM_DMIRROR_READ, &c));
	CHECK_EQ(c.cpages, N);
	CHECK_EQ(c.faults, N); /* once for each page */
	for (u32 i = 0; i < N; i++)
		CHECK_EQ(*word(copy, i), 0x1000 + i);
	for (u32 i = 0; i < N; i++)
		CHECK_EQ(device_load(dev, word(p, i)), 0x1000 + i);
	CHECK_EQ(device_stat(dev).faults - before.faults, N);
	for (u32 i = 0; i < N; i++)
		device_store(dev, word(p, i) + 1, 0x2000 + i);
	for (u32 i = 0; i < N; i++) {
		CHECK_EQ(word(p, i)[1], 0x2000 + i);
		CHECK_EQ(*word(p, i), 0x1000 + i);
		word(p, i)[2] = i;
		CHECK_EQ(device_load(dev, word(p, i) + 2), i);
	}
	for (u32 i = 0; i < N; i++)
		*word(copy, i) = 0x3000 + i;
	CHECK_OK(ioctl(dev, HMM_DMIRROR_WRITE, &c));
	CHECK_EQ(c.cpages, N);
	for (u32 i = 0; i < N; i++)
		CHECK_EQ(*word(p, i), 0x3000 + i);
	CHECK_EQ(device_stat(dev).faults - before.faults, 2 * N); /* and once more to be allowed to store */
	CHECK_EQ(device_prot(dev, p), MIRROR_PROT_WRITE);
}

TEST(T3_01, "T3-01 mirror: anonymous, tmpfs and disk memory")
{
	int dev = device_open(), file = make_file(disk_dir(), "mirror", 0);

	coherent(dev, map_anon(N, RW));
	coherent(dev, map_shared(tagged_memfd(N), N, RW));
	coherent(dev, CHECK_OK(mmap(NULL, N * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0)));
	tag_file(file, N);
	coherent(dev, map_shared(file, N, RW));
}

TEST(T3_01b, "T3-01b zero page, private file, bad input")
{
	int dev = device_open();
	u8 *p = map_anon(2, RW), *f = CHECK_OK(mmap(NULL, P, RW, MAP_PRIVATE, tagged_memfd(1), 0)), *ro;
	struct hmm_dmirror_cmd c = {.addr = (uintptr_t)p + 1, .npages = 1};
	struct mirror_run r = {.addr = (uintptr_t)p, .span = 1, .count = MIRROR_RUN_MAX + 1};
	u32 value;

	CHECK_EQ(device_load(dev, p), 0);
	CHECK_EQ(device_prot(dev, p), MIRROR_PROT_READ | MIRROR_PROT_ZERO);
	*word(p, 0) = 7;
	CHECK_EQ(device_load(dev, p), 7);
	CHECK_EQ(device_load(dev, f), 0);
	*word(f, 0) = 8; /* a copy: the device must leave the file's page */
	CHECK_EQ(device_load(dev, f), 8);
	CHECK_EQ(device_try_load(dev, (void *)8, &value), EFAULT);
	CHECK_EQ(device_try_load(dev, (void *)(uintptr_t)(is64 ? 0xffffffff80100000ull : 0xc0100000ull), &value), EFAULT);
	ro = map_anon(1, PROT_READ);
	CHECK_EQ(device_try_store(dev, ro, 1), EFAULT);
	CHECK_EQ(device_try_load(dev, map_anon(1, PROT_NONE), &value), EFAULT);
	CHECK_ERRNO(ioctl(dev, HMM_DMIRROR_READ, &c), EINVAL);
	c.addr--;
	c.ptr = 8;
	CHECK_ERRNO(ioctl(dev, HMM_DMIRROR_READ, &c), EFAULT);
	CHECK_EQ(c.cpages, 0);
	c = (struct hmm_dmirror_cmd){.addr = (uintptr_t)p, .npages = ~0ull};
	CHECK_ERRNO(ioctl(dev, HMM_DMIRROR_SNAPSHOT, &c), EFAULT);
	CHECK_ERRNO(ioctl(dev, MIRROR_IOC_RUN, &r), EINVAL);
	r = (struct mirror_run){.addr = (uintptr_t)p, .span = 0, .count = 1};
	CHECK_ERRNO(ioctl(dev, MIRROR_IOC_RUN, &r), EINVAL);
	r = (struct mirror_run){.addr = (uintptr_t)p, .span = ~0u, .stride = ~3u, .count = 1};
	CHECK_ERRNO(ioctl(dev, MIRROR_IOC_RUN, &r), EFAULT);
	CHECK_ERRNO(ioctl(dev, HMM_DMIRROR_READ, 8), EFAULT);
	CHECK_ERRNO(ioctl(dev, 0x4848, 0), ENOTTY);
	CHECK_EQ(HMM_DMIRROR_READ, 0xc0284800u);
}

/* -- T3-02, 06, 19, 20, 21: what was taken away is gone ------------------------------------------------------------------ */

TEST(T3_02, "T3-02 unmap")
{
	int dev = device_open();
	u8 *p = map_anon(N, RW);
	u32 value;

	for (u32 i = 0; i < N; i++)
		device_store(dev, word(p, i), i + 1);
	CHECK_OK(munmap(p + 2 * P, 3 * P));
	for (u32 i = 0; i < N; i++) {
		int err = device_try_load(dev, word(p, i), &value);

		CHECK_EQ(err, i >= 2 && i < 5 ? EFAULT : 0);
		CHECK_EQ(device_try_store(dev, word(p, i) + 1, 9), err);
		if (!err)
			CHECK_EQ(value, i + 1);
	}
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
	CHECK_EQ(device_load(dev, p), 0);
}

TEST(T3_06, "T3-06 copy on write after fork")
{
	int dev = device_open(), up[2];
	u8 *p = map_anon(2, RW);
	pid_t pid;
	char c;

	*word(p, 0) = 1;
	device_store(dev, word(p, 1), 1);
	CHECK_EQ(device_load(dev, p), 1);
	CHECK_OK(pipe(up));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		close(up[1]);
		CHECK_EQ(read(up[0], &c, 1), 0);
		CHECK_EQ(*word(p, 0), 1);
		CHECK_EQ(*word(p, 1), 1);
		_exit(0);
	}
	close(up[0]);
	CHECK(device_prot(dev, p + P) != MIRROR_PROT_WRITE);
	*word(p, 0) = 2;
	CHECK_EQ(device_load(dev, p), 2);
	device_store(dev, word(p, 1), 2); /* the device breaks the sharing as well */
	CHECK_EQ(*word(p, 1), 2);
	close(up[1]);
	join(pid);
}

TEST(T3_19, "T3-19 mprotect")
{
	int dev = device_open();
	u8 *p = map_anon(1, RW);
	u32 value;

	device_store(dev, p, 1);
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_EQ(device_try_store(dev, p, 2), EFAULT);
	CHECK_EQ(device_load(dev, p), 1);
	CHECK_OK(mprotect(p, P, PROT_NONE));
	CHECK_EQ(device_try_load(dev, p, &value), EFAULT);
	CHECK_OK(mprotect(p, P, RW));
	device_store(dev, p, 3);
	CHECK_EQ(*word(p, 0), 3);
}

TEST(T3_20, "T3-20 mremap and remap_file_pages")
{
	int dev = device_open();
	u8 *p = map_anon(4, RW), *q = map_anon(4, RW), *w = map_shared(tagged_memfd(N), N, RW);
	u32 value;

	for (u32 i = 0; i < 4; i++)
		device_store(dev, word(p, i), i + 10);
	CHECK_EQ((uintptr_t)CHECK_OK(mremap(p, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q)), (uintptr_t)q);
	for (u32 i = 0; i < 4; i++) {
		CHECK_EQ(device_try_load(dev, word(p, i), &value), EFAULT);
		CHECK_EQ(device_load(dev, word(q, i)), i + 10);
	}
	for (u32 i = 0; i < N; i++)
		CHECK_EQ(device_load(dev, word(w, i)), i);
	for (u32 i = 0; i < N; i++)
		CHECK_OK(rfp(w + i * P, P, 0, N - 1 - i, 0));
	for (u32 i = 0; i < N; i++)
		CHECK_EQ(device_load(dev, word(w, i)), N - 1 - i);
	if (!on_pteron())
		return;
	CHECK_OK(rfp(w, P, PROT_READ, 3, MAP_CHGPROT));
	CHECK_EQ(device_try_store(dev, w, 1), EFAULT); /* the entry's own grant */
	CHECK_EQ(device_load(dev, w), 3);
	CHECK_OK(rfp(w, P, PROT_NONE, 3, MAP_CHGPROT));
	CHECK_EQ(device_try_load(dev, w, &value), EFAULT);
}

/* X-07's part: also through an entry that a remap put off its place, and by somebody who maps nothing. */
TEST(T3_21, "T3-21 truncate by another process")
{
	int dev = device_open(), fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW), *far = map_shared(fd, N, RW);
	u32 value;
	pid_t pid;

	CHECK_OK(rfp(far, P, 0, 6, 0));
	for (u32 i = 0; i < N; i++)
		CHECK_EQ(device_load(dev, word(w, i)), i);
	CHECK_EQ(device_load(dev, far), 6);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_OK(munmap(w, N * P));
		CHECK_OK(munmap(far, N * P));
		CHECK_OK(ftruncate(fd, 4 * P));
		_exit(0);
	}
	join(pid);
	for (u32 i = 0; i < N; i++)
		CHECK_EQ(device_try_load(dev, word(w, i), &value), i < 4 ? 0 : EFAULT);
	CHECK_EQ(device_try_load(dev, far, &value), EFAULT);
	CHECK_OK(ftruncate(fd, N * P));
	CHECK_EQ(device_load(dev, far), 0);
	device_store(dev, far, 77);
	CHECK_EQ(*word(w, 6), 77);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 6 * P, P));
	CHECK_EQ(device_load(dev, far), 0);
}

/* -- T3-09: age -------------------------------------------------------------------------------------------------------- */

TEST(T3_09, "T3-09 test_young")
{
	int dev = device_open();
	u8 *p = map_anon(2, RW);

	device_store(dev, p, 1);
	CHECK_EQ(device_young(dev, p, false), 1);
	CHECK_EQ(device_young(dev, p, false), 1);
	CHECK_EQ(device_young(dev, p, true), 1);
	CHECK_EQ(device_young(dev, p, false), 0);
	CHECK_EQ(device_young(dev, p + P, false), 0);
	CHECK_EQ(device_load(dev, p), 1); /* the device's TLB was flushed: it says so again */
	CHECK_EQ(device_young(dev, p, false), 1);
}

/* Accessed is what the CPU's bit says, or the device (R3.4). */
TEST(T3_08a, "T3-08a a page that only the device uses is young")
{
	int mm = mm_need(), dev = device_open();
	u8 *p = map_anon(2, RW);
	struct mm_range r = {.addr = (uintptr_t)p, .len = 2 * P};

	for (u32 i = 0; i < 2; i++)
		device_store(dev, word(p, i), i);
	CHECK_OK(ioctl(mm, MM_IOC_CLEAR_YOUNG, &r));
	CHECK_EQ(r.count, 2);
	CHECK_OK(ioctl(mm, MM_IOC_CLEAR_YOUNG, &r));
	CHECK_EQ(r.count, 0);
	CHECK_EQ(device_load(dev, word(p, 1)), 1);
	CHECK_OK(ioctl(mm, MM_IOC_CLEAR_YOUNG, &r));
	CHECK_EQ(r.pages, 2);
	CHECK_EQ(r.count, 1);
}

/* -- T3-11, T3-12: who is called ---------------------------------------------------------------------------------------- */

#define CROWD_MAX 1000

struct crowd {
	int go[2], ready[2];
	pid_t pids[CROWD_MAX];
	unsigned n;
};

static void crowd_begin(struct crowd *c)
{
	c->n = 0;
	CHECK_OK(pipe(c->go));
	CHECK_OK(pipe(c->ready));
}

static void crowd_add(struct crowd *c, void (*fn)(void *), void *arg)
{
	char byte;
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		close(c->go[1]);
		fn(arg);
		CHECK_EQ(write(c->ready[1], "x", 1), 1);
		CHECK_EQ(read(c->go[0], &byte, 1), 0);
		_exit(0);
	}
	c->pids[c->n++] = pid;
	CHECK_EQ(read(c->ready[0], &byte, 1), 1);
}

static void crowd_end(struct crowd *c)
{
	close(c->go[1]);
	for (unsigned i = 0; i < c->n; i++)
		join(c->pids[i]);
	close(c->go[0]);
	close(c->ready[0]);
	close(c->ready[1]);
}

static void own_mirror(void *arg)
{
	u8 *p = map_anon(4, RW);
	int dev = device_open();

	(void)arg;
	for (u32 i = 0; i < 4; i++)
		device_store(dev, word(p, i), i);
}

/* What happens to a page of ours costs us alone. */
static u64 callbacks_of_mine(int dev, int fd, u8 *anon, u8 *file)
{
	u64 before;

	for (u32 i = 0; i < 16; i++) {
		device_store(dev, word(anon, i), i);
		device_store(dev, word(file, i), i);
	}
	before = device_stat(dev).all_callbacks;
	for (u32 i = 0; i < 16; i++) {
		CHECK_OK(madvise(anon + i * P, P, MADV_DONTNEED));
		CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(i * P), P));
	}
	return device_stat(dev).all_callbacks - before;
}

TEST_SECONDS(T3_11, "T3-11 callbacks do not depend on how many subscribe elsewhere", 120)
{
	int dev = device_open(), fd = tagged_memfd(16);
	u8 *anon = map_anon(16, RW), *file = map_shared(fd, 16, RW);
	unsigned others = (unsigned)suite_number("crowd", 60);
	static struct crowd c;
	u64 alone, crowded, before;

	alone = callbacks_of_mine(dev, fd, anon, file);
	CHECK_OP(alone, >=, 32);
	CHECK_OK(munmap(file, 16 * P)); /* the others are not to map it */
	crowd_begin(&c);
	before = device_stat(dev).subscriptions;
	for (unsigned i = 0; i < others && i < CROWD_MAX; i++)
		crowd_add(&c, own_mirror, NULL);
	CHECK_EQ(device_stat(dev).subscriptions, before + c.n);
	file = map_shared(fd, 16, RW);
	for (u32 i = 0; i < 16; i++) /* what fork has shared, ours again */
		*word(anon, i) = i;
	crowded = callbacks_of_mine(dev, fd, anon, file);
	test_note("%llu alone, %llu with %u others", (unsigned long long)alone, (unsigned long long)crowded, c.n);
	CHECK_EQ(crowded, alone);
	crowd_end(&c);
}

struct shared_page {
	int fd;
	size_t skip;
};

static void map_and_load(void *arg)
{
	const struct shared_page *s = arg;
	int dev = device_open();

	map_anon(s->skip, RW);
	CHECK_EQ(device_load(dev, map_shared(s->fd, 1, RW)), 0);
}

TEST(T3_12, "T3-12 a page in four address spaces: four callbacks")
{
	int dev = device_open(), fd = tagged_memfd(1);
	struct crowd c;
	u64 before;

	crowd_begin(&c);
	for (unsigned i = 0; i < 4; i++)
		crowd_add(&c, map_and_load, &(struct shared_page){fd, i * 3 + 1});
	before = device_stat(dev).all_callbacks;
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P));
	CHECK_EQ(device_stat(dev).all_callbacks - before, 4);
	crowd_end(&c);
}

/* -- T3-13: the end ----------------------------------------------------------------------------------------------------- */

struct busy {
	int dev;
	u8 *p;
	u64 loads;
	bool over;
};

static void keep_busy(void *arg)
{
	struct busy *b = arg;
	u32 got[64];

	while (!LOAD(b->over)) {
		size_t n = device_loads(b->dev, b->p, P, 4, got, 64);

		for (size_t i = 0; i < n; i++)
			if (got[i] != 100 + i % 4)
				FAIL("the device saw %#x at page %zu", got[i], i % 4);
		b->loads += n;
		if (n < 64)
			break;
	}
	STORE(b->over, true);
}

/* A child with the same files, so that we can use the device of its memory, and see what becomes of it. */
TEST(T3_13, "T3-13 killed while the device is busy")
{
	struct busy b = {.dev = -1};
	struct puppet user = {0};
	u8 *p = map_anon(4, RW);
	volatile int *shared = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid;

	puppet_need(1);
	close(device_open());
	for (u32 i = 0; i < 4; i++)
		*word(p, i) = 100 + i;
	puppet_start(&user, 1);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (pid == 0) {
		shared[0] = device_open();
		for (u32 i = 0; i < 4; i++)
			device_store(shared[0], word(p, i), 100 + i);
		STORE(shared[1], 1);
		for (;;)
			pause();
	}
	SPIN_UNTIL(LOAD(shared[1]));
	b.dev = shared[0];
	b.p = p;
	puppet_tell(&user, keep_busy, &b);
	SPIN_UNTIL(LOAD(b.loads) > 1000);
	CHECK_OK(kill(pid, SIGKILL));
	join_signal(pid, SIGKILL);
	CHECK_NOFAULT(puppet_wait(&user));
	CHECK_EQ(device_stat(b.dev).releases, 1);
	CHECK_EQ(device_stat(b.dev).sptes, 0);
	CHECK_EQ(device_try_store(b.dev, p, 1), EFAULT);
	CHECK_EQ(*word(p, 0), 100);
	puppet_stop(&user);
}

TEST(T3_13b, "T3-13b exec and exit end a mirror")
{
	volatile int *shared = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	u8 *p = map_anon(1, RW);
	pid_t pid;

	close(device_open());
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (pid == 0) {
		shared[0] = device_open();
		device_store(shared[0], p, 1);
		_exit(0);
	}
	join(pid);
	CHECK_EQ(device_stat(shared[0]).releases, 1);
	CHECK_EQ(device_try_store(shared[0], p, 1), EFAULT);
	CHECK_EQ(device_stat(shared[0]).sptes, 0);
}

/* -- T3-18: what the device stores is written back ------------------------------------------------------------------------ */

TEST(T3_18, "T3-18 device stores to a disk file, msync")
{
	int mm = mm_need(), dev = device_open(), file = make_file(disk_dir(), "dirty", 0);
	struct mirror_stat st;
	u8 *p;

	tag_file(file, 2);
	CHECK_OK(fsync(file));
	p = map_shared(file, 2, RW);
	CHECK_EQ(device_load(dev, p), 0);
	for (u32 round = 1; round < 4; round++) {
		st = device_stat(dev);
		device_store(dev, p, round);
		CHECK_EQ(device_stat(dev).faults, st.faults + 1);
		CHECK(mm_entry_at(mm, p, 0).page & MM_PAGE_DIRTY);
		device_store(dev, p, 100 + round); /* no fault: it may */
		CHECK_EQ(device_stat(dev).faults, st.faults + 1);
		CHECK_OK(msync(p, P, MS_SYNC));
		CHECK(!(mm_entry_at(mm, p, 0).page & MM_PAGE_DIRTY));
		CHECK(device_prot(dev, p) != MIRROR_PROT_WRITE);
	}
	CHECK_OK(munmap(p, 2 * P));
	drop_caches();
	CHECK_EQ((u32)file_tag(file, 0), 103);
}

/* -- T3-24: only what overlaps --------------------------------------------------------------------------------------------- */

TEST(T3_24, "T3-24 intervals")
{
	u8 *p = map_anon(16, RW);
	int dev = device_open_range(p + 4 * P, 4 * P, 0, 0);
	struct mirror_subscribe s = {.addr = (uintptr_t)p, .len = 0};
	u64 n = device_stat(dev).invalidations;
	u32 value;

	for (u32 i = 0; i < 16; i++)
		*word(p, i) = i + 1;
	CHECK_EQ(device_try_load(dev, word(p, 3), &value), EFAULT);
	CHECK_EQ(device_load(dev, word(p, 4)), 5);
	CHECK_OK(madvise(p, 4 * P, MADV_DONTNEED));
	CHECK_OK(madvise(p + 8 * P, 4 * P, MADV_DONTNEED));
	CHECK_EQ(device_stat(dev).invalidations, n);
	CHECK_OK(madvise(p + 5 * P, P, MADV_DONTNEED));
	CHECK_EQ(device_stat(dev).invalidations, n + 1);
	CHECK_EQ(device_prot(dev, p + 4 * P), MIRROR_PROT_READ);
	for (u32 i = 0; i < 16; i++)
		*word(p, i) = i + 1;
	CHECK_OK(madvise(p + 7 * P, 2 * P, MADV_DONTNEED));
	CHECK_EQ(device_stat(dev).invalidations, n + 2);
	CHECK_ERRNO(ioctl(dev, MIRROR_IOC_SUBSCRIBE, &s), EOVERFLOW);
	s.len = ~0ull;
	CHECK_ERRNO(ioctl(dev, MIRROR_IOC_SUBSCRIBE, &s), EOVERFLOW);
	s.len = P;
	s.flags = 8;
	CHECK_ERRNO(ioctl(dev, MIRROR_IOC_SUBSCRIBE, &s), EINVAL);
	CHECK_EQ(device_load(dev, word(p, 4)), 5); /* the failed requests have changed nothing */
}
