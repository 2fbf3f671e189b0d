/*
 * migrate.c - pages that go to another frame: MIGRATE-0x, T1-08, T2-17 (docs/migration.md).
 */
#define _GNU_SOURCE
#include "dma.h"
#include "move.h"
#include "swap.h"
#include "t2.h"
#include "t3.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- one page of each kind --------------------------------------------------------------------------------------------- */

TEST(migrate_anon, "MIGRATE-01 an anonymous page: as it was, in another frame")
{
	int mm = mm_need();
	u8 *p = map_anon(4, RW);

	swap_fill(p, 2, 1);
	migrate_check(mm, p);
	swap_check(p, 2, 1);
	CHECK(mm_entry_at(mm, p, 0).write);
	CHECK_OK(mprotect(p, 2 * P, PROT_NONE));
	migrate_check(mm, p + P);
	CHECK_ACCERR(try_read(p + P), p + P);
	CHECK_OK(mprotect(p, 2 * P, RW));
	swap_check(p, 2, 1);
	CHECK_EQ(migrate(mm, p + 2 * P), ENOENT);
	CHECK_EQ(tag(p, 3), 0); /* the page of zeros */
	CHECK_EQ(migrate(mm, p + 3 * P), EINVAL);
	CHECK_EQ(migrate(mm, (void *)~(uintptr_t)0), EFAULT);
	CHECK_OK(mlock(p, 2 * P));
	migrate_check(mm, p);
	CHECK_OK(munlock(p, 2 * P));
	mm_audit_clean(mm, "after migrations");
}

/* Every address that shows the page shows the other frame. */
static void check_same(int mm, const u8 *a, const u8 *b)
{
	CHECK_EQ(mm_entry_at(mm, a, 0).pfn, mm_entry_at(mm, b, 0).pfn);
}

static void migrate_window(int mm, int file)
{
	u8 *w = map_shared(file, 8, RW), *linear = map_shared(file, 8, RW);

	for (size_t i = 0; i < 8; i++)
		CHECK_OK(rfp(w + i * P, P, i == 5 ? PROT_READ : RW, i < 4 ? 7 - i : 2, MAP_CHGPROT));
	set_tag(linear, 2, 22); /* page 2, at 5 addresses */
	for (size_t i = 0; i < 8; i++) {
		CHECK_EQ(tag(w, i), i < 4 ? 7 - i : 22);
		CHECK_EQ(tag(linear, i), i == 2 ? 22 : i);
	}
	set_tag(w, 1, 66);
	for (size_t i = 0; i < 8; i++)
		migrate_check(mm, w + i * P);
	for (size_t i = 4; i < 8; i++)
		check_same(mm, w + i * P, linear + 2 * P);
	CHECK_EQ(mm_entry_at(mm, w + 5 * P, 0).grant & RW, PROT_READ);
	CHECK_ACCERR(try_write(w + 5 * P, 1), w + 5 * P);
	CHECK_EQ(tag(linear, 6), 66);
	set_tag(w, 6, 23);
	CHECK_EQ(tag(linear, 2), 23);
	CHECK_EQ(file_tag(file, 2), 23);
	CHECK_OK(munmap(w, 8 * P));
	CHECK_OK(munmap(linear, 8 * P));
}

TEST(migrate_file,
     "MIGRATE-02 pages of files: of memory, of a disk; linear, off position, with protections of their own")
{
	int mm = mm_need(), fd = tagged_memfd(8);
	u8 *copy;

	PTERON_ONLY();
	migrate_window(mm, fd);
	fd = make_file(disk_dir(), "migrate", 0);
	tag_file(fd, 8);
	CHECK_OK(fsync(fd));
	migrate_window(mm, fd);
	CHECK_OK(fsync(fd)); /* what was dirty still is */
	drop_caches();
	CHECK_EQ(file_tag(fd, 2), 23);
	CHECK_EQ(file_tag(fd, 1), 1);
	CHECK_EQ(file_tag(fd, 6), 66);
	copy = CHECK_OK(mmap(NULL, 8 * P, RW, MAP_PRIVATE, fd, 0));
	set_tag(copy, 3, 33);
	CHECK_EQ(tag(copy, 4), 4);
	migrate_check(mm, copy + 3 * P);
	migrate_check(mm, copy + 4 * P);
	CHECK_EQ(tag(copy, 3), 33);
	CHECK_EQ(tag(copy, 4), 4);
	set_tag(copy, 4, 44);
	CHECK_EQ(file_tag(fd, 4), 4);
	mm_audit_clean(mm, "after migrations");
}

