/*
 * reclaim.c - pages leave memory and come back: T0-12, T4-12, T1-07, mlock(2)'s limits, the order in which reclaim judges a
 * page (RF.35).  When memory is at its end: reclaim_small.c.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "swap.h"

#include "disk.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Out of memory, with what the tests themselves are done waiting for; how many of the pages are still there. */
static size_t push_out(u8 *p, size_t pages)
{
	size_t left = pages;

	for (int i = 0; i < 20 && left; i++) {
		CHECK_OK(madvise(p, pages * P, MADV_PAGEOUT));
		left = 0;
		for (size_t k = 0; k < pages; k++)
			left += resident(p + k * P) != 0;
	}
	return left;
}

/* A file on a disk with @pages tagged pages, written back. */
static int disk_file(const char *name, size_t pages)
{
	int fd = make_file(disk_dir(), name, 0);

	tag_file(fd, pages);
	CHECK_OK(fsync(fd));
	return fd;
}

/* -- files ------------------------------------------------------------------------------------------------------------------ */

#define WINDOW 32
static const int grants[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};

static void check_grant(u8 *page, int prot, u64 value)
{
	if (prot == PROT_NONE) {
		CHECK_ACCERR(try_read(page), page);
		return;
	}
	CHECK_EQ(tag(page, 0), value);
	if (prot & PROT_WRITE)
		CHECK_NOFAULT(try_write(page + 100, 7));
	else
		CHECK_ACCERR(try_write(page + 100, 7), page + 100);
	if (prot & PROT_EXEC || !has_nx())
		CHECK_NOFAULT(try_exec(page + 8));
	else
		CHECK_FAULT(try_exec(page + 8), SIGSEGV, SEGV_ACCERR, page + 8);
}

TEST(T0_12, "T0-12 reclaim: scrambled offsets, four grants, out and in again")
{
	int fd = disk_file("mosaic", WINDOW);
	u8 ret = RET_INSN, *w;

	PTERON_ONLY();
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_EQ(pwrite(fd, &ret, 1, i * P + 8), 1);
	w = CHECK_OK(mmap(NULL, WINDOW * P, RW | PROT_EXEC, MAP_SHARED, fd, 0));
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_OK(rfp(w + i * P, P, grants[i % 4], i * 13 % WINDOW, MAP_CHGPROT));
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < WINDOW; i++)
			check_grant(w + i * P, grants[i % 4], i * 13 % WINDOW);
		CHECK_EQ(push_out(w, WINDOW), 0);
		CHECK_EQ(vma_count(w, WINDOW * P, NULL), 1);
	}
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_EQ(file_tag(fd, i), i);
	CHECK_OK(munmap(w, WINDOW * P));
	close(fd);
}

/* What was stored through scrambled entries is in the file when the pages are gone. */
TEST(T0_12b, "T0-12b reclaim writes back what was stored through a mosaic")
{
	int fd = disk_file("mosaic2", WINDOW);
	u8 *w;

	PTERON_ONLY();
	w = map_shared(fd, WINDOW, RW);
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_OK(rfp(w + i * P, P, 0, WINDOW - 1 - i, 0));
	for (u64 round = 1; round < 4; round++) {
		for (size_t i = 0; i < WINDOW; i++)
			set_tag(w, i, round << 32 | i);
		CHECK_EQ(push_out(w, WINDOW), 0);
		for (size_t i = 0; i < WINDOW; i++)
			CHECK_EQ(tag(w, i), round << 32 | i);
		for (size_t i = 0; i < WINDOW; i++)
			CHECK_EQ(file_tag(fd, WINDOW - 1 - i), round << 32 | i);
	}
	close(fd);
}

/* Used pages stay when others go: second chance. */
TEST(reclaim_cold, "RECLAIM-01 MADV_COLD and accessed bits: counted, and nothing is lost")
{
	int fd = disk_file("cold", 64);
	u8 *w = map_shared(fd, 65, RW);

	CHECK_OK(munmap(w + 64 * P, P)); /* so that nothing is there */
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(tag(w, i), i);
	CHECK_OK(madvise(w, 64 * P, MADV_COLD));
	for (size_t i = 0; i < 64; i++) {
		CHECK_EQ(resident(w + i * P), 1);
		CHECK_EQ(tag(w, i), i);
	}
	CHECK_ERRNO(madvise(w + 64 * P, P, MADV_COLD), ENOMEM);
	CHECK_OK(mlock(w, P));
	CHECK_ERRNO(madvise(w, 64 * P, MADV_COLD), EINVAL);
	CHECK_ERRNO(madvise(w, 64 * P, MADV_PAGEOUT), EINVAL);
	CHECK_OK(munlock(w, P));
	CHECK_OK(munmap(w, 64 * P));
	close(fd);
}

