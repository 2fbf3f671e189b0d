/*
 * t0_evict.c - nonlinear windows whose pages leave memory, and those that must not: T0-09 and T0-12 with MADV_PAGEOUT, T0-24;
 * and the three meanings of mprotect (spec 1b fact 9, T0-14).
 */
#define _GNU_SOURCE
#include "paint.h"

#include "kernel/uapi/remap.h"

#include <fcntl.h>
#include <unistd.h>

#define M 64
#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)

/* A file on disk of M pages: each begins with `ret`, and its number stands behind. */
static int code_file(const char *name)
{
	int fd = make_file(disk_dir(), name, 0);

	for (size_t i = 0; i < M; i++) {
		u64 page[2] = {RET_INSN, i};

		CHECK_EQ(pwrite(fd, page, sizeof(page), (off_t)(i * P)), sizeof(page));
	}
	CHECK_OK(ftruncate(fd, M * P));
	CHECK_OK(fsync(fd));
	return fd;
}

/* Out of memory, at last: somebody else may hold a page for a moment.  Read-ahead brought in some that nothing maps. */
static void page_out(int fd, u8 *w, size_t pages)
{
	for (unsigned round = 0; round < 100; round++) {
		size_t in = 0;

		CHECK_OK(madvise(w, pages * P, MADV_PAGEOUT));
		CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		for (size_t i = 0; i < pages; i++)
			in += resident(w + i * P) != 0;
		if (!in)
			return;
		sleep_ms(10);
	}
	for (size_t i = 0; i < pages; i++)
		if (resident(w + i * P))
			test_note("page %zu of the window is in memory: %d", i, resident(w + i * P));
	FAIL("pages stay in memory");
}

static int prot_of(size_t i)
{
	static const int prots[] = {PROT_NONE, PROT_READ, RW, RX};

	return prots[i % 4];
}

/* Each access that there is, as entry @i must take it. */
static void expect_entry(u8 *w, size_t i, u64 stored)
{
	u8 *p = w + i * P;
	int prot = prot_of(i);

	if (prot == PROT_NONE) {
		CHECK_ACCERR(try_read(p), p);
		CHECK_ACCERR(try_write(p, 1), p);
		CHECK_ACCERR(try_exec(p), p);
		return;
	}
	CHECK_EQ(((u64 *)p)[1], M - 1 - i);
	CHECK_EQ(((u64 *)p)[2], prot == RW ? stored : 0);
	if (prot != RW)
		CHECK_ACCERR(try_write(p, 1), p);
	if (prot == RX || !has_nx())
		CHECK_NOFAULT(try_exec(p));
	else
		CHECK_ACCERR(try_exec(p), p);
}

TEST(T0_12, "T0-12 reclaim: offsets, protections and data outlive the pages")
{
	int fd = code_file("out");
	u8 *w = map_shared(fd, M, RW);

	PTERON_ONLY();
	for (size_t i = 0; i < M; i++)
		CHECK_OK(rfp(w + i * P, P, prot_of(i), M - 1 - i, MAP_CHGPROT));
	for (u64 round = 1; round <= 3; round++) {
		for (size_t i = 2; i < M; i += 4)
			CHECK_NOFAULT(try_write64(w + i * P + 16, round));
		page_out(fd, w, M);
		for (size_t i = 0; i < M; i++)
			expect_entry(w, i, round);
	}
	CHECK_EQ(vma_count(w, M * P, NULL), 1);
}

/* Trap 1c-a: the X of an entry that holds no page. */
TEST(T0_09p, "T0-09p exec, and the page goes out in between")
{
	int fd = code_file("exec");
	u8 *w = map_shared(fd, M, RW), *p = w + 2 * P;

	PTERON_ONLY();
	CHECK_OK(rfp(p, P, PROT_READ, 6, MAP_CHGPROT));
	if (has_nx())
		CHECK_ACCERR(try_exec(p), p);
	CHECK_OK(rfp(p, P, RX, 6, MAP_CHGPROT));
	CHECK_NOFAULT(try_exec(p));
	page_out(fd, p, 1);
	CHECK_NOFAULT(try_exec(p));
	CHECK_OK(rfp(p, P, PROT_READ, 6, MAP_CHGPROT));
	page_out(fd, p, 1);
	if (has_nx())
		CHECK_ACCERR(try_exec(p), p);
	else
		CHECK_NOFAULT(try_exec(p));
	CHECK_NOFAULT(try_read(p));
}