TEST(migrate_shared, "MIGRATE-03 a page shared since a fork: at both places; a store copies as before")
{
	int mm = mm_need(), go[2];
	u8 *p = map_anon(1, RW);
	char byte = 0;
	pid_t pid;

	set_tag(p, 0, 5);
	CHECK_OK(pipe(go));
	pid = CHECK_OK(fork());
	if (!pid) {
		close(go[1]);
		CHECK_EQ(read(go[0], &byte, 1), 0);
		CHECK_EQ(tag(p, 0), 5);
		set_tag(p, 0, 6);
		_exit(0);
	}
	CHECK_EQ(mm_entry_at(mm, p, 0).mapcount, 2);
	migrate_check(mm, p);
	close(go[0]);
	close(go[1]);
	join(pid);
	CHECK_EQ(tag(p, 0), 5);
	set_tag(p, 0, 7);
}

/* MADV_FREE gave it up, a store wants it back: only the dirty bit of the entry knows. */
TEST(migrate_dirty, "MIGRATE-04 a store to memory that MADV_FREE gave up survives migration and reclaim")
{
	int mm = mm_need();
	u8 *p;

	swap_begin(64);
	p = map_anon(1, RW);
	set_tag(p, 0, 1);
	CHECK_OK(madvise(p, P, MADV_FREE));
	set_tag(p, 0, 2);
	CHECK_EQ(migrate(mm, p), 0); /* M182: the entry is clean now */
	CHECK_OK(madvise(p, P, MADV_PAGEOUT));
	CHECK_EQ(tag(p, 0), 2);
	CHECK_OK(madvise(p, P, MADV_FREE));
	CHECK_EQ(migrate(mm, p), 0);
	CHECK(!mm_entry_at(mm, p, 0).dirty);
	swap_end();
}

TEST(migrate_swapped, "MIGRATE-05 a page that has a slot takes it along")
{
	int mm = mm_need();
	u8 *p;

	swap_begin(64);
	p = map_anon(8, RW);
	swap_fill(p, 8, 3);
	CHECK_EQ(swap_out(p, 8), 8);
	CHECK_EQ(migrate(mm, p), ENOENT);
	swap_check(p, 8, 3); /* read-only and cached now, but for what a load found exclusive */
	for (size_t i = 0; i < 8; i++)
		migrate_check(mm, p + i * P);
	swap_check(p, 8, 3);
	(void)swap_out(p, 8);
	swap_check(p, 8, 3);
	swap_end();
	swap_check(p, 8, 3);
}

TEST(migrate_protected, "MIGRATE-06 write protection by userfaultfd stays")
{
	int mm = mm_need(), fd = uffd_open(0, 0);
	u8 *p = map_anon(1, RW);
	struct toucher t;

	set_tag(p, 0, 1);
	uffd_register(fd, p, 1, UFFDX_REGISTER_WP);
	CHECK_EQ(uffd_protect(fd, p, 1, UFFDX_WRITEPROTECT_WP), 0);
	migrate_check(mm, p);
	touch_start(&t, p, true, 9);
	uffd_expect(fd, p, UFFDX_FAULT_WRITE | UFFDX_FAULT_WP);
	CHECK_EQ(tag(p, 0), 1);
	CHECK_EQ(uffd_protect(fd, p, 1, 0), 0);
	CHECK_EQ(touch_end(&t), 9);
}

