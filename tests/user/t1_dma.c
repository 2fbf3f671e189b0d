/*
 * t1_dma.c - devices that store all the time, and what happens to their pages: T1-02, 13, 18, 22, 25, Linux's gup_test (spec 2f),
 * X-01 (spec 9).
 */
#define _GNU_SOURCE
#include "dma.h"
#include "kernel/uapi/gup_test.h"
#include "kernel/uapi/remap.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The engine and the program see one page; who uses a pin keeps it. */
TEST(dma_engine, "dma.engine stores; what may not be is refused")
{
	int dma = dma_open();
	volatile u64 *p = (u64 *)map_anon(2, RW);
	struct dma_start s = {.length = 64};
	struct dma_stop end;
	u64 w, r;

	p[0] = p[P / 8] = 1;
	w = dma_pin(dma, p, 2 * P, EDU_PIN_WRITE);
	r = dma_pin(dma, p, 2 * P, 0);
	dma_start(dma, w, P - 16, 32, 100, 0);
	SPIN_UNTIL(LOAD(p[P / 8]) > 110);
	s.id = w;
	CHECK_ERRNO(ioctl(dma, DMA_IOC_START, &s), EBUSY);
	CHECK_ERRNO(ioctl(dma, EDU_IOC_UNPIN, &(struct edu_unpin){.id = w}), EBUSY);
	end = dma_stop(dma, w);
	CHECK_OP(end.rounds, >, 10);
	CHECK_EQ(end.last, 100 + end.rounds - 1);
	CHECK_EQ(p[P / 8 - 3], 0);
	for (size_t i = P / 8 - 2; i < P / 8 + 2; i++)
		CHECK_EQ(p[i], end.last);
	CHECK_ERRNO(ioctl(dma, DMA_IOC_STOP, &end), ENOENT);
	s.id = r;
	CHECK_ERRNO(ioctl(dma, DMA_IOC_START, &s), EACCES);
	s = (struct dma_start){.id = w, .offset = 4, .length = 8};
	CHECK_ERRNO(ioctl(dma, DMA_IOC_START, &s), EINVAL);
	s = (struct dma_start){.id = w, .offset = 2 * P - 8, .length = 16};
	CHECK_ERRNO(ioctl(dma, DMA_IOC_START, &s), EINVAL);
	s = (struct dma_start){.id = 77, .length = 16};
	CHECK_ERRNO(ioctl(dma, DMA_IOC_START, &s), ENOENT);
	p[1] = 5;
	CHECK_EQ(dma_load(dma, r, 8), 5);
	dma_store(dma, w, 8, 6);
	CHECK_EQ(p[1], 6);
	CHECK_ERRNO(ioctl(dma, DMA_IOC_WRITE, &(struct dma_word){.id = r}), EACCES);
	dma_unpin(dma, w, true);
	dma_unpin(dma, r, false);
}

/* -- T1-02 ------------------------------------------------------------------------------------------------------------------ */

#define CHILDREN 24
#define MAPPINGS 64 /* of the one page, each */

TEST(T1_02, "T1-02 no false positive: a page that 1,500 entries map is not pinned, by count or by deed")
{
	int dma = dma_open(), ready[2], go[2];
	struct disk_page d = disk_pages("many", 1);
	struct disk_stat st;
	long phantom = pinstat("bias_phantom");
	char c;

	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	d.p[0] = 1;
	for (int i = 0; i < CHILDREN; i++) {
		if (CHECK_OK(fork()))
			continue;
		close(go[1]);
		for (int k = 0; k < MAPPINGS; k++)
			CHECK_EQ(map_shared(d.fd, 1, RW)[0], 1);
		CHECK_EQ(write(ready[1], "x", 1), 1);
		CHECK_EQ(read(go[0], &c, 1), 0);
		_exit(0);
	}
	for (int i = 0; i < CHILDREN; i++)
		CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_OP(dma_stat_at(dma, d.p).mapcount, >, 1500);
	CHECK_EQ(dma_stat_at(dma, d.p).pins_w + dma_stat_at(dma, d.p).pins_r, 0);
	d.p[0] = 2;
	st = disk_stat();
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(disk_since(st).copied, 0);
	CHECK_EQ(dma_stat_at(dma, d.p).flags & (EDU_STAT_DIRTY | EDU_STAT_LEASED), 0);
	if (phantom >= 0) /* Linux's rule would have called it pinned */
		CHECK_OP(pinstat("bias_phantom"), >, phantom);
	close(go[1]);
	while (wait(NULL) > 0)
		;
	CHECK_EQ(dma_stat_at(dma, d.p).mapcount, 1);
}