TEST(T0_24, "T0-24 mlock: what a remap brings into a locked window is there, and stays")
{
	int fd = code_file("locked");
	u8 *w;
	long before = status_kb("VmLck"), mlocked = meminfo_kb("Mlocked");

	PTERON_ONLY();
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	w = map_shared(fd, M / 2, RW);
	CHECK_OK(mlock(w, M / 2 * P));
	for (size_t i = 0; i < M / 2; i++) {
		CHECK_EQ(resident(w + i * P), 1);
		CHECK_OK(rfp(w + i * P, P, i & 1 ? PROT_READ : RW, M - 1 - i, MAP_CHGPROT | (i & 2 ? MAP_NONBLOCK : 0)));
		CHECK_EQ(resident(w + i * P), 1); /* NONBLOCK or not */
	}
	CHECK_ERRNO(madvise(w, M / 2 * P, MADV_PAGEOUT), EINVAL);
	CHECK_ERRNO(madvise(w, P, MADV_DONTNEED), EINVAL);
	for (size_t i = 0; i < M / 2; i++)
		CHECK_EQ(resident(w + i * P), 1);
	CHECK_EQ(vma_count(w, M / 2 * P, NULL), 1);
	CHECK_OK(munlock(w, M / 2 * P));
	page_out(fd, w, M / 2); /* the displaced ones and these: nothing is locked any more */
	for (size_t i = 0; i < M / 2; i++)
		CHECK_EQ(((u64 *)(w + i * P))[1], M - 1 - i);
	CHECK_OK(munmap(w, M / 2 * P));
	CHECK_EQ(status_kb("VmLck"), before);
	CHECK_EQ(meminfo_kb("Mlocked"), mlocked);
}

/* -- mprotect ---------------------------------------------------------------------------------------------------------- */

#define MODE "/proc/sys/vm/mprotect_manyprots"

static void choose_mode(const char *mode)
{
	int fd = CHECK_OK(open(MODE, O_WRONLY));

	CHECK_EQ(write(fd, mode, strlen(mode)), strlen(mode));
	close(fd);
}

TEST(T0_14s, "T0-14s mprotect in strict-2007 mode: refused, and nothing changed")
{
	u8 *base, *w;

	PTERON_ONLY();
	base = map_anon(4 + 63, RW);
	base[0] = 42;
	w = CHECK_OK(mmap(base + 4 * P, 63 * P, RW, MAP_SHARED | MAP_FIXED, tagged_memfd(63), 0));
	paint(w, 63);
	choose_mode("strict-2007");
	CHECK_ERRNO(mprotect(base, (4 + 63) * P, PROT_READ), EACCES);
	CHECK_ERRNO(mprotect(w, P, PROT_NONE), EACCES);
	CHECK_NOFAULT(try_write(base, 43));
	expect_painted(w, 63, 63);
	CHECK_OK(mprotect(base, 4 * P, PROT_READ)); /* an ordinary one */
	CHECK_ACCERR(try_write(base, 1), base);
	choose_mode("all\n");
	CHECK_OK(mprotect(w, 63 * P, PROT_READ));
	CHECK_EQ(tag(w, 0), 62);
	CHECK_ERRNO(write(CHECK_OK(open(MODE, O_WRONLY)), "strict", 6), EINVAL);
}

/* The entries keep what they were given; those without one take the new default. */
TEST(T0_14p, "T0-14p mprotect of the default only")
{
	int fd = tagged_memfd(M);
	u8 *w = map_shared(fd, M, PROT_READ), *plain = map_shared(fd, 2, RW);

	PTERON_ONLY();
	for (size_t i = 0; i < M; i += 4)
		CHECK_OK(rfp(w + i * P, P, prot_of(i / 4), M - 1 - i, MAP_CHGPROT | MAP_NONBLOCK));
	CHECK_OK(mprotect(w, M * P, RW | PROT_DEFAULT));
	for (size_t i = 0; i < M; i++) {
		u8 *p = w + i * P;
		int prot = i % 4 ? RW : prot_of(i / 4);

		if (prot & PROT_WRITE)
			CHECK_NOFAULT(try_write(p + 100, 1));
		else
			CHECK_ACCERR(try_write(p + 100, 1), p + 100);
		if (prot)
			CHECK_EQ(tag(w, i), i % 4 ? i : M - 1 - i);
		else
			CHECK_ACCERR(try_read(p), p);
	}
	CHECK_OK(mprotect(plain, 2 * P, PROT_READ | PROT_DEFAULT)); /* a uniform one: all of it */
	CHECK_ACCERR(try_write(plain, 1), plain);
}