/* -- T4-12 ------------------------------------------------------------------------------------------------------------------------ */

TEST(T4_12r, "T4-12r pages without any permission are resident, are reclaimed, and keep their data")
{
	u8 *p;

	swap_begin(256);
	p = map_anon(32, RW);
	swap_fill(p, 32, 9);
	CHECK_OK(mprotect(p, 32 * P, PROT_NONE));
	for (size_t i = 0; i < 32; i++)
		CHECK_EQ(resident(p + i * P), 1);
	CHECK_EQ(push_out(p, 32), 0);
	CHECK_ACCERR(try_read(p + 5 * P), p + 5 * P);
	CHECK_OK(mprotect(p, 32 * P, RW));
	swap_check(p, 32, 9);
	CHECK_OK(munmap(p, 32 * P));
	swap_end();
}

/* -- T1-07 ------------------------------------------------------------------------------------------------------------------------- */

TEST(T1_07, "T1-07 a pinned page is not swapped out; when the pin has gone it is")
{
	struct edu_pin pin = {.len = P, .flags = EDU_PIN_WRITE};
	struct edu_stat st = {0};
	struct edu_unpin un = {0};
	u64 pfn;
	u8 *p;
	int fd = open("/dev/edu", O_RDWR);

	if (fd < 0)
		SKIP("no /dev/edu");
	swap_begin(256);
	p = map_anon(4, RW);
	swap_fill(p, 4, 3);
	pin.addr = (uintptr_t)(p + P);
	CHECK_OK(ioctl(fd, EDU_IOC_PIN, &pin));
	st.addr = pin.addr;
	CHECK_OK(ioctl(fd, EDU_IOC_STAT, &st));
	pfn = st.pfn;
	CHECK_EQ(push_out(p, 4), 1);
	CHECK_EQ(resident(p + P), 1);
	st = (struct edu_stat){.addr = pin.addr};
	CHECK_OK(ioctl(fd, EDU_IOC_STAT, &st));
	CHECK(st.flags & EDU_STAT_PRESENT);
	CHECK_EQ(st.pfn, pfn);
	un.id = pin.id;
	CHECK_OK(ioctl(fd, EDU_IOC_UNPIN, &un));
	CHECK_EQ(push_out(p, 4), 0);
	swap_check(p, 4, 3);
	close(fd);
	swap_end();
}

/* -- RF.35 --------------------------------------------------------------------------------------------------------------------------- */

struct remote_store {
	u8 *to;
	u64 value;
};

static void store_remotely(void *arg)
{
	struct remote_store *s = arg;
	struct iovec from = {&s->value, 8}, to = {s->to, 8};

	CHECK_EQ(syscall(SYS_process_vm_writev, getpid(), &from, 1, &to, 1, 0), 8);
}

static void page_out(void *p)
{
	CHECK_OK(madvise(p, P, MADV_PAGEOUT));
}

/*
 * Somebody has a reference to a mapped page and is about to store through it.  Meanwhile the page is written back, so it is
 * clean; reclaim unmaps it and finds it clean.  Then he stores, marks it dirty and lets go; then reclaim goes on.
 */
TEST(reclaim_order, "RECLAIM-02 references first, then dirty: a late store through a reference is not lost")
{
	int mm = mm_need(), fd = disk_file("order", 1);
	struct puppet writer = {0}, reclaimer = {0};
	u8 *p = map_shared(fd, 1, RW);
	struct remote_store s = {.to = p, .value = 0x123456789abcdefull};

	puppet_need(2);
	puppet_start(&writer, 1);
	puppet_start(&reclaimer, 2);
	CHECK_EQ(tag(p, 0), 0);
	mm_arm(mm, "access-held", writer.tid);
	puppet_tell(&writer, store_remotely, &s);
	mm_await(mm, "access-held");
	CHECK_OK(fsync(fd));
	mm_arm(mm, "reclaim-verdict", reclaimer.tid);
	puppet_tell(&reclaimer, page_out, p);
	mm_await(mm, "reclaim-verdict");
	mm_release(mm, "access-held");
	CHECK_NOFAULT(puppet_wait(&writer));
	mm_release(mm, "reclaim-verdict");
	CHECK_NOFAULT(puppet_wait(&reclaimer));
	mm_disarm(mm, "access-held");
	mm_disarm(mm, "reclaim-verdict");
	CHECK_EQ(tag(p, 0), s.value);
	CHECK_OK(fsync(fd));
	CHECK_EQ(push_out(p, 1), 0);
	CHECK_EQ(tag(p, 0), s.value);
	puppet_stop(&writer);
	puppet_stop(&reclaimer);
	close(fd);
}