/* -- T1-13, T1-18 ------------------------------------------------------------------------------------------------------------- */

static u64 word_on_disk(int fd, off_t at)
{
	u64 v;

	drop_caches();
	CHECK_EQ(pread(fd, &v, sizeof(v), at), sizeof(v));
	return v;
}

static void lost_dirty(u64 flags)
{
	int dma = dma_open();
	struct disk_page d = disk_pages("lost", 2);
	u64 id;

	*(volatile u64 *)(d.p + P) = 1; /* so that the fast way finds it writable */
	id = dma_pin(dma, d.p + P, P, EDU_PIN_WRITE | flags);
	CHECK(dma_stat_at(dma, d.p + P).flags & EDU_STAT_LEASED);
	dma_store(dma, id, 16, 7);
	CHECK_OK(fsync(d.fd));
	CHECK(dma_stat_at(dma, d.p + P).flags & EDU_STAT_DIRTY);
	dma_store(dma, id, 16, 8); /* no entry allows a store now */
	dma_unpin(dma, id, true);
	CHECK(dma_stat_at(dma, d.p + P).flags & EDU_STAT_DIRTY);
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(dma_stat_at(dma, d.p + P).flags & (EDU_STAT_DIRTY | EDU_STAT_LEASED), 0);
	CHECK_OK(munmap(d.p, 2 * P));
	CHECK_EQ(word_on_disk(d.fd, P + 16), 8);
}

TEST(T1_13, "T1-13 what a device stores after writeback cleaned the page reaches the disk")
{
	lost_dirty(0);
	lost_dirty(EDU_PIN_FAST);
	lost_dirty(EDU_PIN_FAST | EDU_PIN_LONGTERM);
}

TEST(T1_18, "T1-18 long-term pins of files: a lease; in mode linux-compat EFAULT")
{
	const u64 flags = EDU_PIN_WRITE | EDU_PIN_LONGTERM;
	int dma = dma_open();
	struct disk_page d = disk_pages("long", 1);
	u8 *t = map_shared(tagged_memfd(1), 1, RW), *copy = mmap(NULL, P, RW, MAP_PRIVATE, d.fd, 0);
	struct edu_pin pin;

	d.p[0] = t[0] = 1;
	dma_unpin(dma, dma_pin(dma, d.p, P, flags), false);
	vm_set("pin_longterm", "linux-compat");
	for (u64 fast = 0; fast <= EDU_PIN_FAST; fast += EDU_PIN_FAST) {
		CHECK_EQ(dma_try_pin(dma, d.p, P, flags | fast, &pin), EFAULT);
		dma_unpin(dma, dma_pin(dma, d.p, P, EDU_PIN_WRITE | fast), false);
		dma_unpin(dma, dma_pin(dma, d.p, P, EDU_PIN_LONGTERM | fast), false);
		dma_unpin(dma, dma_pin(dma, t, P, flags | fast), false);
		dma_unpin(dma, dma_pin(dma, copy, P, flags | fast), false);
	}
	vm_set("pin_longterm", "leases");
	dma_unpin(dma, dma_pin(dma, d.p, P, flags), false);
}

/* -- T1-22, T1-25 --------------------------------------------------------------------------------------------------------------- */

#define CANARIES 256

