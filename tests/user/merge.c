/*
 * merge.c - merging of equal pages, compaction, and both with reclaim and UFFDIO_MOVE at once: MERGE-0x, COMPACT-01,
 * T2-13, T2-21, X-04, X-10 (docs/migration.md).
 */
#define _GNU_SOURCE
#include "disk.h"
#include "move.h"
#include "swap.h"
#include "t2.h"
#include "t3.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* -- merging ----------------------------------------------------------------------------------------------------------- */

TEST(merge_pages, "MERGE-01 equal pages become one; stores part them; what differs, or is no such memory, stays")
{
	int mm = mm_need();
	u8 *p = map_anon(6, RW), *file = map_shared(tagged_memfd(1), 1, RW);
	long copies;

	for (size_t i = 0; i < 4; i++)
		memset(p + i * P, i == 2 ? 2 : 1, P);
	CHECK_EQ(merge(mm, p, p + P), 0);
	CHECK_EQ(mm_entry_at(mm, p, 0).pfn, mm_entry_at(mm, p + P, 0).pfn);
	CHECK_EQ(mm_entry_at(mm, p, 0).mapcount, 2);
	CHECK_EQ(merge(mm, p, p + P), 0);
	CHECK_EQ(merge(mm, p, p + 2 * P), EDOM);
	CHECK_EQ(merge(mm, p + P, p + 3 * P), 0); /* a third */
	CHECK_EQ(mm_entry_at(mm, p, 0).mapcount, 3);
	CHECK_EQ(merge(mm, p + 2 * P, p), EBUSY); /* the one that goes must be nobody else's */
	CHECK_EQ(merge(mm, p, p + 4 * P), ENOENT);
	CHECK_EQ(merge(mm, p, file), EINVAL);
	CHECK_EQ(migrate(mm, p), EBUSY); /* nobody knows its entries */
	CHECK_OK(madvise(p, 4 * P, MADV_PAGEOUT));
	mm_audit_clean(mm, "with merged pages");
	copies = vmstat("cow_ksm");
	p[P] = 7;
	CHECK_EQ(vmstat("cow_ksm"), copies + 1);
	CHECK_EQ(p[0], 1);
	CHECK_EQ(p[P + 1], 1);
	p[3 * P] = 8;
	p[0] = 9; /* the last one copies, too */
	CHECK_EQ(vmstat("cow_ksm"), copies + 3);
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(p[i * P + 1], i == 2 ? 2 : 1);
	migrate_check(mm, p);
	CHECK_EQ(p[0], 9);
	mm_audit_clean(mm, "after they parted");
}

TEST(merge_move, "MERGE-02 UFFDIO_MOVE of a merged page is EBUSY; with UNSHARE it moves a copy")
{
	int mm = mm_need(), fd = uffd_open(UFFDX_MOVE, 0);
	u8 *p = map_anon(2, RW), *dst = map_anon(2, RW);
	struct mm_entry before, after;

	memset(p, 5, 2 * P);
	uffd_register(fd, dst, 2, UFFDX_REGISTER_MISSING);
	CHECK_EQ(merge(mm, p, p + P), 0);
	before = mm_entry_at(mm, p + P, 0);
	CHECK_EQ(uffd_move(fd, dst, p + P, 1, 0, NULL), EBUSY);
	after = mm_entry_at(mm, p + P, 0);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	CHECK_OK(munmap(p, P)); /* the last entry: still nobody's alone */
	CHECK_EQ(uffd_move(fd, dst, p + P, 1, 0, NULL), EBUSY);
	if (on_pteron())
		CHECK_EQ(uffd_move(fd, dst, p + P, 1, UFFDX_MOVE_UNSHARE, NULL), 0);
	else
		p[P] = 5;
	CHECK_EQ(dst[P - 1], 5);
	mm_audit_clean(mm, "after a move");
}

TEST(merge_fork, "MERGE-03 a merged page after a fork, with a device that mirrors it")
{
	int mm = mm_need(), dev = device_open();
	u8 *p = map_anon(2, RW);
	pid_t pid;

	memset(p, 3, 2 * P);
	CHECK_EQ(device_load(dev, p + P), 0x03030303);
	device_store(dev, p, 0x03030303); /* it may store */
	CHECK_EQ(merge(mm, p, p + P), 0);
	device_store(dev, p, 1);
	CHECK_EQ(*word(p, 1), 0x03030303);
	CHECK_EQ(*word(p, 0), 1);
	memset(p, 3, P);
	CHECK_EQ(merge(mm, p, p + P), 0); /* the other one's frame */
	pid = CHECK_OK(fork());
	if (!pid) {
		p[0] = 4;
		CHECK_EQ(p[P], 3);
		p[P] = 5;
		_exit(0);
	}
	join(pid);
	CHECK_EQ(p[0], 3);
	CHECK_EQ(p[P], 3);
	CHECK_OK(close(dev));
}

