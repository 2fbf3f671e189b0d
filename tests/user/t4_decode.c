/*
 * t4_decode.c - what a fault is called: T4-18, and spurious upgrades: T4-10 on one CPU (spec 5f).
 */
#define _GNU_SOURCE
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)

enum access { READ, WRITE, EXEC };
static const char *const access_names[] = {"read", "write", "exec"};

static struct fault try_access(enum access access, u8 *p)
{
	switch (access) {
	case READ:
		return try_read(p);
	case WRITE:
		return try_write(p, RET_INSN);
	default:
		return try_exec(p);
	}
}

/* The whole rule: NONE allows nothing; W is only allowed by W; X by X, or by any right where there is no NX. */
static bool allowed(enum access access, int prot)
{
	switch (access) {
	case READ:
		return prot != PROT_NONE;
	case WRITE:
		return prot & PROT_WRITE;
	default:
		return has_nx() ? prot & PROT_EXEC : prot != PROT_NONE;
	}
}

static void expect_prot(const char *what, u8 *p, int prot)
{
	for (enum access a = READ; a <= EXEC; a++) {
		u8 *where = p + (a == EXEC ? 16 : 123);
		struct fault f = try_access(a, where);

		if (allowed(a, prot) ? f.signo == 0 : f.signo == SIGSEGV && f.code == SEGV_ACCERR && f.addr == where)
			continue;
		FAIL("%s: %s of a page with prot %d at %p: signal %d code %d addr %p", what, access_names[a], prot,
		     (void *)where, f.signo, f.code, (void *)f.addr);
	}
}

static const int prots[] = {PROT_READ, RW, RX, PROT_NONE, RW | PROT_EXEC, PROT_READ, PROT_NONE, RW, RX};
#define NPROTS (sizeof(prots) / sizeof(*prots))

/* One page goes through every protection; resident the whole time. */
static void cycle_resident(const char *what, u8 *p)
{
	memset(p, RET_INSN, P);
	for (size_t i = 0; i < NPROTS; i++) {
		CHECK_OK(mprotect(p, P, prots[i]));
		expect_prot(what, p, prots[i]);
	}
}

TEST(T4_18, "T4-18 fault decode")
{
	int fd = tagged_memfd(4);
	u8 *p;

	test_note("%s", has_nx() ? "NX" : "no NX: exec is read");
	cycle_resident("private anonymous", map_anon(1, RW));
	cycle_resident("shared anonymous", CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0)));
	cycle_resident("shared file", map_shared(fd, 1, RW));
	cycle_resident("private file", CHECK_OK(mmap(NULL, P, RW, MAP_PRIVATE, fd, P)));
	for (size_t i = 0; i < NPROTS; i++) { /* a page that nobody touched before the first access */
		u8 fill[4096];

		memset(fill, RET_INSN, P);
		CHECK_EQ(pwrite(fd, fill, P, 2 * P), P);
		p = CHECK_OK(mmap(NULL, P, prots[i], MAP_PRIVATE, fd, 2 * P));
		expect_prot("fresh private file", p, prots[i]);
		CHECK_OK(munmap(p, P));
		p = CHECK_OK(mmap(NULL, P, prots[i], MAP_SHARED, fd, 2 * P));
		expect_prot("fresh shared file", p, prots[i]);
		CHECK_OK(munmap(p, P));
	}
}

TEST(T4_18b, "T4-18b fault decode, no mapping")
{
	u8 *p = map_anon(3, RW);

	CHECK_OK(munmap(p + P, P));
	for (enum access a = READ; a <= EXEC; a++) {
		CHECK_MAPERR(try_access(a, p + P + 77), p + P + 77);
		CHECK_MAPERR(try_access(a, (u8 *)16), 16);
	}
	CHECK_NOFAULT(try_write(p, 1));
	CHECK_NOFAULT(try_write(p + 2 * P, 1));
}

TEST(T4_18c, "T4-18c fault decode, entries with their own protections")
{
	int fd = tagged_memfd(4);
	u8 *w, fill[4096];

	PTERON_ONLY();
	memset(fill, RET_INSN, P);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pwrite(fd, fill, P, i * (off_t)P), P);
	w = map_shared(fd, 4, PROT_READ);
	for (size_t i = 0; i < NPROTS; i++) {
		CHECK_OK(rfp(w + P, P, prots[i], 3, MAP_CHGPROT));
		expect_prot("file entry", w + P, prots[i]);
		CHECK_OK(madvise(w + P, P, MADV_DONTNEED));
		expect_prot("file entry without a page", w + P, prots[i]);
		CHECK_OK(rfp(w + 2 * P, P, prots[i], 0, MAP_CHGPROT | MAP_NONBLOCK));
		expect_prot("file entry, nonblock", w + 2 * P, prots[i]);
	}
}

TEST(T4_18d, "T4-18d kernel addresses and odd pointers")
{
	u8 *kernel = (u8 *)(is64 ? (uintptr_t)0xffffffff80100000ull : (uintptr_t)0xfff00000u);
	struct fault f = try_read(kernel);

	CHECK_EQ(f.signo, SIGSEGV);
	CHECK_EQ(try_write(kernel, 1).signo, SIGSEGV);
	if (!is64 && !on_pteron())
		return;
	if (on_pteron()) {
		CHECK(f.addr == kernel);
		CHECK_EQ(f.code, SEGV_MAPERR);
	}
	if (is64) { /* not canonical: a general protection fault, si_addr 0 */
		f = try_read((u8 *)(uintptr_t)0x8000123412341234ull);
		CHECK_EQ(f.signo, SIGSEGV);
		CHECK(f.addr == NULL);
	}
}

TEST(T4_10, "T4-10 upgrade without a signal, one CPU")
{
	u8 *p = map_anon(16, RW);

	for (int round = 0; round < 50; round++)
		for (int i = 0; i < 16; i++) {
			CHECK_OK(mprotect(p + i * P, P, PROT_READ));
			(void)*(volatile u8 *)(p + i * P);
			CHECK_OK(mprotect(p + i * P, P, RW));
			CHECK_NOFAULT(try_write(p + i * P, (u8)round));
		}
}

TEST(T4_11, "T4-11 revoke, one CPU")
{
	u8 *p = map_anon(16, RW);

	for (int i = 0; i < 16; i++) {
		p[i * P] = 1;
		CHECK_OK(mprotect(p + i * P, P, PROT_READ));
		CHECK_ACCERR(try_write(p + i * P, 2), p + i * P);
		CHECK_EQ(p[i * P], 1);
	}
}

TEST(T4_12, "T4-12 PROT_NONE keeps the page")
{
	u8 *p = map_anon(8, RW);

	for (int i = 0; i < 8; i++)
		p[i * P] = (u8)(i + 1);
	CHECK_OK(mprotect(p, 8 * P, PROT_NONE));
	CHECK_ACCERR(try_read(p + 3 * P), p + 3 * P);
	CHECK_OK(mprotect(p, 8 * P, PROT_READ));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(p[i * P], i + 1);
}
