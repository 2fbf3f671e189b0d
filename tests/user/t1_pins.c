/*
 * t1_pins.c - exact DMA pin counts, with QEMU's edu device as the device: T1-01, 03, 07, 19, 20, 24 (spec 2f).
 */
#define _GNU_SOURCE
#include "swap.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int edu_open(void)
{
	int fd = open("/dev/edu", O_RDWR);

	if (fd < 0)
		SKIP("no /dev/edu");
	return fd;
}

static long try_pin(int fd, const volatile void *p, u64 len, u64 flags, struct edu_pin *pin)
{
	*pin = (struct edu_pin){.addr = (uintptr_t)p, .len = len, .flags = flags};
	return ioctl(fd, EDU_IOC_PIN, pin);
}

static struct edu_pin pin(int fd, const volatile void *p, u64 len, u64 flags)
{
	struct edu_pin got;

	CHECK_OK(try_pin(fd, p, len, flags, &got));
	CHECK_EQ(got.npages, ((uintptr_t)p % P + len + P - 1) / P);
	CHECK(got.id != 0);
	return got;
}

static void unpin(int fd, u64 id)
{
	struct edu_unpin u = {.id = id};

	CHECK_OK(ioctl(fd, EDU_IOC_UNPIN, &u));
}

static struct edu_stat stat_at(int fd, const volatile void *p)
{
	struct edu_stat st = {.addr = (uintptr_t)p};

	CHECK_OK(ioctl(fd, EDU_IOC_STAT, &st));
	return st;
}

static struct edu_stat stat_pin(int fd, u64 id, u64 index)
{
	struct edu_stat st = {.id = id, .index = index};

	CHECK_OK(ioctl(fd, EDU_IOC_STAT, &st));
	return st;
}

static void dma(int fd, unsigned long request, u64 id, u64 offset, u64 buffer, u64 length)
{
	struct edu_dma d = {.id = id, .offset = offset, .buffer_offset = buffer, .length = length};

	CHECK_OK(ioctl(fd, request, &d));
	CHECK_EQ(d.done, length);
}

static u64 outstanding(int fd)
{
	u8 *p = map_anon(1, RW);
	struct edu_stat st;

	*p = 1;
	st = stat_at(fd, p);
	CHECK_OK(munmap(p, P));
	return st.acquired - st.released;
}

TEST(edu_device, "edu.device answers, computes, interrupts")
{
	int fd = edu_open();
	struct edu_ident ident = {0};
	struct edu_factorial f = {.n = 10};

	CHECK_OK(ioctl(fd, EDU_IOC_IDENT, &ident));
	CHECK_EQ(ident.ident & 0xffff, 0x00ed);
	CHECK_EQ(ident.live, 0xedcba987);
	CHECK_EQ(ident.buffer_size, EDU_BUFFER_SIZE);
	CHECK_OK(ioctl(fd, EDU_IOC_FACTORIAL, &f));
	CHECK_EQ(f.result, 3628800);
	CHECK_ERRNO(ioctl(fd, 0x4545, 0), ENOTTY);
	CHECK_ERRNO(ioctl(fd, EDU_IOC_PIN, 8), EFAULT);
}

TEST(edu_dma, "edu.dma there and back through pinned pages")
{
	int fd = edu_open();
	u8 *a = map_anon(3, RW), *b = map_anon(3, RW);
	struct edu_pin pa, pb;
	struct edu_dma d;

	for (size_t i = 0; i < 3 * P; i++)
		a[i] = (u8)(i * 7 + 1);
	pa = pin(fd, a, 3 * P, 0);
	pb = pin(fd, b + 100, 2 * P, EDU_PIN_WRITE);
	CHECK_EQ(pb.npages, 3);
	dma(fd, EDU_IOC_DMA_TO_DEVICE, pa.id, P - 50, 10, 2000); /* across a page boundary */
	dma(fd, EDU_IOC_DMA_FROM_DEVICE, pb.id, P - 500, 10, 2000);
	CHECK(!memcmp(a + P - 50, b + 100 + P - 500, 2000));
	CHECK_EQ(b[100 + P - 501], 0);
	CHECK_EQ(b[100 + P - 500 + 2000], 0);
	d = (struct edu_dma){.id = pa.id, .length = 10};
	CHECK_ERRNO(ioctl(fd, EDU_IOC_DMA_FROM_DEVICE, &d), EACCES); /* a read pin */
	d = (struct edu_dma){.id = pb.id, .length = 10, .buffer_offset = EDU_BUFFER_SIZE - 5};
	CHECK_ERRNO(ioctl(fd, EDU_IOC_DMA_FROM_DEVICE, &d), EINVAL);
	d = (struct edu_dma){.id = pb.id, .length = 10, .offset = 2 * P - 5};
	CHECK_ERRNO(ioctl(fd, EDU_IOC_DMA_FROM_DEVICE, &d), EINVAL);
	d = (struct edu_dma){.id = 999999, .length = 10};
	CHECK_ERRNO(ioctl(fd, EDU_IOC_DMA_FROM_DEVICE, &d), ENOENT);
	unpin(fd, pa.id);
	unpin(fd, pb.id);
	CHECK_ERRNO(ioctl(fd, EDU_IOC_UNPIN, &(struct edu_unpin){.id = pa.id}), ENOENT);
}