/* -- compaction ---------------------------------------------------------------------------------------------------------- */

static long huge_kb(const volatile void *p, size_t size)
{
	ulong start = (ulong)p, end = start + size, from = 0, to = 0, a, b;
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[256];
	long kb, sum = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			from = a;
			to = b;
		} else if (from < end && to > start && sscanf(line, "AnonHugePages: %ld kB", &kb) == 1) {
			sum += kb;
		}
	}
	fclose(f);
	return sum;
}

#define KEPT 7 /* which page of each span stays */

/* Memory in huge pages as far as there is any, of each of which one base page is left: @n of them, @size apart. */
static u8 *fragment(size_t size, size_t *n)
{
	long fallbacks = vmstat("thp_fault_fallback");
	size_t most = (size_t)meminfo_kb("MemFree") * 1024 / size + 2;
	u8 *p = CHECK_OK(mmap(NULL, (most + 1) * size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	p = (u8 *)(((uintptr_t)p + size - 1) & -size);
	CHECK_OK(madvise(p, most * size, 14 /* MADV_HUGEPAGE */));
	for (*n = 0; *n < most && vmstat("thp_fault_fallback") == fallbacks; ++*n)
		set_tag(p + *n * size, KEPT, *n);
	for (size_t i = 0; i < *n; i++) {
		CHECK_OK(madvise(p + i * size, KEPT * P, MADV_DONTNEED));
		CHECK_OK(madvise(p + i * size + (KEPT + 1) * P, size - (KEPT + 1) * P, MADV_DONTNEED));
	}
	return p;
}

TEST_SECONDS(compact_huge, "COMPACT-01 with one page left in every block a huge page is had by moving some", 120)
{
	int mm = mm_need();
	size_t size = 4 << 20, n, more = 8;
	u8 *p, *q = CHECK_OK(mmap(NULL, 10 * size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	long stalls, moved, success;

	PTERON_ONLY();
	q = (u8 *)(((uintptr_t)q + size - 1) & -size);
	CHECK_OK(madvise(q, size, 14));
	q[0] = 1;
	size = (size_t)huge_kb(q, size) << 10;
	if (!size)
		SKIP("no huge pages");
	CHECK_OK(madvise(q, size, MADV_DONTNEED));
	p = fragment(size, &n);
	CHECK_EQ(compact(mm, 0), 0); /* allocations put off attempts for a while after some have failed */
	stalls = vmstat("compact_stall");
	success = vmstat("compact_success");
	moved = vmstat("pgmigrate_success");
	CHECK_OK(madvise(q, more * size, 14));
	for (size_t i = 0; i < more; i++)
		set_tag(q + i * size, 0, i);
	test_note("%zu blocks of %zu KiB with a page each; %ld stalls, %ld blocks made, %ld pages moved", n, size >> 10,
	          vmstat("compact_stall") - stalls, vmstat("compact_success") - success,
	          vmstat("pgmigrate_success") - moved);
	CHECK_EQ(huge_kb(q, more * size), (long)(more * size >> 10));
	CHECK_OP(vmstat("compact_success"), >=, success + (long)more / 2);
	CHECK_OP(vmstat("pgmigrate_success"), >, moved);
	CHECK_OP(vmstat("compact_isolated"), >, 0);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(tag(p + i * size, KEPT), i);
	CHECK_EQ(compact(mm, 0), 0);
	CHECK_EQ(compact(mm, 99), EINVAL);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(tag(p + i * size, KEPT), i);
	mm_audit_clean(mm, "after compaction");
}

/* -- T2-13, T2-21: everything that moves pages, at once ------------------------------------------------------------------- */

#define PAGES 16u

struct storm {
	int fd, mm;
	u8 *home, *away; /* pages go from the one to the other and back */
	u8 *twins;       /* two pages, equal now and then */
	u64 end, moves, waits, migrations, merges, rounds;
	bool stop;
};

/* One page away and back, through whatever is in its way. */
static void there(struct storm *s, u8 *dst, u8 *src)
{
	int err;

	while ((err = uffd_move(s->fd, dst, src, 1, 0, NULL)) == EBUSY || err == EAGAIN) {
		s->waits++;
		*(volatile u8 *)src; /* a page that was swapped in is not ours alone until it is wanted */
		sched_yield();
	}
	CHECK_EQ(err, 0);
	s->moves++;
}

static void move_about(struct storm *s)
{
	u32 seed = suite_seed();

	while (race_on(s->end, s->rounds++)) {
		size_t i = rnd(&seed) % PAGES;

		CHECK_EQ(tag(s->home, i), i);
		there(s, s->away + i * P, s->home + i * P);
		CHECK_EQ(tag(s->away, i), i);
		there(s, s->home + i * P, s->away + i * P);
	}
	STORE(s->stop, true);
}

static void migrate_about(struct storm *s)
{
	u32 seed = suite_seed() + 1;

	while (!LOAD(s->stop)) {
		u8 *at = (rnd(&seed) & 3 ? s->home : s->away) + rnd(&seed) % PAGES * P;

		s->migrations += !migrate(s->mm, at);
		if (rnd(&seed) % 256 == 0)
			(void)compact(s->mm, 4);
	}
}

static void merge_about(struct storm *s)
{
	for (u8 value = 1; !LOAD(s->stop); value++) {
		memset(s->twins, value, 2 * P);
		s->merges += !merge(s->mm, s->twins, s->twins + P);
		CHECK_EQ(s->twins[P + value], value);
		s->twins[0] = 0;
		CHECK_EQ(s->twins[P], value);
		if (value % 64)
			continue;
		(void)madvise(s->home, PAGES * P, MADV_PAGEOUT);
		(void)madvise(s->twins, 2 * P, MADV_PAGEOUT);
	}
}

static void storm_member(unsigned me, void *arg)
{
	void (*const all[])(struct storm * s) = {move_about, migrate_about, merge_about};

	all[me](arg);
}

static void storm(unsigned ms)
{
	struct storm s = {.mm = mm_need()};

	suite_seed();
	swap_begin(256);
	s.home = map_anon(PAGES, RW);
	s.away = map_anon(PAGES, RW);
	s.twins = map_anon(2, RW);
	s.fd = uffd_open(UFFDX_MOVE, 0);
	for (size_t i = 0; i < PAGES; i++)
		set_tag(s.home, i, i);
	uffd_register(s.fd, s.home, PAGES, UFFDX_REGISTER_MISSING);
	uffd_register(s.fd, s.away, PAGES, UFFDX_REGISTER_MISSING);
	s.end = race_end(ms);
	crew_run(3, storm_member, &s);
	test_note("%llu moves, %llu waits, %llu migrations, %llu merges", (unsigned long long)s.moves,
	          (unsigned long long)s.waits, (unsigned long long)s.migrations, (unsigned long long)s.merges);
	CHECK_OP(s.moves, >, 0);
	CHECK_OP(s.merges, >, 0);
	for (size_t i = 0; i < PAGES; i++)
		CHECK_EQ(tag(s.home, i), i);
	CHECK_EQ(uffd_move(s.fd, s.away, s.home, 1, 0, NULL), 0);
	CHECK_EQ(tag(s.away, 0), 0);
	mm_audit_clean(s.mm, "after the storm");
	CHECK_OK(close(s.fd));
	swap_end();
}

TEST(t2_storm_rmap,
     "T2-21 storm: reclaim, migration, compaction and merging while pages move: all are found, none is lost")
{
	storm(1000);
}

struct mover {
	int fd, err;
	u8 *dst, *src;
};

static void do_move(void *arg)
{
	struct mover *m = arg;

	m->err = uffd_move(m->fd, m->dst, m->src, 1, 0, NULL);
}

TEST(t2_order_migrate, "T2-21 both orders: MOVE has judged the page, then it is migrated; and the other way round")
{
	struct mover m = {.fd = uffd_open(UFFDX_MOVE, 0), .dst = map_anon(2, RW), .src = map_anon(2, RW)};
	struct puppet mover = {0}, other = {0};
	struct migrating g = {.mm = mm_need(), .at = m.src};

	puppet_need(2);
	uffd_register(m.fd, m.dst, 2, UFFDX_REGISTER_MISSING);
	puppet_start(&mover, 1);
	puppet_start(&other, 2);
	set_tag(m.src, 0, 5);
	set_tag(m.src, 1, 6);
	mm_arm(g.mm, "move-judged", mover.tid);
	puppet_tell(&mover, do_move, &m);
	mm_await(g.mm, "move-judged");
	puppet_tell(&other, migrate_do, &g); /* waits for the table, and finds nothing */
	CHECK(!puppet_within(&other, 30));
	mm_release(g.mm, "move-judged");
	CHECK_NOFAULT(puppet_wait(&mover));
	CHECK_NOFAULT(puppet_wait(&other));
	mm_disarm(g.mm, "move-judged");
	CHECK_EQ(m.err, 0);
	CHECK_EQ(g.err, ENOENT);
	migrate_check(g.mm, m.dst);
	CHECK_EQ(tag(m.dst, 0), 5);
	m = (struct mover){.fd = m.fd, .dst = m.dst + P, .src = m.src + P};
	g.at = m.src;
	mm_arm(g.mm, "migrate-copied", other.tid);
	puppet_tell(&other, migrate_do, &g);
	mm_await(g.mm, "migrate-copied");
	puppet_tell(&mover, do_move, &m);
	CHECK(!puppet_within(&mover, 30));
	mm_release(g.mm, "migrate-copied");
	CHECK_NOFAULT(puppet_wait(&mover));
	CHECK_NOFAULT(puppet_wait(&other));
	mm_disarm(g.mm, "migrate-copied");
	CHECK_EQ(m.err, 0);
	CHECK_EQ(g.err, 0);
	CHECK_EQ(tag(m.dst, 0), 6);
	mm_audit_clean(g.mm, "after both orders");
	puppet_stop(&mover);
	puppet_stop(&other);
}

TEST(t2_swapped, "T2-13 a page in a slot moves without coming in; and is where it belongs when it does")
{
	int mm = mm_need(), fd = uffd_open(UFFDX_MOVE, 0);
	u8 *src, *dst = map_anon(4, RW);
	long in;

	swap_begin(64);
	src = map_anon(4, RW);
	swap_fill(src, 4, 9);
	CHECK_EQ(swap_out(src, 4), 4);
	uffd_register(fd, dst, 4, UFFDX_REGISTER_MISSING);
	in = vmstat("pswpin");
	CHECK_EQ(uffd_move(fd, dst, src, 4, 0, NULL), 0);
	CHECK_EQ(vmstat("pswpin"), in);
	CHECK_EQ(mm_entry_at(mm, dst, 0).kind, MM_ENTRY_SWAP);
	swap_check(dst, 4, 9);
	for (size_t i = 0; i < 4; i++)
		migrate_check(mm, dst + i * P);
	swap_check(dst, 4, 9);
	mm_audit_clean(mm, "after moves of slots");
	swap_end();
}

/* -- X-04 --------------------------------------------------------------------------------------------------------------------- */

TEST(X_04,
     "X-04 a private page that may only be read, swapped out, brought back, moved to another frame: the grant stays")
{
	int mm = mm_need(), file = tagged_memfd(4), fd;
	u8 *w, *dst;

	PTERON_ONLY();
	swap_begin(64);
	w = CHECK_OK(mmap(NULL, 4 * P, RW, MAP_PRIVATE, file, 0));
	dst = map_anon(1, RW);
	CHECK_OK(rfp(w, P, RW, 3, MAP_CHGPROT));
	set_tag(w, 0, 33);
	CHECK_OK(rfp(w + P, P, PROT_READ, 2, MAP_CHGPROT));
	CHECK_EQ(tag(w, 1), 2);
	CHECK_OK(rfp(w, P, PROT_READ, 3, MAP_CHGPROT)); /* drops the copy: page 3 of the file */
	CHECK_EQ(tag(w, 0), 3);
	CHECK_OK(rfp(w, P, RW, 3, MAP_CHGPROT));
	set_tag(w, 0, 33);
	CHECK_EQ(swap_out(w, 1), 1);
	CHECK_EQ(mm_entry_at(mm, w, 0).kind, MM_ENTRY_SWAP);
	fd = uffd_open(UFFDX_MOVE, 0);
	uffd_register(fd, dst, 1, UFFDX_REGISTER_MISSING);
	CHECK_EQ(uffd_move(fd, dst, w, 1, 0, NULL), EINVAL); /* of a file: it stays */
	CHECK_EQ(mm_entry_at(mm, w, 0).kind, MM_ENTRY_SWAP);
	CHECK_EQ(tag(w, 0), 33);
	migrate_check(mm, w);
	CHECK_EQ(tag(w, 0), 33);
	CHECK_OK(mprotect(w, P, PROT_READ));
	CHECK_EQ(swap_out(w, 1), 1);
	CHECK_ACCERR(try_write(w, 1), w);
	CHECK_EQ(tag(w, 0), 33);
	migrate_check(mm, w);
	CHECK_ACCERR(try_write(w, 1), w);
	CHECK_OK(mprotect(w, P, RW));
	set_tag(w, 0, 34);
	CHECK_EQ(tag(w, 0), 34);
	mm_audit_clean(mm, "after X-04");
	CHECK_OK(close(fd));
	swap_end();
}

/* -- X-10 --------------------------------------------------------------------------------------------------------------------- */

#define WINDOW 12

static int prot_of(size_t i)
{
	static const int prots[] = {RW, PROT_READ, PROT_NONE};

	return prots[i % 3];
}

struct cross {
	int mm, dev;
	u8 *w, *anon;
	u32 value;
};

static void dirty_all(struct cross *c)
{
	c->value++;
	for (size_t i = 0; i < WINDOW; i++) {
		if (prot_of(i) == PROT_NONE) {
			CHECK(device_try_load(c->dev, word(c->w, i), &(u32){0}) != 0);
			CHECK_ACCERR(try_read(c->w + i * P), c->w + i * P);
			continue;
		}
		if (prot_of(i) != RW)
			CHECK_ACCERR(try_write(c->w + i * P, 1), c->w + i * P);
		CHECK_EQ(tag(c->w, i), WINDOW - 1 - i);
		if (prot_of(i) != RW)
			continue;
		CHECK_EQ(word(c->w, i)[4], c->value - 1);
		CHECK_EQ(device_load(c->dev, word(c->w, i) + 5), c->value - 1);
		word(c->w, i)[4] = c->value;
		device_store(c->dev, word(c->w, i) + 5, c->value);
	}
	for (size_t i = 0; i < WINDOW; i++) {
		CHECK_EQ(*word(c->anon, i), c->value - 1);
		device_store(c->dev, word(c->anon, i), c->value);
	}
}

static void push_out(struct cross *c)
{
	for (size_t i = 0; i < WINDOW; i += 3) { /* may fail, with what it says it fails with */
		int err = migrate(c->mm, c->w + i * P), other = migrate(c->mm, c->anon + i * P);

		CHECK(!err || err == EAGAIN || err == ENOMEM);
		CHECK(!other || other == EAGAIN || other == ENOMEM);
	}
	CHECK_OK(madvise(c->w, WINDOW * P, MADV_PAGEOUT));
	CHECK_OK(madvise(c->anon, WINDOW * P, MADV_PAGEOUT));
}

TEST_SECONDS(
	X_10, "X-10 reclaim and migration with every allocation failing, a mirror, a dirty window: progress, grants kept",
	120)
{
	static const char *const points[] = {"page_alloc", "slab_alloc", "swap_slot", "page_trylock", "rwsem_trylock"};
	struct cross c = {.mm = mm_need()};
	int fd;

	PTERON_ONLY();
	swap_begin(128);
	fd = make_file(disk_dir(), "x10", 0);
	tag_file(fd, WINDOW);
	c.dev = device_open();
	c.w = map_shared(fd, WINDOW, RW);
	c.anon = map_anon(WINDOW, RW);
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_OK(rfp(c.w + i * P, P, prot_of(i), WINDOW - 1 - i, MAP_CHGPROT));
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		struct mm_fail f = {.failed = 1};
		u64 n = 0;

		while (f.failed) {
			dirty_all(&c);
			mm_fail_arm(c.mm, points[i], ++n);
			push_out(&c);
			f = mm_fail_arm(c.mm, points[i], 0);
		}
		test_note("%s: %llu places", points[i], (unsigned long long)n - 1);
	}
	dirty_all(&c);
	CHECK_OK(fsync(fd));
	CHECK_OK(close(c.dev));
	mm_audit_clean(c.mm, "after X-10");
	swap_end();
}