TEST(migrate_mirrored, "MIGRATE-07 a device that mirrors the page finds the other frame")
{
	int mm = mm_need(), dev = device_open();
	u8 *p = map_anon(1, RW);

	*word(p, 0) = 1;
	CHECK_EQ(device_load(dev, p), 1);
	device_store(dev, word(p, 0) + 1, 2);
	migrate_check(mm, p);
	CHECK_EQ(word(p, 0)[1], 2);
	*word(p, 0) = 3;
	CHECK_EQ(device_load(dev, p), 3);
	device_store(dev, word(p, 0) + 1, 4);
	CHECK_EQ(word(p, 0)[1], 4);
	CHECK_OK(close(dev));
}

/* -- T1-08 ------------------------------------------------------------------------------------------------------------- */

static void pinned(int mm, u8 *p, u8 *equal, u64 flags)
{
	int dma = dma_open();
	u64 id = dma_pin(dma, p, P, flags);
	long fails = vmstat("pgmigrate_fail"), refused = vmstat("ksm_merge_refused");
	struct mm_entry before = mm_entry_at(mm, p, 0), after;

	CHECK_EQ(migrate(mm, p), EBUSY);
	CHECK_EQ(vmstat("pgmigrate_fail"), fails + 1);
	if (equal) {
		CHECK_EQ(merge(mm, equal, p), EBUSY);
		CHECK_EQ(merge(mm, p, equal), EBUSY);
		CHECK_EQ(vmstat("ksm_merge_refused"), refused + 2);
	}
	(void)compact(mm, 0);
	after = mm_entry_at(mm, p, 0);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	if (flags & EDU_PIN_WRITE) {
		dma_store(dma, id, 64, 4711); /* M181: into a frame that is somebody else's */
		CHECK_EQ(((volatile u64 *)p)[8], 4711);
		dma_store(dma, id, 64, 0);
	}
	dma_unpin(dma, id, flags & EDU_PIN_WRITE);
	CHECK_OK(close(dma));
}

TEST(t1_migrate,
     "T1-08 pinned: migration, compaction and merging are refused and counted; what the device stores is there")
{
	int mm = mm_need();
	struct disk_page d = disk_pages("pinned", 1);
	u8 *p = map_anon(2, RW);

	PTERON_ONLY();
	pinned(mm, p + P, NULL, EDU_PIN_WRITE); /* pinning made it */
	memset(p, 0, 2 * P);
	pinned(mm, p, p + P, EDU_PIN_WRITE);
	pinned(mm, p, p + P, 0);
	pinned(mm, d.p, NULL, EDU_PIN_WRITE);
	pinned(mm, d.p, NULL, EDU_PIN_WRITE | EDU_PIN_LONGTERM);
	migrate_check(mm, p);
	migrate_check(mm, d.p);
	CHECK_EQ(merge(mm, p, p + P), 0);
	CHECK_OK(close(d.fd));
}

struct tug {
	int mm, dma;
	u8 *p;
	u64 end, rounds, moved, refused;
	bool stop;
};

static void pin_or_migrate(unsigned me, void *arg)
{
	struct tug *t = arg;

	if (me) {
		for (; race_on(t->end, t->rounds); t->rounds++) {
			u64 id = dma_pin(t->dma, t->p, P, t->rounds % 2 ? EDU_PIN_WRITE : 0), pfn;

			pfn = dma_stat_pin(t->dma, id, 0).pfn;
			for (unsigned i = 0; i < 3; i++)
				CHECK_EQ(mm_entry_at(t->mm, t->p, 0).pfn, pfn); /* while it is pinned it stays */
			dma_unpin(t->dma, id, t->rounds % 2);
		}
		STORE(t->stop, true);
		return;
	}
	while (!LOAD(t->stop)) {
		int err = migrate(t->mm, t->p);

		CHECK(!err || err == EBUSY || err == EAGAIN);
		t->moved += !err;
		t->refused += err != 0;
	}
}

TEST(t1_tug, "T1-08 storm: pins, with and without locks, of a page that goes from frame to frame: what is pinned stays")
{
	struct tug t = {.mm = mm_need(), .dma = dma_open(), .p = map_anon(1, RW)};

	PTERON_ONLY();
	set_tag(t.p, 0, 7);
	t.end = race_end(500);
	crew_run(2, pin_or_migrate, &t);
	test_note("%llu pins, %llu migrations, %llu refused", (unsigned long long)t.rounds, (unsigned long long)t.moved,
	          (unsigned long long)t.refused);
	CHECK_EQ(tag(t.p, 0), 7);
	CHECK_OK(close(t.dma));
}

