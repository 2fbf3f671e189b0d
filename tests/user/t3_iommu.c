/*
 * t3_iommu.c - a device that uses our addresses, through an IOMMU, and pins nothing (EDU_IOC_DMA_USER): T3-I01 and so on, of our own.
 *
 * The device is QEMU's edu: a buffer, and transfers of 100 ms between it and memory.
 */
#define _GNU_SOURCE
#include "t3.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int try_dma(int fd, const volatile void *p, u64 length, bool to_device, u64 *faults)
{
	struct edu_user_dma dma = {.addr = (uintptr_t)p, .length = length, .to_device = to_device};
	int err = ioctl(fd, EDU_IOC_DMA_USER, &dma) < 0 ? errno : 0;

	if (faults)
		*faults = dma.faults;
	return err;
}

static int device(void)
{
	int fd = open("/dev/edu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		SKIP("no /dev/edu");
	if (try_dma(fd, NULL, 0, true, NULL) == EOPNOTSUPP)
		SKIP("no IOMMU (IOMMU=1)");
	return fd;
}

static u64 out(int fd, const volatile void *p, u64 length)
{
	u64 faults = 0;

	CHECK_EQ(try_dma(fd, p, length, true, &faults), 0);
	return faults;
}

static u64 in(int fd, volatile void *p, u64 length)
{
	u64 faults = 0;

	CHECK_EQ(try_dma(fd, p, length, false, &faults), 0);
	return faults;
}

/* Let the device's buffer begin with @value; from a page of its own. */
static void load_buffer(int fd, u64 value)
{
	static u64 *page;

	if (!page)
		page = (u64 *)map_anon(1, RW);
	*page = value;
	out(fd, page, 8);
}

static u64 pins(int fd, const volatile void *p)
{
	struct edu_stat st = {.addr = (uintptr_t)p};

	CHECK_OK(ioctl(fd, EDU_IOC_STAT, &st));
	return st.pins_r + st.pins_w;
}

TEST(T3_I01, "T3-I01 plain addresses, both ways")
{
	int fd = device();
	u8 *p = map_anon(4, RW);

	for (size_t i = 0; i < EDU_BUFFER_SIZE; i++)
		p[P - 2000 + i] = (u8)(i * 7 + 1);
	CHECK_EQ(out(fd, p + P - 2000, EDU_BUFFER_SIZE), 2); /* two pages, each met once */
	CHECK_EQ(in(fd, p + 3 * P - 2000, EDU_BUFFER_SIZE), 2);
	CHECK(memcmp(p + P - 2000, p + 3 * P - 2000, EDU_BUFFER_SIZE) == 0);
	CHECK_EQ(out(fd, p + P - 2000, EDU_BUFFER_SIZE), 0); /* now the unit knows them */
	CHECK_EQ(pins(fd, p), 0);
	CHECK_EQ(pins(fd, p + 3 * P), 0);
}

TEST(T3_I02, "T3-I02 bad input")
{
	int fd = device();
	u8 *p = map_anon(2, RW);
	struct edu_user_dma dma = {.addr = (uintptr_t)p, .length = 16, .buffer_offset = EDU_BUFFER_SIZE - 15};
	pid_t pid;

	CHECK_ERRNO(ioctl(fd, EDU_IOC_DMA_USER, &dma), EINVAL);
	CHECK_EQ(try_dma(fd, p, EDU_BUFFER_SIZE + 1, true, NULL), EINVAL);
	CHECK_EQ(try_dma(fd, p, -1, true, NULL), EINVAL);
	CHECK_EQ(try_dma(fd, (void *)-P, 8, true, NULL), EFAULT);
	CHECK_EQ(try_dma(fd, BAD, 8, true, NULL), EFAULT);
	CHECK_EQ(try_dma(fd, BAD, 8, false, NULL), EFAULT);
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_EQ(try_dma(fd, p, 8, false, NULL), EFAULT);
	CHECK_EQ(try_dma(fd, p, 8, true, NULL), 0);
	pid = CHECK_OK(fork());
	if (pid == 0)
		_exit(try_dma(fd, p, 8, true, NULL) != EPERM);
	join(pid);
}

TEST(T3_I03, "T3-I03 munmap: an error, and nothing is stored")
{
	int fd = device();
	u8 *p = map_anon(1, RW), *other;

	load_buffer(fd, 0x1111);
	in(fd, p, 8);
	CHECK_EQ(tag(p, 0), 0x1111);
	CHECK_OK(munmap(p, P));
	other = map_anon(64, RW); /* the frame is among these now, or nobody's */
	for (size_t i = 0; i < 64; i++)
		set_tag(other, i, i);
	load_buffer(fd, 0x2222);
	CHECK_EQ(try_dma(fd, p, 8, false, NULL), EFAULT);
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(tag(other, i), i);
}

TEST(T3_I04, "T3-I04 fork and copy on write")
{
	int fd = device(), go[2];
	u8 *p = map_anon(1, RW);
	pid_t pid;
	char c;

	load_buffer(fd, 0x3333);
	set_tag(p, 0, 1);
	in(fd, p, 8); /* a translation that may be stored through */
	set_tag(p, 0, 1);
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		CHECK_EQ(read(go[0], &c, 1), 1);
		_exit(tag(p, 0) != 1);
	}
	CHECK_EQ(in(fd, p, 8), 1); /* the device's store is a copy for the parent */
	CHECK_EQ(tag(p, 0), 0x3333);
	CHECK_EQ(write(go[1], "", 1), 1);
	join(pid);
	set_tag(p, 0, 2);
	CHECK_EQ(out(fd, p, 8), 0);
}