/* T1-01: this process pins 3 times, a child 2 times; the child tells when, by pipes. */
TEST(T1_01, "T1-01 exact count")
{
	int fd = edu_open(), up[2], down[2];
	u8 *p = map_shared(tagged_memfd(1), 1, RW);
	u64 before = outstanding(fd), ids[3];
	struct edu_stat st;
	pid_t pid;
	char c;

	CHECK_OK(pipe(up));
	CHECK_OK(pipe(down));
	p[0] = 1;
	CHECK_EQ(stat_at(fd, p).mapcount, 1);
	for (int i = 0; i < 3; i++)
		ids[i] = pin(fd, p, P, i == 1 ? EDU_PIN_WRITE : 0).id;
	pid = CHECK_OK(fork());
	if (pid == 0) {
		int mine = edu_open();
		u64 one, two;

		CHECK_NOFAULT(try_write(p + 8, 1)); /* mapped here too */
		one = pin(mine, p, P, EDU_PIN_WRITE).id;
		two = pin(mine, p + 16, 100, 0).id;
		CHECK_EQ(write(up[1], "x", 1), 1);
		CHECK_EQ(read(down[0], &c, 1), 1);
		unpin(mine, one);
		unpin(mine, two);
		_exit(0);
	}
	CHECK_EQ(read(up[0], &c, 1), 1);
	st = stat_at(fd, p);
	CHECK_EQ(st.pins_w + st.pins_r, 5);
	CHECK_EQ(st.pins_w, 2);
	CHECK_EQ(st.mapcount, 2);
	CHECK_EQ(outstanding(fd) - before, 5);
	CHECK_EQ(write(down[1], "x", 1), 1);
	join(pid);
	st = stat_at(fd, p);
	CHECK_EQ(st.pins_w + st.pins_r, 3);
	CHECK_EQ(st.mapcount, 1);
	for (int i = 0; i < 3; i++)
		unpin(fd, ids[i]);
	st = stat_at(fd, p);
	CHECK_EQ(st.pins_w + st.pins_r, 0);
	CHECK_EQ(outstanding(fd), before);
}

TEST(T1_01b, "T1-01b exit and close unpin")
{
	int fd = edu_open();
	u64 before = outstanding(fd);
	u8 *p = map_shared(tagged_memfd(4), 4, RW);
	pid_t pid;

	p[0] = 1;
	pid = CHECK_OK(fork());
	if (pid == 0) {
		pin(edu_open(), p, 4 * P, EDU_PIN_WRITE);
		CHECK_EQ(stat_at(fd, p).pins_w, 1);
		_exit(0);
	}
	join(pid);
	CHECK_EQ(stat_at(fd, p).pins_w, 0);
	CHECK_EQ(outstanding(fd), before);
}