/* -- T2-17: what meets a migration entry -------------------------------------------------------------------------------- */

/* A migration of the page at @p is held while its entries are migration entries. */
struct held {
	struct puppet puppet;
	struct migrating m;
	int mm;
};

static void hold(struct held *h, volatile void *p)
{
	h->m = (struct migrating){.mm = h->mm, .at = p, .err = -1};
	mm_arm(h->mm, "migrate-taken", h->puppet.tid);
	puppet_tell(&h->puppet, migrate_do, &h->m);
	mm_await(h->mm, "migrate-taken");
}

static void let_go(struct held *h)
{
	mm_release(h->mm, "migrate-taken");
	CHECK_NOFAULT(puppet_wait(&h->puppet));
	mm_disarm(h->mm, "migrate-taken");
}

static void held_begin(struct held *h)
{
	h->mm = mm_need();
	puppet_start(&h->puppet, 1);
}

struct mover {
	int fd, err;
	u8 *dst, *src;
	size_t pages;
};

static void do_move(void *arg)
{
	struct mover *m = arg;

	m->err = uffd_move(m->fd, m->dst, m->src, m->pages, 0, NULL);
}

static void move_waits(struct held *h, struct puppet *mover, struct puppet *reader, u8 *dst, u8 *src, size_t pages)
{
	struct mover m = {.fd = uffd_open(UFFDX_MOVE, 0), .dst = dst, .src = src, .pages = pages};
	struct access a = {.at = (volatile u32 *)(src + (pages - 1) * P)};
	long fails = vmstat("pgmigrate_fail"), done = vmstat("pgmigrate_success");
	u8 *at = src + (pages - 1) * P;

	uffd_register(m.fd, dst, pages, UFFDX_REGISTER_MISSING);
	for (size_t i = 0; i < pages; i++)
		set_tag(src, i, i + 40);
	hold(h, at);
	CHECK_EQ(mm_entry_at(h->mm, at, 0).kind, MM_ENTRY_MIGRATION);
	CHECK_EQ(resident(at), 1);
	puppet_access(reader, &a);
	CHECK(!puppet_within(reader, 50));
	let_go(h);
	CHECK_NOFAULT(puppet_wait(reader));
	CHECK_EQ(a.value, pages - 1 + 40);
	CHECK_EQ(h->m.err, 0);
	hold(h, at);
	puppet_tell(mover, do_move, &m);
	CHECK(!puppet_within(mover, 50));
	let_go(h);
	CHECK_NOFAULT(puppet_wait(mover));
	CHECK_EQ(h->m.err, 0);
	CHECK(m.err == 0 || m.err == EAGAIN); /* a part went before it had to wait */
	if (m.err)
		CHECK_EQ(uffd_move(m.fd, dst + P, src + P, 1, 0, NULL), ENOENT);
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(tag(dst, i), i + 40);
	CHECK_EQ(vmstat("pgmigrate_fail"), fails); /* M183: who waits is in the way */
	CHECK_EQ(vmstat("pgmigrate_success"), done + 2);
	CHECK_OK(close(m.fd));
}