/* A page is replaced by another: the device must not use the first. Without the IOTLB's flush (M134) it does. */
TEST(T3_I05, "T3-I05 another page at the same address")
{
	int fd = device();
	u8 *p = map_anon(1, RW), *q = map_anon(1, RW);

	set_tag(p, 0, 5);
	CHECK_EQ(out(fd, p, 8), 1);
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
	set_tag(p, 0, 6);
	CHECK_EQ(out(fd, p, 8), 1); /* the device loads from the new one */
	CHECK_EQ(in(fd, q, 8), 1);
	CHECK_EQ(tag(q, 0), 6);
	CHECK_OK(madvise(q, P, MADV_DONTNEED));
	set_tag(q, 0, 7);
	CHECK_EQ(in(fd, q, 8), 1); /* and stores into it */
	CHECK_EQ(tag(q, 0), 6);
}

/* What was only loaded from so far is stored to: not lost (QEMU's IOTLB would), but a fault. */
TEST(T3_I13, "T3-I13 a load, then a store")
{
	int fd = device();
	u8 *p = map_anon(1, RW);

	load_buffer(fd, 0xbbbb);
	set_tag(p, 0, 0xcccc);
	CHECK_EQ(out(fd, p, 8), 1);
	CHECK_EQ(in(fd, p, 8), 1);
	CHECK_EQ(tag(p, 0), 0xcccc);
	load_buffer(fd, 0xbbbb);
	CHECK_EQ(in(fd, p, 8), 0);
	CHECK_EQ(tag(p, 0), 0xbbbb);
}

TEST(T3_I06, "T3-I06 remap_file_pages and mremap move the device along")
{
	int fd = device(), file = tagged_memfd(4);
	u8 *w = map_shared(file, 4, RW), *to;

	PTERON_ONLY();
	out(fd, w, 8);
	CHECK_EQ(rfp(w, P, 0, 3, 0), 0);
	CHECK_EQ(out(fd, w, 8), 1); /* page 3 of the file is there now */
	CHECK_EQ(in(fd, map_anon(1, RW), 8), 1);
	load_buffer(fd, 0x5555);
	CHECK_EQ(in(fd, w, 8), 1);
	CHECK_EQ(file_tag(file, 3), 0x5555);
	CHECK_EQ(file_tag(file, 0), 0);
	to = mremap(w, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, map_anon(1, RW));
	CHECK(to != MAP_FAILED);
	CHECK_EQ(try_dma(fd, w, 8, false, NULL), EFAULT);
	load_buffer(fd, 0x6666);
	CHECK_EQ(in(fd, to, 8), 1);
	CHECK_EQ(file_tag(file, 3), 0x6666);
}

TEST(T3_I07, "T3-I07 mprotect and truncate")
{
	int fd = device(), file = tagged_memfd(1);
	u8 *p = map_shared(file, 1, RW);

	load_buffer(fd, 0x7777);
	in(fd, p, 8);
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_EQ(try_dma(fd, p, 8, false, NULL), EFAULT);
	CHECK_OK(mprotect(p, P, RW));
	CHECK_EQ(try_dma(fd, p, 8, false, NULL), 0);
	CHECK_OK(ftruncate(file, 0));
	CHECK_EQ(try_dma(fd, p, 8, false, NULL), EFAULT);
	CHECK_OK(ftruncate(file, (off_t)P));
	CHECK_EQ(try_dma(fd, p, 8, false, NULL), 0);
	CHECK_EQ(file_tag(file, 0), 0x7777);
}