TEST(T1_03, "T1-03 zero page")
{
	int fd = edu_open();
	u64 before = outstanding(fd);
	u8 *p = map_anon(2, RW), *check = map_anon(1, RW);
	struct edu_pin r, l, back;
	struct edu_stat st;

	CHECK_EQ(p[0], 0); /* the zero page, mapped */
	r = pin(fd, p, P, 0);
	st = stat_pin(fd, r.id, 0);
	CHECK(st.flags & EDU_STAT_ZERO);
	CHECK_EQ(outstanding(fd), before); /* it is not counted */
	unpin(fd, r.id);
	CHECK_EQ(outstanding(fd), before);
	l = pin(fd, p + P, P, EDU_PIN_LONGTERM); /* untouched: a private page at once */
	st = stat_pin(fd, l.id, 0);
	CHECK(!(st.flags & EDU_STAT_ZERO));
	CHECK_EQ(st.pins_r, 1);
	CHECK_EQ(outstanding(fd), before + 1);
	memcpy(p + P, "written later", 13);
	CHECK_EQ(stat_at(fd, p + P).pfn, st.pfn);
	back = pin(fd, check, P, EDU_PIN_WRITE);
	dma(fd, EDU_IOC_DMA_TO_DEVICE, l.id, 0, 0, 13);
	dma(fd, EDU_IOC_DMA_FROM_DEVICE, back.id, 0, 0, 13);
	CHECK(!memcmp(check, "written later", 13));
	unpin(fd, l.id);
	unpin(fd, back.id);
	CHECK_EQ(outstanding(fd), before);
}

TEST(T1_04, "T1-04 fork with a pinned page")
{
	int fd = edu_open();
	u8 *p = map_anon(1, RW);
	struct edu_pin w;
	u64 pfn;
	pid_t pid;

	memset(p, 1, P);
	w = pin(fd, p, P, EDU_PIN_WRITE);
	pfn = stat_at(fd, p).pfn;
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_EQ(p[5], 1);
		CHECK(stat_at(fd, p).pfn != pfn);
		p[5] = 9;
		_exit(0);
	}
	join(pid);
	p[0] = 2;
	CHECK_EQ(stat_at(fd, p).pfn, pfn);
	memset(p, 'A', 64);
	dma(fd, EDU_IOC_DMA_TO_DEVICE, w.id, 0, 0, 64);
	memset(p, 'B', 64);
	dma(fd, EDU_IOC_DMA_FROM_DEVICE, w.id, 0, 0, 32);
	CHECK_EQ(p[31], 'A');
	CHECK_EQ(p[32], 'B');
	unpin(fd, w.id);
}

TEST(T1_05, "T1-05 unshare before a read pin")
{
	int fd = edu_open(), fds[2];
	u8 *p = map_anon(1, RW), *q = map_anon(1, RW);
	struct edu_pin r, w;
	pid_t pid;
	char c;

	memset(p, 'x', 16);
	CHECK_OK(pipe(fds));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		close(fds[1]);
		CHECK_EQ(read(fds[0], &c, 1), 0);
		CHECK_EQ(p[0], 'x');
		_exit(0);
	}
	close(fds[0]);
	r = pin(fd, p, P, 0);
	memset(p, 'y', 16);
	w = pin(fd, q, P, EDU_PIN_WRITE);
	dma(fd, EDU_IOC_DMA_TO_DEVICE, r.id, 0, 0, 16);
	dma(fd, EDU_IOC_DMA_FROM_DEVICE, w.id, 0, 0, 16);
	CHECK_EQ(q[0], 'y');
	close(fds[1]);
	join(pid);
}

TEST(T1_10, "T1-10 truncate under a pin")
{
	int fd = edu_open(), file = tagged_memfd(4);
	u64 before = outstanding(fd);
	u8 *p = map_shared(file, 4, RW);
	struct edu_pin w = pin(fd, p + P, P, EDU_PIN_WRITE);

	CHECK_OK(ftruncate(file, 0));
	CHECK_BUS(try_read(p + P), p + P);
	dma(fd, EDU_IOC_DMA_FROM_DEVICE, w.id, 0, 0, 1000); /* into the detached page */
	CHECK_OK(ftruncate(file, 4 * P));
	for (size_t i = 0; i < 4 * P; i++)
		CHECK_EQ(p[i], 0);
	CHECK_EQ(stat_pin(fd, w.id, 0).pins_w, 1);
	CHECK_EQ(stat_at(fd, p + P).pins_w, 0);
	unpin(fd, w.id);
	CHECK_EQ(outstanding(fd), before);
}