static void killed_with_engines(void)
{
	int up[2];
	pid_t pid;
	char c;

	CHECK_OK(pipe(up));
	pid = CHECK_OK(fork());
	if (!pid) {
		int dma = dma_open();
		struct disk_page d = disk_pages("killed", 4);
		u8 *p = map_anon(8, RW);

		memset(p, 1, 8 * P);
		dma_start(dma, dma_pin(dma, p, 8 * P, EDU_PIN_WRITE | EDU_PIN_FAST), 0, 8 * P, 0xdead0000, 0);
		dma_start(dma, dma_pin(dma, d.p, 4 * P, EDU_PIN_WRITE), 0, 4 * P, 0xdead0000, 0);
		CHECK_EQ(write(up[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(up[0], &c, 1), 1);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	close(up[0]);
	close(up[1]);
}

TEST(T1_22, "T1-22 killed while engines store: nobody else's memory is hit")
{
	int dma = dma_open();
	u64 before = dma_outstanding(dma);
	volatile u64 *canary;

	for (int round = 0; round < 5; round++) {
		killed_with_engines();
		canary = (u64 *)map_anon(CANARIES, RW);
		memset((void *)canary, 'C', CANARIES * P);
		for (size_t i = 0; i < CANARIES * P / 8; i++)
			if (canary[i] != 0x4343434343434343ull)
				FAIL("word %zu is 0x%llx", i, (unsigned long long)canary[i]);
		CHECK_OK(munmap((void *)canary, CANARIES * P));
	}
	CHECK_EQ(dma_outstanding(dma), before);
}

TEST(T1_25, "T1-25 every mapcount is the number of entries, with pins of all kinds held, and after")
{
	int mm = mm_need(), dma = dma_open(), up[2], down[2];
	struct disk_page d = disk_pages("audit", 4);
	u8 *a = map_anon(4, RW), *t = map_shared(tagged_memfd(4), 4, RW);
	u64 id[3];
	char c;

	CHECK_OK(pipe(up));
	CHECK_OK(pipe(down));
	memset(a, 1, 4 * P);
	t[0] = d.p[0] = 1;
	id[0] = dma_pin(dma, a, 4 * P, EDU_PIN_WRITE | EDU_PIN_FAST);
	id[1] = dma_pin(dma, t, 2 * P, EDU_PIN_FAST);
	id[2] = dma_pin(dma, d.p, 2 * P, EDU_PIN_WRITE);
	if (!CHECK_OK(fork())) {
		close(down[1]);
		d.p[0] += t[0] + a[0];
		CHECK_EQ(write(up[1], "x", 1), 1);
		CHECK_EQ(read(down[0], &c, 1), 0);
		_exit(0);
	}
	CHECK_EQ(read(up[0], &c, 1), 1);
	CHECK_EQ(dma_stat_at(dma, d.p).mapcount, 2);
	CHECK_EQ(dma_stat_at(dma, a).mapcount, 1);
	mm_audit_clean(mm, "pinned, a child");
	CHECK_OK(munmap(t, P));
	CHECK_EQ(dma_stat_pin(dma, id[1], 0).mapcount, 1); /* the child's */
	CHECK_OK(ftruncate(d.fd, 0));
	CHECK_EQ(dma_stat_pin(dma, id[2], 0).mapcount, 0);
	CHECK_EQ(dma_stat_pin(dma, id[2], 0).pins_w, 1);
	mm_audit_clean(mm, "unmapped and truncated");
	close(down[1]);
	CHECK_OP(wait(NULL), >, 0);
	for (int i = 0; i < 3; i++)
		dma_unpin(dma, id[i], true);
	mm_audit_clean(mm, "unpinned");
}

/* -- X-01 --------------------------------------------------------------------------------------------------------------------- */

TEST(X_01, "X-01 a pinned page whose address is remapped: the device goes on with the file's old page")
{
	int dma = dma_open();
	struct disk_page d = disk_pages("remap", 4);
	struct dma_stop end;
	u64 id, pfn;

	PTERON_ONLY();
	id = dma_pin(dma, d.p + P, P, EDU_PIN_WRITE);
	pfn = dma_stat_pin(dma, id, 0).pfn;
	dma_start(dma, id, 0, P, 1ull << 32, 0);
	for (int i = 0; i < 20; i++) {
		CHECK_OK(rfp(d.p + P, P, 0, 3, 0));
		CHECK_EQ(*(volatile u64 *)(d.p + P) >> 32, file_tag(d.fd, 3) >> 32);
		CHECK_OK(fsync(d.fd));
		CHECK_EQ(dma_stat_pin(dma, id, 0).pfn, pfn);
		CHECK_OK(rfp(d.p + P, P, 0, 1, 0));
		CHECK_EQ(*(volatile u64 *)(d.p + P) >> 32, 1);
	}
	end = dma_stop(dma, id);
	dma_unpin(dma, id, true);
	CHECK_OK(fsync(d.fd));
	CHECK_OK(munmap(d.p, 4 * P));
	CHECK_EQ(word_on_disk(d.fd, P), end.last);
	CHECK_EQ(word_on_disk(d.fd, 2 * P - 8), end.last);
}

/* -- Linux's test device --------------------------------------------------------------------------------------------------------- */

TEST(gup_test, "gup_test Linux's requests, by Linux's numbers")
{
	int dma = dma_open();
	u64 before = dma_outstanding(dma), to;
	u8 *p = map_anon(8, RW), *copy = map_anon(8, RW);
	struct gup_test g;
	static const u32 cmds[] = {GUP_FAST_BENCHMARK, PIN_FAST_BENCHMARK, PIN_LONGTERM_BENCHMARK, GUP_BASIC_TEST,
	                           PIN_BASIC_TEST};
	struct pin_longterm_test lt = {.addr = (uintptr_t)p, .size = 8 * P, .flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE};

	CHECK_EQ(GUP_FAST_BENCHMARK, is64 ? 0xC0506701u : 0xC04C6701u);
	CHECK_EQ(PIN_BASIC_TEST, is64 ? 0xC0506705u : 0xC04C6705u);
	CHECK_EQ(PIN_LONGTERM_TEST_START, is64 ? 0x40186707u : 0x40146707u);
	CHECK_EQ(PIN_LONGTERM_TEST_STOP, 0x6708u);
	CHECK_EQ(PIN_LONGTERM_TEST_READ, 0x40086709u);
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		g = (struct gup_test){.addr = (uintptr_t)p, .size = 8 * P, .nr_pages_per_call = 3, .gup_flags = i & 1};
		CHECK_OK(ioctl(dma, cmds[i], &g));
		CHECK_EQ(g.size, 8 * P);
		g = (struct gup_test){.addr = (uintptr_t)p, .size = 8 * P, .nr_pages_per_call = 8, .gup_flags = 1u << 25};
		CHECK_OK(ioctl(dma, cmds[i], &g)); /* as there: nothing was got, and that is all it says */
		CHECK_EQ(g.size, 0);
	}
	CHECK_OK(munmap(p + 4 * P, P));
	g = (struct gup_test){.addr = (uintptr_t)p, .size = 8 * P, .nr_pages_per_call = 1, .gup_flags = 1};
	CHECK_OK(ioctl(dma, PIN_FAST_BENCHMARK, &g));
	CHECK_EQ(g.size, 4 * P);
	CHECK_ERRNO(ioctl(dma, PIN_LONGTERM_TEST_START, &lt), EFAULT);
	CHECK_ERRNO(ioctl(dma, PIN_LONGTERM_TEST_STOP), EINVAL);
	lt.size = 4 * P;
	CHECK_OK(ioctl(dma, PIN_LONGTERM_TEST_START, &lt));
	CHECK_ERRNO(ioctl(dma, PIN_LONGTERM_TEST_START, &lt), EINVAL);
	memset(p, 'L', 4 * P);
	to = (uintptr_t)copy;
	CHECK_OK(ioctl(dma, PIN_LONGTERM_TEST_READ, &to));
	CHECK(!memcmp(p, copy, 4 * P) && copy[4 * P] == 0);
	to = 8;
	CHECK_ERRNO(ioctl(dma, PIN_LONGTERM_TEST_READ, &to), EFAULT);
	CHECK_EQ(dma_outstanding(dma), before + 4);
	CHECK_OK(ioctl(dma, PIN_LONGTERM_TEST_STOP));
	CHECK_EQ(dma_outstanding(dma), before);
	CHECK_ERRNO(ioctl(dma, 0x6799, &g), ENOTTY);
	CHECK_ERRNO(ioctl(dma, GUP_FAST_BENCHMARK, 8), EFAULT);
}
