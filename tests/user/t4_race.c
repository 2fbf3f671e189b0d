/*
 * t4_race.c - upgrades and revocations in step, and walkers without locks: T4-10, 11, 15 (spec 5f).
 */
#define _GNU_SOURCE
#include "race.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define N 32

/* -- T4-10, T4-11: two CPUs in step ------------------------------------------------------------------------------------- */

struct pair {
	u8 *p;
	void (*set)(u8 *p, int prot);
	struct gate gate;
	u64 end, rounds;
	bool stop;
};

static long own_minor_faults(void)
{
	struct rusage ru;

	CHECK_OK(getrusage(RUSAGE_THREAD, &ru));
	return ru.ru_minflt;
}

static void set_vma(u8 *p, int prot)
{
	CHECK_OK(mprotect(p, N * P, prot));
}

static void set_entries(u8 *p, int prot)
{
	CHECK_OK(rfp(p, N * P, prot, 0, MAP_CHGPROT));
}

/* B has read-only translations; A relaxes; B stores. */
static void upgrade_member(unsigned me, void *arg)
{
	struct pair *x = arg;

	while (!x->stop) {
		if (me == 0)
			x->set(x->p, PROT_READ);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++)
			(void)*(volatile u8 *)(x->p + i * P);
		gate_pass(&x->gate);
		if (me == 0)
			x->set(x->p, RW);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++) {
			long before = own_minor_faults();

			CHECK_NOFAULT(try_write(x->p + i * P, (u8)x->rounds));
			if (on_pteron()) /* Linux counts faults that it retries twice */
				CHECK_OP(own_minor_faults() - before, <=, 1);
		}
		gate_pass(&x->gate);
		if (me == 0) {
			x->rounds++;
			x->stop = !race_on(x->end, x->rounds);
		}
		gate_pass(&x->gate);
	}
}

/* B has writable translations; A revokes; every store of B faults. */
static void downgrade_member(unsigned me, void *arg)
{
	struct pair *x = arg;

	while (!x->stop) {
		if (me == 0)
			x->set(x->p, RW);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++)
			CHECK_NOFAULT(try_write(x->p + i * P, 1));
		gate_pass(&x->gate);
		if (me == 0)
			x->set(x->p, PROT_READ);
		gate_pass(&x->gate);
		for (size_t i = 0; me == 1 && i < N; i++) {
			CHECK_ACCERR(try_write(x->p + i * P, 2), x->p + i * P);
			CHECK_EQ(x->p[i * P], 1);
		}
		gate_pass(&x->gate);
		if (me == 0) {
			x->rounds++;
			x->stop = !race_on(x->end, x->rounds);
		}
		gate_pass(&x->gate);
	}
}

static void pair_run(void (*member)(unsigned, void *), u8 *p, void (*set)(u8 *, int))
{
	struct pair x = {.p = p, .set = set, .gate.n = 2, .end = race_end(400)};

	for (size_t i = 0; i < N; i++)
		p[i * P] = 1;
	crew_run(2, member, &x);
	test_note("%llu rounds", (unsigned long long)x.rounds);
	CHECK_OP(x.rounds, >, 0);
}

static void on_every_memory(void (*member)(unsigned, void *))
{
	pair_run(member, map_anon(N, RW), set_vma);
	pair_run(member, map_shared(tagged_memfd(N), N, RW), set_vma);
	if (on_pteron())
		pair_run(member, map_shared(tagged_memfd(N), N, RW), set_entries);
}

TEST(T4_10, "T4-10 stores through a stale read-only translation: no signal, one fault at most")
{
	on_every_memory(upgrade_member);
}

TEST(T4_11, "T4-11 after the call that revokes, every store faults")
{
	on_every_memory(downgrade_member);
}

static void set_page(u8 *page, int prot)
{
	CHECK_OK(mprotect(page, P, prot));
}