TEST(T1_12, "T1-12 last data wins, a file on disk")
{
	int fd = edu_open(), file = make_file(disk_dir(), "pin", 0);
	u8 *p, *src = map_anon(1, RW);
	struct edu_pin w, s;

	tag_file(file, 4);
	CHECK_OK(fsync(file));
	p = map_shared(file, 4, RW);
	w = pin(fd, p + 2 * P, P, EDU_PIN_WRITE);
	*src = 0; /* else the pin would be one of the zero page */
	s = pin(fd, src, P, 0);
	for (u8 round = 1; round < 4; round++) { /* T1-13 too: the page is clean for the CPU, the device stores */
		memset(src, round, 64);
		CHECK_OK(fsync(file));
		dma(fd, EDU_IOC_DMA_TO_DEVICE, s.id, 0, 0, 64);
		dma(fd, EDU_IOC_DMA_FROM_DEVICE, w.id, 0, 0, 64);
		CHECK_EQ(p[2 * P], round);
	}
	CHECK_OK(ioctl(fd, EDU_IOC_UNPIN, &(struct edu_unpin){.id = w.id, .dirty = 1}));
	CHECK_OK(fsync(file));
	CHECK_EQ(file_tag(file, 2), 0x0303030303030303ull);
	unpin(fd, s.id);
}

/* With enough memory (and a format that reaches it) programs really get frames whose number has a high word. */
TEST(high_frames, "T1-01c frames above 4 GiB reach programs and pins")
{
	int fd = edu_open();
	u8 *p = map_anon(64, RW);
	unsigned high = 0;

	if (sysconf(_SC_PHYS_PAGES) < (long)((5ull << 30) / P))
		SKIP("less than 5 GiB of memory");
	for (size_t i = 0; i < 64; i++) {
		p[i * P] = (u8)(i + 1);
		high += stat_at(fd, p + i * P).pfn >= (1ull << 32) / P;
	}
	CHECK(high > 0);
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(p[i * P], i + 1);
}

TEST(T1_19, "T1-19 bad ranges")
{
	int fd = edu_open();
	u64 before = outstanding(fd);
	u8 *ro = map_anon(1, PROT_READ), *none = map_anon(1, PROT_NONE), *hole = map_anon(1, RW);
	struct edu_pin x;

	CHECK_OK(munmap(hole, P));
	CHECK_ERRNO(try_pin(fd, hole, P, 0, &x), EFAULT);
	CHECK_ERRNO(try_pin(fd, ro, P, EDU_PIN_WRITE, &x), EFAULT);
	CHECK_ERRNO(try_pin(fd, none, P, 0, &x), EFAULT);
	CHECK_ERRNO(try_pin(fd, none, P, EDU_PIN_WRITE, &x), EFAULT);
	CHECK_ERRNO(try_pin(fd, NULL, P, 0, &x), EFAULT);
	CHECK_ERRNO(try_pin(fd, (void *)(uintptr_t)(is64 ? 0xffffffff80100000ull : 0xc0100000ull), P, 0, &x), EFAULT);
	CHECK_ERRNO(try_pin(fd, ro, ~(u64)0, 0, &x), EOVERFLOW);
	CHECK_ERRNO(try_pin(fd, ro, P, 0x80, &x), EINVAL);
	CHECK_OK(try_pin(fd, ro, 0, 0, &x));
	CHECK_EQ(x.npages, 0);
	CHECK_OK(try_pin(fd, ro, P, 0, &x));
	CHECK_EQ(x.npages, 1);
	unpin(fd, x.id);
	CHECK_EQ(outstanding(fd), before);
}

/* A write pin meets the entry's own protection, as a store would. */
TEST(T1_19b, "T1-19b pins honour the entry's grant")
{
	int fd = edu_open(), file = tagged_memfd(4);
	u8 *w = map_shared(file, 4, RW);
	struct edu_pin x;

	PTERON_ONLY();
	CHECK_OK(rfp(w, P, PROT_READ, 3, MAP_CHGPROT));
	CHECK_OK(rfp(w + P, P, PROT_NONE, 2, MAP_CHGPROT));
	CHECK_ERRNO(try_pin(fd, w, P, EDU_PIN_WRITE, &x), EFAULT);
	CHECK_OK(try_pin(fd, w, P, 0, &x));
	unpin(fd, x.id);
	CHECK_ERRNO(try_pin(fd, w + P, P, 0, &x), EFAULT);
	CHECK_OK(mprotect(w, 4 * P, PROT_NONE));
	CHECK_OK(rfp(w + 2 * P, P, RW, 1, MAP_CHGPROT)); /* a star in the dark */
	CHECK_OK(try_pin(fd, w + 2 * P, P, EDU_PIN_WRITE, &x));
	unpin(fd, x.id);
}