/* A file's page that is written back is clean; a device's store makes it dirty again, by a fault. */
TEST(T3_I08, "T3-I08 msync, the device's store, msync")
{
	int fd = device(), file = make_file(disk_dir(), "dma", 0);
	u8 *p;
	u64 value = 0;
	int direct;

	tag_file(file, 1);
	p = map_shared(file, 1, RW);
	for (u64 i = 1; i <= 2; i++) {
		load_buffer(fd, i * 0x8888);
		CHECK_EQ(in(fd, p, 8), 1);
		CHECK_OK(msync(p, P, MS_SYNC));
	}
	direct = CHECK_OK(open(path_in(disk_dir(), "dma"), O_RDONLY));
	CHECK_EQ(pread(direct, &value, 8, 0), 8);
	CHECK_EQ(value, 2 * 0x8888);
}

/* Pinned transfers, whose addresses are physical, and these, in turn. */
TEST(T3_I09, "T3-I09 with a pin and without")
{
	int fd = device();
	u8 *p = map_anon(2, RW);
	struct edu_pin pin = {.addr = (uintptr_t)p, .len = P, .flags = EDU_PIN_WRITE};
	struct edu_dma dma = {.length = 8};

	CHECK_OK(ioctl(fd, EDU_IOC_PIN, &pin));
	dma.id = pin.id;
	set_tag(p, 0, 0x9999);
	CHECK_OK(ioctl(fd, EDU_IOC_DMA_TO_DEVICE, &dma));
	CHECK_EQ(in(fd, p + P, 8), 1);
	CHECK_EQ(tag(p, 1), 0x9999);
	load_buffer(fd, 0xaaaa);
	CHECK_OK(ioctl(fd, EDU_IOC_DMA_FROM_DEVICE, &dma));
	CHECK_EQ(tag(p, 0), 0xaaaa);
	CHECK_EQ(in(fd, p + P, 8), 0);
	CHECK_EQ(tag(p, 1), 0xaaaa);
}

/* The unit has no accessed bits: to look again is to let the device fault again. */
TEST(T3_I12, "T3-I12 age")
{
	int fd = device(), dev = device_open();
	u8 *p = map_anon(1, RW);

	CHECK_EQ(in(fd, p, 8), 1);
	CHECK_EQ(device_young(dev, p, true), 1);
	CHECK_EQ(device_young(dev, p, false), 0);
	CHECK_EQ(in(fd, p, 8), 1);
	CHECK_EQ(device_young(dev, p, false), 1);
	CHECK_EQ(in(fd, p, 8), 0);
}

/* -- while a transfer is under way --------------------------------------------------------------------------------------------- */

struct churn {
	u8 *p;
	bool stop;
	u32 seed;
	u64 rounds;
};

static void *churn_body(void *arg)
{
	struct churn *c = arg;

	while (!LOAD(c->stop)) {
		CHECK_OK(madvise(c->p, P, MADV_DONTNEED));
		set_tag(c->p, 0, 1);
		c->rounds++;
		for (u64 until = now_ns() + (rnd(&c->seed) % 400) * 1000000ull; now_ns() < until;)
			sched_yield();
	}
	return NULL;
}

/* The page goes and comes while the device is at it: each transfer ends well, or says that it did not. */
TEST_SECONDS(T3_I10, "T3-I10 storm: transfers against MADV_DONTNEED", 120)
{
	int fd = device();
	struct churn c = {.p = map_anon(1, RW), .seed = suite_seed()};
	u64 end, rounds = 0, faults = 0, late = 0;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, churn_body, &c), 0);
	for (end = race_end(4000); race_on(end, rounds); rounds++) {
		u64 n = 0;
		int err = try_dma(fd, c.p, 8, rounds % 2, &n);

		CHECK(err == 0 || err == EAGAIN);
		late += err == EAGAIN;
		faults += n;
	}
	STORE(c.stop, true);
	CHECK_EQ(pthread_join(t, NULL), 0);
	test_note("%llu transfers, %llu faults, %llu given up; %llu drops", (unsigned long long)rounds,
	          (unsigned long long)faults, (unsigned long long)late, (unsigned long long)c.rounds);
}

/* Killed in the middle: nothing of it is left. */
TEST(T3_I11, "T3-I11 SIGKILL during a transfer")
{
	int fd = device();
	u8 *p = map_anon(1, RW);
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		pid = CHECK_OK(fork());
		if (pid == 0) {
			int own = device();

			for (;;)
				(void)try_dma(own, p, 8, false, NULL);
		}
		sleep_ms(150);
		CHECK_OK(kill(pid, SIGKILL));
		join_signal(pid, SIGKILL);
	}
	set_tag(p, 0, 3);
	out(fd, p, 8);
	CHECK_EQ(in(fd, p, 8), 1);
}