TEST(t2_migration_entry,
     "T2-17 MOVE and a load wait for a migration, and are not in its way; one page, and of a huge one")
{
	struct held h = {.mm = -1};
	struct puppet mover = {0}, reader = {0};
	size_t most = 4 << 20;
	u8 *p = CHECK_OK(mmap(NULL, 3 * most, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	u8 *a = (u8 *)(((uintptr_t)p + most - 1) & -most);

	puppet_need(3);
	held_begin(&h);
	puppet_start(&mover, 2);
	puppet_start(&reader, 3);
	move_waits(&h, &mover, &reader, map_anon(1, RW), map_anon(1, RW), 1);
	CHECK_OK(madvise(a, most, 14 /* MADV_HUGEPAGE */));
	move_waits(&h, &mover, &reader, a + most, a, 8);
	mm_audit_clean(h.mm, "after moves");
	puppet_stop(&mover);
	puppet_stop(&reader);
	puppet_stop(&h.puppet);
}

/* What a program may do to memory whose page is just being moved. */
static void meet_unmap(struct held *h, u8 *p)
{
	CHECK_OK(munmap(p, P));
	let_go(h);
	CHECK_MAPERR(try_read(p), p);
}

static void meet_drop(struct held *h, u8 *p)
{
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
	CHECK_EQ(tag(p, 0), 0);
	let_go(h);
	CHECK_EQ(tag(p, 0), 0);
}

static void meet_protect(struct held *h, u8 *p)
{
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_ACCERR(try_write(p, 1), p);
	let_go(h);
	CHECK_EQ(tag(p, 0), 5);
	CHECK_ACCERR(try_write(p, 1), p);
	CHECK_OK(mprotect(p, P, RW));
	set_tag(p, 0, 6);
}

static void meet_mremap(struct held *h, u8 *p)
{
	u8 *to = map_anon(1, PROT_NONE);

	CHECK(mremap(p, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	let_go(h);
	CHECK_EQ(tag(to, 0), 5);
	set_tag(to, 0, 6);
}

static void meet_fork(struct held *h, u8 *p)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		CHECK_EQ(tag(p, 0), 5); /* waits, too */
		set_tag(p, 0, 6);
		_exit(0);
	}
	let_go(h);
	join(pid);
	CHECK_EQ(tag(p, 0), 5);
	set_tag(p, 0, 7);
	puppet_rehearse(&h->puppet);
}

static void meet_lazy(struct held *h, u8 *p)
{
	CHECK_OK(madvise(p, P, MADV_FREE));
	CHECK_OK(madvise(p, P, MADV_PAGEOUT));
	CHECK_OK(mlock(p, 0));
	CHECK_EQ(resident(p), 1);
	let_go(h);
	CHECK_EQ(tag(p, 0), 5);
}

struct pinner {
	int dma;
	u8 *p;
	u64 id;
};

static void do_pin(void *arg)
{
	struct pinner *p = arg;

	p->id = dma_pin(p->dma, p->p, P, EDU_PIN_WRITE);
}

TEST(t1_order_migrate,
     "T1-08 both orders: a pin is counted, then the page shall move; it moves, then it shall be pinned")
{
	struct pinner pin = {.dma = dma_open(), .p = map_anon(1, RW)};
	struct puppet pinner = {0};
	struct held h = {.mm = -1};

	PTERON_ONLY();
	puppet_need(2);
	held_begin(&h);
	puppet_start(&pinner, 2);
	h.m = (struct migrating){.mm = h.mm, .at = pin.p, .err = -1};
	mm_arm(h.mm, "pin-counted", pinner.tid); /* nothing is there yet: it goes the way with locks */
	puppet_tell(&pinner, do_pin, &pin);
	mm_await(h.mm, "pin-counted");
	puppet_tell(&h.puppet, migrate_do, &h.m);
	CHECK(!puppet_within(&h.puppet, 30));
	mm_release(h.mm, "pin-counted");
	CHECK_NOFAULT(puppet_wait(&pinner));
	CHECK_NOFAULT(puppet_wait(&h.puppet));
	mm_disarm(h.mm, "pin-counted");
	CHECK_EQ(h.m.err, EBUSY);
	CHECK_EQ(mm_entry_at(h.mm, pin.p, 0).pfn, dma_stat_pin(pin.dma, pin.id, 0).pfn);
	dma_unpin(pin.dma, pin.id, false);
	hold(&h, pin.p);
	puppet_tell(&pinner, do_pin, &pin);
	CHECK(!puppet_within(&pinner, 30));
	let_go(&h);
	CHECK_NOFAULT(puppet_wait(&pinner));
	CHECK_EQ(h.m.err, 0);
	CHECK_EQ(mm_entry_at(h.mm, pin.p, 0).pfn, dma_stat_pin(pin.dma, pin.id, 0).pfn);
	dma_unpin(pin.dma, pin.id, false);
	CHECK_OK(close(pin.dma));
	puppet_stop(&pinner);
	puppet_stop(&h.puppet);
}

TEST(migrate_meets, "MIGRATE-08 munmap, DONTNEED, mprotect, mremap, fork, MADV_FREE of a page that is being moved")
{
	static void (*const meets[])(struct held * h, u8 * p) = {meet_unmap,  meet_drop, meet_protect,
	                                                         meet_mremap, meet_fork, meet_lazy};
	struct held h = {.mm = -1};

	puppet_need(1);
	held_begin(&h);
	for (size_t i = 0; i < sizeof(meets) / sizeof(meets[0]); i++) {
		u8 *p = map_anon(3, RW) + P;

		set_tag(p, 0, 5);
		hold(&h, p);
		meets[i](&h, p);
		CHECK_EQ(h.m.err, 0);
		mm_audit_clean(h.mm, "after a migration met something");
	}
	puppet_stop(&h.puppet);
}

TEST(migrate_meets_remap, "MIGRATE-09 remap, truncate and fork of a window whose page is being moved")
{
	struct held h = {.mm = -1};
	int fd = tagged_memfd(8);
	u8 *w;
	pid_t pid;

	PTERON_ONLY();
	puppet_need(1);
	held_begin(&h);
	w = map_shared(fd, 8, RW);
	for (size_t i = 0; i < 8; i++)
		CHECK_OK(rfp(w + i * P, P, RW, 7 - i, MAP_CHGPROT));
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(tag(w, i), 7 - i);
	hold(&h, w);
	CHECK_OK(rfp(w, P, PROT_READ, 7, MAP_CHGPROT)); /* another grant */
	CHECK_OK(rfp(w + P, P, RW, 7, MAP_CHGPROT));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_EQ(tag(w, 0), 7);
		CHECK_EQ(tag(w, 1), 7);
		_exit(0);
	}
	let_go(&h);
	CHECK(h.m.err == 0 || h.m.err == EAGAIN);
	join(pid);
	puppet_rehearse(&h.puppet);
	CHECK_EQ(tag(w, 0), 7);
	CHECK_ACCERR(try_write(w, 1), w);
	hold(&h, w + 2 * P);
	CHECK_OK(rfp(w + 2 * P, P, RW, 3, MAP_CHGPROT)); /* another page */
	CHECK_EQ(tag(w, 2), 3);
	let_go(&h);
	CHECK_EQ(tag(w, 2), 3);
	CHECK_EQ(tag(w, 4), 3);
	mm_audit_clean(h.mm, "after remaps");
	puppet_stop(&h.puppet);
}

struct reader {
	int fd;
	u64 value;
};

static void do_read(void *arg)
{
	struct reader *r = arg;

	r->value = file_tag(r->fd, 3);
}

TEST(migrate_meets_read, "MIGRATE-10 read(2) of a page of memory that is just getting its content waits, and finds it")
{
	struct reader r = {.fd = tagged_memfd(4)};
	struct puppet reader = {0}, mover = {0};
	struct migrating m = {.mm = mm_need()};
	u8 *p = map_shared(r.fd, 4, RW);

	puppet_need(2);
	m.at = p + 3 * P;
	CHECK_EQ(tag(p, 3), 3);
	puppet_start(&mover, 1);
	puppet_start(&reader, 2);
	mm_arm(m.mm, "migrate-copied", mover.tid);
	puppet_tell(&mover, migrate_do, &m);
	mm_await(m.mm, "migrate-copied");
	puppet_tell(&reader, do_read, &r);
	CHECK(!puppet_within(&reader, 30));
	mm_release(m.mm, "migrate-copied");
	CHECK_NOFAULT(puppet_wait(&reader));
	CHECK_NOFAULT(puppet_wait(&mover));
	mm_disarm(m.mm, "migrate-copied");
	CHECK_EQ(m.err, 0);
	CHECK_EQ(r.value, 3);
	puppet_stop(&reader);
	puppet_stop(&mover);
}