TEST(T1_20, "T1-20 partial")
{
	int fd = edu_open();
	u64 before = outstanding(fd);
	u8 *p = map_anon(8, RW);
	struct edu_pin x;

	CHECK_OK(munmap(p + 4 * P, 4 * P));
	CHECK_OK(try_pin(fd, p, 8 * P, EDU_PIN_WRITE, &x));
	CHECK_EQ(x.npages, 4);
	CHECK_EQ(outstanding(fd), before + 4);
	unpin(fd, x.id);
	CHECK_EQ(outstanding(fd), before);
	CHECK_ERRNO(try_pin(fd, p + 4 * P, 4 * P, EDU_PIN_WRITE, &x), EFAULT);
	CHECK_EQ(outstanding(fd), before);
	CHECK_NOFAULT(try_write(p + 3 * P, 1));
	CHECK_EQ(stat_at(fd, p + 3 * P).pins_w, 0);
}

TEST(T1_24, "T1-24 munmap under pin")
{
	int fd = edu_open();
	u64 before = outstanding(fd), pfn;
	u8 *p = map_anon(1, RW), *src = map_anon(1, RW), *canary;
	const size_t n = 512;
	struct edu_pin w, s;

	memset(p, 'P', P);
	memset(src, 'D', P);
	w = pin(fd, p, P, EDU_PIN_WRITE);
	s = pin(fd, src, P, 0);
	pfn = stat_pin(fd, w.id, 0).pfn;
	CHECK_OK(munmap(p, P));
	CHECK_EQ(stat_pin(fd, w.id, 0).mapcount, 0);
	CHECK_EQ(stat_pin(fd, w.id, 0).pins_w, 1);
	canary = map_anon(n, RW); /* nobody may be given the page */
	memset(canary, 'C', n * P);
	for (size_t i = 0; i < n; i++)
		CHECK(stat_at(fd, canary + i * P).pfn != pfn);
	dma(fd, EDU_IOC_DMA_TO_DEVICE, s.id, 0, 0, 4000);
	dma(fd, EDU_IOC_DMA_FROM_DEVICE, w.id, 0, 0, 4000);
	for (size_t i = 0; i < n * P; i++)
		if (canary[i] != 'C')
			FAIL("the device wrote into someone's memory at byte %zu", i);
	CHECK_EQ(stat_pin(fd, w.id, 0).pfn, pfn);
	unpin(fd, w.id);
	unpin(fd, s.id);
	CHECK_EQ(outstanding(fd), before);
}

TEST(T1_24b, "T1-24b munmap of a file page under pin")
{
	int fd = edu_open(), file = tagged_memfd(2);
	u8 *p = map_shared(file, 2, RW), *src = map_anon(1, RW);
	struct edu_pin w, s;

	memset(src, 'Z', 8);
	w = pin(fd, p + P, P, EDU_PIN_WRITE);
	s = pin(fd, src, P, 0);
	CHECK_OK(munmap(p, 2 * P));
	dma(fd, EDU_IOC_DMA_TO_DEVICE, s.id, 0, 0, 8);
	dma(fd, EDU_IOC_DMA_FROM_DEVICE, w.id, 0, 0, 8);
	CHECK_EQ(file_tag(file, 1), 0x5a5a5a5a5a5a5a5aull); /* still the file's page */
	unpin(fd, w.id);
	unpin(fd, s.id);
}

/* -- T1-07: pins and swapped pages ---------------------------------------------------------------------------- */

static void read_pin_in_child(void *arg)
{
	int fd = edu_open();
	u8 *p = arg;
	struct edu_pin r = pin(fd, p, P, 0);
	struct edu_stat st = stat_at(fd, p);

	CHECK_EQ(st.mapcount, 1); /* shared with the parent through the slot, but not any more */
	CHECK_OP(swap_out(p, 1), ==, 0);
	CHECK_EQ(stat_at(fd, p).pfn, st.pfn);
	p[0] ^= 1;
	CHECK_EQ(stat_at(fd, p).pfn, st.pfn);
	p[0] ^= 1;
	unpin(fd, r.id);
	swap_check(p, 1, 7);
	CHECK_OK(close(fd));
}

TEST(t1_swap_shared, "T1-07 a read pin of a page in a shared slot gets a page of its own")
{
	u8 *p;

	CHECK_OK(close(edu_open()));
	swap_begin(256);
	p = map_anon(1, RW);
	swap_fill(p, 1, 7);
	CHECK_EQ(swap_out(p, 1), 1);
	in_child(read_pin_in_child, p);
	swap_check(p, 1, 7);
	swap_end();
}