TEST(T4_11b, "T4-11b after the call that revokes, nothing is stored: storm")
{
	int fd = tagged_memfd(4);
	u8 *w = map_shared(fd, 4, RW), *alias = map_shared(fd, 4, PROT_READ);

	race_revoke(&(struct revoke){w + P, alias + P, PROT_READ, set_page, 1000});
	race_revoke(&(struct revoke){w + 2 * P, alias + 2 * P, PROT_NONE, set_page, 500});
}

/* -- T4-15: walkers without locks against tables that go away --------------------------------------------------------------- */

#define SPAN (8u << 20) /* two tables of the widest kind, four of the others */
#define STEP (1u << 20)
#define CONTENT 0x15151515u

struct tables {
	int mm, edu;
	u8 *at;
	u64 end, rounds, found;
	bool stop;
};

static void map_and_unmap(struct tables *t)
{
	while (race_on(t->end, t->rounds)) {
		u8 *p = CHECK_OK(mmap(t->at, SPAN, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));

		for (size_t off = 0; off < SPAN; off += STEP)
			*(volatile u32 *)(p + off) = CONTENT;
		CHECK_OK(munmap(p, SPAN));
		t->rounds++;
	}
	STORE(t->stop, true);
}

static void walk_content(struct tables *t, u8 *p)
{
	u32 value = CONTENT;
	struct iovec to = {&value, 4}, from = {p, 4};
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	if (n < 0)
		CHECK_EQ(errno, EFAULT);
	for (u32 bytes = value; n == 4 && bytes; bytes >>= 8) /* copied byte by byte: the store may come in between */
		if ((bytes & 0xff) != (CONTENT & 0xff) && (bytes & 0xff))
			FAIL("%x at %p, round %llu", value, (void *)p, (unsigned long long)t->rounds);
	if (n == 4 && value)
		ADD(t->found, 1);
}

static void walk_residence(u8 *p)
{
	u8 vec[STEP / P];

	if (mincore(p, STEP, vec) < 0)
		CHECK_EQ(errno, ENOMEM);
}

static void walk_entry(struct tables *t, u8 *p, u64 flags)
{
	struct mm_entry e = mm_entry_at(t->mm, p, flags);

	CHECK(e.kind == MM_ENTRY_NONE || e.kind == MM_ENTRY_PAGE);
	if (e.kind == MM_ENTRY_PAGE) {
		CHECK(e.grant & PROT_READ);
		CHECK(!t->stop || e.pfn);
		ADD(t->found, 1);
	}
}

static void walk(struct tables *t, u32 *random)
{
	u8 *p = t->at + rnd(random) % (SPAN / STEP) * STEP;
	struct edu_stat st = {.addr = (uintptr_t)p};

	switch (rnd(random) % 4) {
	case 0:
		walk_content(t, p);
		break;
	case 1:
		walk_residence(p);
		break;
	case 2:
		if (t->edu >= 0)
			(void)ioctl(t->edu, EDU_IOC_STAT, &st);
		break;
	default:
		if (t->mm >= 0)
			walk_entry(t, p, rnd(random) & 1 ? MM_ENTRY_LOCKLESS : 0);
	}
}

static void table_member(unsigned me, void *arg)
{
	struct tables *t = arg;
	u32 random = suite_seed() + me;

	if (me == 0)
		map_and_unmap(t);
	while (!LOAD(t->stop))
		walk(t, &random);
}

TEST(T4_15, "T4-15 walkers without locks against the freeing of tables")
{
	struct tables t = {.mm = mm_open(), .edu = open("/dev/edu", O_RDWR)};
	u8 *hole = CHECK_OK(mmap(NULL, 2 * SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	/* The neighbours are reserved for good, so that what lies between is the only user of its tables; it stays
	 * reserved until all threads have their stacks. */
	t.at = (u8 *)(((uintptr_t)hole + SPAN / 2 - 1) & ~(uintptr_t)(SPAN / 2 - 1));
	suite_seed();
	t.end = race_end(2000);
	crew_run(4, table_member, &t);
	test_note("%llu spans, %llu pages found in them", (unsigned long long)t.rounds, (unsigned long long)t.found);
	CHECK_OP(t.rounds, >, 0);
}