/* -- mlock(2) -------------------------------------------------------------------------------------------------------------------------- */

static void limited(void *arg)
{
	u8 *p = arg, *q;

	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){8 * P, 8 * P}));
	CHECK_OK(syscall(SYS_setuid, 1000));
	CHECK_OK(mlock(p, 8 * P));
	CHECK_OK(mlock(p, 8 * P)); /* what is locked already does not count twice */
	CHECK_ERRNO(mlock(p, 9 * P), ENOMEM);
	CHECK_ERRNO(mlockall(MCL_CURRENT), ENOMEM);
	CHECK_ERRNO((long)mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK_ERRNO((long)mremap(p, 8 * P, 9 * P, MREMAP_MAYMOVE), EAGAIN);
	CHECK_OK(munlock(p, 4 * P));
	q = CHECK_OK(mmap(NULL, 4 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
	CHECK_EQ(resident(q + 3 * P), 1);
	CHECK_OK(munlockall());
	CHECK_OK(mlockall(MCL_FUTURE));
	CHECK_ERRNO((long)mmap(NULL, 9 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
	q = CHECK_OK(mmap(NULL, 8 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_EQ(resident(q), 1);
	CHECK_OK(munlockall());
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}));
	CHECK_ERRNO(mlock(p, P), EPERM);
	CHECK_ERRNO(mlockall(MCL_CURRENT), EPERM);
	CHECK_ERRNO((long)mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EPERM);
	CHECK_OK(munlock(p, P));
}

TEST(mlock_limit, "mlock.limit RLIMIT_MEMLOCK: EPERM, ENOMEM, EAGAIN as on Linux")
{
	in_child(limited, map_anon(16, RW));
}

TEST(mlock_onfault, "mlock.onfault MLOCK_ONFAULT locks what is there and what comes; VmLck counts")
{
	u8 *p = map_anon(16, RW);

	p[0] = 1;
	CHECK_OK(syscall(SYS_mlock2, p, 16 * P, 1));
	CHECK_EQ(status_kb("VmLck"), 64);
	CHECK_EQ(resident(p), 1);
	CHECK_EQ(resident(p + 5 * P), 0);
	CHECK_ERRNO(syscall(SYS_mlock2, p, 16 * P, 2), EINVAL);
	p[5 * P] = 1;
	CHECK_OK(munlock(p + 4 * P, 4 * P));
	CHECK_EQ(status_kb("VmLck"), 48);
	CHECK_OK(mlock(p, 16 * P));
	CHECK_EQ(resident(p + 9 * P), 1);
	CHECK_OK(munmap(p, 8 * P));
	CHECK_EQ(status_kb("VmLck"), 32);
	CHECK_OK(munlockall());
	CHECK_EQ(status_kb("VmLck"), 0);
	CHECK_ERRNO(mlockall(MCL_CURRENT | 8), EINVAL);
	CHECK_ERRNO(mlockall(MCL_ONFAULT), EINVAL);
}

/* -- /proc ---------------------------------------------------------------------------------------------------------------------------------- */

TEST(proc_smaps, "proc.smaps and pagemap tell what is where")
{
	u8 *p = map_anon(16, RW), *hole = p + 8 * P;
	int fd = CHECK_OK(open("/proc/self/pagemap", O_RDONLY));
	u64 word[16];

	for (size_t i = 0; i < 6; i++)
		p[i * P] = 1;
	CHECK_OK(mlock(p, P));
	CHECK_OK(munlock(p, P));
	CHECK_EQ(smaps_kb(p, P, "Size"), 64);
	CHECK_EQ(smaps_kb(p, P, "Rss"), 24);
	CHECK_EQ(smaps_kb(p, P, "Pss"), 24);
	CHECK_EQ(smaps_kb(p, P, "Private_Dirty"), 24);
	CHECK_EQ(smaps_kb(p, P, "Anonymous"), 24);
	CHECK_EQ(smaps_kb(p, P, "Swap"), 0);
	CHECK_EQ(pread(fd, word, sizeof(word), (off_t)((uintptr_t)p / P * 8)), (long)sizeof(word));
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(word[i] >> 63, i < 6);
	CHECK(word[0] & (1ull << 56));
	CHECK(!(word[0] & (1ull << 61)));
	CHECK_ERRNO(pread(fd, word, 7, 0), EINVAL);
	CHECK_ERRNO(pread(fd, word, 8, 4), EINVAL);
	CHECK(hole[0] == 0); /* the page of zeros: mapped, and not counted */
	CHECK_EQ(smaps_kb(p, P, "Rss"), 24);
	close(fd);
}
